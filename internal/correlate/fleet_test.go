package correlate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/correlate"
)

// A fleet is hosts that report resources only, as probes do.
type fleet struct {
	rng   *rand.Rand
	input correlate.Case
	at    map[string]int // node:metric → series
}

const (
	fleetBaseline = 60
	fleetIncident = 20
	fleetStep     = 30 * time.Second
)

var fleetStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// incidentAt is the begin of a row of the incident.
func incidentAt(row int) time.Time {
	return fleetStart.Add(time.Duration(fleetBaseline+row) * fleetStep)
}

// newFleet returns healthy hosts of three roles, node-000 web, node-001 db, node-002
// cache and so on.
func newFleet(n int, seed uint64) *fleet {
	f := &fleet{rng: rand.New(rand.NewPCG(seed, 1)), at: map[string]int{}}
	f.input.Peers = map[string]string{}
	for row := range fleetBaseline + fleetIncident {
		if t := fleetStart.Add(time.Duration(row) * fleetStep); row < fleetBaseline {
			f.input.BaselineTimes = append(f.input.BaselineTimes, t)
		} else {
			f.input.IncidentTimes = append(f.input.IncidentTimes, t)
		}
	}
	for i := range n {
		node := fmt.Sprintf("node-%03d", i)
		f.input.Peers[node] = []string{"web", "db", "cache"}[i%3]
		for _, m := range []struct {
			name        string
			mean, sigma float64
		}{
			{"cpu_used_pct", 20 + 10*f.rng.Float64(), 3}, {"memory_used_pct", 40 + 20*f.rng.Float64(), 0.5},
			{"disk_used_pct", 30 + 40*f.rng.Float64(), 0.02}, {"load1", 1 + f.rng.Float64(), 0.3},
			{"io_pressure_pct", 0.5, 0.4}, {"tcp_retransmits_per_s", 0.2, 0.3}, {"net_rx_bytes_per_s", 1e6, 2e5},
		} {
			var all []float64
			for range fleetBaseline + fleetIncident {
				all = append(all, max(0, m.mean+m.sigma*f.rng.NormFloat64()))
			}
			f.at[node+":"+m.name] = len(f.input.Series)
			f.input.Series = append(f.input.Series, correlate.Series{Node: node, Metric: m.name, Baseline: all[:fleetBaseline], Incident: all[fleetBaseline:]})
		}
	}
	return f
}

// set changes rows of the incident from a row on.
func (f *fleet) set(node, metric string, from int, to func(row int, v float64) float64) {
	s := f.input.Series[f.at[node+":"+metric]]
	for i := from; i < len(s.Incident); i++ {
		s.Incident[i] = to(i-from, s.Incident[i])
	}
}

func plus(d float64) func(int, float64) float64 {
	return func(_ int, v float64) float64 { return v + d }
}

// silence ends all that a node reports.
func (f *fleet) silence(node string, from int) {
	for key := range f.at {
		if n, metric, _ := strings.Cut(key, ":"); n == node {
			f.set(n, metric, from, func(int, float64) float64 { return math.NaN() })
		}
	}
}

func (f *fleet) nodes(role string) (out []string) {
	for n, r := range f.input.Peers {
		if r == role {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

func TestRankFindsTheCauseInAFleet(t *testing.T) {
	for _, tt := range []struct {
		name string
		harm func(f *fleet) (want []string) // all of the first group; none: no cause
		says string                         // in a reason of the first
	}{
		{"nothing is wrong", func(*fleet) []string { return nil }, ""},
		{"one node among many burns CPU", func(f *fleet) []string {
			f.set("node-007", "cpu_used_pct", 3, plus(65))
			f.set("node-007", "load1", 3, plus(8))
			return []string{"node-007"}
		}, "none of its 9 peers (db) shows it"},
		{"the same disk fills on all of a role", func(f *fleet) []string {
			for _, n := range f.nodes("db") {
				f.set(n, "disk_used_pct", 2, func(row int, v float64) float64 { return v + 1.5*float64(row) })
			}
			return f.nodes("db")
		}, "9 of its 9 peers (db) show it too"},
		{"memory is short on every node", func(f *fleet) []string {
			var all []string
			for _, role := range []string{"web", "db", "cache"} {
				for _, n := range f.nodes(role) {
					f.set(n, "memory_used_pct", 2, plus(35))
					all = append(all, n)
				}
			}
			slices.Sort(all)
			return all
		}, "memory_used_pct rose to"},
		{"a dependency of all web nodes went silent", func(f *fleet) []string {
			for _, n := range f.nodes("web") {
				f.input.Calls = append(f.input.Calls, correlate.Edge{Caller: n, Callee: "node-001"})
				f.set(n, "load1", 4, plus(6))
				f.set(n, "tcp_retransmits_per_s", 4, plus(20))
			}
			f.silence("node-001", 4)
			return []string{"node-001"}
		}, "stopped reporting"},
		{"a dependency that has no probe is down", func(f *fleet) []string {
			for _, n := range f.nodes("web") {
				f.input.Calls = append(f.input.Calls, correlate.Edge{Caller: n, Callee: "10.0.0.9:5432"})
				f.set(n, "load1", 4, plus(6))
				f.set(n, "tcp_retransmits_per_s", 4, plus(20))
			}
			return []string{"10.0.0.9:5432"}
		}, "reports nothing itself"},
		{"a failing dependency shows less than those who wait for it", func(f *fleet) []string {
			for _, n := range f.nodes("web") {
				f.input.Calls = append(f.input.Calls, correlate.Edge{Caller: n, Callee: "node-001"})
				f.set(n, "load1", 6, plus(12))
				f.set(n, "tcp_retransmits_per_s", 6, plus(40))
			}
			f.set("node-001", "io_pressure_pct", 4, plus(30))
			return []string{"node-001"}
		}, "depend on it are in trouble"},
		{"a cascade ends at its first node", func(f *fleet) []string {
			f.input.Calls = []correlate.Edge{{Caller: "node-000", Callee: "node-003"}, {Caller: "node-003", Callee: "node-006"}}
			for i, n := range []string{"node-006", "node-003", "node-000"} {
				f.set(n, "load1", 2+5*i, plus(6))
				f.set(n, "cpu_used_pct", 2+5*i, plus(45))
			}
			return []string{"node-006"}
		}, "depend on it are in trouble"},
		{"a bad deploy shows on the canaries", func(f *fleet) []string {
			canaries := []string{"node-000", "node-009", "node-018"}
			for _, n := range canaries {
				f.set(n, "memory_used_pct", 5, plus(25))
				f.input.Changes = append(f.input.Changes, correlate.Change{Node: n, Time: incidentAt(3), Kind: "deploy", Text: "web 1.9"})
			}
			f.input.Changes = append(f.input.Changes, correlate.Change{Node: "node-004", Time: incidentAt(3), Kind: "deploy", Text: "db 7"})
			return canaries
		}, "(deploy: web 1.9), 1m0s before it began"},
		{"of two alike the changed one is first", func(f *fleet) []string {
			f.set("node-004", "memory_used_pct", 5, plus(25))
			f.set("node-005", "cpu_used_pct", 5, plus(40))
			f.input.Changes = []correlate.Change{{Node: "node-005", Time: incidentAt(4)}}
			return []string{"node-005"}
		}, "was changed at"},
		{"a change alone is no cause", func(f *fleet) []string {
			f.input.Changes = []correlate.Change{{Node: "node-005", Time: incidentAt(1), Kind: "deploy"}}
			return nil
		}, ""},
		{"memory leaks slowly", func(f *fleet) []string {
			f.set("node-010", "memory_used_pct", 0, func(row int, v float64) float64 { return v + 0.9*float64(row) })
			return []string{"node-010"}
		}, "memory_used_pct rose"},
		{"a noisy neighbour takes the disk from two others", func(f *fleet) []string {
			f.set("node-008", "cpu_used_pct", 3, plus(50))
			f.set("node-008", "net_rx_bytes_per_s", 3, func(_ int, v float64) float64 { return v * 20 })
			f.set("node-011", "io_pressure_pct", 4, plus(25))
			f.set("node-014", "io_pressure_pct", 4, plus(25))
			return []string{"node-008"}
		}, "cpu_used_pct rose"},
		{"a deviation that recovered is a red herring", func(f *fleet) []string {
			f.set("node-002", "cpu_used_pct", 0, func(row int, v float64) float64 {
				if row < 11 {
					return v + 50
				}
				return v
			})
			f.set("node-003", "memory_used_pct", 8, plus(40))
			return []string{"node-003"}
		}, "memory_used_pct rose"},
		{"what was so before is a red herring", func(f *fleet) []string {
			for i := range f.input.Series {
				if s := f.input.Series[i]; s.Node == "node-002" && s.Metric == "cpu_used_pct" {
					for k := range s.Baseline {
						s.Baseline[k] += 60
					}
					f.set("node-002", "cpu_used_pct", 0, plus(60))
				}
			}
			f.set("node-003", "memory_used_pct", 8, plus(40))
			return []string{"node-003"}
		}, "memory_used_pct rose"},
		{"silent nodes are told, all of them", func(f *fleet) []string {
			f.silence("node-004", 5)
			f.silence("node-013", 5)
			f.input.Calls = []correlate.Edge{{Caller: "node-013", Callee: "node-004"}}
			return []string{"node-004", "node-013"}
		}, "stopped reporting"},
		{"most are known to be silent, and the others miss them", func(f *fleet) []string {
			f.input.Silent = map[string]bool{}
			silent := append(f.nodes("db"), f.nodes("cache")...)
			for _, n := range silent {
				f.silence(n, 5)
				f.input.Silent[n] = true
			}
			for i, n := range f.nodes("web") {
				f.input.Calls = append(f.input.Calls, correlate.Edge{Caller: n, Callee: silent[i]})
				f.set(n, "tcp_retransmits_per_s", 5, plus(60))
			}
			slices.Sort(silent)
			return silent
		}, "stopped reporting"},
		{"who misses nodes that are known to be silent, of which nothing was read", func(f *fleet) []string {
			f.input.Silent = map[string]bool{"gone-1": true, "gone-2": true}
			for i, n := range f.nodes("web") {
				f.input.Calls = append(f.input.Calls, correlate.Edge{Caller: n, Callee: []string{"gone-1", "gone-2"}[i%2]})
				f.set(n, "tcp_retransmits_per_s", 5, plus(60))
				f.set(n, "load1", 5, plus(9))
			}
			return []string{"gone-1", "gone-2"}
		}, "stopped reporting"},
		{"the same disk fills on nodes that call each other", func(f *fleet) []string {
			for _, n := range f.nodes("db") {
				f.set(n, "disk_used_pct", 2, plus(45))
				f.input.Calls = append(f.input.Calls, correlate.Edge{Caller: n, Callee: "node-001"})
			}
			return f.nodes("db")
		}, "9 of its 9 peers (db) show it too"},
		{"when everybody is silent nobody is the cause", func(f *fleet) []string {
			for n := range f.input.Peers {
				f.silence(n, 5)
			}
			return nil
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(3) {
				f := newFleet(30, seed)
				want := tt.harm(f)
				r := correlate.Rank(f.input)
				if len(want) == 0 {
					if !r.None || len(r.Causes) > 0 || !strings.HasPrefix(r.Why, "no cause found: ") {
						t.Errorf("seed %d: %+v, want no cause", seed, r)
					}
					continue
				}
				if !slices.Equal(r.Together, want) {
					t.Errorf("seed %d: first are %v, want %v (%s)", seed, r.Together, want, r.Why)
					for _, c := range r.Causes[:min(4, len(r.Causes))] {
						t.Logf("%s %.3g: %s", c.Node, c.Score, strings.Join(c.Reasons, "; "))
					}
					continue
				}
				if reasons := strings.Join(r.Causes[0].Reasons, "; "); !strings.Contains(reasons, tt.says) {
					t.Errorf("seed %d: reasons %q, want %q among them", seed, reasons, tt.says)
				}
			}
		})
	}
}
