package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// What became of a note at a sink.
const (
	stateSending = "sending"  // an attempt is made, or its maker died
	stateWaiting = "waiting"  // the attempt failed; another follows
	stateSent    = "sent"     //
	stateGivenUp = "given up" // it is, or will be, a dead letter
)

// A delivery is what is kept of one note at one sink, in bus.SentBucket.
type delivery struct {
	State string    `json:"state"`
	By    string    `json:"by"` // the gateway
	Tries int       `json:"tries"`
	Since time.Time `json:"since"` // of the first try
	At    time.Time `json:"at"`    // of the last
	// Unknown says that an attempt may have arrived.
	Unknown bool      `json:"unknown,omitempty"`
	Ref     sinks.Ref `json:"ref,omitempty"`
	Error   string    `json:"error,omitempty"` // of the last try
	// Sequence is where it lies in its stream.
	Sequence uint64 `json:"sequence,omitempty"`
}

// begin notes that an attempt is to be made.
func (d *delivery) begin(by string, at time.Time, unknown bool) {
	d.State, d.By, d.At, d.Unknown, d.Error = stateSending, by, at, unknown, ""
	d.Tries++
	if d.Since.IsZero() {
		d.Since = at
	}
}

func (o *outlet) deliveryKey(id string) string {
	return "delivery." + protocol.Token(o.name) + "." + protocol.Token(id)
}

func (o *outlet) threadKey(i protocol.Insight) string {
	return "thread." + protocol.Token(o.name) + "." + protocol.Token(i.Thread())
}

// write stores a delivery. Where another gateway did so meanwhile the note is its own.
func (o *outlet) write(ctx context.Context, id string, d delivery, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	next, err := o.conn.WriteKey(ctx, bus.SentBucket, o.deliveryKey(id), d, revision)
	if errors.Is(err, bus.ErrWrongLast) { // or the acknowledgement of our own was lost
		var have delivery
		now, readErr := o.conn.ReadKey(ctx, bus.SentBucket, o.deliveryKey(id), &have)
		if readErr == nil && have.By == d.By && have.State == d.State && have.At.Equal(d.At) {
			return now, nil
		}
		return 0, errors.Join(bus.ErrNotMine, readErr)
	}
	return next, err
}

// thread returns what the first insight of those that belong together made; nil: nothing
// yet, or this is the first.
func (o *outlet) thread(ctx context.Context, n sinks.Note) (sinks.Ref, error) {
	var t thread
	_, err := o.conn.ReadKey(ctx, bus.SentBucket, o.threadKey(n.Insight), &t)
	if err != nil || t.Insight == n.ID() {
		return nil, err
	}
	return t.Ref, nil
}

// A thread is what the first insight of those that belong together made, which others join.
type thread struct {
	Insight string    `json:"insight"`
	Ref     sinks.Ref `json:"ref"`
}

// keepThread stores what the first insight of those that belong together made. Of two the faster
// one is the first.
func (o *outlet) keepThread(ctx context.Context, i protocol.Insight, ref sinks.Ref) error {
	var have thread
	revision, err := o.conn.ReadKey(ctx, bus.SentBucket, o.threadKey(i), &have)
	if err != nil || have.Insight != "" {
		return err
	}
	_, err = o.conn.WriteKey(ctx, bus.SentBucket, o.threadKey(i), thread{i.ID, ref}, revision)
	if errors.Is(err, bus.ErrWrongLast) {
		return nil
	}
	return err
}
