package llm_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestEveryProvidersModelsMayCallToolsInText(t *testing.T) {
	each(t, func(t *testing.T, w wire, stream bool) {
		w.model.Tools = "text"
		d := w.serve(t, stream, w.answers(stream, said{text: "Let me see.\n```json\n{\"tool\":\"think\",\"args\":{\"thought\":\"a\"}}\n```"}))
		got, err := d.Decide(t.Context(), view())
		if err != nil {
			t.Fatal(err)
		}
		want := []protocol.ToolCall{{Tool: "think", Args: `{"thought":"a"}`}}
		if diff := cmp.Diff(want, got.Calls); diff != "" || got.Text != "Let me see." || got.Usage.InputTokens != 1200 {
			t.Errorf("text %q, usage %+v, calls (-want +got):\n%s", got.Text, got.Usage, diff)
		}
	})
}

func TestWhatAModelWithoutToolsIsSent(t *testing.T) {
	var req map[string]any
	w := wireOf(t, llm.Ollama)
	w.model.Tools = "text"
	d := w.serve(t, true, func(rw http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		rw.Header().Set("Content-Type", w.kind)
		_, _ = rw.Write(w.parts(said{text: "x"}))
	})
	v := conversation(t, nil)
	if _, err := d.Decide(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if req["tools"] != nil || req["tool_choice"] != nil {
		t.Errorf("tools %v, tool_choice %v", req["tools"], req["tool_choice"])
	}
	var got []string
	for _, m := range req["messages"].([]any) {
		m := m.(map[string]any)
		if m["tool_calls"] != nil || m["tool_call_id"] != nil {
			t.Errorf("message %v", m)
		}
		got = append(got, m["role"].(string)+": "+m["content"].(string))
	}
	if len(got) != 8 {
		t.Fatalf("%d messages: %q", len(got), got)
	}
	for i, has := range [][]string{
		{"system: You look at hosts.", `{"tool": "NAME", "args": {…}}`, "## take_snapshot", `"additionalProperties":false`},
		{"user: Reason: slow"},
		{"assistant: Both.\n[{\"tool\":\"think\",\"args\":{\"thought\":\"a\"}},{\"tool\":\"think\",\"args\":\"no JSON\"}]"},
		{"user: Result of think:\n", "result a", "result b", "Reported: x"},
		{"assistant: "},
		{"user: ", "calls no tool"},
		{`assistant: {"tool":"done","args":{}}`},
		{"user: Result of done", "not yet"},
	} {
		for _, s := range has {
			if !strings.Contains(got[i], s) {
				t.Errorf("message %d: %q is not in %.400q", i, s, got[i])
			}
		}
	}
}
