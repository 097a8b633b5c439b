package beam

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/dist"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// An agent is a process of ours on the node that tells of events until it ends. Its
// script has two variables besides its arguments: Probe, the process to tell, and
// Lease, in milliseconds, after which it ends by itself unless {lease, Milliseconds}
// came from the probe meanwhile. It watches Probe, and ends with it.
type agent struct {
	process *dist.Process
	inbox   *dist.Inbox
	ended   chan struct{} // closed when the process is gone and all it told was taken
	why     error
}

// startAgent has the node run the script of an agent. take is called for each message,
// in order, from one goroutine.
func (n *Node) startAgent(ctx context.Context, name string, a args, lease time.Duration, take func(etf.Term)) (*agent, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, n.cfg.Timeout, n.silent())
	defer cancel()
	q := find(name)
	if err := n.needs(q.level); err != nil {
		return nil, err
	}
	bound, err := q.bindings(a)
	if err != nil {
		return nil, err
	}
	conn, err := n.connect(ctx)
	if err != nil {
		return nil, err
	}
	forms, err := n.parsed(ctx, conn, q)
	if err != nil {
		return nil, err
	}
	inbox := conn.Inbox()
	bound = append(bound, etf.Tuple{etf.Atom("Probe"), inbox.Pid()}, etf.Tuple{etf.Atom("Lease"), lease.Milliseconds()})
	p, err := conn.Spawn(evaluation(forms, bound, "normal"))
	if err != nil {
		inbox.Close()
		return nil, err
	}
	n.Log.Info("more than looking on: an agent was started on the node", "node", n.cfg.Node, "level", string(q.level), "agent", name, "for", lease.String())
	ag := &agent{process: p, inbox: inbox, ended: make(chan struct{})}
	go ag.run(n, q, take)
	return ag, nil
}

// run takes what the agent tells until it ends.
func (a *agent) run(n *Node, q *question, take func(etf.Term)) {
	defer close(a.ended)
	defer a.inbox.Close()
	for {
		select {
		case t := <-a.inbox.Letters():
			take(t)
		case <-a.process.Done():
			for len(a.inbox.Letters()) > 0 { // signals keep their order: it told all before it ended
				take(<-a.inbox.Letters())
			}
			end, err := a.process.Wait(context.Background())
			if err == nil {
				_, err = n.answer(q, end)
			}
			a.why = err
			return
		}
	}
}

// renew lets the agent live for so much longer.
func (a *agent) renew(ctx context.Context, d time.Duration) error {
	return a.tell(ctx, etf.Tuple{etf.Atom("lease"), d.Milliseconds()})
}

// tell sends the agent a message.
func (a *agent) tell(ctx context.Context, t etf.Term) error { return a.process.Send(ctx, t) }

// stop kills the agent: what the node does not undo by itself its guard undoes.
func (a *agent) stop() { a.process.Kill() }

// done is closed when the agent is gone.
func (a *agent) done() <-chan struct{} { return a.ended }

// err says why it is gone, nil when its script came to its end. It may be called once
// done is closed.
func (a *agent) err() error { return a.why }
