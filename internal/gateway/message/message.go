// Package message says an insight in the few words that a person reads in a chat, a
// mail or a page: five parts, made here once for every sink, and cut to what a sink takes.
package message

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Message is an insight in five parts, as plain text of one line each. Text of hosts
// and models in it has no control characters.
type Message struct {
	Mark     string // the severity as a shape and a word: "▲ critical"
	Headline string // the summary
	// More is the whole summary where Cut shortened the headline; empty: it did not.
	More       string
	Hypothesis string   // begins with Guess; empty: there is none
	Facts      []string // each begins with Found or NotFound
	Context    string   // how far it can be trusted, who says so, what it cost
	Links      []Link
	// Replies are the links by which a person looks at the facts, says that he looks after
	// it, or that it is not quite right. The page asks before it says anything.
	Replies    []Link
	Chain      []string // from the change to the symptom
	RuledOut   []string
	NotChecked []string
	Advice     []string

	facts int // before Cut
}

// A Link is an address with what it is called.
type Link struct{ Text, URL string }

// page is the address of something in the web UI.
func page(ui, kind, id string) string {
	return strings.TrimSuffix(ui, "/") + "/" + kind + "/" + url.PathEscape(id)
}

// How lines begin: what is a fact and what is none is said in words and signs.
const (
	Guess    = "Hypothesis, not a fact: "
	Found    = "✓ "
	NotFound = "? "
)

// Of says an insight. ui is the address of the web UI that links lead to; empty: no links.
func Of(i protocol.Insight, ui string) Message {
	m := Message{
		Mark: mark(i), Headline: Clean(i.Summary), Facts: facts(i), Context: context(i),
		RuledOut: cleaned(i.RuledOut), NotChecked: cleaned(i.NotChecked), Advice: cleaned(i.SuggestedActions),
	}
	m.facts = len(m.Facts)
	if i.RootCauseHypothesis != "" {
		m.Hypothesis = Guess + Clean(i.RootCauseHypothesis)
	}
	for _, c := range i.Chain {
		m.Chain = append(m.Chain, Clean(fmt.Sprintf("%s %s, %s: %s", c.At.UTC().Format("15:04:05"), c.Node, c.Role, c.What)))
	}
	if ui != "" {
		m.Links = []Link{
			{"Open the insight", page(ui, "insights", i.ID)},
			{"How it was found", page(ui, "investigations", i.InvestigationID)},
		}
		at := m.Links[0].URL
		m.Replies = []Link{{"Evidence", at + "#facts"}, {"Acknowledge", at + "?ack"}, {"Not quite", at + "?feedback=not_quite"}}
	}
	return m
}

// Title is the headline with its mark.
func (m Message) Title() string { return m.Mark + ": " + m.Headline }

// Shown says how many of the facts are left; empty: all of them.
func (m Message) Shown() string {
	if left := m.facts - len(m.Facts); left > 0 {
		return fmt.Sprintf("… %d more %s", left, plural(left, "fact"))
	}
	return ""
}

func plural(n int, thing string) string {
	if n == 1 {
		return thing
	}
	return thing + "s"
}

func mark(i protocol.Insight) string {
	if i.CorrelationType == protocol.None {
		return "● nothing wrong"
	}
	switch i.Severity {
	case protocol.SeverityCritical:
		return "▲ critical"
	case protocol.SeverityWarning:
		return "◆ warning"
	}
	return "■ info"
}

// facts lists the evidence: first what the summary's figures cite, then the figures
// that the evidence does not have, then the rest.
func facts(i protocol.Insight) []string {
	cited := map[string]bool{}
	var unknown []string
	for _, f := range i.Figures {
		if f.Found {
			cited[f.Evidence] = true
			continue
		}
		line := fmt.Sprintf("%s%q is not in the evidence", NotFound, f.Text)
		if f.Nearest != "" {
			line += "; nearest is " + f.Nearest
		}
		unknown = append(unknown, Clean(line))
	}
	var first, rest []string
	for _, e := range i.Evidence {
		if line := Found + Clean(fact(e)); cited[e.Address] {
			first = append(first, line)
		} else {
			rest = append(rest, line)
		}
	}
	return append(append(first, unknown...), rest...)
}

func fact(e protocol.Evidence) string {
	text := e.Text()
	if e.Baseline != nil {
		text += fmt.Sprintf(", usually %g", *e.Baseline)
	}
	if e.Threshold != nil {
		text += fmt.Sprintf(", threshold %g", *e.Threshold)
	}
	switch {
	case e.Node != "" && e.Target != "" && e.Target != "host":
		text += " · " + e.Node + "/" + e.Target
	case e.Node != "":
		text += " · " + e.Node
	}
	return text
}

// context is one line: how far the insight can be trusted, who concluded it, its cost.
func context(i protocol.Insight) string {
	parts := []string{grounded(i), "confidence " + string(i.Confidence)}
	if len(i.Figures) > 0 {
		found := 0
		for _, f := range i.Figures {
			if f.Found {
				found++
			}
		}
		parts = append(parts, fmt.Sprintf("%d of %d figures verified", found, len(i.Figures)))
	}
	if n := len(i.Nodes); n == 1 {
		parts = append(parts, "node "+i.Nodes[0])
	} else if n > 1 {
		parts = append(parts, strconv.Itoa(n)+" nodes")
	}
	parts = append(parts, "by "+i.Model)
	if i.Usage.CostUSD != nil {
		parts = append(parts, fmt.Sprintf("$%.4f", *i.Usage.CostUSD))
	}
	return Clean(strings.Join(append(parts, "insight "+i.ID), " · "))
}

func grounded(i protocol.Insight) string {
	switch {
	case i.RootCauseHypothesis == "":
		return "no hypothesis"
	case i.HypothesisGrounded:
		return "grounded: " + i.Grounding
	}
	return "not grounded: " + i.Grounding
}

func cleaned(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, Clean(s))
	}
	return out
}

// Clean returns text of a host or a model as one line: without control characters and
// without those that turn the direction of what follows.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029:
			return ' '
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x61c:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(s)
}
