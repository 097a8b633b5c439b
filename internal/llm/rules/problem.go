package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A Problem is the crossed checks of one resource in one snapshot, the worst first.
type Problem struct {
	Snapshot protocol.Snapshot
	Crossed  []skills.Crossing // at least one
}

// Problems evaluates the checks on a snapshot. Checks of one resource are one problem.
func Problems(checks []protocol.Check, snap protocol.Snapshot) []Problem {
	var out []Problem
	for _, x := range skills.Evaluate(checks, snap.Data) {
		i := slices.IndexFunc(out, func(p Problem) bool { return x.Check.Resource != "" && p.Crossed[0].Check.Resource == x.Check.Resource })
		if i < 0 {
			out = append(out, Problem{Snapshot: snap, Crossed: []skills.Crossing{x}})
			continue
		}
		out[i].Crossed = append(out[i].Crossed, x)
	}
	for _, p := range out {
		slices.SortStableFunc(p.Crossed, func(a, b skills.Crossing) int { return b.Severity.Rank() - a.Severity.Rank() })
	}
	return out
}

// problems evaluates the checks on the latest snapshot of each target of a run.
func problems(s *agent.OperatorState) []Problem {
	var out []Problem
	for _, t := range s.Subject.Task.Targets {
		if snap, ok := s.Latest(t); ok {
			out = append(out, Problems(s.Subject.Words.Checks, snap)...)
		}
	}
	return out
}

// Severity is that of the worst check.
func (p Problem) Severity() protocol.Severity { return p.Crossed[0].Severity }

// Kind is the check that the problem is named by.
func (p Problem) Kind() string { return p.Crossed[0].Check.Metric }

// Resource is what is short; the check's name where that is not known.
func (p Problem) Resource() string {
	if r := p.Crossed[0].Check.Resource; r != "" {
		return r
	}
	return p.Kind()
}

// Observation is what the checks say, with their values.
func (p Problem) Observation() string {
	var says []string
	for _, x := range p.Crossed {
		says = append(says, x.Says)
	}
	return strings.Join(says, "; ")
}

// Circumstance says where and when, and which threshold the worst check crossed.
func (p Problem) Circumstance(words protocol.Words) string {
	x := p.Crossed[0]
	m, _ := words.Metric(x.Check.Metric)
	return fmt.Sprintf("%s, snapshot of %s; %s is %s; it is %s from %s on", p.Snapshot.Ref(), p.Snapshot.CapturedAt.UTC().Format("2006-01-02T15:04:05Z"),
		x.Check.Metric, withUnit(x.Value, m.Unit), x.Severity, withUnit(x.Threshold, m.Unit))
}

func withUnit(v float64, u protocol.Unit) string {
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', -1, 64) + " " + u.Symbol())
}
