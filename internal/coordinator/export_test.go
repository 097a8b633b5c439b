package coordinator

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/agent"
)

// NewOperators returns what an investigation's run reads its findings from.
func NewOperators(ctx context.Context, conn *bus.Conn, investigation string) (ops agent.Operators, stop func(), err error) {
	o := &operators{conn: conn}
	stop, err = o.listen(ctx, investigation)
	return o, stop, err
}
