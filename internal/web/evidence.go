package web

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/reading"
)

// An EvidenceView is what an address of evidence says.
type EvidenceView = reading.EvidenceView

func (s *Server) evidence(ctx context.Context, q *query) (any, error) {
	address := q.text("address")
	if _, _, err := reading.ParseAddress(address); err != nil {
		q.wrong = append(q.wrong, err)
		return nil, nil
	}
	return reading.Evidence(ctx, s.bus, address)
}
