package correlate_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/correlate"
)

// calm is a baseline that wobbles by two per cent around a value.
func calm(value float64) []float64 {
	out := make([]float64, 60)
	for i := range out {
		out[i] = value * (1 + 0.01*float64(i*7%5-2))
	}
	return out
}

// always is an incident of ten rows: two as before, then another value.
func always(before, after float64) []float64 {
	return append(calm(before)[:2], calm(after)[:8]...)
}

func TestRankAccountsExcessAlongCalls(t *testing.T) {
	type node struct {
		name             string
		class            correlate.Class
		requests         float64
		before, incident float64
	}
	lat := correlate.Latency
	errs := correlate.Errors
	calls := func(pairs ...string) (out []correlate.Edge) {
		for _, p := range pairs {
			a, b, _ := strings.Cut(p, ">")
			out = append(out, correlate.Edge{Caller: a, Callee: b})
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		nodes []node
		calls []correlate.Edge
		want  string // the first cause; empty: none
		why   string
	}{
		{"who waits for a slower one is no cause",
			[]node{{"shop", lat, 100, 0.2, 0.5}, {"cart", lat, 100, 0.1, 0.4}, {"db", lat, 100, 0.05, 0.35}}, calls("shop>cart", "cart>db"), "db", "100 % of it is db's own"},
		{"who is slow by itself is", []node{{"shop", lat, 100, 0.2, 0.5}, {"cart", lat, 100, 0.1, 0.4}, {"db", lat, 100, 0.05, 0.05}}, calls("shop>cart", "cart>db"), "cart", "cart's own"},
		{"a strange node that is hardly called is not", []node{{"shop", lat, 100, 0.2, 0.5}, {"cart", lat, 100, 0.1, 0.4}, {"mail", lat, 1, 0.1, 2}}, calls("shop>cart", "shop>mail"), "cart", "cart's own"},
		{"a shared callee explains both of its callers", []node{{"shop", lat, 100, 0.3, 0.9}, {"a", lat, 100, 0.1, 0.4}, {"b", lat, 100, 0.1, 0.4}, {"db", lat, 200, 0.05, 0.35}}, calls("shop>a", "shop>b", "a>db", "b>db"), "db", "db's own"},
		{"through a node without metrics", []node{{"shop", lat, 100, 0.2, 0.5}, {"db", lat, 100, 0.05, 0.35}}, calls("shop>gateway", "gateway>db"), "db", "db's own"},
		{"nobody it calls is slower", []node{{"shop", lat, 100, 0.2, 0.5}, {"db", lat, 100, 0.05, 0.05}}, calls("shop>db"), "shop", "inside shop, or in a link or dependency that nobody measures"},
		{"errors that come from below", []node{{"shop", errs, 100, 0.001, 0.1}, {"cart", errs, 100, 0.001, 0.1}, {"db", errs, 100, 0, 0.1}}, calls("shop>cart", "cart>db"), "db", "errors of shop"},
		{"a callee that was never called before leaves its failures to the caller", []node{{"shop", errs, 100, 0.001, 0.1}, {"cart", errs, 100, 0.001, 0.1}, {"new", errs, 0, 0, 0.1}}, calls("shop>cart", "cart>new"), "cart", "cart's own"},
		{"calls in a circle end", []node{{"shop", lat, 100, 0.2, 0.5}, {"cart", lat, 100, 0.1, 0.4}}, calls("shop>cart", "cart>shop", "cart>cart"), "cart", ""},
		{"the alerted metric is as it was", []node{{"shop", lat, 100, 0.2, 0.2}, {"cart", lat, 100, 0.1, 0.4}}, calls("shop>cart"), "", "no cause found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := correlate.Case{Calls: tt.calls, Alert: &correlate.Alert{Node: "shop", Metric: string(tt.nodes[0].class)}}
			for _, n := range tt.nodes {
				requests := correlate.Series{Node: n.name, Metric: "requests", Baseline: calm(n.requests), Incident: calm(max(n.requests, 20))[:10]}
				if n.requests > 0 {
					requests.Incident = calm(n.requests)[:10]
				}
				c.Series = append(c.Series, requests, correlate.Series{Node: n.name, Metric: string(n.class), Baseline: calm(n.before), Incident: always(n.before, n.incident)})
			}
			r := correlate.Rank(c)
			got := ""
			if len(r.Causes) > 0 {
				got = r.Causes[0].Node
			}
			if got != tt.want || !strings.Contains(r.Why, tt.why) {
				t.Errorf("cause %q (%s), want %q (%s)", got, r.Why, tt.want, tt.why)
			}
		})
	}
}

func TestRankTakesErrorsInAnyUnit(t *testing.T) {
	for _, tt := range []struct {
		name, metric string
		unit         func(rate float64) float64
	}{
		{"a share", "errors", func(r float64) float64 { return r }},
		{"per cent", "errors_pct", func(r float64) float64 { return 100 * r }},
		{"a count beside requests", "errors", func(r float64) float64 { return math.Round(50 * r) }},
		{"availability as a share", "availability", func(r float64) float64 { return 1 - r }},
		{"availability in per cent", "availability", func(r float64) float64 { return 100 - 100*r }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := correlate.Case{Calls: []correlate.Edge{{Caller: "shop", Callee: "db"}}, Alert: &correlate.Alert{Node: "shop", Metric: tt.metric}}
			for _, n := range []string{"shop", "db"} {
				s := correlate.Series{Node: n, Metric: tt.metric, Baseline: slices.Repeat([]float64{tt.unit(0)}, 60), Incident: slices.Repeat([]float64{tt.unit(0.2)}, 10)}
				c.Series = append(c.Series, s, correlate.Series{Node: n, Metric: "requests", Baseline: slices.Repeat([]float64{50}, 60), Incident: slices.Repeat([]float64{50}, 10)})
			}
			r := correlate.Rank(c)
			if r.None || r.Causes[0].Node != "db" || math.Abs(r.Causes[0].Metrics[0].Value-0.2) > 1e-9 {
				t.Errorf("%+v, want db with a fifth of its requests failed", r)
			}
		})
	}
}

func TestRankTellsFiguresOnsetAndChange(t *testing.T) {
	f := newFleet(8, 3)
	f.set("node-002", "memory_used_pct", 5, func(int, float64) float64 { return 91 })
	deploy := correlate.Change{Node: "node-002", Time: incidentAt(4), Kind: "deploy", Text: "cache 3.1"}
	f.input.Changes = []correlate.Change{{Node: "node-002", Time: incidentAt(-200), Kind: "deploy", Text: "long ago"}, deploy, {Node: "node-002", Time: incidentAt(15), Kind: "restart"}}
	r := correlate.Rank(f.input)
	if r.None {
		t.Fatal(r.Why)
	}
	got := r.Causes[0]
	if got.Node != "node-002" || got.Share != 1 || !got.Onset.Equal(incidentAt(5)) || got.Change == nil || *got.Change != deploy {
		t.Errorf("cause %+v", got)
	}
	if m := got.Metrics[0]; m.Metric != "memory_used_pct" || m.Class != correlate.Memory || m.Value != 91 || m.Sigmas < 10 {
		t.Errorf("evidence %+v", m)
	}
	f.input.Onsets = map[string]correlate.Onset{"node-002": {Time: incidentAt(3), Within: time.Second}}
	if got := correlate.Rank(f.input).Causes[0]; !got.Onset.Equal(incidentAt(3)) || got.Change != nil && got.Change.Kind == "restart" {
		t.Errorf("onset %v, want the detector's before that of the series", got.Onset)
	}
}

func TestRankComparesWithPeersWhereThereIsNoBaseline(t *testing.T) {
	f := newFleet(24, 1)
	for i := range f.input.Series {
		f.input.Series[i].Baseline = nil
	}
	f.input.BaselineTimes = nil
	f.set("node-004", "cpu_used_pct", 0, plus(65))
	r := correlate.Rank(f.input)
	if r.None || r.Causes[0].Node != "node-004" || !strings.Contains(r.Causes[0].Reasons[0], "from its peers'") {
		t.Errorf("%+v, want node-004 for what its peers do not show", r)
	}
}

func TestRankTakesAnything(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, c := range map[string]correlate.Case{
		"an empty case":               {},
		"no rows":                     {Series: []correlate.Series{{Node: "a", Metric: "cpu"}}},
		"no baseline":                 {Series: []correlate.Series{{Node: "a", Metric: "cpu", Incident: []float64{1, 2, 3}}}},
		"no incident":                 {Series: []correlate.Series{{Node: "a", Metric: "cpu", Baseline: []float64{1, 2, 3, 4, 5}}}},
		"all missing":                 {Series: []correlate.Series{{Node: "a", Metric: "latency", Baseline: []float64{nan, inf, -inf, nan, nan}, Incident: []float64{nan, inf}}}, Alert: &correlate.Alert{Node: "a"}},
		"one node that never changes": {Series: []correlate.Series{{Node: "a", Metric: "cpu", Baseline: calm(0), Incident: calm(0)}}},
		"a graph alone":               {Calls: []correlate.Edge{{Caller: "a", Callee: "b"}, {Caller: "b", Callee: "a"}, {Caller: "", Callee: ""}}, Alert: &correlate.Alert{Node: "b"}},
		"an alert of nobody":          {Series: []correlate.Series{{Node: "a", Metric: "cpu", Baseline: calm(1), Incident: calm(1)[:5]}}, Alert: &correlate.Alert{Node: "z", Metric: "latency"}},
	} {
		t.Run(name, func(t *testing.T) {
			if r := correlate.Rank(c); !r.None || len(r.Causes) > 0 || !strings.HasPrefix(r.Why, "no cause found: ") {
				t.Errorf("%+v, want none", r)
			}
		})
	}
}

func TestRankDoesNotDependOnTheOrderOfItsInput(t *testing.T) {
	c := play(rand.New(rand.NewPCG(1, 7)), faults[4], "catalog", 40, 1)
	c.Calls = shopCalls()
	want := correlate.Rank(c)
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 2))
		c.Series, c.Calls = slices.Clone(c.Series), slices.Clone(c.Calls)
		rng.Shuffle(len(c.Series), func(i, j int) { c.Series[i], c.Series[j] = c.Series[j], c.Series[i] })
		rng.Shuffle(len(c.Calls), func(i, j int) { c.Calls[i], c.Calls[j] = c.Calls[j], c.Calls[i] })
		if diff := cmp.Diff(want, correlate.Rank(c)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestRankLeavesItsInputAlone(t *testing.T) {
	c := play(rand.New(rand.NewPCG(1, 7)), faults[5], "catalog", 20, 1)
	c.Calls, c.Alert = shopCalls(), &correlate.Alert{Node: "front", Metric: "error"}
	before := fmt.Sprint(c)
	correlate.Rank(c)
	if fmt.Sprint(c) != before {
		t.Error("Rank changed its input")
	}
}

func TestClassOf(t *testing.T) {
	for metric, want := range map[string]correlate.Class{
		"latency": correlate.Latency, "latency-90": correlate.Latency, "errors": correlate.Errors, "requests": correlate.Requests, "workload": correlate.Requests,
		"cpu": correlate.CPU, "cpu_steal_pct": correlate.Waiting, "load1": correlate.Waiting, "memory": correlate.Memory, "mem_available": correlate.Memory,
		"disk": correlate.Disk, "diskio": correlate.Disk, "disk_io_wait_ms": correlate.Waiting, "network": correlate.Network, "socket": correlate.Network,
		"availability": correlate.Availability, "tcp_retransmits": correlate.Errors, "threads": correlate.Other, "": correlate.Other,
	} {
		if got := correlate.ClassOf(metric); got != want {
			t.Errorf("ClassOf(%q) = %s, want %s", metric, got, want)
		}
	}
}

// FuzzRank asks for an answer that holds together, whatever the case.
func FuzzRank(f *testing.F) {
	f.Add(uint64(1), []byte("\x03\x10\x05abc"))
	f.Add(uint64(9), []byte("\x08\x40\x14 a graph and an alert and changes"))
	f.Add(uint64(3), []byte("\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, seed uint64, shape []byte) {
		at := func(i int) int {
			if i < len(shape) {
				return int(shape[i])
			}
			return 0
		}
		rng := rand.New(rand.NewPCG(seed, uint64(len(shape))))
		values := []float64{0, 1, -1, 1e-300, 1e300, 1e17, math.NaN(), math.Inf(1), math.Inf(-1), 50}
		column := func(n int) (out []float64) {
			base := values[rng.IntN(len(values))]
			for range n {
				switch rng.IntN(4) {
				case 0:
					out = append(out, values[rng.IntN(len(values))])
				case 1:
					out = append(out, base*rng.Float64())
				default:
					out = append(out, base)
				}
			}
			return out
		}
		name := func() string { return string(rune('a' + rng.IntN(1+at(0)%9))) }
		times := func(n int) (out []time.Time) {
			for i := range n {
				out = append(out, time.Unix(int64(i*(at(3)%90)), 0))
			}
			return out
		}
		var c correlate.Case
		metrics := []string{"latency", "latency_p99", "errors", "availability", "requests", "cpu", "mem_free_pct", "disk", "load1", "x"}
		for range at(0) % 24 {
			c.Series = append(c.Series, correlate.Series{Node: name(), Metric: metrics[rng.IntN(len(metrics))], Baseline: column(at(1) % 80), Incident: column(at(2) % 30)})
		}
		for range at(4) % 20 {
			c.Calls = append(c.Calls, correlate.Edge{Caller: name(), Callee: name()})
		}
		if at(5)%2 == 1 {
			c.Alert = &correlate.Alert{Node: name(), Metric: metrics[rng.IntN(len(metrics))], Time: time.Unix(int64(at(5)), 0)}
		}
		if at(6)%2 == 1 {
			c.BaselineTimes, c.IncidentTimes = times(at(1)%80), times(at(2)%40)
			c.Changes = []correlate.Change{{Node: name(), Time: time.Unix(int64(at(6)), 0)}}
			c.Onsets = map[string]correlate.Onset{name(): {Time: time.Unix(int64(at(7)), 0), Within: time.Duration(at(8)) - 100}}
			c.Peers = map[string]string{name(): "p", name(): "p", name(): "q"}
		}
		r := correlate.Rank(c)
		if r.None != (len(r.Causes) == 0) || r.None != (len(r.Together) == 0) || r.Why == "" {
			t.Fatalf("%+v does not hold together", r)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatalf("not all figures are finite: %v", err)
		}
		seen := map[string]bool{}
		for i, cause := range r.Causes {
			if seen[cause.Node] || cause.Share < 0 || cause.Share > 1 || i > 0 && cause.Score > r.Causes[i-1].Score || len(cause.Reasons) == 0 {
				t.Fatalf("cause %d of %+v", i, r)
			}
			seen[cause.Node] = true
		}
		if len(r.Causes) > 0 && !slices.Contains(r.Together, r.Causes[0].Node) {
			t.Fatalf("the first cause is not among %v", r.Together)
		}
		if diff := cmp.Diff(r, correlate.Rank(c)); diff != "" {
			t.Fatalf("twice the same gives another answer: %s", diff)
		}
	})
}

func BenchmarkRank(b *testing.B) {
	for _, n := range []int{30, 300} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := newFleet(n, 1)
			f.set("node-007", "cpu_used_pct", 3, plus(65))
			for b.Loop() {
				correlate.Rank(f.input)
			}
		})
	}
}
