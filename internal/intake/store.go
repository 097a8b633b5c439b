package intake

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Store stores a report; it returns when all of it is safe.
type Store func(ctx context.Context, r Report) error

// To returns the Store of NATS, where triage reads. A report that is stored twice, because
// its sender heard nothing of the first time, is there once.
func To(conn *bus.Conn) Store {
	return func(ctx context.Context, r Report) error {
		for _, a := range r.Alerts {
			if _, err := conn.Publish(ctx, bus.Outgoing{Subject: protocol.AlertSubject(a.Source), Body: a, ID: a.ID, Dedupe: true, At: a.StartsAt}); err != nil {
				return err
			}
		}
		for _, c := range r.Changes {
			if _, err := conn.Publish(ctx, bus.Outgoing{Subject: protocol.ChangeSubject(c.Node, c.Source), Body: c, ID: c.ID, Dedupe: true, At: c.At}); err != nil {
				return err
			}
		}
		return nil
	}
}
