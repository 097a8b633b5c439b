package fleet

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestBCubed(t *testing.T) {
	for _, tt := range []struct {
		name              string
		predicted, actual []string
		precision, recall float64
	}{
		{"as it is", []string{"x", "x", "y"}, []string{"a", "a", "b"}, 1, 1},
		{"all in one", []string{"x", "x", "x", "x"}, []string{"a", "a", "b", "b"}, .5, 1},
		{"each alone", []string{"1", "2", "3", "4"}, []string{"a", "a", "b", "b"}, 1, .5},
		{"one of four wrong", []string{"x", "x", "x", "y"}, []string{"a", "a", "b", "b"}, (2./3*2 + 1./3 + 1) / 4, .75},
		{"nothing", nil, nil, 1, 1},
	} {
		p, r := bcubed(tt.predicted, tt.actual)
		if math.Abs(p-tt.precision) > 1e-9 || math.Abs(r-tt.recall) > 1e-9 {
			t.Errorf("%s: precision %v recall %v, want %v and %v", tt.name, p, r, tt.precision, tt.recall)
		}
	}
}

func TestTheRootOfAnInsightIsWhereItSaysThatItBegins(t *testing.T) {
	link := func(role, node string) protocol.ChainLink { return protocol.ChainLink{Role: role, Node: node} }
	p := plan(t, chainOfThree, 5, 1)
	for _, tt := range []struct {
		name string
		in   protocol.Insight
		want []string
	}{
		{"the hypothesis", protocol.Insight{RootCauseHypothesis: "It begins at db-1.example: x", Nodes: []string{"a", "b"}}, []string{"db-1.example"}},
		{"a label of it", protocol.Insight{RootCauseHypothesis: "It begins at 2 nodes at once, those with role=api: x"}, []string{"api-001", "api-002"}},
		{"two labels of it", protocol.Insight{RootCauseHypothesis: "It begins at 2 nodes at once, those with role=api and zone=c: x"}, nil},
		{"names of it", protocol.Insight{RootCauseHypothesis: "It begins at 3 nodes at once (a, b and 1 more): x"}, []string{"a", "b"}},
		{"the chain", protocol.Insight{Chain: []protocol.ChainLink{link("change", "a"), link("effect", "a"), link("symptom", "b")}, Nodes: []string{"a", "b"}}, []string{"a"}},
		{"neither", protocol.Insight{Nodes: []string{"a", "b"}}, []string{"a", "b"}},
	} {
		if d := cmp.Diff(tt.want, p.rootsOf(tt.in)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestAScoreTellsRightFromWrongAndFalse(t *testing.T) {
	p := plan(t, chainOfThree, 5, 1)
	c := script(t, p, "family: x\nfaults: [{name: f, silent: true, nodes: {names: [api-001]}, spread: [{to: callers, moves: {shop.errors_pct: {add: 9}}}]}]\ntruth: {faults: [f]}\n")
	zero := time.Unix(1000, 0)
	said := func(after time.Duration, root string, nodes ...string) insight {
		return insight{protocol.Insight{
			ID: root + after.String(), CorrelationType: protocol.Causal, Nodes: nodes, Chain: []protocol.ChainLink{{Role: "effect", Node: root}},
		}, zero.Add(after)}
	}
	for _, tt := range []struct {
		name  string
		in    []insight
		want  Score
		roots []string
	}{
		{"right", []insight{said(10*time.Second, "api-001", "api-001", "web-001")}, Score{Right: true, Precision: 1, Recall: 1, Insights: 1, InsightAfter: 10}, nil},
		{"of one that suffers", []insight{said(10*time.Second, "web-001", "web-001")}, Score{Insights: 1, InsightAfter: 10}, nil},
		{"of nobody", []insight{said(10*time.Second, "db-001", "db-001")}, Score{Insights: 1, False: 1, InsightAfter: -1}, nil},
		{"twice", []insight{said(10*time.Second, "api-001", "api-001"), said(20*time.Second, "api-001", "web-002")}, Score{Right: true, Precision: 1, Recall: 1, Insights: 2, Repeated: 1, InsightAfter: 10}, nil},
		{"nothing", nil, Score{InsightAfter: -1}, nil},
	} {
		j := judge{script: c, zero: zero, interval: time.Second, insights: tt.in}
		got := j.score()
		have := Score{Right: got.Right, Precision: got.Precision, Recall: got.Recall, Insights: got.Insights, False: got.False, Repeated: got.Repeated, InsightAfter: got.InsightAfter}
		if d := cmp.Diff(tt.want, have); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}
