package llm_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// conversation is a run after answers of several shapes; extra is the first one's.
func conversation(t *testing.T, extra map[string]any) agent.View {
	t.Helper()
	v := view()
	record := func(kind protocol.RecordKind, data any) {
		v.Records = append(v.Records, protocol.Record{Kind: kind, Data: raw(data)})
	}
	record(protocol.RecordAnswer, protocol.Answer{Step: 1, Text: "Both.", Extra: extra, Calls: []protocol.ToolCall{
		{ID: "functions.think:0", Tool: "think", Args: `{"thought":"a"}`}, {ID: "c2", Tool: "think", Args: `no JSON`},
	}})
	record(protocol.RecordResult, protocol.ToolResult{Step: 1, CallID: "functions.think:0", Tool: "think", Content: "result a"})
	record(protocol.RecordResult, protocol.ToolResult{Step: 1, CallID: "c2", Tool: "think", Content: "result b"})
	record(protocol.RecordInput, protocol.Input{Step: 1, Text: "Reported: x"})
	record(protocol.RecordAnswer, protocol.Answer{Step: 2, Text: " "})
	record(protocol.RecordAnswer, protocol.Answer{Step: 3, Calls: []protocol.ToolCall{{ID: "c3", Tool: "done"}}})
	record(protocol.RecordResult, protocol.ToolResult{Step: 3, CallID: "c3", Tool: "done", Content: "not yet"})
	return v
}

// sentBy asks a fake with a view and returns the request.
func sentBy(t *testing.T, provider string, v agent.View, change func(*llm.Model)) map[string]any {
	t.Helper()
	var req map[string]any
	for _, w := range wires() {
		if w.name != provider {
			continue
		}
		if change != nil {
			change(&w.model)
		}
		d := w.serve(t, true, func(rw http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
				t.Error(err)
			}
			rw.Header().Set("Content-Type", w.kind)
			_, _ = rw.Write(w.parts(said{text: "x"}))
		})
		if _, err := d.Decide(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	return req
}

// outline renders the blocks of a message, shortly.
func outline(role string, blocks []any) string {
	parts := []string{role}
	for _, b := range blocks {
		b := b.(map[string]any)
		part := fmt.Sprint(b["type"])
		for _, k := range []string{"id", "tool_use_id", "input", "thinking", "signature", "data"} {
			if v, ok := b[k]; ok {
				part += " " + string(raw(v))
			}
		}
		if b["cache_control"] != nil {
			part += " (cached)"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " | ")
}

func TestWhatClaudeIsSent(t *testing.T) {
	thoughts := map[string]any{"anthropic": map[string]any{"model": "claude-x", "thinking": []any{
		map[string]any{"thinking": "hm", "signature": "s1"}, map[string]any{"data": "d1"},
	}}}
	req := sentBy(t, llm.Anthropic, conversation(t, thoughts), nil)
	var got []string
	for _, m := range req["messages"].([]any) {
		m := m.(map[string]any)
		got = append(got, outline(m["role"].(string), m["content"].([]any)))
	}
	want := []string{
		`user | text`,
		`assistant | thinking "hm" "s1" | redacted_thinking "d1" | text | tool_use "functions_think_0" {"thought":"a"} | tool_use "c2" {"not_an_object":"no JSON"}`,
		`user | tool_result "functions_think_0" | tool_result "c2" | text | text`,
		`assistant | tool_use "c3" {}`,
		`user | tool_result "c3" (cached)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	system := req["system"].([]any)
	if len(system) != 1 || system[0].(map[string]any)["cache_control"] == nil || system[0].(map[string]any)["text"] != "You look at hosts." {
		t.Errorf("system %v", system)
	}
	if choice := req["tool_choice"].(map[string]any); choice["type"] != "any" {
		t.Errorf("tool_choice %v", choice)
	}
	if req["max_tokens"] != 8192.0 || req["model"] != "claude-x" || req["stream"] != true {
		t.Errorf("max_tokens %v, model %v, stream %v", req["max_tokens"], req["model"], req["stream"])
	}
	for _, tool := range req["tools"].([]any) {
		tool := tool.(map[string]any)
		if s, ok := tool["input_schema"].(map[string]any); !ok || s["type"] != "object" || s["additionalProperties"] != false || tool["description"] == "" {
			t.Errorf("tool %v", tool)
		}
	}
	t.Run("the thoughts of another model are not", func(t *testing.T) {
		req := sentBy(t, llm.Anthropic, conversation(t, thoughts), func(m *llm.Model) { m.Model = "claude-y" })
		if s := string(raw(req["messages"])); strings.Contains(s, "thinking") {
			t.Errorf("messages %s", s)
		}
	})
}

// What Claude thinks is signed, and goes through the journal.
func TestThoughtsAreKept(t *testing.T) {
	w := wireOf(t, llm.Anthropic)
	w.model.Stream = new(bool)
	d := w.serve(t, false, status(200, map[string]string{"Content-Type": "application/json"}, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","stop_reason":"tool_use",
		"content":[{"type":"thinking","thinking":"hm","signature":"s1"},{"type":"redacted_thinking","data":"d1"},{"type":"tool_use","id":"c1","name":"done","input":{}}],
		"usage":{"input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":200,"cache_read_input_tokens":0}}`))
	a, err := d.Decide(t.Context(), view())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"anthropic":{"model":"claude-x","thinking":[{"thinking":"hm","signature":"s1"},{"data":"d1"}]}}`
	if got := string(raw(a.Extra)); got != want {
		t.Errorf("extra %s, want %s", got, want)
	}
	if a.Usage.InputTokens != 201 {
		t.Errorf("usage %+v", a.Usage)
	}
}

func wireOf(t *testing.T, name string) wire {
	t.Helper()
	for _, w := range wires() {
		if w.name == name {
			return w
		}
	}
	t.Fatalf("no wire %s", name)
	return wire{}
}

func TestWhatGeminiIsSent(t *testing.T) {
	w := wireOf(t, llm.GoogleAI)
	a, err := w.serve(t, true, w.answers(true, said{calls: []called{{"", "think", `{"thought":"a"}`}, {"", "think", `{}`}}})).Decide(t.Context(), view())
	if err != nil {
		t.Fatal(err)
	}
	req := sentBy(t, llm.GoogleAI, conversation(t, a.Extra), nil)
	var got []string
	for _, c := range req["contents"].([]any) {
		c := c.(map[string]any)
		line := []string{c["role"].(string)}
		for _, p := range c["parts"].([]any) {
			p := p.(map[string]any)
			switch {
			case p["functionCall"] != nil:
				line = append(line, fmt.Sprintf("call %s signed %v", raw(p["functionCall"]), p["thoughtSignature"]))
			case p["functionResponse"] != nil:
				line = append(line, "result of "+p["functionResponse"].(map[string]any)["name"].(string))
			default:
				line = append(line, "text")
			}
		}
		got = append(got, strings.Join(line, " | "))
	}
	want := []string{
		`user | text`,
		`model | text | call {"args":{"thought":"a"},"name":"think"} signed c2lnbmVk | call {"args":{"not_an_object":"no JSON"},"name":"think"} signed <nil>`,
		`user | result of think | result of think`,
		`user | text`,
		`user | text`,
		`model | call {"name":"done"} signed <nil>`,
		`user | result of done`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
	if s := string(raw(req["toolConfig"])); !strings.Contains(s, `"ANY"`) {
		t.Errorf("toolConfig %s", s)
	}
	if s := string(raw(req["systemInstruction"])); !strings.Contains(s, "You look at hosts.") {
		t.Errorf("systemInstruction %s", s)
	}
	if s := string(raw(req["tools"])); !strings.Contains(s, `"parametersJsonSchema":{"additionalProperties":false`) {
		t.Errorf("tools %.300s", s)
	}
}

func TestGoogleAsksForTimeInItsErrors(t *testing.T) {
	w := wireOf(t, llm.GoogleAI)
	d := w.serve(t, true, status(429, nil, `{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"37s"}]}}`))
	if r := restAfter(t, d); r == nil || r.DelayMS != 37_000 {
		t.Errorf("the loop rests %+v", r)
	}
}

// Anthropic may fail in the middle of a stream:
// https://platform.claude.com/docs/en/build-with-claude/streaming#error-events.
func TestAnErrorWithinAStream(t *testing.T) {
	w := wireOf(t, llm.Anthropic)
	d := w.serve(t, true, status(200, map[string]string{"Content-Type": "text/event-stream"},
		"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded, "+key+"\"}}\n\n"))
	_, err := d.Decide(t.Context(), view())
	if err == nil || !strings.Contains(err.Error(), "Overloaded") || strings.Contains(err.Error(), key) {
		t.Errorf("error %v", err)
	}
}
