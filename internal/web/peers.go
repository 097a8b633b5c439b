package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// peerLabels say what a node is for: it is compared with those that have the same value
// of the first of them that at least leastPeers others have.
var peerLabels = []string{"role", "app", "service"}

// Bounds of comparing: how many it takes to make a group by a label, and of how many of
// a group the newest snapshots are read.
const (
	leastPeers = 5
	mostPeers  = 200
)

// A peerGroup is the targets of a kind that have a skill: those on nodes where a label
// has a value, or all of them where there is no label.
type peerGroup struct{ Kind, Skill, Label, Value string }

// String returns the label, such as role=web; empty: there is none.
func (g peerGroup) String() string {
	if g.Label == "" {
		return ""
	}
	return g.Label + "=" + g.Value
}

// peers are the living nodes of a fleet and, by group, their targets.
type peers struct {
	nodes  map[string]Node
	groups map[peerGroup][]protocol.TargetRef // in the order of names
}

// peersOf reads the fleet, and of its skills those that are wanted.
func (s *Server) peersOf(ctx context.Context, wanted func(skill string) bool) (*peers, error) {
	list, _, err := reading.All[protocol.Heartbeat](ctx, s.bus, bus.Nodes, protocol.NodeSubject(protocol.Any))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b reading.Stored[protocol.Heartbeat]) int { return strings.Compare(a.Value.Node, b.Value.Node) })
	p := &peers{nodes: map[string]Node{}, groups: map[peerGroup][]protocol.TargetRef{}}
	for _, x := range list {
		n := reading.NodeOf(x.Value, x.Msg.Time)
		p.nodes[n.Node] = n
		if n.State != "alive" {
			continue
		}
		for _, t := range n.Targets {
			for _, skill := range t.Skills {
				if wanted(skill) {
					p.add(protocol.TargetRef{Node: n.Node, Target: t.Name, Kind: t.Kind}, skill, n.Labels)
				}
			}
		}
	}
	return p, nil
}

func (p *peers) add(t protocol.TargetRef, skill string, labels map[string]string) {
	all := peerGroup{Kind: t.Kind, Skill: skill}
	p.groups[all] = append(p.groups[all], t)
	for _, label := range peerLabels {
		if value := labels[label]; value != "" {
			g := peerGroup{t.Kind, skill, label, value}
			p.groups[g] = append(p.groups[g], t)
		}
	}
}

// of returns the group that a target of a node is compared with.
func (p *peers) of(node, kind, skill string) peerGroup {
	for _, label := range peerLabels {
		g := peerGroup{kind, skill, label, p.nodes[node].Labels[label]}
		if g.Value != "" && p.others(g, node) >= leastPeers {
			return g
		}
	}
	return peerGroup{Kind: kind, Skill: skill}
}

// others counts the targets of a group that are not on a node, which is of the group
// itself unless it is silent.
func (p *peers) others(g peerGroup, node string) int {
	count := len(p.groups[g])
	if n := p.nodes[node]; n.State == "alive" {
		for _, t := range n.Targets {
			if t.Kind == g.Kind && slices.Contains(t.Skills, g.Skill) {
				count--
			}
		}
	}
	return count
}

// read returns the newest snapshots of a group; of one that is larger than mostPeers,
// of as many, at even distances.
func (p *peers) read(ctx context.Context, s *Server, g peerGroup) ([]protocol.Snapshot, error) {
	all := p.groups[g]
	n := min(len(all), mostPeers)
	subjects := make([]string, n)
	for k := range subjects {
		t := all[k*len(all)/n]
		subjects[k] = protocol.SnapshotSubject(t.Node, t.Target, g.Skill)
	}
	if n == 0 {
		return nil, nil
	}
	list, err := s.bus.LastMany(ctx, bus.Snapshots, subjects)
	if err != nil {
		return nil, err
	}
	var out []protocol.Snapshot
	for _, m := range list {
		if v, err := protocol.Decode[protocol.Snapshot](m.Data); err == nil {
			out = append(out, v)
		}
	}
	return out, nil
}

// medianOf returns the median of a metric in the snapshots of other nodes, and how many
// have it; nil: none has.
func medianOf(snapshots []protocol.Snapshot, node, metric string) (*float64, int) {
	var values []float64
	for _, x := range snapshots {
		if v, ok := x.Data[metric].(float64); ok && x.Node != node {
			values = append(values, v)
		}
	}
	n := len(values)
	if n == 0 {
		return nil, 0
	}
	slices.Sort(values)
	m := (values[(n-1)/2] + values[n/2]) / 2
	return &m, n
}

// Peers is what the metrics of a target's skill are elsewhere.
type Peers struct {
	Among   string             `json:"among,omitempty"` // the label that the peers share, such as role=web; empty: they share the skill alone
	Targets int                `json:"targets"`         // how many there are on other, living nodes
	Read    int                `json:"read"`            // of how many of them the newest snapshot was read
	Medians map[string]float64 `json:"medians"`         // by metric
}

func (s *Server) peers(ctx context.Context, q *query) (any, error) {
	node, target, skill := q.id("node"), q.id("target"), q.id("skill")
	if q.err() != nil {
		return nil, nil
	}
	p, err := s.peersOf(ctx, func(name string) bool { return name == skill })
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(p.nodes[node].Targets, func(t protocol.HeartbeatTarget) bool { return t.Name == target && slices.Contains(t.Skills, skill) })
	if at < 0 {
		return nil, failure{http.StatusNotFound, fmt.Sprintf("%s/%s has no skill %s", node, target, skill)}
	}
	g := p.of(node, p.nodes[node].Targets[at].Kind, skill)
	list, err := p.read(ctx, s, g)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(x protocol.Snapshot) bool { return x.Node == node })
	out := Peers{Among: g.String(), Targets: p.others(g, node), Read: len(list), Medians: map[string]float64{}}
	for _, x := range list {
		for metric := range x.Data {
			if _, done := out.Medians[metric]; done {
				continue
			}
			if m, _ := medianOf(list, node, metric); m != nil {
				out.Medians[metric] = *m
			}
		}
	}
	return out, nil
}
