package probe

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
)

// An outbox holds messages until the server has them. While NATS is away it
// keeps what fits; the oldest are dropped first, and counted.
type outbox struct {
	conn  *bus.Conn
	log   *slog.Logger
	limit int // bytes

	mu      sync.Mutex
	queue   []bus.Packed
	bytes   int
	dropped uint64
	wake    chan struct{}
}

func newOutbox(conn *bus.Conn, log *slog.Logger, limit int) *outbox {
	return &outbox{conn: conn, log: log, limit: limit, wake: make(chan struct{}, 1)}
}

// add queues messages, which are sent together.
func (o *outbox) add(list ...bus.Outgoing) {
	var ready []bus.Packed
	for _, out := range list {
		packed, err := o.conn.Pack(out)
		if err != nil {
			o.log.Error("a message cannot be written", "subject", out.Subject, "err", err)
			continue
		}
		ready = append(ready, packed)
	}
	if len(ready) == 0 {
		return
	}
	o.mu.Lock()
	o.queue = append(o.queue, ready...)
	for _, p := range ready {
		o.bytes += p.Size()
	}
	o.shrink()
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// shrink drops the oldest until the rest fits. The caller holds the lock.
func (o *outbox) shrink() {
	for o.bytes > o.limit && len(o.queue) > 1 {
		o.bytes -= o.queue[0].Size()
		o.queue = o.queue[1:]
		o.dropped++
	}
}

func (o *outbox) stats() (buffered int, dropped uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue), o.dropped
}

// sendAtOnce is how many messages are on their way at a time.
const sendAtOnce = 128

// run sends until ctx ends.
func (o *outbox) run(ctx context.Context) {
	for {
		if n, _ := o.stats(); n == 0 {
			select {
			case <-ctx.Done():
				return
			case <-o.wake:
			}
		}
		if !o.send() && !sleep(ctx, 250*time.Millisecond) {
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// drain makes a last try, when the probe stops.
func (o *outbox) drain() { o.send() }

// send sends what is there, and keeps what the server did not confirm. It
// reports whether all was confirmed.
func (o *outbox) send() bool {
	o.mu.Lock()
	n := min(len(o.queue), sendAtOnce)
	batch := o.queue[:n:n]
	o.queue = o.queue[n:]
	for _, p := range batch {
		o.bytes -= p.Size()
	}
	o.mu.Unlock()

	waits := make([]func() error, n)
	for i, p := range batch {
		wait, err := o.conn.PublishAsync(p)
		if err != nil {
			wait = func() error { return err }
		}
		waits[i] = wait
	}
	failed := make([]bool, n)
	ok := true
	for i, wait := range waits {
		if wait() != nil {
			failed[i], ok = true, false
		}
	}
	if ok {
		return true
	}
	var keep []bus.Packed
	o.mu.Lock()
	for i, p := range batch {
		if failed[i] {
			keep = append(keep, p)
			o.bytes += p.Size()
		}
	}
	o.queue = append(keep, o.queue...)
	o.shrink()
	o.mu.Unlock()
	return false
}
