package reading

import (
	"context"
	"iter"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A MissingError says what is not there. It is a bus.ErrNotFound.
type MissingError struct{ Text string }

// Error implements error.
func (e *MissingError) Error() string { return e.Text }

// Is reports whether it is the other error.
func (*MissingError) Is(other error) bool { return other == bus.ErrNotFound }

// A Stored message is one with its place in its stream.
type Stored[T protocol.Message] struct {
	Value T
	Msg   bus.Msg
}

// All returns the messages of a stream that match a subject, the oldest first. unreadable
// counts those of a newer or broken form.
func All[T protocol.Message](ctx context.Context, conn *bus.Conn, stream, subject string) (list []Stored[T], unreadable int, err error) {
	return gather[T](conn.Range(ctx, stream, subject, 0))
}

// Since is All from a moment on, of a stream with direct get.
func Since[T protocol.Message](ctx context.Context, conn *bus.Conn, stream, subject string, since time.Time) (list []Stored[T], unreadable int, err error) {
	return gather[T](conn.RangeSince(ctx, stream, subject, since))
}

func gather[T protocol.Message](messages iter.Seq2[bus.Msg, error]) (list []Stored[T], unreadable int, err error) {
	for m, err := range messages {
		if err != nil {
			return nil, 0, err
		}
		v, err := protocol.Decode[T](m.Data)
		if err != nil {
			unreadable++
			continue
		}
		list = append(list, Stored[T]{v, m})
	}
	return list, unreadable, nil
}

// decoded returns nil for what cannot be read.
func decoded[T protocol.Message](data []byte) *T {
	v, err := protocol.Decode[T](data)
	if err != nil {
		return nil
	}
	return &v
}

// collect leaves out what cannot be read.
func collect[T protocol.Message](data []byte, to *[]T) {
	if v := decoded[T](data); v != nil {
		*to = append(*to, *v)
	}
}

// orEmpty keeps a list from being null in JSON.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
