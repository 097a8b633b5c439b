package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"time"

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

// Evidence is what a coordinator knows of a fleet besides its findings.
type Evidence struct {
	f *fleet
	t *topology
}

// Gather starts reading what the fleet says of itself.
func Gather(ctx context.Context, conn *bus.Conn, log *slog.Logger, file string) (e Evidence, stop func(), err error) {
	e.f = newFleet(conn, log, nil)
	if e.t, err = newTopology(conn, log, e.f, file); err != nil {
		return e, nil, err
	}
	stopFleet, err := e.f.beats.start(ctx)
	if err != nil {
		return e, nil, err
	}
	stopTopology, err := e.t.said.start(ctx)
	return e, func() { stopTopology(); stopFleet() }, err
}

// Read reads what the streams have that was not seen.
func (e Evidence) Read(ctx context.Context) error {
	return errors.Join(e.f.beats.read(ctx), e.t.said.read(ctx))
}

// Edges returns who depends on whom.
func (e Evidence) Edges(now time.Time) []Edge { return e.t.edges(now) }

// Changes returns what was done to nodes.
func (e Evidence) Changes(ctx context.Context, nodes []string, since time.Time) ([]protocol.Change, error) {
	return e.f.changes(ctx, nodes, since)
}

// Overview returns the fleet as a model sees it.
func (e Evidence) Overview(ctx context.Context) (any, error) { return e.f.Overview(ctx, nil, nil) }

// WithOthers is withOthers.
var WithOthers = withOthers
