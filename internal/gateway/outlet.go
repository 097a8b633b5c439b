package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
)

// An outlet is one sink at work in one gateway.
type outlet struct {
	sinks.Opened
	name string
	cfg  sinks.Config
	ui   string
	by   string // this gateway
	conn *bus.Conn
	log  *slog.Logger
	tells
	now func() time.Time

	mu   sync.Mutex
	rest time.Time // until when the far side is left alone
}

// How often an insight is tried.
const (
	firstDelay = 5 * time.Second
	mostDelay  = 10 * time.Minute
	// giveUpAfter outlasts the outage of a night.
	giveUpAfter = 24 * time.Hour
	// sendWithin is how long an attempt may go on when the gateway stops.
	sendWithin = 20 * time.Second
	// patience is how long a handler waits for its turn; longer, and the insight goes
	// back to the server meanwhile.
	patience = 2 * time.Second
)

var errResting = errors.New("the far side asked to be left alone")

// handle takes one insight to the sink, or what became of some.
func (o *outlet) handle(ctx context.Context, d *bus.Delivery) error {
	n, err := o.note(ctx, d)
	if err != nil || n == nil {
		return err
	}
	return o.deliver(ctx, *n, d.Sequence)
}

// deliver takes a note to the sink. What is to be done is stored before it is done and what
// became of it after: whoever goes on after a kill knows which of them it was.
func (o *outlet) deliver(ctx context.Context, n sinks.Note, sequence uint64) error {
	var done delivery
	revision, err := o.conn.ReadKey(ctx, bus.SentBucket, o.deliveryKey(n.ID()), &done)
	if err != nil {
		return err
	}
	switch done.State {
	case stateSent:
		return nil
	case stateGivenUp: // the gateway died before the dead letter was written
		return bus.Permanent(errors.New(done.Error))
	}
	if err := o.turn(ctx); err != nil {
		if done.State == "" && errors.Is(err, errResting) { // what follows it waits for it
			done.State, done.Sequence = stateWaiting, sequence
			_, writeErr := o.write(ctx, n.ID(), done, revision)
			err = errors.Join(err, writeErr)
		}
		return err
	}
	if n.Thread, err = o.thread(ctx, n); err != nil {
		return err
	}
	n.At, n.Again, n.Ref = o.now(), done.State == stateSending || done.Unknown, done.Ref
	done.Sequence = sequence
	done.begin(o.by, n.At, n.Again)
	if revision, err = o.write(ctx, n.ID(), done, revision); err != nil {
		return err
	}
	// A gateway that stops ends what it is sending: else the next one could not know.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendWithin)
	defer cancel()
	ref, sendErr := o.Send(sending, n)
	if len(ref) > 0 {
		done.Ref = ref
	}
	verdict := o.judge(&done, sendErr)
	o.attempted(sending, o.name, done.State)
	if n.Thread == nil && n.Turn == nil && len(ref) > 0 {
		if err := o.keepThread(sending, n.Insight, ref); err != nil { // it was sent all the same
			o.log.Warn("what follows does not go into the thread of this", "id", n.ID(), "err", err)
		}
	}
	if _, err := o.write(context.WithoutCancel(ctx), n.ID(), done, revision); err != nil {
		return err
	}
	if sendErr == nil {
		o.log.Info("sent", "id", n.ID(), "tries", done.Tries, "again", n.Again)
	}
	return verdict
}

// judge notes how an attempt ended, and returns the verdict on the insight.
func (o *outlet) judge(done *delivery, err error) error {
	now := o.now()
	if o.Every > 0 {
		o.leaveAlone(now.Add(o.Every))
	}
	if err == nil {
		done.State = stateSent
		return nil
	}
	err = fmt.Errorf("sink %s: %w", o.name, err)
	failure, ok := errors.AsType[*sinks.Failure](err)
	delay := backOff(done.Tries)
	if ok {
		done.Unknown = done.Unknown || failure.Unknown
		if failure.After > 0 {
			delay = failure.After
			o.leaveAlone(now.Add(delay))
		}
	}
	switch {
	case !ok:
	case now.Add(delay).Sub(done.Since) > giveUpAfter:
		err = fmt.Errorf("given up after %d tries in %s: %w", done.Tries, now.Sub(done.Since).Round(time.Second), err)
	default:
		done.State, done.Error = stateWaiting, err.Error()
		return bus.Later(err, delay)
	}
	done.State, done.Error = stateGivenUp, err.Error()
	return bus.Permanent(err)
}

// backOff returns how long an insight rests after so many tries.
func backOff(tries int) time.Duration {
	d := firstDelay
	for range tries - 1 {
		if d = 2 * d; d >= mostDelay {
			return mostDelay
		}
	}
	return d
}

func (o *outlet) leaveAlone(until time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if until.After(o.rest) {
		o.rest = until
	}
}

// turn returns when the far side may be asked, or an error that says when it may.
func (o *outlet) turn(ctx context.Context) error {
	o.mu.Lock()
	wait := o.rest.Sub(o.now())
	o.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	if wait > patience {
		return bus.Later(errResting, wait)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
