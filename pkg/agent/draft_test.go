package agent

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAReplyIsReadAsFarAsItIsWritten(t *testing.T) {
	for name, c := range map[string]struct {
		text, args string
		want       Reply
		not        bool
	}{
		"nothing yet":               {not: true},
		"words instead of a call":   {text: "It was", want: Reply{Summary: "It was"}},
		"within the summary":        {args: `{"summary":"It wa`, want: Reply{Summary: "It wa"}},
		"before an escape":          {args: `{"summary":"It \`, want: Reply{Summary: "It "}},
		"within an escape":          {args: `{"summary":"It \u00e`, want: Reply{Summary: "It "}},
		"after an escaped slash":    {args: `{"summary":"C:\\`, want: Reply{Summary: `C:\`}},
		"after an escape":           {args: `{"summary":"\u00e4`, want: Reply{Summary: "ä"}},
		"after the summary":         {args: `{"summary":"It was"`, want: Reply{Summary: "It was"}},
		"within the name of a list": {args: `{"summary":"It was","fin`, not: true},
		"within a finding":          {args: `{"summary":"It was","findings":["web-1 at 97`, want: Reply{Summary: "It was", Findings: []string{"web-1 at 97"}}},
		"after a finding":           {args: `{"summary":"It was","findings":["web-1 at 97 %"`, want: Reply{Summary: "It was", Findings: []string{"web-1 at 97 %"}}},
		"whole":                     {args: `{"summary":"It was","findings":["a"],"concerns":["b"]}`, want: Reply{Summary: "It was", Findings: []string{"a"}, Concerns: []string{"b"}}},
		"the list before the rest":  {args: `{"findings":["a"],"summ`, not: true},
		"no object":                 {args: `[1,2`, not: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := replySoFar(c.text, c.args)
			if ok == c.not || ok && !cmp.Equal(got, c.want) {
				t.Errorf("%v, %s", ok, cmp.Diff(c.want, got))
			}
		})
	}
}

// Every beginning of a reply is readable or not yet, and what is read is a beginning of it.
func FuzzReplySoFar(f *testing.F) {
	f.Add(`{"summary":"It \"was\" 97 % \\ \u00e4","findings":["a","b"],"concerns":[]}`)
	f.Fuzz(func(t *testing.T, args string) {
		whole, ok := replySoFar("", args)
		if !ok || len(args) > 200 {
			return
		}
		for i := range args {
			got, ok := replySoFar("", args[:i])
			if ok && args[:i] != "" && strings.HasPrefix(args, `{"summary":"`) && !strings.Contains(args[1:], `"summary"`) &&
				strings.ToValidUTF8(got.Summary, "") == got.Summary && !strings.HasPrefix(whole.Summary, got.Summary) {
				t.Fatalf("%q begins with %q", whole.Summary, got.Summary)
			}
		}
	})
}

func TestADraftHearsTheFirstCallOnly(t *testing.T) {
	var heard []string
	d := NewDraft(Hear(t.Context(), func(text, args string) { heard = append(heard, text+"|"+args) }))
	d.Text("Let me")
	d.Args(1, `{"a`)
	d.Args(2, `{"other`)
	d.Args(1, `":1}`)
	if diff := cmp.Diff([]string{"Let me|", `Let me|{"a`, `Let me|{"a":1}`}, heard); diff != "" {
		t.Error(diff)
	}
	NewDraft(t.Context()).Text("nobody hears")
}
