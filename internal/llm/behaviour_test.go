package llm_test

import (
	"testing"

	"github.com/fleetlens/fleetlens/internal/llm"
)

// Behaviour: 62.
func TestTheTextsOfAnAnswerAreJoined(t *testing.T) {
	for _, tt := range []struct{ name, content, want string }{
		{"two texts", `[{"type":"text","text":"I look"},{"type":"text","text":"at memory."}]`, "I look\nat memory."},
		{"one", `[{"type":"text","text":"I look."}]`, "I look."},
		{"texts around what is none", `[{"type":"text","text":"a"},{"type":"thinking","thinking":"hm","signature":"s1"},{"type":"text","text":"b"}]`, "a\nb"},
		{"a call alone", `[{"type":"tool_use","id":"c1","name":"done","input":{}}]`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := wireOf(t, llm.Anthropic)
			w.model.Stream = new(bool)
			d := w.serve(t, false, status(200, map[string]string{"Content-Type": "application/json"}, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","stop_reason":"end_turn",
				"content":`+tt.content+`,"usage":{"input_tokens":1,"output_tokens":2}}`))
			a, err := d.Decide(t.Context(), view())
			if err != nil || a.Text != tt.want {
				t.Errorf("text %q, %v; want %q", a.Text, err, tt.want)
			}
		})
	}
}
