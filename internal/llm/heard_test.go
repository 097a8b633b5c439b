package llm_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/agent"
)

func TestAnAnswerIsHeardWhileItIsStreamed(t *testing.T) {
	s := said{text: "Let me look.", calls: []called{{"c1", "fill", `{"cup":"blue","n":12}`}, {"c2", "fill", `{"cup":"red"}`}}}
	for _, w := range wires() {
		for _, stream := range []bool{true, false} {
			t.Run(w.name+map[bool]string{true: " in a stream", false: " at once"}[stream], func(t *testing.T) {
				var texts, args []string
				ctx := agent.Hear(t.Context(), func(text, arg string) { texts, args = append(texts, text), append(args, arg) })
				if _, err := w.serve(t, stream, w.answers(stream, s)).Decide(ctx, view()); err != nil {
					t.Fatal(err)
				}
				if !stream {
					if len(texts) != 0 {
						t.Errorf("heard %q %q", texts, args)
					}
					return
				}
				last := len(args) - 1
				var got, want any
				if last < 2 || texts[last] != s.text || json.Unmarshal([]byte(args[last]), &got) != nil || json.Unmarshal([]byte(s.calls[0].args), &want) != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("heard %q %q", texts, args)
				}
				for k := range args[:last] {
					if !strings.HasPrefix(texts[k+1], texts[k]) || !strings.HasPrefix(args[k+1], args[k]) {
						t.Errorf("%q %q is followed by %q %q", texts[k], args[k], texts[k+1], args[k+1])
					}
				}
			})
		}
	}
}
