package record

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudwego/eino/schema"
)

// A place is where in its run a call is made: what was done so far, waits left
// out, and what was reported since the last of it.
type place struct {
	purpose  string         // empty: the next step
	done     []string       // a step or what was reported, each
	reported map[string]int // by kind, since the last step
	waits    int            // since the last step
	lastWait string         // arguments of the last wait; empty: there was none
}

// The names of tools and reports that a place knows.
const (
	waitTool = "wait"
	reports  = "Reported:"
)

// placeOf reads the place from a request. tools are the names of those offered.
func placeOf(tools []string, messages []*schema.Message) place {
	p := place{reported: map[string]int{}}
	switch {
	case len(tools) == 0:
		p.purpose = "to sum up" // a compaction
	case len(tools) == 1:
		p.purpose = "to " + tools[0] // a question, or a stage of the pipeline
	}
	var calls []string // of the last answer
	flush := func() {
		step := slices.DeleteFunc(calls, func(name string) bool { return strings.TrimSuffix(name, "!") == waitTool })
		switch {
		case len(step) > 0:
			p.settle()
			p.done = append(p.done, strings.Join(step, "+"))
		case len(calls) > 0:
			p.waits++
		}
		calls = nil
	}
	asked, results := false, 0
	for _, m := range messages {
		switch m.Role {
		case schema.Assistant:
			flush()
			results = 0
			for _, c := range m.ToolCalls {
				calls = append(calls, c.Function.Name)
				if c.Function.Name == waitTool {
					p.lastWait = c.Function.Arguments
				}
			}
			if len(m.ToolCalls) == 0 {
				calls = []string{"words"}
			}
		case schema.Tool:
			if results < len(calls) && strings.HasPrefix(inside(m.Content), `{"error":`) {
				calls[results] += "!"
			}
			results++
		case schema.User:
			if !asked { // the question of the run
				asked = true
				continue
			}
			flush()
			p.report(m.Content)
		}
	}
	flush()
	return p
}

// inside returns what stands between the marks of data.
func inside(content string) string {
	return strings.TrimSuffix(strings.TrimPrefix(content, "<data>\n"), "\n</data>")
}

// report counts what a message from outside tells.
func (p *place) report(content string) {
	text, isReport := strings.CutPrefix(inside(content), reports)
	if !isReport {
		p.reported["message"]++
		return
	}
	for line := range strings.Lines(text) {
		switch kind, _, _ := strings.Cut(strings.TrimSpace(line), " "); kind {
		case "notification", "operator":
			p.reported[kind]++
		}
	}
}

// settle makes what was reported a part of what was done.
func (p *place) settle() {
	if len(p.reported) > 0 {
		p.done = append(p.done, counts(p.reported))
	}
	p.reported, p.waits = map[string]int{}, 0
}

func counts(reported map[string]int) string {
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(reported)) {
		list = append(list, fmt.Sprintf("%d × %s", reported[kind], kind))
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// steps is what was done, without what was reported last.
func (p place) steps() string { return p.purpose + "|" + strings.Join(p.done, " › ") }

// same says whether two places are one, but for waits.
func (p place) same(q place) bool {
	return p.steps() == q.steps() && maps.Equal(p.reported, q.reported)
}

// before says whether less was reported at p than at q, and all else is the same.
func (p place) before(q place) bool {
	if p.steps() != q.steps() || p.same(q) {
		return false
	}
	for kind, n := range p.reported {
		if n > q.reported[kind] {
			return false
		}
	}
	return true
}

// String is what people read.
func (p place) String() string {
	done := slices.Clone(p.done)
	if len(p.reported) > 0 {
		done = append(done, counts(p.reported))
	}
	text := strings.Join(done, " › ")
	if text == "" {
		text = "nothing"
	}
	if p.waits > 0 {
		text += fmt.Sprintf(", waited %d ×", p.waits)
	}
	if p.purpose != "" {
		text += ", " + p.purpose
	}
	return text
}
