package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
)

// A lease is what one coordinator of all holds at a time. It depends on no clock of
// others: a holder that stopped renewing is one whose revision stood still for ttl by
// the clock of whoever wants it.
type lease struct {
	conn *bus.Conn
	log  *slog.Logger
	key  string // of the state bucket
	name string // of this process, which no other has
	ttl  time.Duration
}

// leaseTTL is how long a coordinator that died holds what it held.
const leaseTTL = 5 * time.Second

// held is what the key holds.
type held struct {
	Holder string `json:"holder"` // empty: it was given back
}

// run calls lead whenever the lease is held, with a context that ends when it no longer
// is, until ctx ends; then it gives the lease back.
func (l *lease) run(ctx context.Context, lead func(ctx context.Context) error) error {
	for ctx.Err() == nil {
		revision, err := l.acquire(ctx)
		if err != nil {
			if ctx.Err() == nil {
				l.log.Warn("the lease cannot be taken", "lease", l.key, "err", err)
				pause(ctx, time.Second)
			}
			continue
		}
		l.log.Info("lease taken", "lease", l.key)
		leading, lost := context.WithCancelCause(ctx)
		ended := make(chan error, 1)
		go func() {
			err := lead(leading)
			lost(err) // who no longer leads need not renew
			ended <- err
		}()
		revision = l.renew(leading, revision, lost)
		if err := <-ended; err != nil && ctx.Err() == nil {
			l.log.Warn("lease lost", "lease", l.key, "err", context.Cause(leading), "lead", err)
			pause(ctx, time.Second)
		}
		if revision > 0 {
			l.giveBack(ctx, revision)
		}
	}
	return context.Cause(ctx)
}

// acquire returns the revision at which this coordinator holds the lease.
func (l *lease) acquire(ctx context.Context) (uint64, error) {
	var seen uint64
	since := time.Now()
	for {
		var h held
		revision, err := l.conn.ReadState(ctx, l.key, &h)
		if err != nil {
			return 0, err
		}
		if revision != seen {
			seen, since = revision, time.Now()
		}
		if h.Holder == "" || time.Since(since) >= l.ttl {
			won, err := l.conn.WriteState(ctx, l.key, held{l.name}, revision)
			if err == nil {
				return won, nil
			}
			if !errors.Is(err, bus.ErrWrongLast) {
				return 0, err
			}
		}
		if !pause(ctx, l.ttl/5) {
			return 0, context.Cause(ctx)
		}
	}
}

// errLost says that another coordinator holds the lease, or may.
var errLost = errors.New("the lease is lost")

// renew keeps the lease until ctx ends, or calls lost. It returns the revision at
// which the lease is held still; 0: it is not.
func (l *lease) renew(ctx context.Context, revision uint64, lost func(error)) uint64 {
	renewed := time.Now()
	for pause(ctx, l.ttl/5) {
		try, cancel := context.WithTimeout(ctx, l.ttl/2)
		next, err := l.conn.WriteState(try, l.key, held{l.name}, revision)
		if errors.Is(err, bus.ErrWrongLast) { // or an acknowledgement of ours was lost
			var h held
			if next, err = l.conn.ReadState(try, l.key, &h); err == nil && h.Holder != l.name {
				err = errLost
			}
		}
		cancel()
		switch {
		case err == nil:
			revision, renewed = next, time.Now()
		case errors.Is(err, errLost) || time.Since(renewed) > l.ttl*3/5:
			lost(errors.Join(errLost, err))
			return 0
		}
	}
	return revision
}

// giveBack lets another coordinator have the lease at once.
func (l *lease) giveBack(ctx context.Context, revision uint64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if _, err := l.conn.WriteState(ctx, l.key, held{}, revision); err != nil && !errors.Is(err, bus.ErrWrongLast) {
		l.log.Debug("the lease was not given back", "lease", l.key, "err", err)
	}
}

// pause waits; false when ctx ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
