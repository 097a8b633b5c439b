package reading

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Rights remembers what the user of a connection may do: the server tells only when it is
// tried. The zero value knows nothing yet. It is safe for concurrent use.
type Rights struct{ write, call right }

// right is one of them.
type right struct {
	mu    sync.Mutex
	err   error
	asked time.Time
}

// Bounds of asking: how long it may take, and for how long the answer is remembered.
const (
	rightWithin = 2 * time.Second
	rightFor    = time.Minute
)

// Write returns why the user may not ask coordinators and say what people think; nil: it
// may, or nobody knows. What it asks changes nothing.
func (r *Rights) Write(ctx context.Context, conn *bus.Conn) error {
	return r.write.ask(ctx, conn, protocol.StatusSubject, map[string]string{"id": "none"})
}

// Call returns why the user may not ask probes; nil: it may, or nobody knows. What it
// asks is of a node that there is not.
func (r *Rights) Call(ctx context.Context, conn *bus.Conn) error {
	return r.call.ask(ctx, conn, protocol.ProbeSubject(nobody, "call"), nil)
}

// nobody is a name that no node has: the names of hosts have no such byte.
const nobody = "\x00"

func (r *right) ask(ctx context.Context, conn *bus.Conn, subject string, body any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < rightFor {
		return r.err
	}
	ctx, cancel := context.WithTimeout(ctx, rightWithin)
	defer cancel()
	_, err := conn.Request(ctx, subject, body)
	r.err, r.asked = nil, time.Now()
	if errors.As(err, new(*bus.DeniedError)) {
		r.err = err
	}
	return r.err
}
