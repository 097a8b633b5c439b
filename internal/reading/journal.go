package reading

import (
	"context"
	"fmt"
	"iter"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Journal reads the journal of a run of any agent, oldest first. The error is a
// MissingError where there is no such run.
func Journal(ctx context.Context, conn *bus.Conn, run string) iter.Seq2[bus.Msg, error] {
	return func(yield func(bus.Msg, error) bool) {
		found := false
		for _, agent := range []string{protocol.CoordinatorAgent, protocol.OperatorAgent} {
			for m, err := range conn.Range(ctx, bus.Journal, protocol.JournalSubject(agent, run), 0) {
				found = true
				if !yield(m, err) || err != nil {
					return
				}
			}
			if found {
				return
			}
		}
		yield(bus.Msg{}, &MissingError{fmt.Sprintf("no run %q in the last 7 days", run)})
	}
}
