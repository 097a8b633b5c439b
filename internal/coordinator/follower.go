package coordinator

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
)

// A follower hears what probes say under one filter of the stream of nodes: what the
// stream holds, what comes, and at times what a lost connection hid.
type follower struct {
	conn   *bus.Conn
	log    *slog.Logger
	what   string // "heartbeats"
	filter string
	hear   func(m bus.Msg) // it may be called by several at a time, and twice with one message

	mu  sync.Mutex
	seq uint64 // of the last message read from the stream
}

// refreshEvery is how often the stream is read for what a lost connection hid.
const refreshEvery = time.Minute

// start reads what is known and listens for more.
func (f *follower) start(ctx context.Context) (stop func(), err error) {
	stop, err = f.conn.Subscribe(f.filter, f.hear)
	if err != nil {
		return nil, err
	}
	if err := f.read(ctx); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// refresh reads the stream now and then until ctx ends.
func (f *follower) refresh(ctx context.Context) {
	for pause(ctx, refreshEvery) {
		if err := f.read(ctx); err != nil && ctx.Err() == nil {
			f.log.Warn("the stream of nodes cannot be read", "of", f.what, "err", err)
		}
	}
}

// read reads what the stream has that was not read yet.
func (f *follower) read(ctx context.Context) error {
	f.mu.Lock()
	from := f.seq + 1
	f.mu.Unlock()
	for m, err := range f.conn.Range(ctx, bus.Nodes, f.filter, from) {
		if err != nil {
			return err
		}
		f.hear(m)
		f.mu.Lock()
		f.seq = max(f.seq, m.Sequence)
		f.mu.Unlock()
	}
	return nil
}
