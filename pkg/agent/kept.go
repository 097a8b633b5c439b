package agent

import (
	"fmt"
	"strings"
	"time"
)

// kept renders what must survive a compaction word for word: the state of the
// run, and every id that may be cited. It is "" for a state that it does not know.
func kept(state any) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	switch s := state.(type) {
	case *OperatorState:
		b.WriteString("State and ids as they are now, by code:\n")
		s.kept(line)
	case *CoordinatorState:
		b.WriteString("State and ids as they are now, by code:\n")
		s.kept(line)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (s *OperatorState) kept(line func(string, ...any)) {
	line("state: %s", s.Health)
	for _, snap := range s.Snapshots {
		line("snapshot %s of %s, %s", snap.ID, snap.Ref(), snap.CapturedAt.UTC().Format(time.RFC3339))
	}
	for _, t := range s.Subject.Task.Targets {
		if why, ok := s.Unanswered[t.String()]; ok {
			line("%s did not answer: %s", t, why)
		}
	}
	what := ""
	for _, a := range s.Answers { // those of one call stand together
		if a.What != what {
			line("evidence of %s:", a.What)
			what = a.What
		}
		if a.Error != "" {
			line("- %s failed", a.Address)
		} else {
			line("- %s", a.Address)
		}
	}
	for _, n := range s.Notifications {
		line("notification %s sent: %s, %s on %s/%s, %s: %s", n.ID, n.Severity, n.AnomalyType, n.Node, n.Target, proven(n.Verified), n.Observation)
	}
}

func (s *CoordinatorState) kept(line func(string, ...any)) {
	for _, r := range s.Runs {
		state := "running"
		if r.Completion != nil {
			state = fmt.Sprintf("ended as %s, state %s", r.Completion.Outcome, r.Completion.State)
		}
		line("operator %s of %s on %d targets: %s", r.RunID, r.Skill, len(r.Targets), state)
	}
	for _, n := range s.Notifications {
		line("notification %s, %s: %s, %s of %s on %s/%s, %s, %s: %s", n.ID, n.Status, n.Severity, n.AnomalyType, n.Operator, n.Node, n.Target,
			proven(n.Verified), n.DetectedAt.UTC().Format(time.RFC3339), n.Observation)
		for _, e := range n.Evidence {
			line("- evidence %s", e.Address)
		}
	}
	for _, i := range s.Insights {
		line("insight %s, %s, confidence %s, hypothesis grounded %v, of %s: %s", i.ID, i.CorrelationType, i.Confidence, i.HypothesisGrounded,
			strings.Join(i.NotificationIDs, " "), i.Summary)
		if i.RootCauseHypothesis != "" {
			line("- hypothesis: %s", i.RootCauseHypothesis)
		}
	}
	for _, text := range s.Unchecked() {
		line("not checked: %s", text)
	}
}

func proven(verified bool) string {
	if verified {
		return "verified"
	}
	return "not verified"
}
