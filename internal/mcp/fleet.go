package mcp

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// How much an overview names of each kind, and how far back it looks.
const (
	mostNamed   = 10
	mostLabels  = 30
	lately      = 24 * time.Hour
	outstanding = time.Hour
)

// None is the input of a tool that takes none.
type None struct{}

// Overview is the fleet at a glance.
type Overview struct {
	Nodes       int            `json:"nodes"`
	Silent      int            `json:"silent" jsonschema:"nodes whose probe missed three beats"`
	SilentNodes []string       `json:"silent_nodes"`
	Labels      []LabelCount   `json:"labels" jsonschema:"label values and how many nodes have them, the most frequent first"`
	Skills      map[string]int `json:"skills" jsonschema:"what can be looked into, and on how many nodes"`
	Insights    map[string]int `json:"insights" jsonschema:"conclusions of the last 24 hours by severity"`
	Latest      []Headline     `json:"latest" jsonschema:"the newest conclusions"`
	StandOut    []StandsOut    `json:"stand_out" jsonschema:"nodes with an anomaly in the last hour, each by its strongest, the strongest first"`
	Changes     int            `json:"changes" jsonschema:"deployments, restarts and the like in the last 24 hours: list_changes lists them"`
	Bounded
}

// A LabelCount is how many nodes have a label.
type LabelCount struct {
	Label string `json:"label"`
	Nodes int    `json:"nodes"`
}

// StandsOut is what a node stands out by.
type StandsOut struct {
	Node     string            `json:"node"`
	Target   string            `json:"target"`
	Skill    string            `json:"skill"`
	Metric   string            `json:"metric"`
	Value    float64           `json:"value"`
	Usually  float64           `json:"usually" jsonschema:"what the metric usually is on this node"`
	Unit     protocol.Unit     `json:"unit,omitempty"`
	Severity protocol.Severity `json:"severity"`
	Since    time.Time         `json:"since"`
}

func (s *Server) overview(ctx context.Context, _ None) (Overview, error) {
	o := Overview{SilentNodes: []string{}, Labels: []LabelCount{}, Skills: map[string]int{}, Insights: map[string]int{}, Latest: []Headline{}, StandOut: []StandsOut{}}
	nodes, _, err := reading.Nodes(ctx, s.bus, nil)
	if err != nil {
		return o, err
	}
	o.count(nodes)
	now := time.Now()
	insights, _, err := reading.Since[protocol.Insight](ctx, s.bus, bus.Insights, "insights.>", now.Add(-lately))
	if err != nil {
		return o, err
	}
	for _, x := range slices.Backward(insights) {
		o.Insights[string(x.Value.Severity)]++
		if len(o.Latest) < mostNamed {
			o.Latest = append(o.Latest, headline(x.Value))
		}
	}
	anomalies, _, err := reading.Since[protocol.Anomaly](ctx, s.bus, bus.Events, protocol.AnomalySubject(protocol.Any, protocol.Any, protocol.Any), now.Add(-outstanding))
	if err != nil {
		return o, err
	}
	for _, a := range reading.Strongest(anomalies) {
		if len(o.StandOut) == mostNamed {
			o.Truncated, o.Hint = true, fmt.Sprintf("only the %d strongest of stand_out are here", mostNamed)
			break
		}
		o.StandOut = append(o.StandOut, StandsOut{a.Node, a.Target, a.Skill, a.Metric, a.Value, a.Baseline, a.Unit, a.Severity, a.Since})
	}
	changes, _, err := reading.Since[protocol.Change](ctx, s.bus, bus.Events, protocol.ChangeSubject(protocol.Any, protocol.Any), now.Add(-lately))
	o.Changes = len(changes)
	return o, err
}

// count takes in the nodes.
func (o *Overview) count(nodes []reading.Node) {
	o.Nodes = len(nodes)
	labels := map[string]int{}
	for _, n := range nodes {
		if n.State == reading.Silent {
			o.Silent++
			if len(o.SilentNodes) < mostNamed {
				o.SilentNodes = append(o.SilentNodes, n.Node)
			}
		}
		for name, value := range n.Labels {
			labels[name+"="+value]++
		}
		for _, skill := range skillsOf(n.Targets) {
			o.Skills[skill]++
		}
	}
	for label, n := range labels {
		o.Labels = append(o.Labels, LabelCount{label, n})
	}
	slices.SortFunc(o.Labels, func(a, b LabelCount) int { return cmp.Or(b.Nodes-a.Nodes, strings.Compare(a.Label, b.Label)) })
	o.Labels = o.Labels[:min(len(o.Labels), mostLabels)]
}

// skillsOf returns the skills of all targets, each once, by name.
func skillsOf(targets []protocol.HeartbeatTarget) []string {
	names := map[string]bool{}
	for _, t := range targets {
		for _, skill := range t.Skills {
			names[skill] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// NodesQuery asks for nodes.
type NodesQuery struct {
	Labels map[string]string `json:"labels,omitempty" jsonschema:"only nodes that have all of these labels"`
	State  string            `json:"state,omitempty" jsonschema:"alive or silent; all when left out"`
	Limit  int               `json:"limit,omitempty" jsonschema:"1 to 200; 50 when left out"`
	Cursor string            `json:"cursor,omitempty" jsonschema:"next of the answer before"`
}

// Nodes is a page of nodes, by name.
type Nodes struct {
	Nodes []NodeLine `json:"nodes"`
	Total int        `json:"total" jsonschema:"how many match on all pages"`
	Next  string     `json:"next,omitempty" jsonschema:"cursor of the next page; missing: there is none"`
	Bounded
}

// A NodeLine is a node in short.
type NodeLine struct {
	Node     string            `json:"node"`
	State    string            `json:"state"`
	LastSeen time.Time         `json:"last_seen"`
	Labels   map[string]string `json:"labels"`
	Targets  []string          `json:"targets" jsonschema:"what can be asked on it, as name (kind)"`
}

func (s *Server) nodes(ctx context.Context, q NodesQuery) (Nodes, error) {
	limit, err := within("limit", q.Limit, 50, 200)
	if err != nil {
		return Nodes{}, err
	}
	if q.State != "" && q.State != reading.Alive && q.State != reading.Silent {
		return Nodes{}, fmt.Errorf("state %.40q: it is %s or %s", q.State, reading.Alive, reading.Silent)
	}
	all, _, err := reading.Nodes(ctx, s.bus, q.Labels)
	if err != nil {
		return Nodes{}, err
	}
	all = slices.DeleteFunc(all, func(n reading.Node) bool { return q.State != "" && n.State != q.State })
	out := Nodes{Total: len(all)}
	lines := []NodeLine{}
	for _, n := range all {
		if n.Node <= q.Cursor {
			continue
		}
		line := NodeLine{n.Node, n.State, n.LastSeen, n.Labels, []string{}}
		if line.Labels == nil {
			line.Labels = map[string]string{}
		}
		for _, t := range n.Targets {
			line.Targets = append(line.Targets, fmt.Sprintf("%s (%s)", t.Name, t.Kind))
		}
		lines = append(lines, line)
	}
	list, more, err := page(lines, limit)
	if more {
		out.Next = list[len(list)-1].Node
	}
	out.Nodes = list
	return out, err
}

// NodeQuery asks for a node.
type NodeQuery struct {
	Node string `json:"node" jsonschema:"its name, as list_nodes has it"`
}

// NodeView is a node with its newest snapshots.
type NodeView struct {
	Node      string                     `json:"node"`
	State     string                     `json:"state" jsonschema:"alive or silent"`
	LastSeen  time.Time                  `json:"last_seen"`
	SkewMS    int64                      `json:"skew_ms" jsonschema:"how far its clock was ahead at its last beat"`
	Version   string                     `json:"version" jsonschema:"of its probe"`
	Labels    map[string]string          `json:"labels,omitempty"`
	Targets   []protocol.HeartbeatTarget `json:"targets"`
	Snapshots []protocol.Snapshot        `json:"snapshots" jsonschema:"the newest of each target and skill"`
	Links     *protocol.Links            `json:"links,omitempty" jsonschema:"whom it talks to"`
	Bounded
}

func (s *Server) node(ctx context.Context, q NodeQuery) (NodeView, error) {
	if err := checkID("node", q.Node); err != nil {
		return NodeView{}, err
	}
	v, err := reading.ViewNode(ctx, s.bus, q.Node)
	return NodeView{
		Node: v.Heartbeat.Node, State: v.State, LastSeen: v.LastSeen, SkewMS: v.SkewMS, Version: v.Version,
		Labels: v.Labels, Targets: v.Targets, Snapshots: v.Snapshots, Links: v.Links,
	}, err
}

// ChangesQuery asks for changes.
type ChangesQuery struct {
	Since  string `json:"since,omitempty" jsonschema:"how far back: an age as 2h, or a time as 2026-05-04T12:00:00Z; 24h when left out"`
	Node   string `json:"node,omitempty" jsonschema:"of this node only"`
	Limit  int    `json:"limit,omitempty" jsonschema:"1 to 200; 50 when left out"`
	Cursor string `json:"cursor,omitempty" jsonschema:"next of the answer before"`
}

// Changes is a page of changes, the newest first.
type Changes struct {
	Changes []protocol.Change `json:"changes"`
	Next    string            `json:"next,omitempty" jsonschema:"cursor of the next page; missing: there is none"`
	Bounded
}

func (s *Server) changes(ctx context.Context, q ChangesQuery) (Changes, error) {
	limit, err := within("limit", q.Limit, 50, 200)
	if err != nil {
		return Changes{}, err
	}
	since, err := age(q.Since, lately)
	if err != nil {
		return Changes{}, err
	}
	of := protocol.Any
	if q.Node != "" {
		of = q.Node
	}
	all, _, err := reading.Since[protocol.Change](ctx, s.bus, bus.Events, protocol.ChangeSubject(of, protocol.Any), since)
	if err != nil {
		return Changes{}, err
	}
	list, next, err := newest(all, q.Cursor, limit, func(protocol.Change) bool { return true }, func(c protocol.Change) protocol.Change { return c })
	return Changes{Changes: list, Next: next}, err
}

// newest returns a page of what is stored, the newest first, as lines. The cursor is the
// place in its stream of the last one on the page before.
func newest[T protocol.Message, Line any](all []reading.Stored[T], cursor string, limit int, keep func(T) bool, line func(T) Line) (list []Line, next string, err error) {
	before := uint64(0)
	if cursor != "" {
		if before, err = strconv.ParseUint(cursor, 10, 64); err != nil || before == 0 {
			return nil, "", errCursor
		}
	}
	var lines []Line
	var places []uint64
	for _, x := range slices.Backward(all) {
		if (before == 0 || x.Msg.Sequence < before) && keep(x.Value) {
			lines, places = append(lines, line(x.Value)), append(places, x.Msg.Sequence)
		}
	}
	list, more, err := page(lines, limit)
	if more {
		next = strconv.FormatUint(places[len(list)-1], 10)
	}
	return list, next, err
}
