package coordinator

import (
	"context"
	"log/slog"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// NewOperators returns what an investigation's run reads its findings from.
func NewOperators(ctx context.Context, conn *bus.Conn, investigation string) (ops agent.Operators, stop func(), err error) {
	o := &operators{conn: conn}
	stop, err = o.listen(ctx, investigation)
	return o, stop, err
}

// CustomWords returns the words of custom skills that a coordinator which was built
// with known would take of the nodes.
func CustomWords(ctx context.Context, conn *bus.Conn, log *slog.Logger, known []protocol.Words, nodes []protocol.Heartbeat) []protocol.Words {
	return newFleet(conn, log, known).custom(ctx, nodes)
}
