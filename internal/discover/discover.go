// Package discover finds what on this machine looks as if it could be a target:
// Go services that serve net/http/pprof, PostgreSQL, NATS and Prometheus servers, nodes
// of Erlang's virtual machine. It proposes; it adds nothing, and changes nothing.
//
// It reads which processes listen where. Only listeners of Go programs are asked
// anything, one GET of /debug/pprof/ each, or of /varz where it is NATS' server: nothing is sent to a database, to epmd or
// to a program in another language. What the probe's user may not look at is not
// found.
package discover

import (
	"context"
	"fmt"
	"net"
	"slices"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Bounds of one look.
const (
	mostListeners = 1024 // that are attributed to processes
	mostAsked     = 64   // that are asked; the rest comes with the next look
)

// Config says where to look and what is known already.
type Config struct {
	Host *host.Reader
	// Watched are the addresses of the targets there are: host:port, or the path of a socket.
	Watched []string
	// Names are the names of the targets there are.
	Names []string
	// Nodes are the full names of the Erlang nodes among them.
	Nodes []string
}

// A Finder looks for what could be targets. It remembers what it asked, so that no
// listener is asked twice. It is for one goroutine.
type Finder struct {
	cfg      Config
	known    watched
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	answers  map[question]answer
	programs map[process]host.GoProgram // with an empty release: it is none
}

// New returns a finder; it looks at nothing yet.
func New(c Config) *Finder {
	return &Finder{cfg: c, known: parseWatched(c.Watched), dial: new(net.Dialer).DialContext, answers: map[question]answer{}, programs: map[process]host.GoProgram{}}
}

// Look returns what it found, at most protocol.MaxProposals, in the same order each
// time. The error says what could not be read; the proposals are those of the rest.
func (f *Finder) Look(ctx context.Context) ([]protocol.Proposal, error) {
	seen, err := f.listen(ctx)
	if err != nil {
		err = fmt.Errorf("look for targets: %w", err)
	}
	f.forget(seen)
	f.known.readAddresses()
	watched := map[int32]bool{}
	for _, l := range seen.list {
		if f.known.has(l) {
			watched[l.pid] = true
		}
	}
	delete(watched, 0) // nobody knows whose these are
	look := &look{Finder: f, seen: seen, names: slices.Clone(f.cfg.Names), proposed: map[int32]bool{}}
	for _, l := range seen.list {
		if ctx.Err() != nil || len(look.out) == protocol.MaxProposals {
			break
		}
		if !f.known.has(l) && !watched[l.pid] && !look.proposed[l.pid] {
			look.consider(ctx, l)
		}
	}
	return look.out, err
}
