package coordinator

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/correlate"
	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// causes ranks what may be behind the findings of one investigation.
type causes struct {
	conn     *bus.Conn
	fleet    *fleet
	topology *topology
	words    []protocol.Words
	id       string // of the investigation
	// past returns judged insights that are like findings.
	past func(ctx context.Context, findings []protocol.Notification, skills, nodes []string) []agent.PastInsight
}

var _ agent.Causes = causes{}

// How long a group is waited for that still grows: its nodes publish at different
// moments of their interval.
const (
	grownFor   = 15 * time.Second
	growsAtMax = time.Minute // after it was asked about
)

// mostNodes is how many nodes of a group an insight names; the rest is counted.
const mostNodes = 1000

// Rank implements agent.Causes.
func (c causes) Rank(ctx context.Context, q agent.RankQuery) (agent.Ranking, error) {
	now := time.Now().UTC()
	r := agent.Ranking{Groups: []agent.FindingGroup{}, Causes: []agent.RankedCause{}}
	findings := q.Findings
	var group *triage.Group
	if q.Group != "" {
		g, err := readGroup(ctx, c.conn, q.Group)
		if err != nil {
			return r, err
		}
		group = g
		r.Growing = now.Sub(g.GrownAt) < grownFor && now.Sub(g.AskedAt) < growsAtMax
		r.Joined = g.Notes(c.id)
		for _, n := range r.Joined {
			if !slices.ContainsFunc(findings, func(known protocol.Notification) bool { return known.ID == n.ID }) {
				findings = append(findings, n)
			}
		}
	}
	c.words = slices.Concat(c.words, q.Custom)
	labels := c.fleet.labels()
	r.Fleet = len(labels)
	r.Groups = c.groups(findings, group, labels)
	affected := map[string]bool{}
	further := 0
	for _, g := range r.Groups {
		for _, n := range g.Nodes {
			affected[n] = true
		}
		further = max(further, g.Affected-len(g.Nodes))
	}
	r.Affected = len(affected) + further
	looked := c.lookedAt(findings, labels)
	var silent []string
	if group != nil {
		silent = group.With([]string{silentNode + ".silent"})
	}
	ranking, err := c.rank(ctx, findings, looked, silent, now, labels)
	if err != nil {
		return r, err
	}
	r = ranked(r, ranking)
	r.Past = c.past(ctx, findings, nil, nil)
	r.Together = withOthers(r.Together, looked, alike(group, r.Groups))
	if len(r.Together) > 1 {
		r.Described = correlate.Describe(r.Together, labels, slices.Collect(maps.Keys(labels))).String()
	}
	return r, nil
}

// allOf is the share of a group's nodes of which a cause must be shown for it to be that
// of all of them.
const allOf = 0.9

// alike returns the nodes that have the same finding, one list for each, by the triage
// group, else as they were grouped.
func alike(group *triage.Group, groups []agent.FindingGroup) [][]string {
	var out [][]string
	if group == nil {
		for _, g := range groups {
			out = append(out, g.Nodes)
		}
		return out
	}
	for _, key := range group.Keys {
		out = append(out, group.With([]string{key}))
	}
	return out
}

// fewLooked is how many of the nodes with a finding must have been looked at for them to
// stand for the rest.
const fewLooked = 5

// withOthers adds to the nodes of a cause those that have the same finding and were not
// looked at for want of room, when nearly all that were have the cause.
func withOthers(together, looked []string, alike [][]string) []string {
	if len(together) < 2 {
		return together
	}
	out := slices.Clone(together)
	for _, nodes := range alike {
		seen, have := 0, 0
		for _, n := range nodes {
			if slices.Contains(looked, n) {
				seen++
				if slices.Contains(together, n) {
					have++
				}
			}
		}
		if seen >= fewLooked && float64(have) >= allOf*float64(seen) {
			out = append(out, nodes...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ranked puts what correlate says into the words of agents.
func ranked(r agent.Ranking, from correlate.Ranking) agent.Ranking {
	if from.None {
		r.None = from.Why
		return r
	}
	r.Why, r.Together = from.Why, from.Together
	for _, cause := range from.Causes {
		out := agent.RankedCause{Node: cause.Node, Score: cause.Score, Share: cause.Share, Reasons: cause.Reasons, Onset: cause.Onset}
		if len(cause.Metrics) > 0 {
			out.Metric = cause.Metrics[0].Metric
		}
		if ch := cause.Change; ch != nil {
			out.Change = &protocol.Change{Node: ch.Node, At: ch.Time, What: ch.Kind, Text: ch.Text}
		}
		r.Causes = append(r.Causes, out)
	}
	return r
}

// groups puts findings together by what is short and by who depends on whom, and adds
// the nodes of the triage group of which no example was kept.
func (c causes) groups(findings []protocol.Notification, group *triage.Group, labels map[string]map[string]string) []agent.FindingGroup {
	list := make([]correlate.Finding, len(findings))
	for i, n := range findings {
		list[i] = correlate.Finding{
			ID: n.ID, Node: n.Node, Skill: n.Operator, Check: n.AnomalyType, Resource: resourceOf(c.words, n.Operator, n.AnomalyType), Severity: n.Severity.Rank(),
			At: c.began(n),
		}
	}
	all := slices.Collect(maps.Keys(labels))
	out := []agent.FindingGroup{}
	for _, g := range correlate.Relate(list, c.calls()) {
		f := agent.FindingGroup{Relation: protocol.Correlation(g.Relation), Cause: g.Cause, Why: g.Why}
		var keys []string
		for _, finding := range g.Findings {
			f.NotificationIDs = append(f.NotificationIDs, finding.ID)
			f.Nodes = append(f.Nodes, finding.Node)
			i := slices.IndexFunc(findings, func(n protocol.Notification) bool { return n.ID == finding.ID })
			keys = append(keys, keyOf(finding.Skill, finding.Check, findings[i].Target))
		}
		further := 0
		if group != nil {
			f.Nodes = append(f.Nodes, group.With(keys)...)
			further = group.Further
		}
		slices.Sort(f.Nodes)
		f.Nodes = slices.Compact(f.Nodes)
		f.Affected = len(f.Nodes) + further
		f.Described = correlate.Describe(f.Nodes, labels, all).String()
		f.Nodes = f.Nodes[:min(mostNodes, len(f.Nodes))]
		out = append(out, f)
	}
	return out
}

// resourceOf returns what a finding is about: what its check says, else what the name of
// its metric tells; empty where neither is known.
func resourceOf(words []protocol.Words, skill, metric string) string {
	for _, w := range words {
		if w.Skill != skill {
			continue
		}
		for _, check := range w.Checks {
			if check.Metric == metric && check.Resource != "" {
				return check.Resource
			}
		}
	}
	return correlate.ResourceOf(metric)
}

func (c causes) calls() []correlate.Edge {
	edges := c.topology.edges(time.Now())
	out := make([]correlate.Edge, len(edges))
	for i, e := range edges {
		out[i] = correlate.Edge{Caller: e.From, Callee: e.To}
	}
	return out
}

// Bounds of what is read for one ranking.
const (
	rankNodes  = 60
	rankNeeded = 20        // of them, nodes that only others depend on
	rankSkills = 4         // of each node
	lookBack   = time.Hour // of changes before the incident
	leadRows   = 3         // from when trouble begins to when a check or detector sees it
)

// lookedAt returns the nodes of findings that are ranked, as many as there is room for:
// some of each kind of finding, because the loudest may all be effects.
func (c causes) lookedAt(findings []protocol.Notification, labels map[string]map[string]string) []string {
	var kinds []string
	byKind := map[string][]string{}
	for _, n := range findings {
		kind := n.Operator + "." + n.AnomalyType
		if byKind[kind] == nil {
			kinds = append(kinds, kind)
		}
		if labels[n.Node] != nil {
			byKind[kind] = append(byKind[kind], n.Node)
		}
	}
	var nodes []string
	for left := true; left; {
		left = false
		for _, kind := range kinds {
			list := byKind[kind]
			for len(list) > 0 && slices.Contains(nodes, list[0]) {
				list = list[1:]
			}
			if len(list) > 0 && len(nodes) < rankNodes-rankNeeded {
				nodes, list, left = append(nodes, list[0]), list[1:], true
			}
			byKind[kind] = list
		}
	}
	return nodes
}

// rank reads what the nodes of findings published, and ranks them and those that are silent.
func (c causes) rank(ctx context.Context, findings []protocol.Notification, nodes, silent []string, now time.Time, labels map[string]map[string]string) (correlate.Ranking, error) {
	nodes = slices.Clone(nodes)
	skills := []string{"os"}
	began := now
	for _, n := range findings {
		if !slices.Contains(skills, n.Operator) && len(skills) < rankSkills && c.known(n.Operator) {
			skills = append(skills, n.Operator)
		}
		if at := c.began(n); at.Before(began) {
			began = at
		}
	}
	if len(nodes) == 0 {
		return correlate.Ranking{None: true, Why: "no cause found: the findings are of no node that is known"}, nil
	}
	nodes = append(nodes, c.topology.needs(nodes, rankNeeded)...)
	if len(nodes) == 1 { // its peers tell what is usual
		nodes = append(nodes, c.peers(nodes[0], labels)...)
	}
	changes, err := c.fleet.changes(ctx, nodes, began.Add(-lookBack))
	if err != nil {
		return correlate.Ranking{}, err
	}
	window := frame{began: began, now: now}
	if err := c.read(ctx, &window, nodes, skills); err != nil {
		return correlate.Ranking{}, err
	}
	step := window.step() // probes may report each second or each hour
	window.began = began.Add(-leadRows * step)
	cs := window.build()
	cs.Calls = c.calls()
	for _, ch := range changes {
		cs.Changes = append(cs.Changes, correlate.Change{Node: ch.Node, Time: ch.At, Kind: ch.What, Text: ch.Text})
	}
	cs.Onsets = map[string]correlate.Onset{}
	cs.Peers, cs.Silent = map[string]string{}, map[string]bool{}
	for _, n := range silent { // also those there is no room to look at
		cs.Silent[n] = true
	}
	for _, n := range nodes {
		if role := roleOf(labels[n]); role != "" {
			cs.Peers[n] = role
		}
	}
	for _, n := range findings {
		switch n.Origin {
		case protocol.OriginAnomaly, protocol.OriginSilence:
			at := correlate.Onset{Time: c.began(n), Within: step}
			if n.Origin == protocol.OriginSilence {
				cs.Silent[n.Node] = true
			}
			if have, ok := cs.Onsets[n.Node]; !ok || at.Time.Before(have.Time) {
				cs.Onsets[n.Node] = at
			}
		case protocol.OriginAlert:
			if cs.Alert == nil && labels[n.Node] != nil {
				cs.Alert = &correlate.Alert{Node: n.Node, Metric: string(correlate.ClassOf(n.AnomalyType)), Time: n.DetectedAt}
			}
		}
	}
	return correlate.Rank(cs), nil
}

// began returns when the trouble of a finding began, as its own evidence tells. Only what
// a probe says is by the clock of its host.
func (c causes) began(n protocol.Notification) time.Time {
	at := n.DetectedAt
	if !n.Since.IsZero() {
		at = n.Since
	}
	if n.Origin == protocol.OriginAnomaly {
		return c.fleet.eventTime(n.Node, at)
	}
	return at
}

func (c causes) known(skill string) bool {
	return slices.ContainsFunc(c.words, func(w protocol.Words) bool { return w.Skill == skill })
}

// fewPeers is how many nodes of its role one node is compared with.
const fewPeers = 8

func (c causes) peers(node string, labels map[string]map[string]string) []string {
	role := roleOf(labels[node])
	var out []string
	if role == "" {
		return nil
	}
	for n := range labels {
		if n != node && roleOf(labels[n]) == role {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out[:min(fewPeers, len(out))]
}

// roleLabels are the labels by which nodes are told to be alike, the most usual first.
var roleLabels = []string{"role", "app", "service", "job", "component", "tier", "group"}

func roleOf(labels map[string]string) string {
	for _, k := range roleLabels {
		if v := labels[k]; v != "" {
			return k + "=" + v
		}
	}
	return ""
}

// read puts what the stream holds of nodes into the frame.
func (c causes) read(ctx context.Context, f *frame, nodes, skills []string) error {
	for _, node := range nodes {
		for _, t := range c.fleet.targetsOf(node, skills) {
			for m, err := range c.conn.Range(ctx, bus.Snapshots, protocol.SnapshotSubject(node, t.Name, t.skill), 0) {
				if errors.Is(err, bus.ErrNotFound) {
					break
				}
				if err != nil {
					return err
				}
				s, err := protocol.Decode[protocol.Snapshot](m.Data)
				if err != nil {
					continue
				}
				words, ok := wordsOf(c.words, s.Skill, s.Kind)
				if ok {
					f.add(s, words, c.fleet.eventTime(node, s.CapturedAt))
				}
			}
		}
	}
	return nil
}

func wordsOf(list []protocol.Words, skill, kind string) (protocol.Words, bool) {
	i := slices.IndexFunc(list, func(w protocol.Words) bool { return w.Skill == skill && w.Kind == kind })
	if i < 0 {
		return protocol.Words{}, false
	}
	return list[i], true
}
