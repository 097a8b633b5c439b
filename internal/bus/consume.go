package bus

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Delivery is a message of a work queue in the hands of one worker.
type Delivery struct {
	Msg
	Deliveries int // how often it was delivered, this time included
	// Slot is the worker's: whoever waits long may release it meanwhile.
	Slot *Slot

	beats *beater
}

// A Slot is a place among the messages that are handled at a time. One handler
// uses it, from one goroutine at a time.
type Slot struct {
	free chan struct{}
	held bool
}

// Release lets another message be handled; the signs of life of this one go on.
func (s *Slot) Release() {
	if s.held {
		s.held = false
		s.free <- struct{}{}
	}
}

// Acquire takes a place again and returns when there is one, or with ctx's cause.
func (s *Slot) Acquire(ctx context.Context) error {
	if s.held {
		return nil
	}
	select {
	case <-s.free:
		s.held = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Until sets the moment at which the worker's signs of life stop. A handler that
// hangs longer loses the message to another worker.
func (d *Delivery) Until(deadline time.Time) { d.beats.until(deadline) }

// A Handler acts on one delivery. What it returns becomes the verdict:
//
//	nil              the message is acknowledged
//	Permanent(err)   a dead letter is written, then the message is acknowledged
//	ErrNotMine       nothing at all is sent: another worker has the message
//	Later(err, d)    the message comes again after d
//	any other error  the message comes again after a delay
type Handler func(ctx context.Context, d *Delivery) error

// ErrNotMine is the verdict of a worker that was superseded. An acknowledgement
// from a superseded delivery would delete the winner's message.
var ErrNotMine = errors.New("another worker has it")

type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// Permanent marks an error that no repetition will mend.
func Permanent(err error) error { return permanentError{err} }

type laterError struct {
	error
	delay time.Duration
}

func (e laterError) Unwrap() error { return e.error }

// Later marks an error after which the message comes again in d: who was asked said when.
func Later(err error, d time.Duration) error { return laterError{err, d} }

// retryDelay is how long a message rests that could not be handled now.
const retryDelay = 5 * time.Second

// handBack is how long a message rests that a process hands back as it stops. At
// once the server would give it to this process's own last pull, whose end it may
// not have heard of, and it would be lost until the ack wait.
const handBack = 250 * time.Millisecond

// firstBeats is how long signs of life go on when the handler sets no deadline.
const firstBeats = 2 * time.Minute

// Consume hands messages of the shared durables to handler, at most slots at a
// time, until ctx ends; then it waits for the handlers, whose ctx has ended too.
// A durable that does not exist yet is waited for. It pulls only when a slot is
// free; a message that arrives when the last one was just taken goes back at once.
func (c *Conn) Consume(ctx context.Context, slots int, durables []Consumer, handler Handler) error {
	var wg sync.WaitGroup
	free := make(chan struct{}, slots)
	for range slots {
		free <- struct{}{}
	}
	for _, con := range durables {
		wg.Go(func() {
			c.pull(ctx, con, free, &wg, handler)
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (c *Conn) pull(ctx context.Context, con Consumer, free chan struct{}, wg *sync.WaitGroup, handler Handler) {
	cons := c.awaitConsumer(ctx, con)
	for ctx.Err() == nil {
		// Wait for a slot, and put it back: it is taken for good when a message is here.
		select {
		case <-ctx.Done():
			return
		case slot := <-free:
			free <- slot
		}
		batch, err := cons.Fetch(1, jetstream.FetchContext(ctx))
		if err != nil {
			c.log.Warn("cannot pull work", "consumer", con.Name, "err", err)
			wait(ctx, time.Second)
			continue
		}
		for msg := range batch.Messages() {
			select {
			case <-free:
			default:
				_ = msg.Nak()
				continue
			}
			patience := cons.CachedInfo().Config.AckWait
			slot := &Slot{free: free, held: true}
			wg.Go(func() {
				defer slot.Release()
				c.handle(ctx, con.Name, patience, msg, slot, handler)
			})
		}
		if err := batch.Error(); err != nil && ctx.Err() == nil {
			if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, nats.ErrNoResponders) {
				c.log.Warn("the consumer is gone, waiting for it", "consumer", con.Name, "err", err)
				wait(ctx, time.Second)
				cons = c.awaitConsumer(ctx, con)
			} else if !errors.Is(err, nats.ErrTimeout) && !errors.Is(err, context.DeadlineExceeded) {
				c.log.Debug("pull ended", "consumer", con.Name, "err", err)
				wait(ctx, 200*time.Millisecond)
			}
		}
	}
}

// awaitConsumer returns the durable when it is there, or a useless one when ctx ends.
func (c *Conn) awaitConsumer(ctx context.Context, con Consumer) jetstream.Consumer {
	for tries := 0; ; tries++ {
		cons, err := c.js.Consumer(ctx, con.Stream, con.Name)
		if err == nil || ctx.Err() != nil {
			return cons
		}
		if tries%30 == 0 {
			c.log.Info("waiting for a consumer: a coordinator or `fleetlens setup` makes it", "consumer", con.Name, "stream", con.Stream, "err", err)
		}
		wait(ctx, time.Second)
	}
}

// handle gives a message to its handler, with signs of life often enough for the
// ack wait that the server has: an administrator may have changed the table's.
func (c *Conn) handle(ctx context.Context, consumer string, patience time.Duration, msg jetstream.Msg, slot *Slot, handler Handler) {
	meta, err := msg.Metadata()
	if err != nil {
		c.log.Error("a delivery without metadata", "err", err)
		return
	}
	beats := startBeats(msg, patience/3)
	d := &Delivery{
		Msg: Msg{
			Subject: msg.Subject(), Data: msg.Data(), Header: msg.Headers(), Stream: meta.Stream,
			Sequence: meta.Sequence.Stream, Time: meta.Timestamp,
		},
		Deliveries: int(meta.NumDelivered), Slot: slot, beats: beats,
	}
	worked := c.tells.working(ctx, consumer, d.Deliveries)
	err = guard(WithTrace(ctx, d.Header), d, handler)
	beats.stop()
	worked(err)
	c.verdict(ctx, consumer, msg, d, err)
}

// guard turns a panic of a handler into an error, so that one message cannot end the process.
func guard(ctx context.Context, d *Delivery, handler Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return handler(ctx, d)
}

func (c *Conn) verdict(ctx context.Context, consumer string, msg jetstream.Msg, d *Delivery, err error) {
	// The verdict is sent even when the process is about to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var permanent permanentError
	var sent error
	switch {
	case err == nil:
		sent = msg.DoubleAck(ctx)
	case errors.Is(err, ErrNotMine):
		c.log.Info("another worker has it", "subject", d.Subject, "seq", d.Sequence, "err", err)
	case errors.As(err, &permanent):
		c.log.Error("giving a message up", "subject", d.Subject, "seq", d.Sequence, "err", err)
		if sent = c.deadLetter(ctx, consumer, d.Msg, permanent.Error()); sent == nil {
			sent = msg.DoubleAck(ctx)
		}
	case errors.Is(err, context.Canceled):
		sent = msg.NakWithDelay(handBack) // the process stops: somebody else may have it
	default:
		delay := retryDelay
		if later, ok := errors.AsType[laterError](err); ok {
			delay = later.delay
		}
		c.log.Warn("a message comes again", "subject", d.Subject, "seq", d.Sequence, "err", err, "delay", delay)
		sent = msg.NakWithDelay(delay)
	}
	if sent != nil {
		c.log.Warn("the verdict did not reach the server; the message comes again", "subject", d.Subject, "seq", d.Sequence, "err", sent)
	}
}

// DeadLetter writes down a message that nobody can handle, and why.
func (c *Conn) DeadLetter(ctx context.Context, m Msg, reason string) error {
	return c.deadLetter(ctx, "", m, reason)
}

// deadLetter tells the consumers apart: where several give a message up, each says why.
func (c *Conn) deadLetter(ctx context.Context, consumer string, m Msg, reason string) error {
	letter := protocol.DeadLetter{
		Stream: m.Stream, Subject: m.Subject, Sequence: m.Sequence, Reason: reason, By: c.source, At: time.Now().UTC(), Header: m.Header, Body: m.Data,
	}
	if len(letter.Body) > protocol.MaxDeadLetterBody {
		letter.Body, letter.Truncated = letter.Body[:protocol.MaxDeadLetterBody], true
	}
	if len(letter.Reason) > 4096 {
		letter.Reason = letter.Reason[:4096]
	}
	c.tells.deadLetters.Add(ctx, 1, stream(m.Stream))
	_, err := c.Publish(ctx, Outgoing{
		Subject: protocol.DeadLetterSubject(m.Stream), Body: letter, Dedupe: true,
		ID: protocol.EffectID("deadletter", m.Stream, fmt.Sprint(m.Sequence), m.Time.String(), consumer),
	})
	if errors.Is(err, protocol.ErrTooLarge) { // headers of up to a megabyte
		letter.Header = nil
		_, err = c.Publish(ctx, Outgoing{Subject: protocol.DeadLetterSubject(m.Stream), Body: letter})
	}
	return err
}

// A beater tells the server that a message is being worked on.
type beater struct {
	mu       sync.Mutex
	deadline time.Time
	done     chan struct{}
	ended    chan struct{}
}

func startBeats(msg jetstream.Msg, every time.Duration) *beater {
	b := &beater{deadline: time.Now().Add(firstBeats), done: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(b.ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-b.done:
				return
			case now := <-tick.C:
				b.mu.Lock()
				late := now.After(b.deadline)
				b.mu.Unlock()
				if late {
					return
				}
				_ = msg.InProgress()
			}
		}
	}()
	return b
}

func (b *beater) until(t time.Time) {
	b.mu.Lock()
	b.deadline = t
	b.mu.Unlock()
}

func (b *beater) stop() {
	close(b.done)
	<-b.ended
}
