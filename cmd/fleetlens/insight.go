package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// insight prints an insight: the answer first, then the proof.
func (p printer) insight(i protocol.Insight) {
	p.printf("%s  %s\n", p.headline(i), p.bold(clean(i.Summary)))
	p.printf("  %s · confidence %s · %s · %s · by %s\n", grounded(i), i.Confidence, i.CorrelationType, verified(i), by(i))
	if i.RootCauseHypothesis != "" {
		p.printf("  hypothesis   %s\n", clean(i.RootCauseHypothesis))
	}
	p.list("how it went", p.story(i))
	p.list("facts", facts(i))
	p.list("ruled out", i.RuledOut)
	p.list("not checked", i.NotChecked)
	p.list("do", i.SuggestedActions)
	p.printf("  %s\n", p.dim(fmt.Sprintf("fleetlens insights show %s · investigation %s · %s · %s", short(i.ID), clean(i.InvestigationID), p.stamp(i.CreatedAt), spending(i.Usage))))
}

// grounded says whether the hypothesis is, and why.
func grounded(i protocol.Insight) string {
	if i.RootCauseHypothesis == "" {
		return "no hypothesis"
	}
	word := "not grounded"
	if i.HypothesisGrounded {
		word = "grounded"
	}
	return word + " (" + clean(i.Grounding) + ")"
}

// figuresOf counts the figures of an insight, and those of them that the evidence has.
func figuresOf(i protocol.Insight) (found, all int) {
	for _, f := range i.Figures {
		if f.Found {
			found++
		}
	}
	return found, len(i.Figures)
}

func verified(i protocol.Insight) string {
	found, all := figuresOf(i)
	return fmt.Sprintf("%d of %d figures verified", found, all)
}

// by names who decided.
func by(i protocol.Insight) string { return clean(cmp.Or(i.Model, "unknown")) }

// story tells the chain from what was done to who suffered, a line for each link.
func (p printer) story(i protocol.Insight) []string {
	var out []string
	for _, c := range i.Chain {
		out = append(out, fmt.Sprintf("%s %s %s: %s", c.At.In(p.zone).Format(time.TimeOnly), c.Node, c.Role, c.What))
	}
	return out
}

// lost says of a figure that the evidence does not have it.
func lost(f protocol.Figure) string {
	line := fmt.Sprintf("%q is not in the evidence", f.Text)
	if f.Nearest != "" {
		line += ": nearest is " + f.Nearest
	}
	return line
}

// facts lists an insight's evidence with its addresses: what the summary cites first,
// then the figures that the evidence does not have, then the rest.
func facts(i protocol.Insight) []string {
	cited := map[string]bool{}
	var unknown []string
	for _, f := range i.Figures {
		if f.Found {
			cited[f.Evidence] = true
			continue
		}
		unknown = append(unknown, "?  "+lost(f))
	}
	var first, rest []string
	for _, e := range i.Evidence {
		line := fact(e) + "  [" + e.Address + "]"
		if cited[e.Address] {
			first = append(first, "✓  "+line)
		} else {
			rest = append(rest, "   "+line)
		}
	}
	return append(append(first, unknown...), rest...)
}

func fact(e protocol.Evidence) string {
	text := e.Text()
	if e.Baseline != nil {
		text += fmt.Sprintf(" (usually %g)", *e.Baseline)
	}
	if e.Threshold != nil {
		text += fmt.Sprintf(" (threshold %g)", *e.Threshold)
	}
	if e.Node != "" {
		text += " on " + e.Node
	}
	return text
}
