package record

import (
	"regexp"
	"strings"

	"github.com/cloudwego/eino/schema"
)

// An id of Fleetlens, wherever it stands: of a snapshot, a notification, a run.
var anID = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

// A mention is the first place where an id stands in a conversation.
type mention struct{ id, before, after string }

// How many bytes before and after an id tell what it is.
const (
	bytesBefore = 24
	bytesAfter  = 64
)

var digits = regexp.MustCompile(`[0-9]+`)

// masked leaves the ids out of a text: they differ between two runs.
func masked(text string) string { return anID.ReplaceAllString(text, "◦") }

// alike says whether two texts differ in figures at most.
func alike(a, b string) bool {
	return digits.ReplaceAllString(a, "0") == digits.ReplaceAllString(b, "0")
}

// mentions returns the ids of a conversation in the order in which they appear.
func mentions(messages []*schema.Message) []mention {
	var list []mention
	seen := map[string]bool{}
	for _, m := range messages {
		texts := []string{m.Content}
		for _, c := range m.ToolCalls {
			texts = append(texts, c.Function.Arguments)
		}
		for _, text := range texts {
			for _, at := range anID.FindAllStringIndex(text, -1) {
				id := text[at[0]:at[1]]
				if seen[id] {
					continue
				}
				seen[id] = true
				before, after := text[max(0, at[0]-bytesBefore):at[0]], text[at[1]:min(len(text), at[1]+bytesAfter)]
				before = before[strings.LastIndexByte(before, '\n')+1:]
				after, _, _ = strings.Cut(after, "\n")
				list = append(list, mention{id, masked(before), masked(after)})
			}
		}
	}
	return list
}

// pairs returns which id of now stands where one of then stood.
func pairs(then, now []mention) map[string]string {
	out := map[string]string{}
	taken := map[string]bool{}
	for _, match := range []func(a, b mention) bool{ // the first that fits is the best
		func(a, b mention) bool { return a.before == b.before && a.after == b.after },
		func(a, b mention) bool { return alike(a.before, b.before) && alike(a.after, b.after) },
		func(a, b mention) bool { return alike(a.before, b.before) },
	} {
		for _, a := range then {
			if out[a.id] != "" {
				continue
			}
			for _, b := range now {
				if !taken[b.id] && match(a, b) {
					out[a.id], taken[b.id] = b.id, true
					break
				}
			}
		}
	}
	for i, a := range then {
		if out[a.id] == "" && i < len(now) && !taken[now[i].id] {
			out[a.id], taken[now[i].id] = now[i].id, true
		}
	}
	return out
}

// rebound returns a copy of an answer with the ids of then as those of now.
func rebound(answer *schema.Message, then, now []*schema.Message) *schema.Message {
	ids := pairs(mentions(then), mentions(now))
	change := func(text string) string {
		return anID.ReplaceAllStringFunc(text, func(id string) string {
			if other, ok := ids[id]; ok {
				return other
			}
			return id
		})
	}
	out := *answer
	out.Content = change(out.Content)
	out.ToolCalls = nil
	for _, c := range answer.ToolCalls {
		c.Function.Arguments = change(c.Function.Arguments)
		out.ToolCalls = append(out.ToolCalls, c)
	}
	return &out
}
