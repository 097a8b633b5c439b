package dist

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// Options say which node is dialled, and as whom.
type Options struct {
	Me      string // our name as a node: one for each host, for it costs the node an atom
	Node    string // its full name
	Address string // host:port where it listens for distribution
	Cookie  string
	TLS     *tls.Config // nil: plain TCP
}

// Dial connects to a node. The error says what the node does not like and wraps one of
// the package's errors, or is the network's. Close ends the connection.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	var d net.Dialer
	tcp, err := d.DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = tcp.Close() })
	defer stop()
	c, err := connect(ctx, tcp, o)
	if err != nil {
		_ = tcp.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s at %s: %w", o.Node, o.Address, err)
	}
	return c, nil
}

func connect(ctx context.Context, tcp net.Conn, o Options) (*Conn, error) {
	s := shaker{tcp, 2}
	if o.TLS != nil {
		t := tls.Client(tcp, o.TLS)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		s = shaker{t, 4}
	}
	creation := 4 + rand.Uint32N(1<<31)
	g, err := s.shake(o.Me, o.Node, o.Cookie, creation)
	if err != nil {
		return nil, err
	}
	return start(s.Conn, etf.Atom(o.Me), creation, g), nil
}
