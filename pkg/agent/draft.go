package agent

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/cloudwego/eino/schema"
)

// A Draft is an answer that a model is writing. Models whose answers come piece by
// piece tell it each piece, see NewDraft; a nil Draft takes them and does nothing.
type Draft struct {
	text, args strings.Builder
	call       int // the first, whose arguments these are; -1: there is none yet
	hear       func(text, args string)
}

type hearing struct{}

// Hear returns a context in which an answer is heard while it is being written: hear
// gets the text so far, and the arguments so far of the answer's first call, which are
// the beginning of a JSON object. After an attempt that failed both begin anew. It is
// called by one goroutine at a time, and the answer waits for it.
func Hear(ctx context.Context, hear func(text, args string)) context.Context {
	return context.WithValue(ctx, hearing{}, hear)
}

// NewDraft begins an answer; nil: nobody hears it.
func NewDraft(ctx context.Context) *Draft {
	hear, _ := ctx.Value(hearing{}).(func(text, args string))
	if hear == nil {
		return nil
	}
	return &Draft{hear: hear, call: -1}
}

// Text adds a piece of the text.
func (d *Draft) Text(piece string) {
	if d != nil && piece != "" {
		d.text.WriteString(piece)
		d.hear(d.text.String(), d.args.String())
	}
}

// Args adds a piece of a call's arguments; call is any number that no other call of the
// answer has. Those of the first count.
func (d *Draft) Args(call int, piece string) {
	if d == nil || piece == "" {
		return
	}
	if d.call < 0 {
		d.call = call
	}
	if d.call == call {
		d.args.WriteString(piece)
		d.hear(d.text.String(), d.args.String())
	}
}

// Add adds a piece of one of eino's streams.
func (d *Draft) Add(m *schema.Message) {
	d.Text(m.Content)
	for _, c := range m.ToolCalls {
		call := 0
		if c.Index != nil {
			call = *c.Index
		}
		d.Args(call, c.Function.Arguments)
	}
}

// replySoFar reads the beginning of a reply: what its arguments hold, or where there
// are none the text. Not ok: nothing new can be read of it, as within a field's name.
func replySoFar(text, args string) (r Reply, ok bool) {
	if args == "" {
		return Reply{Summary: text}, text != ""
	}
	args = withoutPartEscape(args)
	for _, end := range []string{"", `"}`, `"]}`, `]}`, `}`} {
		r = Reply{}
		if json.Unmarshal([]byte(args+end), &r) == nil {
			return r, r.Summary != ""
		}
	}
	return Reply{}, false
}

// withoutPartEscape cuts an escape of JSON that has not come to its end: \ or \u12.
func withoutPartEscape(s string) string {
	i := strings.LastIndexByte(s, '\\')
	if i < 0 {
		return s
	}
	before := len(s[:i]) - len(strings.TrimRight(s[:i], `\`))
	rest := s[i+1:]
	if before%2 == 0 && (rest == "" || rest[0] == 'u' && len(rest) < 5) {
		return s[:i]
	}
	return s
}
