package web

import (
	"context"
	"fmt"
	"slices"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An InsightView is a conclusion with all that stands behind it.
type InsightView struct {
	reading.InsightView
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

func (s *Server) viewInsight(ctx context.Context, id string) (*InsightView, error) {
	v, all, err := reading.ViewInsight(ctx, s.bus, id)
	if err != nil {
		return nil, err
	}
	similar, err := s.similarTo(ctx, v.Insight, all)
	return &InsightView{v, similar}, err
}
