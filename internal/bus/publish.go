package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// An Outgoing is one message on its way.
type Outgoing struct {
	Subject string
	Body    protocol.Message
	// ID is the envelope's id; empty: a random one. Dedupe lets the server drop a
	// second message of this id.
	ID     string
	Dedupe bool
	At     time.Time // when it was made; zero: now
	Trace  string    // W3C traceparent; empty: that of the context, if it has one
	// ExpectLast, when set, is the sequence that the subject's last message must
	// have: 0 for a subject without one.
	ExpectLast *uint64
	// Again has PublishOnce show the message to subscribers once more when it is stored
	// already: who asks for what was done long ago waits for it.
	Again  bool
	Header map[string]string
}

// A Receipt is the server's word that a message is stored.
type Receipt struct {
	Sequence  uint64
	Duplicate bool // a message of this id was there already; nothing was stored
}

// ErrWrongLast says that the subject's last message was not the expected one.
var ErrWrongLast = errors.New("the subject's last message is not the expected one")

// Publish stores a message and returns when the server has it. While NATS is
// away it tries again until ctx ends; an ExpectLast keeps such a repeat harmless,
// and so does Dedupe.
func (c *Conn) Publish(ctx context.Context, out Outgoing) (Receipt, error) {
	if out.Trace == "" {
		out.Trace = signals.TraceParent(ctx)
	}
	msg, err := c.message(out)
	if err != nil {
		return Receipt{}, err
	}
	return c.store(ctx, msg)
}

// store publishes a message until the server has it or refuses it.
func (c *Conn) store(ctx context.Context, msg *nats.Msg) (Receipt, error) {
	ctx, done := c.denied.watch(ctx, msg.Subject)
	defer done()
	for delay := 100 * time.Millisecond; ; delay = min(2*delay, 2*time.Second) {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		ack, err := c.js.PublishMsg(try, msg, jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			return Receipt{Sequence: ack.Sequence, Duplicate: ack.Duplicate}, nil
		}
		if api, ok := errors.AsType[*jetstream.APIError](err); ok && !Transient(err) {
			if api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == 10164 {
				return Receipt{}, fmt.Errorf("publish %s: %w", msg.Subject, ErrWrongLast)
			}
			return Receipt{}, fmt.Errorf("publish %s: %w", msg.Subject, c.explain(err))
		}
		err = deniedCause(ctx, err)
		if ctx.Err() != nil || !Transient(err) && !errors.Is(err, nats.ErrConnectionClosed) {
			return Receipt{}, fmt.Errorf("publish %s: %w", msg.Subject, err)
		}
		if !wait(ctx, delay) {
			return Receipt{}, fmt.Errorf("publish %s: %w", msg.Subject, err)
		}
	}
}

// PublishOnce stores what a step of a run causes, unless its subject holds a
// message of this id already. Unlike Dedupe alone it does not depend on the
// stream's duplicate window: whoever goes on with a run after a long outage, or
// thaws when another has gone on with it, repeats effects that are older.
//
// It reads before it writes: a message that the stream refuses has gone to those who
// subscribe without JetStream all the same, who would see it twice.
func (c *Conn) PublishOnce(ctx context.Context, stream string, out Outgoing) (Receipt, error) {
	out.Dedupe = true
	last := uint64(0)
	for {
		from := last
		for m, err := range c.RangeLeader(ctx, stream, out.Subject, from+1) {
			if err != nil {
				return Receipt{}, fmt.Errorf("publish %s: %w", out.Subject, err)
			}
			if id := m.Header[protocol.HeaderID]; len(id) > 0 && id[0] == out.ID {
				return Receipt{Sequence: m.Sequence, Duplicate: true}, c.tellAgain(ctx, out)
			}
			last = m.Sequence
		}
		out.ExpectLast = &last
		got, err := c.Publish(ctx, out)
		if !errors.Is(err, ErrWrongLast) {
			return got, err
		}
		if last == from { // what was there is gone: look again from the beginning
			last = 0
			if !wait(ctx, 100*time.Millisecond) {
				return Receipt{}, err
			}
		}
	}
}

// tellAgain shows a message that is stored already to those who subscribe without
// JetStream, where that is wanted: the stream refuses it once more.
func (c *Conn) tellAgain(ctx context.Context, out Outgoing) error {
	if !out.Again {
		return nil
	}
	out.ExpectLast = new(uint64)
	if _, err := c.Publish(ctx, out); err != nil && !errors.Is(err, ErrWrongLast) {
		return err
	}
	return nil
}

// A Packed is a message that is encoded, to be sent as often as it takes.
type Packed struct{ msg *nats.Msg }

// Size returns how many bytes the body has.
func (p Packed) Size() int { return len(p.msg.Data) }

// Pack encodes a message, so that one that is not valid or over its limit is
// refused before anybody queues it.
func (c *Conn) Pack(out Outgoing) (Packed, error) {
	msg, err := c.message(out)
	return Packed{msg}, err
}

// PublishAsync sends a message to its stream without waiting. wait returns nil
// when the server has it; it need not be called. An error of PublishAsync itself
// means that nothing was sent.
func (c *Conn) PublishAsync(p Packed) (wait func() error, err error) {
	if !c.nc.IsConnected() {
		return nil, nats.ErrDisconnected
	}
	msg := *p.msg // the client keeps what it is given, and writes on it
	future, err := c.js.PublishMsgAsync(&msg)
	if err != nil {
		return nil, err
	}
	return func() error {
		select {
		case <-future.Ok():
			return nil
		case err := <-future.Err():
			return err
		}
	}, nil
}

// Send publishes without a stream's acknowledgement, on core NATS.
func (c *Conn) Send(subject string, body []byte) error { return c.nc.Publish(subject, body) }

// Announce sends a message without waiting for anything: an answer to a subject that
// somebody waits at, or a line of progress that may be lost.
func (c *Conn) Announce(subject string, body protocol.Message) error {
	msg, err := c.message(Outgoing{Subject: subject, Body: body})
	if err != nil {
		return err
	}
	return c.nc.PublishMsg(msg)
}

func (c *Conn) message(out Outgoing) (*nats.Msg, error) {
	body, err := protocol.Encode(out.Body)
	if err != nil {
		return nil, err
	}
	if out.ID == "" {
		out.ID = protocol.NewID()
	}
	if out.At.IsZero() {
		out.At = time.Now()
	}
	env := protocol.NewEnvelope(out.Body, out.ID, c.source, out.At)
	env.TraceParent = out.Trace
	msg := &nats.Msg{Subject: out.Subject, Data: body, Header: nats.Header(env.Header(out.Dedupe))}
	if out.ExpectLast != nil {
		msg.Header[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(*out.ExpectLast, 10)}
	}
	for k, v := range out.Header {
		msg.Header[k] = []string{v}
	}
	return msg, nil
}

// RequestQueued stores a message in a work queue and waits for the answer of
// whoever finishes it.
func (c *Conn) RequestQueued(ctx context.Context, out Outgoing) ([]byte, error) {
	inbox := c.nc.NewInbox()
	answers := make(chan *nats.Msg, 1)
	sub, err := c.nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is gone then, and the subscription with it
	if out.Header == nil {
		out.Header = map[string]string{}
	}
	out.Header[protocol.HeaderReply] = inbox
	if _, err := c.Publish(ctx, out); err != nil {
		return nil, err
	}
	select {
	case m := <-answers:
		return m.Data, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", out.Subject, context.Cause(ctx))
	}
}
