package agent

import (
	"fmt"

	"github.com/fleetlens/fleetlens/pkg/agent/grounding"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// CheckReply looks the figures of a reply up in what a coordinator's run saw, of which
// it has the journal: the evidence of its findings and insights, what its checks met,
// and how many nodes there were, as for an insight. There is a list for the summary and
// for each finding and concern, in this order.
func CheckReply(records []protocol.Record, r Reply) ([][]protocol.Figure, error) {
	s, err := coordinatorOf(records)
	if err != nil {
		return nil, err
	}
	var ids []string
	var seen []protocol.Evidence
	for _, n := range s.Notifications {
		ids = append(ids, n.ID)
		seen = append(seen, n.Evidence...)
	}
	for _, i := range s.Insights {
		seen = append(seen, i.Evidence...)
	}
	seen = append(seen, s.evidence(nil, protocol.None)...)
	facts := s.facts(seen, ids)
	out := [][]protocol.Figure{grounding.Check(r.Summary, facts)}
	for _, list := range [][]string{r.Findings, r.Concerns} {
		for _, text := range list {
			out = append(out, grounding.Check(text, facts))
		}
	}
	return out, nil
}

// coordinatorOf returns the state that a coordinator's journal comes to.
func coordinatorOf(records []protocol.Record) (*CoordinatorState, error) {
	var r replay
	for _, rec := range records {
		if r.loop == nil {
			if rec.Kind != protocol.RecordStart {
				continue // claims
			}
			if err := r.begin(rec, &MemoryJournal{}, records); err != nil {
				return nil, err
			}
		} else if rec.Kind == protocol.RecordStart {
			continue // two workers wrote it
		}
		if err := r.loop.apply(rec); err != nil {
			return nil, fmt.Errorf("record %d (%s): %w", rec.N, rec.Kind, err)
		}
	}
	if r.loop == nil {
		return nil, fmt.Errorf("the journal has no start record")
	}
	s, ok := r.loop.spec.Tools.State().(*CoordinatorState)
	if !ok {
		return nil, fmt.Errorf("the journal is of the agent %q: only a coordinator's tells of an investigation", r.out.Agent)
	}
	return s, nil
}
