package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An InsightView is a conclusion with all that stands behind it.
type InsightView struct {
	Insight protocol.Insight `json:"insight"`
	// Facts are the notifications that it names, those that were verified first. Some
	// may have expired: the insight holds its evidence itself.
	Facts   []protocol.Notification `json:"facts"`
	Expired []string                `json:"expired,omitempty"` // ids of those that have
	Runs    []Run                   `json:"runs"`
	Said    Said                    `json:"said"`
	// SupersededBy is the id of a later conclusion of the same matter.
	SupersededBy string `json:"superseded_by,omitempty"`
	// Similar are conclusions of the past about the same, the most alike first.
	Similar []SimilarInsight `json:"similar"`
}

func (s *Server) insights(ctx context.Context, q *query) (any, error) {
	node, skill, severity := q.text("node"), q.text("skill"), q.text("severity")
	if severity != "" && protocol.Severity(severity).Rank() < 0 {
		q.wrong = append(q.wrong, fmt.Errorf("severity=%.40q: it is info, warning or critical", severity))
	}
	return newest(ctx, s, q, bus.Insights, protocol.InsightSubject(orAny(severity), protocol.Any, protocol.Any), func(i protocol.Insight) bool {
		return (node == "" || slices.Contains(i.Nodes, node)) && (skill == "" || slices.Contains(i.Skills, skill))
	})
}

func (s *Server) insight(ctx context.Context, q *query) (any, error) {
	id := q.id("id")
	if q.err() != nil {
		return nil, nil
	}
	return s.viewInsight(ctx, id)
}

// findInsight returns the insight of an id, or of the beginning of one, and all there are.
func (s *Server) findInsight(ctx context.Context, id string) (i protocol.Insight, all []protocol.Insight, err error) {
	if all, _, err = reading.Insights(ctx, s.bus); err != nil {
		return i, nil, err
	}
	i, err = reading.Among(all, id)
	if errors.Is(err, bus.ErrNotFound) {
		err = failure{http.StatusNotFound, fmt.Sprintf("no insight %q in the last 30 days", id)}
	}
	return i, all, err
}

func (s *Server) viewInsight(ctx context.Context, id string) (*InsightView, error) {
	i, all, err := s.findInsight(ctx, id)
	if err != nil {
		return nil, err
	}
	v := &InsightView{Insight: i, Facts: []protocol.Notification{}}
	for _, other := range all {
		if other.Supersedes == i.ID {
			v.SupersededBy = other.ID
		}
	}
	found, err := s.findings(ctx, i.InvestigationID)
	if err != nil {
		return nil, err
	}
	for _, id := range i.NotificationIDs {
		k := slices.IndexFunc(found.notifications, func(n protocol.Notification) bool { return n.ID == id })
		if k < 0 {
			v.Expired = append(v.Expired, id)
			continue
		}
		v.Facts = append(v.Facts, found.notifications[k])
	}
	slices.SortStableFunc(v.Facts, func(a, b protocol.Notification) int { return rankFact(a) - rankFact(b) })
	v.Runs = found.runs()
	if v.Said, err = s.said(ctx, i.ID); err != nil {
		return nil, err
	}
	v.Similar, err = s.similarTo(ctx, i, all)
	return v, err
}

// rankFact puts what was verified first.
func rankFact(n protocol.Notification) int {
	if n.Verified {
		return 0
	}
	return 1
}
