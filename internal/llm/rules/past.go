package rules

import (
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// remember points a person to the first insight of the past that is about the same as
// the findings and that people called right. It is a remark, never a fact: it stands
// with the advice, outside of what the figures of a summary and the grounding of a
// hypothesis are judged by. Comments are left out of it: anybody may write one, and what
// an insight says is read by more than those who know that.
func remember(s *agent.CoordinatorState, notes []protocol.Notification) []string {
	for _, p := range s.Past {
		same := func(n protocol.Notification) bool {
			return slices.Contains(p.Skills, n.Operator) && slices.Contains(p.Metrics, n.AnomalyType)
		}
		if p.Right() && slices.ContainsFunc(notes, same) {
			return []string{fmt.Sprintf("Like insight %s of %s, which people called right: %s", p.ID, p.CreatedAt.UTC().Format(time.DateOnly), p.Summary)}
		}
	}
	return nil
}
