// Package similar finds the insights of the past that are about what another is
// about: the same skills and metrics, on nodes of the same kind. It compares names,
// not words: what a summary says plays no part, so the reader can see why one is
// there. It is pure: no clock, no I/O.
package similar

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Most is how many matches are worth a reader's time.
const Most = 5

// A Case is what an insight, or an investigation that begins, is about.
type Case struct {
	ID            string // of the insight; empty: there is none yet
	Investigation string
	At            time.Time            // zero: now
	Metrics       []string             // and types of anomalies, of its facts
	Skills        []string             // that they belong to
	Nodes         []string             // where
	Correlation   protocol.Correlation // empty: not known yet
}

// A Match is a case that is like another.
type Match struct {
	Case
	Score float64 // higher is more alike; it means nothing by itself
}

// Of returns what an insight is about. Counts of the investigation and what callbacks
// answered (RUN/STEP#path) name no metric.
func Of(i protocol.Insight) Case {
	c := Case{
		ID: i.ID, Investigation: i.InvestigationID, At: i.CreatedAt,
		Skills: slices.Clone(i.Skills), Nodes: slices.Clone(i.Nodes), Correlation: i.CorrelationType,
	}
	c.Metrics = metrics(nil, i.Evidence)
	return c
}

// OfSignals returns what an investigation is about that begins with signals. skills and
// nodes are those that its request names.
func OfSignals(investigation string, signals []protocol.Notification, skills, nodes []string) Case {
	c := Case{Investigation: investigation, Skills: slices.Clone(skills), Nodes: slices.Clone(nodes)}
	for _, n := range signals {
		if !slices.Contains(c.Metrics, n.AnomalyType) {
			c.Metrics = append(c.Metrics, n.AnomalyType)
		}
		c.Metrics = metrics(c.Metrics, n.Evidence)
		c.Skills, c.Nodes = append(c.Skills, n.Operator), append(c.Nodes, n.Node)
	}
	return c
}

func metrics(known []string, evidence []protocol.Evidence) []string {
	for _, e := range evidence {
		of, _, _ := strings.Cut(e.Address, "#")
		if of != "investigation" && !strings.Contains(of, "/") && !slices.Contains(known, e.Name) {
			known = append(known, e.Name)
		}
	}
	return known
}

// Find returns the cases of the past that are like one, the most alike first and the
// newest first of those that are equally so; at most most. Those of the same
// investigation, and younger ones, are not the past; an insight that nothing is wrong
// is like nothing. Alike are cases with a skill and a metric in common; one that
// knows no metrics yet has to have a skill, and a node or a label, in common.
//
// labels returns the labels, as "name=value", that describe nodes; nil: there are none
// to compare. It is asked only about cases that have a skill and a metric in common.
func Find(of Case, past []Case, labels func(nodes []string) []string, most int) []Match {
	if labels == nil {
		labels = func([]string) []string { return nil }
	}
	var out []Match
	var own []string
	asked := false
	for _, p := range past {
		if !before(p, of) || !alike(of, p) {
			continue
		}
		if !asked {
			own, asked = labels(of.Nodes), true
		}
		nodes, described := overlap(of.Nodes, p.Nodes), overlap(own, labels(p.Nodes))
		if (len(of.Metrics) == 0 || len(p.Metrics) == 0) && nodes+described == 0 {
			continue
		}
		score := 3*jaccard(of.Metrics, p.Metrics) + jaccard(of.Skills, p.Skills) + nodes + described
		if of.Correlation != "" && of.Correlation == p.Correlation {
			score += 0.5
		}
		out = append(out, Match{p, score})
	}
	slices.SortStableFunc(out, func(a, b Match) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), b.At.Compare(a.At), strings.Compare(a.ID, b.ID))
	})
	return out[:min(len(out), most)]
}

// before reports whether p is the past of another case, and an insight that something is wrong.
func before(p, of Case) bool {
	return p.ID != of.ID && p.Investigation != of.Investigation && p.Correlation != protocol.None && of.Correlation != protocol.None &&
		(of.At.IsZero() || p.At.Before(of.At))
}

func alike(a, b Case) bool {
	return common(a.Skills, b.Skills) > 0 && (common(a.Metrics, b.Metrics) > 0 || len(a.Metrics) == 0 || len(b.Metrics) == 0)
}

// common counts what two lists have in common.
func common(a, b []string) int {
	n := 0
	for _, x := range distinct(a) {
		if slices.Contains(b, x) {
			n++
		}
	}
	return n
}

// jaccard is how much of all that two lists have is common, from 0 to 1.
func jaccard(a, b []string) float64 {
	n := common(a, b)
	if n == 0 {
		return 0
	}
	return float64(n) / float64(len(distinct(a))+len(distinct(b))-n)
}

// overlap is how much of the shorter list the other has, from 0 to 1: one node of a
// hundred is wholly among them.
func overlap(a, b []string) float64 {
	n := common(a, b)
	if n == 0 {
		return 0
	}
	return float64(n) / float64(min(len(distinct(a)), len(distinct(b))))
}

func distinct(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// Shared returns the labels, as "name=value", that all of some nodes have.
func Shared(nodes []map[string]string) []string {
	var out []string
	for i, labels := range nodes {
		var mine []string
		for name, value := range labels {
			mine = append(mine, name+"="+value)
		}
		if i == 0 {
			out = mine
			continue
		}
		out = slices.DeleteFunc(out, func(l string) bool { return !slices.Contains(mine, l) })
	}
	slices.Sort(out)
	return out
}
