package similar_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/similar"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func words(list ...string) []string { return list }

// past is a case of n hours ago about memory on web-1.
func past(id string, hours int, change ...func(*similar.Case)) similar.Case {
	c := similar.Case{
		ID: id, Investigation: "inv-" + id, At: now.Add(-time.Duration(hours) * time.Hour),
		Metrics: words("memory_used_pct"), Skills: words("os"), Nodes: words("web-1"), Correlation: protocol.Causal,
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func TestFind(t *testing.T) {
	of := past("now", 0)
	labels := func(nodes []string) []string {
		if slices.Contains(nodes, "db-1") {
			return words("role=db")
		}
		return words("role=web")
	}
	for _, tt := range []struct {
		name string
		of   similar.Case
		past []similar.Case
		want []string
	}{
		{"there is no past", of, nil, nil},
		{"the newest of equals comes first", of, []similar.Case{past("old", 9), past("new", 1), past("mid", 5)}, words("new", "mid", "old")},
		{"one with the same metrics comes before one with others beside them", of, []similar.Case{
			past("more", 1, func(c *similar.Case) { c.Metrics = words("memory_used_pct", "load1") }), past("same", 9),
		}, words("same", "more")},
		{"one on the same node comes before one on another", of, []similar.Case{past("other", 1, func(c *similar.Case) { c.Nodes = words("web-9") }), past("here", 9)}, words("here", "other")},
		{"one on a node of the same label comes before one of another label", of, []similar.Case{
			past("db", 1, func(c *similar.Case) { c.Nodes = words("db-1") }), past("web", 9, func(c *similar.Case) { c.Nodes = words("web-9") }),
		}, words("web", "db")},
		{"the same correlation comes before another", of, []similar.Case{past("other", 1, func(c *similar.Case) { c.Correlation = protocol.Temporal }), past("same", 9)}, words("same", "other")},
		{"another metric of the same skill is not alike", of, []similar.Case{past("disk", 1, func(c *similar.Case) { c.Metrics = words("disk_used_pct") })}, nil},
		{"the same name in another skill is not alike", of, []similar.Case{past("redis", 1, func(c *similar.Case) { c.Skills = words("redis") })}, nil},
		{"one of the same investigation is never shown", of, []similar.Case{past("twin", 1, func(c *similar.Case) { c.Investigation = of.Investigation })}, nil},
		{"itself is never shown", of, []similar.Case{of}, nil},
		{"what came later is not the past", past("then", 5), []similar.Case{past("later", 1), past("older", 9)}, words("older")},
		{"that nothing is wrong is like nothing", of, []similar.Case{past("fine", 1, func(c *similar.Case) { c.Correlation = protocol.None })}, nil},
		{"nothing is like that nothing is wrong", past("fine", 0, func(c *similar.Case) { c.Correlation = protocol.None }), []similar.Case{past("a", 1)}, nil},
		{"without metrics it takes a node", similar.Case{Investigation: "x", Skills: words("os"), Nodes: words("web-1")}, []similar.Case{past("here", 1)}, words("here")},
		{"without metrics it takes a label", similar.Case{Investigation: "x", Skills: words("os"), Nodes: words("web-7")}, []similar.Case{past("web", 1), past("db", 1, func(c *similar.Case) { c.Nodes = words("db-1") })}, words("web")},
		{"a question that names no skill is like nothing", similar.Case{Investigation: "x", Nodes: words("web-1")}, []similar.Case{past("here", 1)}, nil},
		{"no more than asked for", of, []similar.Case{past("a", 1), past("b", 2), past("c", 3), past("d", 4), past("e", 5), past("f", 6)}, words("a", "b", "c", "d", "e")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, m := range similar.Find(tt.of, tt.past, labels, similar.Most) {
				got = append(got, m.ID)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestLabelsAreAskedOnlyOfCasesThatMayMatch(t *testing.T) {
	var asked []string
	labels := func(nodes []string) []string { asked = append(asked, fmt.Sprint(nodes)); return nil }
	other := past("disk", 1, func(c *similar.Case) { c.Metrics, c.Nodes = words("disk_used_pct"), words("web-9") })
	similar.Find(past("now", 0), []similar.Case{other}, labels, 5)
	if len(asked) > 0 {
		t.Errorf("asked about %v", asked)
	}
	similar.Find(past("now", 0), []similar.Case{other, past("a", 2), past("b", 3)}, labels, 5)
	if d := cmp.Diff(words("[web-1]", "[web-1]", "[web-1]"), asked); d != "" {
		t.Error(d)
	}
}

func TestWhatAnInsightIsAbout(t *testing.T) {
	got := similar.Of(protocol.Insight{
		ID: "i", InvestigationID: "inv", CreatedAt: now, Skills: words("os"), Nodes: words("web-1"), CorrelationType: protocol.Temporal,
		Evidence: []protocol.Evidence{
			{Address: "s1#memory_used_pct", Name: "memory_used_pct"}, {Address: "s2#memory_used_pct", Name: "memory_used_pct"},
			{Address: "run-1/3#[0].rss_mb", Name: "[0].rss_mb"}, {Address: "investigation#matched_nodes", Name: "matched_nodes"},
		},
	})
	want := similar.Case{ID: "i", Investigation: "inv", At: now, Metrics: words("memory_used_pct"), Skills: words("os"), Nodes: words("web-1"), Correlation: protocol.Temporal}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWhatSignalsAreAbout(t *testing.T) {
	got := similar.OfSignals("inv", []protocol.Notification{
		{Operator: "os", Node: "web-1", AnomalyType: "memory_used_pct", Evidence: []protocol.Evidence{{Address: "a1#swap_used_pct", Name: "swap_used_pct"}}},
		{Operator: "os", Node: "web-2", AnomalyType: "memory_used_pct"},
	}, words("gc"), nil)
	want := similar.Case{Investigation: "inv", Metrics: words("memory_used_pct", "swap_used_pct"), Skills: words("gc", "os", "os"), Nodes: words("web-1", "web-2")}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSharedLabelsAreThoseOfAll(t *testing.T) {
	got := similar.Shared([]map[string]string{{"role": "web", "zone": "a"}, {"role": "web", "zone": "b"}})
	if d := cmp.Diff(words("role=web"), got); d != "" {
		t.Error(d)
	}
	if got := similar.Shared(nil); len(got) > 0 {
		t.Errorf("of no nodes: %v", got)
	}
}
