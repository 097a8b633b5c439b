package beam

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// agent runs a script on the node that tells of events until it ends: it is a process
// of its own there, at normal priority, with a heap cap. It is given two variables
// besides its arguments: Probe, the process to tell, and Lease, in milliseconds, after
// which it ends by itself unless {lease, Milliseconds} came from the probe meanwhile;
// the agent monitors Probe's node too and ends with it. take is called for each
// message, in order, from one goroutine. ended is closed when the process is gone; err
// then says why, nil when it ended as it should.
//
// The lease is renewed by the caller (renew), so that a probe that hangs renews nothing.
func (n *Node) agent(ctx context.Context, name string, a args, take func(etf.Term)) (*agent, error) {
	return n.startAgent(ctx, find(name), a, take)
}
