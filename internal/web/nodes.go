package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Node is a host with a probe.
type Node = reading.Node

// A NodeView is one host.
type NodeView = reading.NodeView

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
	nodes, unreadable, err := reading.Nodes(ctx, s.bus, labels)
	if err != nil {
		return nil, err
	}
	page := Page[Node]{Items: []Node{}, Unreadable: unreadable}
	for _, n := range nodes {
		if brief { // of 10,000 nodes the rest is most of the answer
			n.Targets, n.Skills, n.Proposals, n.MachineID, n.BootID, n.InstanceID = nil, nil, nil, "", "", ""
		}
		page.Items = append(page.Items, n)
	}
	return page, nil
}

func (s *Server) node(ctx context.Context, q *query) (any, error) {
	name := q.id("node")
	if q.err() != nil {
		return nil, nil
	}
	v, err := reading.ViewNode(ctx, s.bus, name)
	if gone(err) {
		return nil, failure{http.StatusNotFound, fmt.Sprintf("no node %q: %s/nodes lists those there are", name, prefix)}
	}
	return v, err
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
	list, _, err := reading.All[protocol.Snapshot](ctx, s.bus, bus.Snapshots, protocol.SnapshotSubject(out.Node, out.Target, out.Skill))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, failure{http.StatusNotFound, fmt.Sprintf("%s/%s published no snapshot of %s in the last day", out.Node, out.Target, out.Skill)}
	}
	for _, x := range list {
		if v, ok := x.Value.Data[out.Metric].(float64); ok {
			out.Points = append(out.Points, protocol.Point{At: x.Value.CapturedAt.UnixMilli(), Value: v})
		}
	}
	return out, nil
}
