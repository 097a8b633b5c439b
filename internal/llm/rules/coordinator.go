package rules

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// coordinator returns the next step of a coordinator's run: invoke every skill,
// wait for the operators, conclude.
func (a *Analyst) coordinator(s *agent.CoordinatorState, v agent.View) []protocol.ToolCall {
	switch {
	case !s.Invoked:
		var names []string
		for _, skill := range s.Subject.Skills {
			names = append(names, skill.Name)
		}
		return []protocol.ToolCall{call("invoke_operators", object{"skills": names})}
	case len(s.Running()) > 0:
		// Nothing is concluded before all have reported, and each wake would cost one of
		// the steps there are. A tenth of the time that is left keeps their number small
		// when somebody never reports.
		wait := max(10*time.Second, s.Subject.Deadline.Sub(v.Now)/10)
		return []protocol.ToolCall{call("wait", object{"ms": wait.Milliseconds(), "until": "all"})}
	}
	if calls := rank(s, v); len(calls) > 0 {
		return calls
	}
	var calls []protocol.ToolCall
	for _, g := range a.groups(s) {
		calls = append(calls, a.conclude(s, g))
	}
	if len(calls) == 0 && len(s.Insights) == 0 && s.Looked() {
		calls = append(calls, healthy(s))
	}
	if len(calls) > 0 { // done comes when they stand: one may be refused
		return calls
	}
	return []protocol.ToolCall{call("done", object{})}
}

// check returns the check that a notification is named by.
func (a *Analyst) check(s *agent.CoordinatorState, n protocol.Notification) (protocol.Check, bool) {
	for _, w := range slices.Concat(a.words, s.Subject.Custom) {
		if w.Skill != n.Operator {
			continue
		}
		for _, c := range w.Checks {
			if c.Metric == n.AnomalyType {
				return c, true
			}
		}
	}
	return protocol.Check{}, false
}

// place says where something was found: a node, and which of its targets when that
// is not the host itself.
func place(n protocol.Notification) string {
	if n.Target == "" || n.Target == "host" {
		return n.Node
	}
	return n.Node + "/" + n.Target
}

// healthy returns the insight that nothing is wrong, with what comes nearest to
// its threshold.
func healthy(s *agent.CoordinatorState) protocol.ToolCall {
	checked := s.Checked()
	slices.SortStableFunc(checked, func(a, b protocol.Checked) int {
		switch na, nb := nearness(a), nearness(b); {
		case na > nb:
			return -1
		case na < nb:
			return 1
		}
		return 0
	})
	var nearest []string
	for _, k := range checked[:min(3, len(checked))] {
		where := ""
		if len(s.Nodes()) > 1 {
			where = " on " + k.Node
		}
		nearest = append(nearest, fmt.Sprintf("%s at %s%s (threshold %s)", k.Metric, withUnit(k.Worst, k.Unit), where, withUnit(level(k), k.Unit)))
	}
	nodes := s.Nodes()
	where := nodes[0]
	if len(nodes) > 1 {
		where = fmt.Sprintf("%d nodes", len(nodes))
	}
	summary := fmt.Sprintf("Nothing is wrong on %s: every check stands within its threshold.", where)
	if len(nearest) > 0 {
		summary += " Nearest to it: " + strings.Join(nearest, ", ") + "."
	}
	confidence := protocol.High
	if len(s.Unchecked()) > 0 {
		confidence = protocol.Medium
	}
	return call("produce_insight", object{
		"notification_ids": []string{}, "correlation_type": protocol.None, "severity": protocol.SeverityInfo, "summary": summary,
		"matched_observations": []string{}, "hypothesis_grounded": false, "confidence": confidence,
	})
}

func level(k protocol.Checked) float64 {
	if k.Warn != nil {
		return *k.Warn
	}
	return *k.Critical
}

// nearness is how far a check is on the way to its threshold: 1 is there.
func nearness(k protocol.Checked) float64 {
	l := level(k)
	if k.Op == protocol.Below {
		return l / math.Max(k.Worst, 1e-9)
	}
	return k.Worst / math.Max(l, 1e-9)
}
