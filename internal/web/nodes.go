package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Node is a host with a probe.
type Node struct {
	protocol.Heartbeat
	State    string    `json:"state"`     // alive or silent
	LastSeen time.Time `json:"last_seen"` // by the stream's clock
	// SkewMS is how far the host's clock was ahead of the stream's at its last beat,
	// the way included.
	SkewMS int64 `json:"skew_ms"`
}

// silentAfter is after how many intervals without a beat a node counts as silent.
const silentAfter = 3

func nodeOf(h protocol.Heartbeat, stored time.Time) Node {
	n := Node{Heartbeat: h, State: "alive", LastSeen: stored, SkewMS: h.SentAt.Sub(stored).Milliseconds()}
	if time.Since(stored) > silentAfter*time.Duration(h.IntervalMS)*time.Millisecond {
		n.State = "silent"
	}
	return n
}

func (s *Server) nodes(ctx context.Context, q *query) (any, error) {
	labels := map[string]string{}
	for _, l := range q.URL.Query()["label"] {
		name, value, ok := strings.Cut(l, "=")
		if !ok {
			q.wrong = append(q.wrong, fmt.Errorf("label=%.40q: it is name=value", l))
		}
		labels[name] = value
	}
	brief := q.number("brief", 0, 0, 1) == 1
	list, unreadable, err := latest[protocol.Heartbeat](ctx, s, bus.Nodes, protocol.NodeSubject(protocol.Any))
	if err != nil {
		return nil, err
	}
	page := Page[Node]{Items: []Node{}, Unreadable: unreadable}
	for _, x := range list {
		if x.msg.Subject != protocol.NodeSubject(x.value.Node) { // a probe may write under its own name only, which the subject proves
			page.Unreadable++
			continue
		}
		if has(x.value.Labels, labels) {
			n := nodeOf(x.value, x.msg.Time)
			if brief { // of 10,000 nodes the rest is most of the answer
				n.Targets, n.Skills, n.Proposals, n.MachineID, n.BootID, n.InstanceID = nil, nil, nil, "", "", ""
			}
			page.Items = append(page.Items, n)
		}
	}
	slices.SortFunc(page.Items, func(a, b Node) int { return strings.Compare(a.Node, b.Node) })
	return page, nil
}

func has(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

// A NodeView is one host.
type NodeView struct {
	Node
	Snapshots []protocol.Snapshot `json:"snapshots"` // the newest of each target and skill
	Links     *protocol.Links     `json:"links,omitempty"`
}

func (s *Server) node(ctx context.Context, q *query) (any, error) {
	name := q.id("node")
	if q.err() != nil {
		return nil, nil
	}
	m, err := s.bus.LastDirect(ctx, bus.Nodes, protocol.NodeSubject(name))
	if gone(err) {
		return nil, failure{http.StatusNotFound, fmt.Sprintf("no node %q: %s/nodes lists those there are", name, prefix)}
	}
	if err != nil {
		return nil, err
	}
	h, err := protocol.Decode[protocol.Heartbeat](m.Data)
	if err != nil {
		return nil, err
	}
	v := NodeView{Node: nodeOf(h, m.Time), Snapshots: []protocol.Snapshot{}}
	for _, t := range h.Targets {
		for _, skill := range t.Skills {
			m, err := s.bus.LastDirect(ctx, bus.Snapshots, protocol.SnapshotSubject(name, t.Name, skill))
			if gone(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			collect(m.Data, &v.Snapshots)
		}
	}
	if m, err := s.bus.LastDirect(ctx, bus.Nodes, protocol.LinksSubject(name)); err == nil {
		v.Links = decoded[protocol.Links](m.Data)
	}
	return v, nil
}

// A Series is what a metric was.
type Series struct {
	Node   string           `json:"node"`
	Target string           `json:"target"`
	Skill  string           `json:"skill"`
	Metric string           `json:"metric"`
	Points []protocol.Point `json:"points"` // oldest first
}

func (s *Server) series(ctx context.Context, q *query) (any, error) {
	out := Series{Node: q.id("node"), Target: q.id("target"), Skill: q.id("skill"), Metric: q.text("metric"), Points: []protocol.Point{}}
	if out.Metric == "" {
		q.wrong = append(q.wrong, fmt.Errorf("metric is missing: which of the snapshot's fields"))
	}
	if q.err() != nil {
		return nil, nil
	}
	list, _, err := latest[protocol.Snapshot](ctx, s, bus.Snapshots, protocol.SnapshotSubject(out.Node, out.Target, out.Skill))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, failure{http.StatusNotFound, fmt.Sprintf("%s/%s published no snapshot of %s in the last day", out.Node, out.Target, out.Skill)}
	}
	for _, x := range list {
		if v, ok := x.value.Data[out.Metric].(float64); ok {
			out.Points = append(out.Points, protocol.Point{At: x.value.CapturedAt.UnixMilli(), Value: v})
		}
	}
	return out, nil
}
