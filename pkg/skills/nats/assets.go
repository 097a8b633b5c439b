package nats

import (
	"context"
	"fmt"
	"slices"
	"strings"

	reach "github.com/fleetlens/fleetlens/internal/reach/nats"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func (w *watch) streams(ctx context.Context, limit int, order string) (any, error) {
	held, err := w.held(ctx)
	if err != nil {
		return nil, err
	}
	rows := slices.Clone(held.Streams)
	most(rows, map[string]func(reach.Stream) float64{
		"used":      func(s reach.Stream) float64 { return s.UsedPct },
		"bytes":     func(s reach.Stream) float64 { return s.MB },
		"messages":  func(s reach.Stream) float64 { return s.Messages },
		"lag":       farthest,
		"consumers": func(s reach.Stream) float64 { return s.Consumers },
	}[order], streamName)
	a := skills.List(answer{"total": held.Total}, "streams", rows, limit).partly(held)
	rounded(a["streams"].([]reach.Stream))
	return a, nil
}

func streamName(s reach.Stream) string { return s.Account + "/" + s.Name }

// farthest is by how many operations the copy of a stream is behind that is farthest.
func farthest(s reach.Stream) (lag float64) {
	for _, p := range s.Peers {
		lag = max(lag, p.Lag)
	}
	return lag
}

// rounded rounds what is told of streams.
func rounded(rows []reach.Stream) {
	for i := range rows {
		s := &rows[i]
		s.MB, s.MaxMB, s.UsedPct = skills.Round(s.MB, 2), skills.Round(s.MaxMB, 2), skills.Round(s.UsedPct, 1)
		s.Peers, s.Copies = slices.Clone(s.Peers), slices.Clone(s.Copies) // the rows are copies, what they refer to is not
		for k := range s.Peers {
			s.Peers[k].Seen = skills.Round(s.Peers[k].Seen, 1)
		}
		for k := range s.Copies {
			s.Copies[k].Seen = skills.Round(s.Copies[k].Seen, 1)
		}
	}
}

// mostConsumers is how many consumers are told of one stream.
const mostConsumers = 50

func (w *watch) stream(ctx context.Context, name, account string) (any, error) {
	held, err := w.held(ctx)
	if err != nil {
		return nil, err
	}
	var found []reach.Stream
	for _, s := range held.Streams {
		if s.Name == name && (account == "" || s.Account == account) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0:
		return nil, notFound(held, name)
	case len(found) > 1:
		return nil, fmt.Errorf("several accounts have a stream %q (%s and %s among them): name the account", name, found[0].Account, found[1].Account)
	}
	rounded(found)
	rows := consumersOf(held, func(c reach.Consumer) bool { return c.Stream == name && c.Account == found[0].Account }, consumerOrders["lag"])
	return skills.List(answer{"stream": found[0]}, "consumers", rows, mostConsumers), nil
}

// consumerOrders are by what consumers may be sorted.
var consumerOrders = map[string]func(reach.Consumer) float64{
	"lag":         func(c reach.Consumer) float64 { return c.Lag },
	"ack_pending": func(c reach.Consumer) float64 { return c.AckPending },
	"redelivered": func(c reach.Consumer) float64 { return c.Redelivered },
	"stalled":     stalledFor,
}

// A consumer is one, and why what waits for it is not given to it.
type consumer struct {
	reach.Consumer
	Why string `json:"why,omitempty"`
}

// consumersOf returns some of the consumers, sorted.
func consumersOf(held *reach.Assets, wanted func(reach.Consumer) bool, order func(reach.Consumer) float64) []consumer {
	var rows []consumer
	for _, c := range held.Consumers {
		if wanted(c) {
			c.AckPct, c.Idle = skills.Round(c.AckPct, 1), skills.Round(c.Idle, 1)
			row := consumer{Consumer: c}
			if w := why(c); w != unknown && c.Lag > 0 && !c.Paused {
				row.Why = w
			}
			rows = append(rows, row)
		}
	}
	most(rows, func(c consumer) float64 { return order(c.Consumer) }, func(c consumer) string { return path(c.Consumer) })
	return rows
}

func (w *watch) consumers(ctx context.Context, limit int, order, stream string) (any, error) {
	held, err := w.held(ctx)
	if err != nil {
		return nil, err
	}
	if stream != "" && !slices.ContainsFunc(held.Streams, func(s reach.Stream) bool { return s.Name == stream }) {
		return nil, notFound(held, stream)
	}
	rows := consumersOf(held, func(c reach.Consumer) bool { return stream == "" || c.Stream == stream }, consumerOrders[order])
	return skills.List(answer{"total": len(rows)}, "consumers", rows, limit).partly(held), nil
}

// How many of each the cluster lists.
const (
	mostLinks = 100
	mostIll   = 20
)

func (w *watch) cluster(ctx context.Context) (any, error) {
	v, err := w.server.Vars(ctx)
	if err != nil {
		return nil, err
	}
	a := answer{"server": v.Name}
	if m := v.JetStream.Meta; m != nil {
		meta := answer{"name": skills.Cut(m.Name), "leader": m.Leader, "size": m.Size}
		if m.Quorum > 0 {
			meta["quorum"] = m.Quorum
		}
		peers := []reach.Follower{}
		for _, p := range m.Replicas {
			peers = append(peers, reach.Follower{Server: skills.Cut(p.Name), Current: p.Current, Offline: p.Offline, Lag: p.Lag, Seen: skills.Round(p.Active.Seconds(), 1)})
		}
		a["meta"] = skills.List(meta, "peers", peers, mostLinks)
	}
	routes, err := w.server.Routes(ctx)
	if err != nil {
		return nil, err
	}
	leafs, err := w.server.Leafs(ctx)
	if err != nil {
		return nil, err
	}
	skills.List(a, "routes", links(routes), mostLinks)
	skills.List(a, "leafs", links(leafs), mostLinks)
	if v.JetStream.Config == nil {
		return a, nil
	}
	held, err := w.held(ctx)
	if err != nil {
		return nil, err
	}
	ill := slices.DeleteFunc(slices.Clone(held.Streams), func(s reach.Stream) bool { return !isIll(s) })
	slices.SortFunc(ill, func(x, y reach.Stream) int { return strings.Compare(streamName(x), streamName(y)) })
	rounded(ill[:min(mostIll, len(ill))])
	return skills.List(a, "streams", ill, mostIll).partly(held), nil
}

// isIll reports whether a stream has no leader, or is led here and a copy is behind.
func isIll(s reach.Stream) bool {
	return s.Leader == "" || s.Here && slices.ContainsFunc(s.Peers, func(p reach.Follower) bool { return p.Offline || !p.Current })
}

// links rounds what is told of links.
func links(rows []reach.Link) []reach.Link {
	for i := range rows {
		l := &rows[i]
		l.PendingMB, l.InMB, l.OutMB = skills.Round(l.PendingMB, 2), skills.Round(l.InMB, 2), skills.Round(l.OutMB, 2)
	}
	return rows
}
