package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/gateway/message"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
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
	now  func() time.Time

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

// handle takes one insight to the sink. What is to be done is stored before it is done
// and what became of it after: whoever goes on after a kill knows which of them it was.
func (o *outlet) handle(ctx context.Context, d *bus.Delivery) error {
	insight, err := protocol.Decode[protocol.Insight](d.Data)
	if err != nil {
		return bus.Permanent(fmt.Errorf("sink %s: %w", o.name, err))
	}
	wanted, err := o.cfg.Wants(insight, func(node string) (map[string]string, error) { return o.labels(ctx, node) })
	if err != nil || !wanted {
		return err
	}
	var done delivery
	revision, err := o.conn.ReadKey(ctx, bus.SentBucket, o.deliveryKey(insight), &done)
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
		return err
	}
	thread, err := o.thread(ctx, insight)
	if err != nil {
		return err
	}
	note := sinks.Note{
		Insight: insight, Body: d.Data, Envelope: envelope(d.Msg, insight), Message: message.Of(insight, o.ui), At: o.now(),
		Again: done.State == stateSending || done.Unknown, Ref: done.Ref, Thread: thread,
	}
	done.begin(o.by, note.At, note.Again)
	if revision, err = o.write(ctx, insight, done, revision); err != nil {
		return err
	}
	// A gateway that stops ends what it is sending: else the next one could not know.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendWithin)
	defer cancel()
	ref, sendErr := o.Send(sending, note)
	if len(ref) > 0 {
		done.Ref = ref
	}
	verdict := o.judge(&done, sendErr)
	if thread == nil && len(ref) > 0 {
		if err := o.keepThread(sending, insight, ref); err != nil {
			return err
		}
	}
	if _, err := o.write(context.WithoutCancel(ctx), insight, done, revision); err != nil {
		return err
	}
	if sendErr == nil {
		o.log.Info("sent", "insight", insight.ID, "tries", done.Tries, "again", note.Again)
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

// labels returns the labels that a node has now; none of one that is not known.
func (o *outlet) labels(ctx context.Context, node string) (map[string]string, error) {
	m, err := o.conn.LastDirect(ctx, bus.Nodes, protocol.NodeSubject(node))
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	beat, err := protocol.Decode[protocol.Heartbeat](m.Data)
	if err != nil {
		o.log.Warn("a heartbeat cannot be read", "node", node, "err", err)
	}
	return beat.Labels, nil
}

// envelope returns that of the message, or one that stands for it: whoever published
// with `nats pub` gave none.
func envelope(m bus.Msg, i protocol.Insight) protocol.Envelope {
	e, err := protocol.ParseEnvelope(m.Header)
	if err != nil || e.ID == "" {
		return protocol.NewEnvelope(i, i.ID, "gateway", i.CreatedAt)
	}
	return e
}
