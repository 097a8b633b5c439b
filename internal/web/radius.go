package web

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/internal/topology"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Radius is what a conclusion hits: its nodes among all that report now, and whom they
// are connected with.
type Radius struct {
	Nodes    int   `json:"nodes"`    // that report
	Affected Names `json:"affected"` // those of the insight; none when nothing is wrong
	Silent   Names `json:"silent"`   // those of them that say nothing any more
	Unknown  Names `json:"unknown"`  // those of them of which no probe reports
	// Groups are the values of the one label that tells the affected nodes best from the
	// others, those with the most of them first. None: no label does.
	Groups []RadiusGroup `json:"groups"`
	Rest   RadiusGroup   `json:"rest"` // nodes that report and are in no group
	// Boxes and Edges are a drawing of the affected nodes and of those one step away.
	Boxes []RadiusBox  `json:"boxes"`
	Edges []RadiusEdge `json:"edges"`
}

// Names are the first of some nodes, and how many there are.
type Names struct {
	Count int      `json:"count"`
	First []string `json:"first"`
}

// More is how many are not named.
func (n Names) More() int { return n.Count - len(n.First) }

// A RadiusGroup is how many of some nodes are affected.
type RadiusGroup struct {
	Label    string `json:"label,omitempty"` // name=value
	Affected int    `json:"affected"`
	Total    int    `json:"total"`
}

// A RadiusBox is a node, or several of which the same is to be said.
type RadiusBox struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Nodes    int    `json:"nodes"`
	Affected bool   `json:"affected"`
}

// A RadiusEdge is connections that nodes of one box opened to those of another.
type RadiusEdge struct {
	From        string `json:"from"`
	To          string `json:"to"`
	Connections int    `json:"connections"`
}

// Bounds of a radius, so that people can read it.
const (
	mostNames    = 50
	mostGroups   = 10
	mostBoxes    = 30
	mostAffected = 12 // of the boxes
)

// telling is by how much a label's shares of the affected nodes and of the others must
// differ to tell anything. The fleet's page and the command line have the same.
const telling = 0.2

func (s *Server) radius(ctx context.Context, q *query) (any, error) {
	id := q.id("id")
	if q.err() != nil {
		return nil, nil
	}
	i, _, err := reading.FindInsight(ctx, s.bus, id)
	if err != nil {
		return nil, err
	}
	return s.radiusOf(ctx, i)
}

// radiusOf reads what an insight hits.
func (s *Server) radiusOf(ctx context.Context, i protocol.Insight) (*Radius, error) {
	hit, labels, silent, links := map[string]bool{}, map[string]map[string]string{}, []string{}, topology.New()
	if i.CorrelationType != protocol.None {
		for _, name := range i.Nodes {
			hit[name] = true
		}
	}
	for m, err := range s.bus.Range(ctx, bus.Nodes, protocol.NodeSubject(protocol.Any), 0) {
		if err != nil {
			return nil, err
		}
		h, err := protocol.Decode[protocol.Heartbeat](m.Data)
		if err != nil || m.Subject != protocol.NodeSubject(h.Node) {
			continue
		}
		labels[h.Node] = h.Labels
		if hit[h.Node] && reading.NodeOf(h, m.Time).State == reading.Silent {
			silent = append(silent, h.Node)
		}
	}
	for m, err := range s.bus.Range(ctx, bus.Nodes, protocol.LinksSubject(protocol.Any), 0) {
		if err != nil {
			return nil, err
		}
		if l, err := protocol.Decode[protocol.Links](m.Data); err == nil && protocol.LinksSubject(l.Node) == m.Subject {
			links.Observe(l, m.Time)
		}
	}
	unknown := []string{}
	for name := range hit {
		if _, reports := labels[name]; !reports {
			unknown = append(unknown, name)
		}
	}
	r := &Radius{Nodes: len(labels), Affected: namesOf(slices.Collect(maps.Keys(hit))), Silent: namesOf(silent), Unknown: namesOf(unknown)}
	label := tellingLabel(hit, labels)
	r.group(label, hit, labels)
	r.draw(label, hit, labels, links.Edges(time.Now(), nil, labels))
	return r, nil
}

func namesOf(all []string) Names {
	slices.Sort(all)
	return Names{len(all), append([]string{}, all[:min(len(all), mostNames)]...)}
}

// tellingLabel returns the label one of whose values the affected nodes have most often
// as compared with the others; empty: none tells them apart, or there is only one of them.
func tellingLabel(hit map[string]bool, labels map[string]map[string]string) string {
	counts, affected := map[[2]string]*RadiusGroup{}, 0
	for node, has := range labels {
		if hit[node] {
			affected++
		}
		for name, value := range has {
			c := counts[[2]string{name, value}]
			if c == nil {
				c = &RadiusGroup{}
				counts[[2]string{name, value}] = c
			}
			c.Total++
			if hit[node] {
				c.Affected++
			}
		}
	}
	best, by := "", telling
	if affected < 2 {
		return best
	}
	for label, c := range counts {
		differs := float64(c.Affected)/float64(affected) - float64(c.Total-c.Affected)/float64(max(1, len(labels)-affected))
		if differs > by || differs == by && label[0] < best {
			best, by = label[0], differs
		}
	}
	return best
}

// group counts the nodes by the values of a label.
func (r *Radius) group(label string, hit map[string]bool, labels map[string]map[string]string) {
	by := map[string]*RadiusGroup{}
	for node, has := range labels {
		value, ok := has[label]
		if hit[node] {
			r.Rest.Affected++
		}
		if label == "" || !ok {
			continue
		}
		if by[value] == nil {
			by[value] = &RadiusGroup{Label: label + "=" + value}
		}
		by[value].Total++
		if hit[node] {
			by[value].Affected++
		}
	}
	r.Groups, r.Rest.Total = []RadiusGroup{}, len(labels)
	for _, g := range by {
		if g.Affected > 0 {
			r.Groups = append(r.Groups, *g)
		}
	}
	slices.SortFunc(r.Groups, func(a, b RadiusGroup) int {
		return cmp.Or(cmp.Compare(b.Affected, a.Affected), strings.Compare(a.Label, b.Label))
	})
	r.Groups = r.Groups[:min(len(r.Groups), mostGroups)]
	for _, g := range r.Groups {
		r.Rest.Affected, r.Rest.Total = r.Rest.Affected-g.Affected, r.Rest.Total-g.Total
	}
}

// draw puts the affected nodes into boxes by a label, and those that they are connected
// with into others: one each, or by the same label where they are too many.
func (r *Radius) draw(label string, hit map[string]bool, labels map[string]map[string]string, edges []topology.Edge) {
	group := func(node string) string {
		if value, ok := labels[node][label]; ok && label != "" {
			return label + "=" + value
		}
		return node
	}
	affected, near := map[string]int{}, map[string]int{} // what each weighs
	for node := range hit {
		affected[node] = 1
	}
	for _, e := range edges {
		switch {
		case hit[e.From] && !hit[e.To]:
			near[e.To] += connections(e)
		case hit[e.To] && !hit[e.From]:
			near[e.From] += connections(e)
		}
	}
	of := map[string]string{}
	r.Boxes = boxesOf(affected, group, mostAffected, RadiusBox{ID: "a", Affected: true}, of)
	most := mostBoxes - len(r.Boxes)
	if len(near) <= most {
		group = func(node string) string { return node }
	}
	r.Boxes = append(r.Boxes, boxesOf(near, group, most, RadiusBox{ID: "n"}, of)...)
	sums := map[[2]string]int{}
	for _, e := range edges {
		from, to := of[e.From], of[e.To]
		if from != "" && to != "" && from != to && (hit[e.From] || hit[e.To]) {
			sums[[2]string{from, to}] += connections(e)
		}
	}
	r.Edges = make([]RadiusEdge, 0, len(sums))
	for ends, n := range sums {
		r.Edges = append(r.Edges, RadiusEdge{ends[0], ends[1], n})
	}
	slices.SortFunc(r.Edges, func(a, b RadiusEdge) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
	})
}

// boxesOf puts nodes into boxes by name, the heaviest first; those past the last box share
// it. It says in of which node has which box.
func boxesOf(weights map[string]int, name func(node string) string, most int, like RadiusBox, of map[string]string) []RadiusBox {
	sums, nodes := map[string]int{}, map[string][]string{}
	for node, weight := range weights {
		n := name(node)
		sums[n] += weight
		nodes[n] = append(nodes[n], node)
	}
	order := slices.SortedFunc(maps.Keys(sums), func(a, b string) int { return cmp.Or(cmp.Compare(sums[b], sums[a]), strings.Compare(a, b)) })
	boxes := []RadiusBox{}
	for k, n := range order {
		if k < most {
			box := like
			box.ID, box.Name = fmt.Sprint(like.ID, k), n
			boxes = append(boxes, box)
		}
		last := &boxes[len(boxes)-1]
		if k >= most {
			last.Name = "others"
		}
		last.Nodes += len(nodes[n])
		for _, node := range nodes[n] {
			of[node] = last.ID
		}
	}
	return boxes
}

func connections(e topology.Edge) int {
	n := 0
	for _, v := range e.Via {
		n += v.Connections
	}
	return n
}
