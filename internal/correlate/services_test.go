package correlate_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/correlate"
)

// shop is an application of services made up for these tests: who calls whom, in
// calls per request of the caller.
var shop = []struct {
	caller, callee string
	calls          float64
}{
	{"front", "catalog", 2}, {"front", "basket", 1}, {"front", "checkout", 0.2}, {"front", "ads", 0.8}, {"front", "money", 1},
	{"front", "advice", 0.7}, {"advice", "catalog", 1}, {"checkout", "basket", 2}, {"checkout", "pay", 1}, {"checkout", "ship", 1},
	{"checkout", "mail", 1}, {"checkout", "money", 2}, {"checkout", "catalog", 1}, {"basket", "cache", 1}, {"pay", "bank", 1},
}

// A fault is what goes wrong in a service: what it uses, how slow it gets and how much
// of its requests fail.
type fault struct {
	name                      string
	cpu, memory, disk         float64 // factors, reached at the end by memory and at once by the others
	delay, errors, throughput float64 // seconds more for each request, share that fails, factor of what comes through
	load                      float64 // factor of what comes in, 0 for 1
}

var faults = []fault{
	{name: "cpu", cpu: 4, memory: 1, disk: 1, delay: 0.05, throughput: 0.95},
	{name: "memory", cpu: 1.1, memory: 5, disk: 1, delay: 0.01, throughput: 1},
	{name: "disk", cpu: 1.2, memory: 1, disk: 12, delay: 0.02, throughput: 1},
	{name: "delay", cpu: 0.9, memory: 1, disk: 1, delay: 0.2, throughput: 0.8},
	{name: "loss", cpu: 0.9, memory: 1, disk: 1, delay: 0.08, errors: 0.05, throughput: 0.7},
	{name: "code", cpu: 1, memory: 1, disk: 1, errors: 0.3, throughput: 1},
}

// play makes a case of so many rows before and after the fault began in root.
// noise scales everything that has nothing to do with the fault.
func play(rng *rand.Rand, f fault, root string, rows int, noise float64) correlate.Case {
	nodes := []string{"front"}
	for _, e := range shop {
		if !slices.Contains(nodes, e.callee) {
			nodes = append(nodes, e.callee)
		}
	}
	own := map[string]float64{}
	cpu, mem, disk := map[string]float64{}, map[string]float64{}, map[string]float64{}
	for _, n := range nodes {
		own[n] = 0.002 * math.Exp(1.2*rng.NormFloat64())
		cpu[n], mem[n], disk[n] = 0.05*math.Exp(rng.NormFloat64()), 1e8*math.Exp(rng.NormFloat64()), 1e4*math.Exp(rng.NormFloat64())
	}
	series := map[string]map[string]*correlate.Series{}
	for _, n := range nodes {
		series[n] = map[string]*correlate.Series{}
		for _, m := range []string{"cpu", "mem", "diskio", "socket", "workload", "error", "latency-50", "latency-90"} {
			series[n][m] = &correlate.Series{Node: n, Metric: m}
		}
	}
	c := correlate.Case{}
	at := time.Unix(1_700_000_000, 0)
	wave := 0.0
	for row := range 2 * rows {
		bad := row >= rows
		since := float64(row-rows+1) / float64(rows)
		wave = 0.95*wave + 0.05*rng.NormFloat64()
		load := map[string]float64{"front": 100 * math.Exp(0.5*noise*wave)}
		through := map[string]float64{}
		for _, n := range nodes {
			through[n] = 1
			if bad && n == root {
				through[n] = f.throughput
			}
		}
		if bad {
			load["front"] *= cmp.Or(f.load, 1)
			load["front"] *= 0.5 + 0.5*f.throughput
		}
		for range nodes { // callers come before callees after as many rounds
			for _, e := range shop {
				sum := 0.0
				for _, x := range shop {
					if x.callee == e.callee {
						sum += x.calls * load[x.caller] * through[x.caller]
					}
				}
				load[e.callee] = sum
			}
		}
		latency, failed := map[string]float64{}, map[string]float64{}
		for range nodes {
			for _, n := range nodes {
				latency[n], failed[n] = own[n], 0
				if bad && n == root {
					latency[n] += f.delay
					failed[n] += f.errors
				}
				for _, e := range shop {
					if e.caller == n {
						latency[n] += e.calls * latency[e.callee]
						failed[n] += min(1, e.calls) * failed[e.callee] * 0.8
					}
				}
			}
		}
		for _, n := range nodes {
			jitter := func(s float64) float64 {
				v := math.Exp(s * noise * rng.NormFloat64())
				if rng.Float64() < 0.01*noise {
					v *= 1 + 4*rng.Float64() // a spike
				}
				return v
			}
			value := map[string]float64{
				"cpu": cpu[n] * (0.3 + 0.7*load[n]/100) * jitter(0.15), "mem": mem[n] * math.Exp(0.02*noise*wave) * jitter(0.01),
				"diskio": disk[n] * jitter(0.5), "socket": 10 + math.Round(load[n]/20*jitter(0.1)), "workload": load[n] * jitter(0.08),
				"error":      math.Round(load[n] * (failed[n] + 0.0005*rng.ExpFloat64()*noise)),
				"latency-50": latency[n] * jitter(0.08), "latency-90": 2 * latency[n] * jitter(0.2),
			}
			if bad && n == root {
				value["cpu"] *= f.cpu
				value["mem"] *= 1 + (f.memory-1)*since
				value["diskio"] *= f.disk
			}
			for m, v := range value { // in any order: nothing is drawn here
				s := series[n][m]
				if bad {
					s.Incident = append(s.Incident, v)
				} else {
					s.Baseline = append(s.Baseline, v)
				}
			}
		}
		if t := at.Add(time.Duration(row) * 15 * time.Second); bad {
			c.IncidentTimes = append(c.IncidentTimes, t)
		} else {
			c.BaselineTimes = append(c.BaselineTimes, t)
		}
	}
	for _, n := range nodes {
		for _, m := range []string{"cpu", "mem", "diskio", "socket", "workload", "error", "latency-50", "latency-90"} {
			c.Series = append(c.Series, *series[n][m])
		}
	}
	return c
}

func shopCalls() (out []correlate.Edge) {
	for _, e := range shop {
		out = append(out, correlate.Edge{Caller: e.caller, Callee: e.callee})
	}
	return out
}

func TestRankFindsTheServiceThatIsAtFault(t *testing.T) {
	alert := func(c *correlate.Case, f fault) {
		metric := "latency"
		if f.delay == 0 {
			metric = "error"
		}
		c.Alert = &correlate.Alert{Node: "front", Metric: metric, Time: c.IncidentTimes[5]}
	}
	for _, tt := range []struct {
		name string
		with func(c *correlate.Case, f fault)
	}{
		{"from metrics alone", func(*correlate.Case, fault) {}},
		{"without counts of requests", func(c *correlate.Case, _ fault) {
			c.Series = slices.DeleteFunc(c.Series, func(s correlate.Series) bool { return s.Metric == "workload" })
		}},
		{"with a time alone", func(c *correlate.Case, _ fault) { c.Alert = &correlate.Alert{Time: c.IncidentTimes[5]} }},
		{"with calls", func(c *correlate.Case, _ fault) { c.Calls = shopCalls() }},
		{"with an alert", alert},
		{"with calls and an alert", func(c *correlate.Case, f fault) { alert(c, f); c.Calls = shopCalls() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			right, all := 0, 0
			for _, f := range faults {
				for seed, root := range []string{"catalog", "checkout", "pay", "cache"} {
					c := play(rand.New(rand.NewPCG(uint64(seed), 7)), f, root, 60, 1)
					tt.with(&c, f)
					r := correlate.Rank(c)
					all++
					if len(r.Causes) > 0 && r.Causes[0].Node == root {
						right++
					} else {
						t.Logf("%s of %s: %v (%s)", f.name, root, r.Together, r.Why)
					}
				}
			}
			if 20*right < 19*all {
				t.Errorf("%d of %d are right, want 95 %%", right, all)
			}
			for seed := range uint64(4) {
				f := fault{cpu: 1, memory: 1, disk: 1, throughput: 1, delay: 1e-9, load: 1 + 0.05*float64(seed)}
				c := play(rand.New(rand.NewPCG(seed, 9)), f, "", 60, 1)
				tt.with(&c, f)
				if r := correlate.Rank(c); !r.None {
					t.Errorf("nothing is wrong, but %v: %s", r.Together, r.Causes[0].Reasons)
				}
			}
		})
	}
}
