package beam

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// leaseFor is how long an agent lives after it was last asked for: three snapshots.
const leaseFor = 90 * time.Second

// A watch keeps an agent on the node as long as somebody asks for what it tells. Its
// script says first {ready, …} or {refused, Why, …}, and {ended, Why} last.
type watch struct {
	script string
	// take is shown what the agent tells besides that.
	take func(etf.Tuple)
	// began is shown what came with ready; nil: nobody.
	began func(etf.Tuple)
	// refused says in words why the script refused.
	refused func(etf.Tuple) error

	turn  chan struct{} // holds one token: who starts it
	agent *agent

	mu    sync.Mutex
	state WatchState
}

// A WatchState says since when an agent watches, and how the one before ended.
type WatchState struct {
	// Since is when the present agent began; zero when there is none.
	Since time.Time
	// Starts is how often one was started.
	Starts int
	// LastEnd is why the last one ended and when; empty when none has.
	LastEnd   string
	LastEndAt time.Time
}

func newWatch(script string) *watch {
	return &watch{script: script, turn: make(chan struct{}, 1)}
}

// hold starts the agent, or lets the one there is live on. The error says why there is
// none.
func (w *watch) hold(ctx context.Context, n *Node, a args) error {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if w.agent != nil {
		select {
		case <-w.agent.done():
		default:
			if w.agent.renew(ctx, leaseFor) == nil {
				return nil
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		w.agent = nil
	}
	return w.start(ctx, n, a)
}

// errNotBegun is the end of an agent that said nothing.
var errNotBegun = errors.New("it ended before it began")

func (w *watch) start(ctx context.Context, n *Node, a args) error {
	first := make(chan error, 1)
	say := func(err error) {
		select {
		case first <- err:
		default:
		}
	}
	ag, err := n.startAgent(ctx, w.script, a, leaseFor, func(t etf.Term) { w.hear(t, say) })
	if err != nil {
		return err
	}
	go func() {
		<-ag.done()
		w.over(ag.err())
		say(errNotBegun)
	}()
	select {
	case err = <-first:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		ag.stop()
		return fmt.Errorf("%s: %w", n.cfg.Node, err)
	}
	w.agent = ag
	return nil
}

// hear takes a message of the agent's.
func (w *watch) hear(t etf.Term, say func(error)) {
	m, ok := t.(etf.Tuple)
	if !ok || len(m) < 2 {
		return
	}
	switch m[0] {
	case etf.Atom("ready"):
		w.mu.Lock()
		w.state.Since = time.Now()
		w.state.Starts++
		w.mu.Unlock()
		if w.began != nil {
			w.began(m)
		}
		say(nil)
	case etf.Atom("refused"):
		say(w.refused(m))
	case etf.Atom("ended"):
		why, _ := etf.Text(m[1])
		w.mu.Lock()
		w.state.LastEnd = why
		w.mu.Unlock()
		w.take(m)
	default:
		w.take(m)
	}
}

// over is the end of an agent.
func (w *watch) over(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Since = time.Time{}
	w.state.LastEndAt = time.Now()
	if err != nil {
		w.state.LastEnd = err.Error()
	}
}

// now returns how the watch stands.
func (w *watch) now() WatchState {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.state
	if why := endWords[s.LastEnd]; why != "" {
		s.LastEnd = why
	}
	return s
}

// endWords are the words of scripts for why they ended.
var endWords = map[string]string{
	"lease":    "nobody asked for it any more",
	"stop":     "it was told to",
	"taken":    "another process of the node became its system monitor",
	"flood":    "there were too many events to tell",
	"overload": "so much was logged that the node took the log handler off",
	"guard":    "the process that watches over it was killed",
}

// dated returns when something happened that the node dates: by the node's clock, or by
// ownFunction where that is another time.
func dated(ms int64, now time.Time) time.Time {
	at := time.UnixMilli(ms)
	if gap := now.Sub(at); gap < -time.Minute || gap > time.Minute {
		return now
	}
	return at
}
