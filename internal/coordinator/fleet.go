package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/correlate"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// fleet is what the heartbeats say: the nodes, kept in memory and made again
// from the stream at every start.
type fleet struct {
	conn  *bus.Conn
	log   *slog.Logger
	words []protocol.Words
	beats *follower

	mu      sync.Mutex
	nodes   map[string]*node
	fetched map[string]protocol.Words // of custom skills, by hash

	shared   map[string]string // labels that all nodes have, as of sharedAt
	sharedAt time.Time
}

type node struct {
	beat    protocol.Heartbeat
	arrived time.Time
	offsets []time.Duration // host time minus arrival, of the last beats
}

// maxOffsets is how many beats the clock's offset is judged by.
const maxOffsets = 20

func newFleet(conn *bus.Conn, log *slog.Logger, words []protocol.Words) *fleet {
	f := &fleet{conn: conn, log: log, words: words, nodes: map[string]*node{}, fetched: map[string]protocol.Words{}}
	f.beats = &follower{conn: conn, log: log, what: "heartbeats", filter: protocol.NodeSubject(protocol.Any), hear: f.observe}
	return f
}

var _ agent.Fleet = (*fleet)(nil)

func (f *fleet) observe(m bus.Msg) {
	h, err := protocol.Decode[protocol.Heartbeat](m.Data)
	if err != nil {
		f.log.Warn("a heartbeat cannot be read", "subject", m.Subject, "err", err)
		return
	}
	h.Proposals = nil // they are for people, and of ten thousand nodes they are much
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[h.Node]
	if n == nil {
		n = &node{}
		f.nodes[h.Node] = n
	}
	if m.Time.Before(n.arrived) {
		return
	}
	n.beat, n.arrived = h, m.Time
	n.offsets = append(n.offsets, h.SentAt.Sub(m.Time))
	if len(n.offsets) > maxOffsets {
		n.offsets = n.offsets[1:]
	}
}

func (n *node) silent(now time.Time) bool { return n.beat.Silent(now.Sub(n.arrived)) }

// eventTime corrects a time by a node's clock by the smallest offset of its last
// beats; it is never later than now.
func (f *fleet) eventTime(nodeName string, at time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[nodeName]
	if n == nil || len(n.offsets) == 0 {
		return at
	}
	best := n.offsets[0]
	for _, o := range n.offsets[1:] {
		if o.Abs() < best.Abs() {
			best = o
		}
	}
	if best.Abs() < time.Second { // the way to the stream, not the clock
		best = 0
	}
	corrected := at.Add(-best)
	if now := time.Now().UTC(); corrected.After(now) {
		return now
	}
	return corrected
}

// A selection is the nodes that a request means.
type selection struct {
	nodes   []protocol.Heartbeat // by name
	silent  []string
	unknown []string // nodes that were named and never reported
}

// selectNodes returns the nodes of the names (none: all) that have every label.
func (f *fleet) selectNodes(names []string, labels map[string]string) selection {
	f.mu.Lock()
	defer f.mu.Unlock()
	var s selection
	now := time.Now()
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(f.nodes))
	} else {
		names = slices.Compact(slices.Sorted(slices.Values(names)))
	}
	for _, name := range names {
		n := f.nodes[name]
		if n == nil {
			s.unknown = append(s.unknown, name)
			continue
		}
		if !hasLabels(n.beat.Labels, labels) {
			continue
		}
		s.nodes = append(s.nodes, n.beat)
		if n.silent(now) {
			s.silent = append(s.silent, name)
		}
	}
	return s
}

func hasLabels(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

// Targets implements agent.Fleet.
func (f *fleet) Targets(ctx context.Context, q agent.TargetQuery) ([]protocol.TargetRef, []string, error) {
	s := f.selectNodes(q.Nodes, q.Labels)
	var leftOut []string
	for _, name := range s.unknown {
		leftOut = append(leftOut, name+": no probe of this name has ever reported")
	}
	var targets []protocol.TargetRef
	for _, h := range s.nodes {
		for _, t := range h.Targets {
			if !slices.Contains(t.Skills, q.Skill) {
				continue
			}
			if q.Words != nil && announced(h, q.Skill, t.Kind) != q.Words[t.Kind] {
				leftOut = append(leftOut, fmt.Sprintf("%s: its probe has the skill %s in other words than most", h.Node, q.Skill))
				continue
			}
			targets = append(targets, protocol.TargetRef{Node: h.Node, Target: t.Name, Kind: t.Kind})
		}
	}
	if len(targets) <= q.Limit {
		return targets, leftOut, nil
	}
	ranked, err := f.rank(ctx, q.Skill, targets)
	if err != nil {
		return nil, nil, err
	}
	leftOut = append(leftOut, fmt.Sprintf("%s: %d of %d targets were not looked into; those that stand out among their peers were taken first", q.Skill, len(ranked)-q.Limit, len(ranked)))
	return ranked[:q.Limit], leftOut, nil
}

// rank puts targets that cross a check first, then those that stand out.
func (f *fleet) rank(ctx context.Context, skill string, targets []protocol.TargetRef) ([]protocol.TargetRef, error) {
	rows, crossed, err := f.rows(ctx, skill, targets)
	if err != nil {
		return nil, err
	}
	score := map[string]float64{}
	for _, o := range correlate.Outliers(rows) {
		score[o.Name] = o.Score
	}
	for name, severity := range crossed {
		score[name] += 1e6 * float64(severity)
	}
	slices.SortStableFunc(targets, func(a, b protocol.TargetRef) int {
		switch sa, sb := score[a.String()], score[b.String()]; {
		case sa > sb:
			return -1
		case sa < sb:
			return 1
		}
		return 0
	})
	return targets, nil
}

// rows returns the latest metrics of targets, and how bad the checks are that
// they cross: the sum of ranks.
func (f *fleet) rows(ctx context.Context, skill string, targets []protocol.TargetRef) ([]correlate.Row, map[string]int, error) {
	subjects := make([]string, 0, len(targets))
	for _, t := range targets {
		subjects = append(subjects, protocol.SnapshotSubject(t.Node, t.Target, skill))
	}
	msgs, err := f.conn.LastMany(ctx, bus.Snapshots, subjects)
	if err != nil {
		return nil, nil, err
	}
	var rows []correlate.Row
	crossed := map[string]int{}
	for _, m := range msgs {
		snap, err := protocol.Decode[protocol.Snapshot](m.Data)
		if err != nil {
			continue
		}
		words, ok := wordsOf(f.words, skill, snap.Kind)
		if !ok {
			continue
		}
		row := correlate.Row{Name: snap.Ref().String(), Metrics: map[string]float64{}}
		for _, metric := range words.Metrics {
			if v, ok := snap.Data[metric.Name].(float64); ok && metric.Kind == protocol.Gauge {
				row.Metrics[metric.Name] = v
			}
		}
		rows = append(rows, row)
		for _, x := range skills.Evaluate(words.Checks, snap.Data) {
			crossed[row.Name] += x.Severity.Rank()
		}
	}
	return rows, crossed, nil
}

// An overview is the fleet as a model sees it.
type overview struct {
	Nodes    int                            `json:"nodes"`
	Labels   map[string]map[string]int      `json:"labels,omitempty"` // label → value → nodes
	Silent   []string                       `json:"silent,omitempty"`
	Unknown  []string                       `json:"unknown,omitempty"`
	Skewed   map[string]string              `json:"clock_skew,omitempty"`
	Outliers map[string][]correlate.Outlier `json:"outliers,omitempty"` // skill → targets
	Events   []string                       `json:"recent_events,omitempty"`
}

// maxListed is how many entries of a list an overview shows.
const maxListed = 20

// Overview implements agent.Fleet.
func (f *fleet) Overview(ctx context.Context, names []string, labels map[string]string) (any, error) {
	s := f.selectNodes(names, labels)
	o := overview{Nodes: len(s.nodes), Labels: map[string]map[string]int{}, Silent: head(s.silent), Unknown: head(s.unknown), Outliers: map[string][]correlate.Outlier{}}
	bySkill := map[string][]protocol.TargetRef{}
	for _, h := range s.nodes {
		for k, v := range h.Labels {
			if o.Labels[k] == nil {
				o.Labels[k] = map[string]int{}
			}
			o.Labels[k][v]++
		}
		for _, t := range h.Targets {
			for _, skill := range t.Skills {
				bySkill[skill] = append(bySkill[skill], protocol.TargetRef{Node: h.Node, Target: t.Name, Kind: t.Kind})
			}
		}
	}
	o.Skewed = f.skewed(s)
	for skill, targets := range bySkill {
		rows, _, err := f.rows(ctx, skill, targets)
		if err != nil {
			return nil, err
		}
		if found := correlate.Outliers(rows); len(found) > 0 {
			o.Outliers[skill] = found[:min(len(found), maxListed)]
		}
	}
	var err error
	o.Events, err = f.events(ctx, s)
	return o, err
}

// skewed returns the nodes whose clock is off by a second or more.
func (f *fleet) skewed(s selection) map[string]string {
	out := map[string]string{}
	now := time.Now().UTC()
	for _, h := range s.nodes {
		if d := now.Sub(f.eventTime(h.Node, now)).Round(time.Second); d != 0 && len(out) < maxListed {
			out[h.Node] = d.String() + " ahead"
		}
	}
	return out
}

// recently is how far back an overview looks for changes.
const recently = 2 * time.Hour

// events returns the latest anomalies, and the changes of the last two hours, of the
// nodes, oldest first: so many of either that a storm of the one does not hide the other.
func (f *fleet) events(ctx context.Context, s selection) ([]string, error) {
	in := map[string]bool{}
	for _, h := range s.nodes {
		in[h.Node] = true
	}
	if len(in) == 0 {
		return nil, nil
	}
	state, err := f.conn.StreamState(ctx, bus.Events)
	if err != nil {
		return nil, err
	}
	from := uint64(1)
	if state.LastSeq > 500 {
		from = state.LastSeq - 500
	}
	var out []string
	for m, err := range f.conn.Range(ctx, bus.Events, "anomalies.>", from) {
		if err != nil {
			return nil, err
		}
		if a, err := protocol.Decode[protocol.Anomaly](m.Data); err == nil && in[a.Node] {
			out = append(out, fmt.Sprintf("%s anomaly on %s/%s: %s.%s is %g, usually %g", f.eventTime(a.Node, a.DetectedAt).UTC().Format(time.RFC3339), a.Node, a.Target, a.Skill, a.Metric, a.Value, a.Baseline))
		}
	}
	out = out[max(0, len(out)-maxListed):]
	changes, err := f.changes(ctx, slices.Collect(maps.Keys(in)), time.Now().Add(-recently))
	if err != nil {
		return nil, err
	}
	for _, c := range changes[max(0, len(changes)-maxListed):] {
		out = append(out, fmt.Sprintf("%s change on %s: %s: %s", c.At.UTC().Format(time.RFC3339), c.Node, c.What, c.Text))
	}
	slices.Sort(out) // each begins with its time
	return out, nil
}

func head(list []string) []string {
	sort.Strings(list)
	if len(list) <= maxListed {
		return list
	}
	return append(list[:maxListed:maxListed], fmt.Sprintf("and %d more", len(list)-maxListed))
}

var errNoNodes = errors.New("no probe has ever reported: start one with `probe --server …` on each host")
