package web

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/internal/similar"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A SimilarInsight is a conclusion of the past about what another is about too.
type SimilarInsight struct {
	ID        string            `json:"id"`
	Summary   string            `json:"summary"`
	CreatedAt time.Time         `json:"created_at"`
	Severity  protocol.Severity `json:"severity"`
	Verdicts  []string          `json:"verdicts"` // of people, the newest of each
}

// similarTo returns the insights that came before one and are like it, the most alike first.
func (s *Server) similarTo(ctx context.Context, of protocol.Insight, all []protocol.Insight) ([]SimilarInsight, error) {
	var past []similar.Case
	byID := map[string]protocol.Insight{}
	for _, i := range all {
		past, byID[i.ID] = append(past, similar.Of(i)), i
	}
	out := []SimilarInsight{}
	for _, m := range similar.Find(similar.Of(of), past, s.sharedLabels(ctx), similar.Most) {
		said, err := reading.SaidOf(ctx, s.bus, m.ID)
		if err != nil {
			return nil, err
		}
		i := byID[m.ID]
		x := SimilarInsight{ID: i.ID, Summary: i.Summary, CreatedAt: i.CreatedAt, Severity: i.Severity, Verdicts: []string{}}
		for _, f := range protocol.Judged(said.Feedback) {
			x.Verdicts = append(x.Verdicts, f.Verdict)
		}
		out = append(out, x)
	}
	return out, nil
}

// Bounds of comparing labels: how many nodes of an insight are asked for, and how many
// in all; those past it count as having none.
const (
	labelsOfInsight = 3
	labelsInAll     = 100
)

// sharedLabels returns what tells the labels that nodes have in common, as they are now.
func (s *Server) sharedLabels(ctx context.Context) func([]string) []string {
	known := map[string]map[string]string{}
	return func(nodes []string) []string {
		var labels []map[string]string
		for _, name := range nodes[:min(len(nodes), labelsOfInsight)] {
			has, ok := known[name]
			if !ok && len(known) < labelsInAll {
				if m, err := s.bus.Last(ctx, bus.Nodes, protocol.NodeSubject(name)); err == nil {
					h, _ := protocol.Decode[protocol.Heartbeat](m.Data)
					has = h.Labels
				}
				known[name] = has
			}
			labels = append(labels, has)
		}
		return similar.Shared(labels)
	}
}
