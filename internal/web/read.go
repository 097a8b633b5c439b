package web

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A stored message is one with its place in its stream.
type stored[T any] struct {
	value T
	msg   bus.Msg
}

// readAll reads the messages of a stream since a moment, oldest first; those that cannot
// be read are counted.
func readAll[T protocol.Message](ctx context.Context, s *Server, stream, subject string, since time.Time) (list []stored[T], unreadable int, err error) {
	for m, err := range s.bus.RangeSince(ctx, stream, subject, since) {
		if err != nil {
			return nil, 0, err
		}
		v, err := protocol.Decode[T](m.Data)
		if err != nil {
			unreadable++
			continue
		}
		list = append(list, stored[T]{v, m})
	}
	return list, unreadable, nil
}

// newest answers a list of messages, the newest first, page by page.
func newest[T protocol.Message](ctx context.Context, s *Server, q *query, stream, subject string, keep func(T) bool) (any, error) {
	limit, cursor, since := q.number("limit", 100, 1, 1000), q.cursor(), q.since(keptFor)
	if q.err() != nil {
		return nil, nil
	}
	list, unreadable, err := readAll[T](ctx, s, stream, subject, since)
	if err != nil {
		return nil, err
	}
	page := Page[T]{Items: []T{}, Unreadable: unreadable}
	var last uint64
	for _, x := range slices.Backward(list) {
		if cursor != 0 && x.msg.Sequence >= cursor || !keep(x.value) {
			continue
		}
		if len(page.Items) == limit {
			page.Next = strconv.FormatUint(last, 10)
			break
		}
		page.Items, last = append(page.Items, x.value), x.msg.Sequence
	}
	return page, nil
}

// latest reads the newest message of each subject that matches.
func latest[T protocol.Message](ctx context.Context, s *Server, stream, subject string) (list []stored[T], unreadable int, err error) {
	for m, err := range s.bus.Range(ctx, stream, subject, 0) {
		if err != nil {
			return nil, 0, err
		}
		v, err := protocol.Decode[T](m.Data)
		if err != nil {
			unreadable++
			continue
		}
		list = append(list, stored[T]{v, m})
	}
	return list, unreadable, nil
}

func (s *Server) anomalies(ctx context.Context, q *query) (any, error) {
	node := q.text("node")
	return newest(ctx, s, q, bus.Events, protocol.AnomalySubject(orAny(node), protocol.Any, protocol.Any), func(protocol.Anomaly) bool { return true })
}

func (s *Server) changes(ctx context.Context, q *query) (any, error) {
	node := q.text("node")
	return newest(ctx, s, q, bus.Events, protocol.ChangeSubject(orAny(node), protocol.Any), func(protocol.Change) bool { return true })
}

func (s *Server) links(ctx context.Context, _ *query) (any, error) {
	list, unreadable, err := latest[protocol.Links](ctx, s, bus.Nodes, protocol.LinksSubject(protocol.Any))
	if err != nil {
		return nil, err
	}
	page := Page[protocol.Links]{Items: []protocol.Links{}, Unreadable: unreadable}
	for _, x := range list {
		page.Items = append(page.Items, x.value)
	}
	return page, nil
}

func orAny(name string) string {
	if name == "" {
		return protocol.Any
	}
	return name
}

// gone reports whether an error says that a stream has no such message.
func gone(err error) bool { return errors.Is(err, bus.ErrNotFound) }
