package web

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// newest answers a list of messages, the newest first, page by page.
func newest[T protocol.Message](ctx context.Context, s *Server, q *query, stream, subject string, keep func(T) bool) (any, error) {
	limit, cursor, since := q.number("limit", 100, 1, 1000), q.cursor(), q.since(keptFor)
	if q.err() != nil {
		return nil, nil
	}
	list, unreadable, err := reading.Since[T](ctx, s.bus, stream, subject, since)
	if err != nil {
		return nil, err
	}
	page := Page[T]{Items: []T{}, Unreadable: unreadable}
	var last uint64
	for _, x := range slices.Backward(list) {
		if cursor != 0 && x.Msg.Sequence >= cursor || !keep(x.Value) {
			continue
		}
		if len(page.Items) == limit {
			page.Next = strconv.FormatUint(last, 10)
			break
		}
		page.Items, last = append(page.Items, x.Value), x.Msg.Sequence
	}
	return page, nil
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
	list, unreadable, err := reading.All[protocol.Links](ctx, s.bus, bus.Nodes, protocol.LinksSubject(protocol.Any))
	if err != nil {
		return nil, err
	}
	page := Page[protocol.Links]{Items: []protocol.Links{}, Unreadable: unreadable}
	for _, x := range list {
		page.Items = append(page.Items, x.Value)
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
