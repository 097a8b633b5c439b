package fleet

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Score is what the product made of one scenario.
type Score struct {
	Scenario string `json:"scenario"`
	Family   string `json:"family"`
	// Right: every insight together names at least nine tenths of the nodes of the root
	// cause and at most a tenth of others; of a fleet without fault: there is none.
	Right     bool    `json:"right"`
	Precision float64 `json:"root_precision"`
	Recall    float64 `json:"root_recall"`
	// BCubed is the F1 of how signals were put into insights.
	BCubedPrecision float64 `json:"bcubed_precision"`
	BCubedRecall    float64 `json:"bcubed_recall"`
	BCubed          float64 `json:"bcubed_f1"`

	Insights int `json:"insights"`
	// False insights are about no node that a fault touches.
	False int `json:"false_insights"`
	// Repeated insights are about nodes that a fault touches, after the first one.
	Repeated       int `json:"repeated_insights"`
	Investigations int `json:"investigations"`
	// Labelled says that an insight calls the nodes by the label of the truth.
	Labelled *bool `json:"labelled,omitempty"`

	Signals           int `json:"signals"`
	FalseSignals      int `json:"signals_of_untouched_nodes"`
	NotifiedNodes     int `json:"nodes_notified_by_checks"`
	MostNotifications int `json:"most_notifications_of_a_node"`

	// SignalAfter and InsightAfter are the seconds from the first fault to the first signal and insight of a node
	// that it touches; -1: there was none.
	SignalAfter      float64 `json:"signal_after_s"`
	InsightAfter     float64 `json:"insight_after_s"`
	InsightIntervals float64 `json:"insight_after_intervals"`

	Truth []string `json:"truth"`
	Named []string `json:"named"`
	Says  []string `json:"says"` // the hypotheses, or the summaries of insights without
}

// A judge compares what the product said with the truth.
type judge struct {
	script   *Script
	zero     time.Time
	interval time.Duration
	signals  []signal
	insights []insight
	groups   []*triage.Group
}

// Bounds of the share of nodes from which on a root cause is right.
const enough = 0.9

func (j *judge) score() *Score {
	s := &Score{Scenario: j.script.Name, Family: j.script.Family, SignalAfter: -1, InsightAfter: -1, InsightIntervals: -1, Named: []string{}, Says: []string{}}
	roots, touched, begin := j.truth()
	s.Truth = roots
	label := false
	for _, i := range j.insights {
		if i.CorrelationType == protocol.None {
			continue // it says that nothing is wrong
		}
		s.Insights++
		named := j.script.rootsOf(i.Insight)
		s.Named = append(s.Named, named...)
		s.Says = append(s.Says, says(i.Insight))
		label = label || j.script.Truth.Label != "" && strings.Contains(i.Summary+i.RootCauseHypothesis, j.script.Truth.Label)
		switch {
		case !slices.ContainsFunc(slices.Concat(i.Nodes, named), func(n string) bool { return touched[n] }):
			s.False++
		case s.InsightAfter >= 0:
			s.Repeated++
		default:
			s.InsightAfter = i.at.Sub(begin).Seconds()
			s.InsightIntervals = tenth(s.InsightAfter / j.interval.Seconds())
			s.InsightAfter = tenth(s.InsightAfter)
		}
	}
	slices.Sort(s.Named)
	s.Named = slices.Compact(s.Named)
	s.Precision, s.Recall = overlap(s.Named, roots)
	s.Right = s.Precision >= enough && s.Recall >= enough
	if len(roots) == 0 {
		s.Right = s.Insights == 0
	}
	if j.script.Truth.Label != "" {
		s.Labelled = &label
	}
	s.Signals = len(j.signals)
	for _, x := range j.signals {
		if !touched[x.node] {
			s.FalseSignals++
		} else if after := x.at.Sub(begin).Seconds(); s.SignalAfter < 0 || after < s.SignalAfter {
			s.SignalAfter = tenth(after)
		}
	}
	s.BCubedPrecision, s.BCubedRecall = bcubed(j.predicted(), j.actual())
	if sum := s.BCubedPrecision + s.BCubedRecall; sum > 0 {
		s.BCubed = hundredth(2 * s.BCubedPrecision * s.BCubedRecall / sum)
	}
	s.BCubedPrecision, s.BCubedRecall = hundredth(s.BCubedPrecision), hundredth(s.BCubedRecall)
	return s
}

// truth returns the nodes of the root cause, those that its faults touch, and when the
// first began.
func (j *judge) truth() (roots []string, touched map[string]bool, begin time.Time) {
	roots, touched = []string{}, map[string]bool{}
	begin = j.zero
	first := math.Inf(1)
	for _, f := range j.script.Faults {
		if !slices.Contains(j.script.Truth.Faults, f.Name) {
			continue
		}
		roots = append(roots, j.script.names(j.script.faults[f.Name])...)
		for n := range j.script.affected[f.Name] {
			touched[j.script.Nodes[n].Name] = true
		}
		for _, n := range j.script.faults[f.Name] {
			touched[j.script.Nodes[n].Name] = true
		}
		if f.At < first {
			first = f.At
			begin = j.zero.Add(time.Duration(f.At * float64(j.interval)))
		}
	}
	slices.Sort(roots)
	return slices.Compact(roots), touched, begin
}

// How a hypothesis names where it begins: at a node, or at several by a label or by name.
var (
	beginsAt      = regexp.MustCompile(`It begins at ([A-Za-z0-9_.-]*[A-Za-z0-9_]): `)
	beginsAtLabel = regexp.MustCompile(`It begins at \d+ nodes at once, those with (\S+)=(\S+?)(?: and (\S+)=(\S+?))?: `)
	beginsAtNames = regexp.MustCompile(`It begins at \d+ nodes at once \((.*?)(?: and \d+ more)?\): `)
)

// rootsOf returns the nodes that an insight says it begins with: those that its hypothesis
// names, by a label those that have it; else those of the links of its chain that are no
// symptoms. One that names none says of its nodes that they have the same trouble: it is
// all of them.
func (p *Plan) rootsOf(i protocol.Insight) []string {
	text := i.RootCauseHypothesis
	if m := beginsAtLabel.FindStringSubmatch(text); m != nil {
		var out []string
		for _, n := range p.Nodes {
			if n.Labels[m[1]] == m[2] && (m[3] == "" || n.Labels[m[3]] == m[4]) {
				out = append(out, n.Name)
			}
		}
		return out
	}
	if m := beginsAtNames.FindStringSubmatch(text); m != nil {
		return strings.Split(m[1], ", ")
	}
	if m := beginsAt.FindStringSubmatch(text); m != nil {
		return []string{m[1]}
	}
	var out []string
	for _, l := range i.Chain {
		if l.Role != "symptom" && l.Node != "" && !slices.Contains(out, l.Node) {
			out = append(out, l.Node)
		}
	}
	if len(out) > 0 {
		return out
	}
	return i.Nodes
}

func says(i protocol.Insight) string {
	text := i.RootCauseHypothesis
	if text == "" {
		text = i.Summary
	}
	if r := []rune(text); len(r) > 300 {
		text = string(r[:300]) + "…"
	}
	return fmt.Sprintf("%s %s, %d nodes: %s", i.Severity, i.CorrelationType, len(i.Nodes), text)
}

// overlap returns which part of the named nodes are right, and which part of the right
// ones are named. Of nothing that is rightly nothing both are 1.
func overlap(named, right []string) (precision, recall float64) {
	both := 0
	for _, n := range named {
		if slices.Contains(right, n) {
			both++
		}
	}
	share := func(of int) float64 {
		if of == 0 {
			if len(named) == len(right) {
				return 1
			}
			return 0
		}
		return hundredth(float64(both) / float64(of))
	}
	return share(len(named)), share(len(right))
}

// predicted returns for each signal the insight that it is in: the one that lists it,
// else one of its triage group that names its node. Signals of no insight are alone.
func (j *judge) predicted() []string {
	out := make([]string, len(j.signals))
	for k, s := range j.signals {
		out[k] = fmt.Sprintf("alone %d", k)
		for _, i := range j.insights {
			if slices.Contains(i.NotificationIDs, s.id) {
				out[k] = i.ID
			}
		}
		if !strings.HasPrefix(out[k], "alone") {
			continue
		}
		for _, g := range j.groups {
			if !slices.Contains(g.With([]string{s.key}), s.node) {
				continue
			}
			for _, i := range j.insights {
				if i.InvestigationID == g.ID && slices.Contains(i.Nodes, s.node) {
					out[k] = i.ID
				}
			}
		}
	}
	return out
}

// actual returns for each signal the fault that touches its node. A signal of a node
// that none touches is alone.
func (j *judge) actual() []string {
	out := make([]string, len(j.signals))
	for k, s := range j.signals {
		out[k] = fmt.Sprintf("alone %d", k)
		for _, f := range j.script.Faults {
			for n := range j.script.affected[f.Name] {
				if j.script.Nodes[n].Name == s.node {
					out[k] = "fault " + f.Name
				}
			}
			for _, n := range j.script.faults[f.Name] {
				if j.script.Nodes[n].Name == s.node {
					out[k] = "fault " + f.Name
				}
			}
		}
	}
	return out
}

// bcubed returns precision and recall of a grouping, averaged over the items: which
// part of an item's group belongs to it, and which part of what belongs to it is in its
// group (Bagga and Baldwin 1998). Of no items both are 1.
func bcubed(predicted, actual []string) (precision, recall float64) {
	if len(predicted) == 0 {
		return 1, 1
	}
	group, class, both := map[string]int{}, map[string]int{}, map[[2]string]int{}
	for i := range predicted {
		group[predicted[i]]++
		class[actual[i]]++
		both[[2]string{predicted[i], actual[i]}]++
	}
	for i := range predicted {
		n := float64(both[[2]string{predicted[i], actual[i]}])
		precision += n / float64(group[predicted[i]])
		recall += n / float64(class[actual[i]])
	}
	n := float64(len(predicted))
	return precision / n, recall / n
}

func tenth(v float64) float64     { return math.Round(v*10) / 10 }
func hundredth(v float64) float64 { return math.Round(v*100) / 100 }
