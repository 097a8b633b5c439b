package triage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Group is signals that one investigation answers.
type Group struct {
	ID       string    `json:"id"` // of the investigation too
	OpenedAt time.Time `json:"opened_at"`
	GrownAt  time.Time `json:"grown_at"` // when a node or a matter was new to it
	LastAt   time.Time `json:"last_at"`  // of its last signal
	AskedAt  time.Time `json:"asked_at,omitzero"`
	ClosedAt time.Time `json:"closed_at,omitzero"`
	Limited  string    `json:"limited,omitempty"` // why no model may be used

	Firing     map[string]bool `json:"firing,omitempty"`     // its alerts that fire, by protocol.Alert.Identity
	Uncounted  bool            `json:"uncounted,omitempty"`  // more of them fire than are remembered
	ResolvedAt time.Time       `json:"resolved_at,omitzero"` // when the last of its alerts ended

	Turns    int       `json:"turns,omitempty"` // how often it was over, or went on again; odd: it is over
	Told     int       `json:"told,omitempty"`  // of the turns, those that were told downstream
	TurnedAt time.Time `json:"turned_at,omitzero"`
	Why      string    `json:"why,omitempty"` // it turned

	Keys     []string          `json:"keys"` // what it is about
	Topics   []string          `json:"topics,omitempty"`
	Nodes    map[string]uint32 `json:"nodes"` // with a bit for each key
	Further  int               `json:"further_nodes,omitempty"`
	Kinds    map[string]int    `json:"kinds"`            // signals that were new, by kind
	Repeats  int               `json:"repeats"`          // signals that were known already
	Quiet    int               `json:"quiet"`            // of those that were new, those that may ask for nothing
	Joined   int               `json:"joined"`           // of those that were new, those that came after it was asked about
	Earliest time.Time         `json:"earliest"`         // event time of the first signal
	Labels   map[string]string `json:"labels,omitempty"` // those that all of its nodes share

	Severity protocol.Severity `json:"severity"`
	From     []string          `json:"from,omitempty"` // investigations that found it
	Examples []Example         `json:"examples"`       // the strongest of each matter, the strongest first

	named    int                  // bytes of the names in Nodes
	State    protocol.ResultState `json:"state,omitempty"` // how its investigation ended
	Insights []string             `json:"insights,omitempty"`
}

// An Example is one signal of a group, as a notification.
type Example struct {
	Strength float64               `json:"strength"`
	Note     protocol.Notification `json:"notification"`
}

func (g *Group) has(node string) bool {
	_, ok := g.Nodes[node]
	return ok
}

func (g *Group) knows(node, key string) bool {
	i := slices.Index(g.Keys, key)
	return i >= 0 && g.Nodes[node]&(1<<i) != 0
}

// Signals returns how many signals were new to the group.
func (g *Group) Signals() int {
	n := 0
	for _, count := range g.Kinds {
		n += count
	}
	return n
}

// Count returns how many nodes the group has.
func (g *Group) Count() int { return len(g.Nodes) + g.Further }

// Names returns the nodes that are known by name, in order.
func (g *Group) Names() []string { return slices.Sorted(maps.Keys(g.Nodes)) }

// asks reports whether the group has what asks for an investigation: a signal that
// no investigation caused, or the same found by two of them.
func (g *Group) asks() bool {
	open := g.Signals() - g.Quiet - g.Kinds[Finding]
	return open > 0 || len(g.From) > 1
}

// With returns the nodes that have one of the keys, in order.
func (g *Group) With(keys []string) []string {
	var bits uint32
	for _, k := range keys {
		if i := slices.Index(g.Keys, k); i >= 0 {
			bits |= 1 << i
		}
	}
	var out []string
	for n, have := range g.Nodes {
		if have&bits != 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// add takes a signal in.
func (g *Group) add(s Signal, labels map[string]string, now time.Time) Verdict {
	g.LastAt = now
	g.fires(s.Alert)
	if g.Earliest.IsZero() || s.At.Before(g.Earliest) {
		g.Earliest = s.At
	}
	if s.From != "" && s.From != g.ID && !slices.Contains(g.From, s.From) && len(g.From) < MaxExamples {
		g.From = append(g.From, s.From)
	}
	if s.Note.Severity.Rank() > g.Severity.Rank() {
		g.Severity = s.Note.Severity
	}
	if s.Topic != "" && !slices.Contains(g.Topics, s.Topic) {
		g.Topics = append(g.Topics, s.Topic)
	}
	key := g.key(s.Key)
	if known := s.Node != "" && g.Nodes[s.Node]&(1<<key) != 0 || s.Node == "" && g.example(s.Note.ID) >= 0; known || s.From == g.ID {
		g.Repeats++
		return Repeated
	}
	g.GrownAt = now
	g.Kinds[s.Kind]++
	if s.Quiet {
		g.Quiet++
	}
	if !g.AskedAt.IsZero() {
		g.Joined++
	}
	if s.Node != "" {
		g.name(s.Node, key, labels)
	}
	g.keep(Example{Strength: s.Strength, Note: s.Note})
	return Joined
}

// name takes a node in, by name while there is room.
func (g *Group) name(node string, key int, labels map[string]string) {
	if g.has(node) {
		g.Nodes[node] |= 1 << key
		return
	}
	switch {
	case len(g.Nodes) == 0:
		g.Labels = maps.Clone(labels)
	default:
		maps.DeleteFunc(g.Labels, func(k, v string) bool { return labels[k] != v })
	}
	if g.named == 0 {
		for n := range g.Nodes {
			g.named += len(n)
		}
	}
	if g.named += len(node); len(g.Nodes) >= MaxNodes || g.named > maxNamed {
		g.Further++
		return
	}
	g.Nodes[node] |= 1 << key
}

// fewNodes is how many nodes must share a label before it says anything.
const fewNodes = 3

// ended reports whether the investigation of the group has ended.
func (g *Group) ended() bool { return g.State != "" }

// worse reports whether a check or an alert of a group whose investigation has ended is
// more severe than all that it knew: that is told anew.
func (g *Group) worse(s Signal) bool {
	return g.ended() && (s.Kind == Watch || s.Kind == Alert) && s.Note.Severity.Rank() > g.Severity.Rank()
}

// many reports whether the group has so many nodes that one more is more of the same.
func (g *Group) many() bool { return g.Count() >= fewNodes }

// about reports whether a topic is known and among the group's.
func (g *Group) about(topic string) bool { return topic != "" && slices.Contains(g.Topics, topic) }

// describes reports whether a node with these labels has all that the group's nodes share.
func (g *Group) describes(labels map[string]string) bool {
	if len(g.Labels) == 0 || !g.many() {
		return false
	}
	for k, v := range g.Labels {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// key returns the index of a key, which it adds. The last one stands for all that
// have no room.
func (g *Group) key(name string) int {
	if i := slices.Index(g.Keys, name); i >= 0 {
		return i
	}
	switch len(g.Keys) {
	case MaxKeys:
		return MaxKeys - 1
	case MaxKeys - 1:
		name = "others"
	}
	g.Keys = append(g.Keys, name)
	return len(g.Keys) - 1
}

func (g *Group) example(id string) int {
	return slices.IndexFunc(g.Examples, func(e Example) bool { return e.Note.ID == id })
}

// keep keeps an example while it is among the strongest. When there are too many the
// weakest goes of what there is most of: a thousand effects shall not hide their cause.
func (g *Group) keep(e Example) {
	e.Note = bounded(e.Note)
	i, _ := slices.BinarySearchFunc(g.Examples, e, func(a, b Example) int { return cmp.Compare(b.Strength, a.Strength) })
	for i < len(g.Examples) && g.Examples[i].Strength == e.Strength {
		i++ // of two that are alike the first stays first
	}
	g.Examples = slices.Insert(g.Examples, i, e)
	if len(g.Examples) <= MaxExamples {
		return
	}
	count := map[[2]string]int{}
	for _, x := range g.Examples {
		count[x.about()]++
	}
	last := len(g.Examples) - 1
	for k := last; k >= 0; k-- {
		if count[g.Examples[k].about()] > count[g.Examples[last].about()] {
			last = k
		}
	}
	g.Examples = slices.Delete(g.Examples, last, last+1)
}

// about is what an example tells of.
func (e Example) about() [2]string { return [2]string{e.Note.Operator, e.Note.AnomalyType} }

// maxNamed is how many bytes the names of a group's nodes have.
const maxNamed = 256 << 10

// Bounds of an example, so that a group of them fits into one message.
const (
	maxText     = 1000 // bytes
	maxEvidence = 4
	maxPoints   = 30
)

// bounded leaves out of a notification what its stream holds.
func bounded(n protocol.Notification) protocol.Notification {
	n.Snapshots = []protocol.Snapshot{}
	for _, text := range []*string{&n.Context, &n.Observation, &n.Hypothesis} {
		if len(*text) > maxText {
			*text = strings.ToValidUTF8((*text)[:maxText], "") + "…"
		}
	}
	n.Evidence = slices.Clone(n.Evidence[:min(maxEvidence, len(n.Evidence))])
	for i := range n.Evidence {
		if series := n.Evidence[i].Series; len(series) > maxPoints {
			n.Evidence[i].Series = series[len(series)-maxPoints:]
		}
	}
	n.Figures = nil
	return n
}

// What a group that has ended keeps, for people who look back.
const (
	keptExamples = 5
	keptNodes    = 100
)

// shrink leaves out what nobody needs of a group that has ended.
func (g *Group) shrink() {
	g.Examples = g.Examples[:min(keptExamples, len(g.Examples))]
	names := g.Names()
	for _, n := range names[min(keptNodes, len(names)):] {
		delete(g.Nodes, n)
		g.Further++
	}
}

// Notes returns the examples as what an investigation begins with.
func (g *Group) Notes(investigation string) []protocol.Notification {
	out := make([]protocol.Notification, len(g.Examples))
	for i, e := range g.Examples {
		out[i] = e.Note
		out[i].InvestigationID = investigation
	}
	return out
}

// Skills returns the skills that the group's keys name, in order.
func (g *Group) Skills() []string {
	var out []string
	for _, e := range g.Examples {
		if !slices.Contains(out, e.Note.Operator) {
			out = append(out, e.Note.Operator)
		}
	}
	slices.Sort(out)
	return out
}

// Reason says in one line why the group is asked about.
func (g *Group) Reason() string {
	where := "the fleet"
	switch n := g.Count(); {
	case n == 1:
		where = g.Names()[0]
	case n > 1:
		where = fmt.Sprintf("%d nodes", n)
	}
	what := strings.Join(g.Keys[:min(3, len(g.Keys))], ", ")
	if more := len(g.Keys) - 3; more > 0 {
		what += fmt.Sprintf(" and %d more", more)
	}
	reason := fmt.Sprintf("%s on %s", what, where)
	if len(g.Examples) > 0 {
		reason += ": " + g.Examples[0].Note.Observation
	}
	return reason
}
