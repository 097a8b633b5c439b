package bus

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A BatchHandler acts on messages of one durable together. When it returns nil
// they are acknowledged; else all come again after a delay.
type BatchHandler func(ctx context.Context, batch []Msg) error

// together is how long a batch waits for one more message.
const together = 5 * time.Millisecond

// Batches hands the messages of a shared durable to handler, up to most at a time, in
// the order in which they come, until ctx ends. It is Consume for many small
// messages: there are no signs of life, so handler must end within the ack wait. A
// durable that does not exist yet is waited for.
func (c *Conn) Batches(ctx context.Context, con Consumer, most int, handler BatchHandler) error {
	for ctx.Err() == nil {
		cons := c.awaitConsumer(ctx, con)
		if ctx.Err() != nil {
			break
		}
		if err := c.readBatches(ctx, cons, most, handler); err != nil && ctx.Err() == nil {
			c.log.Warn("reading stopped, it begins again", "consumer", con.Name, "stream", con.Stream, "err", err)
			wait(ctx, time.Second)
		}
	}
	return context.Cause(ctx)
}

func (c *Conn) readBatches(ctx context.Context, cons jetstream.Consumer, most int, handler BatchHandler) error {
	it, err := cons.Messages(jetstream.PullMaxMessages(most))
	if err != nil {
		return err
	}
	defer it.Stop()
	for {
		first, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		batch := []jetstream.Msg{first}
		for len(batch) < most {
			m, err := it.Next(jetstream.NextMaxWait(together))
			if err != nil {
				break // none is there, or the next read tells
			}
			batch = append(batch, m)
		}
		c.act(ctx, batch, handler)
	}
}

// act gives a batch to its handler and tells the server what came of it.
func (c *Conn) act(ctx context.Context, batch []jetstream.Msg, handler BatchHandler) {
	msgs := make([]Msg, 0, len(batch))
	for _, m := range batch {
		meta, err := m.Metadata()
		if err != nil {
			c.log.Error("a delivery without metadata", "err", err)
			continue
		}
		msgs = append(msgs, Msg{
			Subject: m.Subject(), Data: m.Data(), Header: m.Headers(), Stream: meta.Stream, Sequence: meta.Sequence.Stream, Time: meta.Timestamp,
		})
	}
	err := guardBatch(ctx, msgs, handler)
	verdict := jetstream.Msg.Ack
	switch {
	case err == nil:
	case ctx.Err() != nil:
		verdict = func(m jetstream.Msg) error { return m.NakWithDelay(handBack) }
	default:
		c.log.Warn("messages come again", "count", len(batch), "subject", batch[0].Subject(), "err", err, "delay", retryDelay)
		verdict = func(m jetstream.Msg) error { return m.NakWithDelay(retryDelay) }
	}
	for _, m := range batch {
		if err := verdict(m); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			c.log.Warn("the verdict did not reach the server; the message comes again", "subject", m.Subject(), "err", err)
			return
		}
	}
}

// guardBatch turns a panic of a handler into an error.
func guardBatch(ctx context.Context, batch []Msg, handler BatchHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return handler(ctx, batch)
}
