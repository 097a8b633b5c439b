package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

// nodeView is a node as it is listed.
type nodeView struct {
	protocol.Heartbeat
	State     string     `json:"state"` // alive or silent
	LastSeen  time.Time  `json:"last_seen"`
	Health    string     `json:"health"` // critical, warning, silent or healthy
	StandsOut *standsOut `json:"stands_out,omitempty"`
}

// standsOut is the check that a node crosses farthest.
type standsOut struct {
	Skill     string        `json:"skill"`
	Target    string        `json:"target"`
	Metric    string        `json:"metric"`
	Unit      protocol.Unit `json:"unit,omitempty"`
	Value     float64       `json:"value"`
	Threshold float64       `json:"threshold"`
	Peers     int           `json:"peers"`            // other targets with the metric
	Median    *float64      `json:"median,omitempty"` // of the peers
}

const nodesDoc = `List the hosts that run a probe, the worst first: what stands out, and what the odd ones
have in common.

A node is critical or warning when the newest snapshot of one of its skills crosses a
threshold of that skill, as the skill comes: thresholds of a probe's own configuration and
skills of one's own are not known here. It is silent when three of its heartbeats are missing.

On a terminal those that are not healthy are listed, of few nodes all. Piped, and with
--json, all are, by name: name, state, when it was heard last, what stands out, labels,
targets, version and what could be watched.`

func (a *app) nodes() *cobra.Command {
	var labels map[string]string
	var everyone bool
	cmd := &cobra.Command{
		Use: "nodes", Short: "List the hosts that run a probe, the worst first", Long: nodesDoc, Args: cobra.NoArgs,
		Example: "  fleetlens nodes\n  fleetlens nodes --label role=db --all",
	}
	cmd.Flags().StringToStringVar(&labels, "label", nil, "only nodes with these labels")
	cmd.Flags().BoolVar(&everyone, "all", false, "list those that are healthy too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		conn, err := a.dial(cmd)
		if err != nil {
			return err
		}
		defer conn.Close()
		views, err := readNodes(cmd.Context(), conn, labels)
		if err != nil {
			return err
		}
		if err := judge(cmd.Context(), conn, views); err != nil {
			return err
		}
		if a.json {
			for _, v := range views {
				if err := printJSON(cmd.OutOrStdout(), v); err != nil {
					return err
				}
			}
			return nil
		}
		out(cmd).nodes(views, everyone)
		return nil
	}
	return cmd
}

// readNodes returns the nodes that have the labels, by name.
func readNodes(ctx context.Context, conn *bus.Conn, labels map[string]string) ([]nodeView, error) {
	var views []nodeView
	for m, err := range conn.Range(ctx, bus.Nodes, protocol.NodeSubject(protocol.Any), 0) {
		if err != nil {
			return nil, err
		}
		h, err := protocol.Decode[protocol.Heartbeat](m.Data)
		if err != nil || !matches(h.Labels, labels) {
			continue
		}
		v := nodeView{Heartbeat: h, State: "alive", Health: "healthy", LastSeen: m.Time}
		if h.Silent(time.Since(m.Time)) {
			v.State, v.Health = "silent", "silent"
		}
		views = append(views, v)
	}
	slices.SortFunc(views, func(x, y nodeView) int { return strings.Compare(x.Node, y.Node) })
	return views, nil
}

// judge holds the newest snapshots of nodes that are not silent against the thresholds
// of their skills.
func judge(ctx context.Context, conn *bus.Conn, views []nodeView) error {
	registry, err := skills.NewRegistry(all.Skills(all.Options{})...)
	if err != nil {
		return err
	}
	j := judgement{words: map[[2]string]protocol.Words{}, peers: map[[3]string][]float64{}, nodes: map[string]*nodeView{}}
	for _, w := range registry.Words() {
		if len(w.Checks) > 0 {
			j.words[[2]string{w.Skill, w.Kind}] = w
		}
	}
	var subjects []string
	for i, v := range views {
		if v.State == "silent" {
			continue
		}
		j.nodes[v.Node] = &views[i]
		for _, t := range v.Targets {
			for _, skill := range t.Skills {
				if _, checked := j.words[[2]string{skill, t.Kind}]; checked {
					subjects = append(subjects, protocol.SnapshotSubject(v.Node, t.Name, skill))
				}
			}
		}
	}
	// By and by: of ten thousand nodes the snapshots are gigabytes.
	for some := range slices.Chunk(subjects, 512) {
		msgs, err := conn.LastMany(ctx, bus.Snapshots, some)
		if err != nil {
			return err
		}
		for _, m := range msgs {
			if s, err := protocol.Decode[protocol.Snapshot](m.Data); err == nil {
				j.take(s)
			}
		}
	}
	j.compare()
	return nil
}

// A judgement is what snapshots say of nodes.
type judgement struct {
	words map[[2]string]protocol.Words // by skill and kind
	peers map[[3]string][]float64      // by skill, kind and metric: what every target has
	nodes map[string]*nodeView
}

// take takes a snapshot in.
func (j *judgement) take(s protocol.Snapshot) {
	v, w := j.nodes[s.Node], j.words[[2]string{s.Skill, s.Kind}]
	if v == nil {
		return
	}
	for _, c := range w.Checks {
		if x, ok := s.Data[c.Metric].(float64); ok {
			key := [3]string{s.Skill, s.Kind, c.Metric}
			j.peers[key] = append(j.peers[key], x)
		}
	}
	for _, x := range skills.Evaluate(w.Checks, s.Data) {
		metric, _ := w.Metric(x.Check.Metric)
		found := &standsOut{Skill: s.Skill, Target: s.Target, Metric: x.Check.Metric, Unit: metric.Unit, Value: x.Value, Threshold: x.Threshold}
		had := protocol.Severity(v.Health).Rank()
		if r := x.Severity.Rank(); r > had || r == had && found.far() > v.StandsOut.far() {
			v.Health, v.StandsOut = string(x.Severity), found
		}
	}
}

// far is how far a value is beyond its threshold, by the larger of both.
func (s *standsOut) far() float64 {
	d := s.Value - s.Threshold
	return max(d, -d) / max(s.Value, -s.Value, s.Threshold, -s.Threshold, 1e-9)
}

// compare adds what the peers have of what stands out.
func (j *judgement) compare() {
	for _, list := range j.peers {
		slices.Sort(list)
	}
	for _, v := range j.nodes {
		s := v.StandsOut
		if s == nil {
			continue
		}
		kind := ""
		for _, t := range v.Targets {
			if t.Name == s.Target {
				kind = t.Kind
			}
		}
		if m, n := medianWithout(j.peers[[3]string{s.Skill, kind, s.Metric}], s.Value); n > 0 {
			s.Median, s.Peers = &m, n
		}
	}
}

// medianWithout returns the median of sorted values without one of them, and of how many.
func medianWithout(sorted []float64, own float64) (float64, int) {
	i, found := slices.BinarySearch(sorted, own)
	if !found || len(sorted) < 2 {
		return 0, 0
	}
	rest := slices.Delete(slices.Clone(sorted), i, i+1)
	n := len(rest)
	return (rest[(n-1)/2] + rest[n/2]) / 2, n
}

// healths are the states of a node, the worst first.
var healths = []string{"critical", "warning", "silent", "healthy"}

// few is how many nodes are listed without being asked for all.
const few = 20

// nodes prints what there is to say of a fleet.
func (p printer) nodes(views []nodeView, everyone bool) {
	if !p.terminal || p.format != "" {
		p.nodeRecords(views)
		return
	}
	if len(views) == 0 {
		p.printf("no probe has reported: start one with `probe --server …` on each host\n")
		return
	}
	by := map[string]int{}
	for _, v := range views {
		by[v.Health]++
	}
	sentence := []string{p.bold(count(len(views), "node"))}
	for _, h := range healths {
		if by[h] > 0 || h == "healthy" {
			sentence = append(sentence, p.paint(markOf(h).code, thousands(by[h])+" "+h))
		}
	}
	p.printf("%s\n", strings.Join(sentence, " · "))
	p.common(views)
	p.worst(views, everyone || len(views) <= few, len(views)-by["healthy"])
	p.proposals(views, everyone)
}

// nodeRecords prints a line for each node, by name.
func (p printer) nodeRecords(views []nodeView) {
	s := sheet{header: []string{"Node", "State", "Seen", "Stands out by", "Labels", "Targets", "Version", "Could be watched"}}
	for _, v := range views {
		var names, could []string
		for _, t := range v.Targets {
			names = append(names, t.Name+":"+strings.Join(t.Skills, "+"))
		}
		for _, f := range v.Proposals {
			could = append(could, proposal(f))
		}
		s.rows = append(s.rows, []any{v.Node, v.Health, v.LastSeen, v.StandsOut.String(), pairs(v.Labels), strings.Join(names, " "), v.Version, strings.Join(could, " | ")})
	}
	p.sheet(s)
}

// String tells a value and what the peers have.
func (s *standsOut) String() string {
	if s == nil {
		return ""
	}
	text := s.Metric + " " + figure(s.Value, s.Unit)
	if s.Target != "host" {
		text = s.Target + ": " + text
	}
	if s.Median != nil {
		return text + " (peers " + figure(*s.Median, s.Unit) + ")"
	}
	return text + " (threshold " + figure(s.Threshold, s.Unit) + ")"
}

// worst prints a row for each node that is not healthy, or for all.
func (p printer) worst(views []nodeView, everyone bool, odd int) {
	sorted := slices.Clone(views)
	slices.SortStableFunc(sorted, func(x, y nodeView) int {
		far := 0
		if x.StandsOut != nil && y.StandsOut != nil {
			far = cmp.Compare(y.StandsOut.far(), x.StandsOut.far())
		}
		return cmp.Or(slices.Index(healths, x.Health)-slices.Index(healths, y.Health), far)
	})
	const most = 40
	s := sheet{plain: true, cut: true, header: []string{"NODE", "STATE", "SEEN", "STANDS OUT BY"}}
	for _, v := range sorted {
		if !everyone && (v.Health == "healthy" || len(s.rows) == most) {
			break
		}
		why := v.StandsOut.String()
		if v.Health == "silent" {
			why = "no heartbeat since " + p.stamp(v.LastSeen)
		}
		s.rows = append(s.rows, []any{v.Node, markOf(v.Health), number(age(p.now.Sub(v.LastSeen))), why})
	}
	if len(s.rows) > 0 {
		p.sheet(s)
	}
	if !everyone {
		p.printf("%s\n", p.dim(fmt.Sprintf("… %s of %s are not healthy; --all, --label role=db, --json", thousands(odd), thousands(len(views)))))
	}
}

// looksLike says what a proposal's kind looks like.
var looksLike = map[string]string{"go": "a Go service", "postgres": "a PostgreSQL server", "nats": "a NATS server", "prometheus": "a Prometheus server", "beam": "a node of Erlang or Elixir"}

// proposal says what could be a target of a node, and how it would be.
func proposal(f protocol.Proposal) string {
	process := f.Process
	if f.PID > 0 {
		process = strings.TrimSpace(fmt.Sprintf("%s (%d)", process, f.PID))
	}
	text := "looks like " + cmp.Or(looksLike[f.Kind], f.Kind) + ": " + strings.TrimSpace(process+" at "+f.Address)
	if f.Why != "" {
		text += " (" + f.Why + ")"
	}
	if f.Config != "" {
		text += "; to watch it, add to the targets of the probe's configuration: " + f.Config
	}
	return text
}

// proposals prints what could be targets: of all nodes, or of some.
func (p printer) proposals(views []nodeView, everyone bool) {
	const most = 5
	n := 0
	for _, v := range views {
		for _, f := range v.Proposals {
			if n++; n == 1 {
				p.printf("%s\n", p.bold("What could be watched"))
			}
			if everyone || n <= most {
				p.printf("  %s  %s\n", clean(v.Node), clean(proposal(f)))
			}
		}
	}
	if n > most && !everyone {
		p.printf("  %s\n", p.dim(fmt.Sprintf("and %d more; --all", n-most)))
	}
}

func matches(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, ",")
}
