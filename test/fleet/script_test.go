package fleet

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/internal/intake"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/probe"
)

func plan(t *testing.T, fleet string, nodes int, seed uint64) *Plan {
	t.Helper()
	c, err := ParseFleet("fleet.yaml", []byte(fleet))
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(c, nodes, seed)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func script(t *testing.T, p *Plan, scenario string) *Script {
	t.Helper()
	s, err := Parse("scenario.yaml", []byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewScript(s, p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const chainOfThree = `
labels: {zone: {a: 1, b: 1}}
metrics: {shop.latency_ms: {level: 10}}
roles:
  web: {count: 2, calls: {api: 0}}
  api: {count: 2, calls: {db: 1}}
  db: {count: 1}
`

func TestAFaultReachesCallersLaterAndWeaker(t *testing.T) {
	p := plan(t, chainOfThree, 5, 1)
	c := script(t, p, `
family: x
faults:
- {name: slow, nodes: {labels: {role: db}}, moves: {shop.latency_ms: {times: 11}}, spread: [{to: callers, hops: 2, delay: 3, share: 0.5, moves: {shop.latency_ms: {times: 5}}}]}
`)
	at := func(name string, moment float64) float64 {
		i := slices.IndexFunc(p.Nodes, func(n Node) bool { return n.Name == name })
		m := p.machine(i)
		m.effects = c.effects[i]
		return m.data("shop", 0, moment, time.Unix(0, 0))["latency_ms"].(float64)
	}
	for _, tt := range []struct {
		node   string
		moment float64
		want   float64
	}{
		{"db-001", -1, 10}, {"db-001", 0, 110}, {"api-001", 2.9, 10}, {"api-001", 3, 30}, {"web-001", 5, 10}, {"web-001", 6, 20},
	} {
		if got := at(tt.node, tt.moment); math.Abs(got-tt.want) > 0.01 {
			t.Errorf("%s at %v: %v, want %v", tt.node, tt.moment, got, tt.want)
		}
	}
	if len(c.affected["slow"]) != 5 {
		t.Errorf("it touches %v", c.affected["slow"])
	}
}

func TestTheSameSeedMakesTheSameFleetAndValues(t *testing.T) {
	list, err := Load("healthy")
	if err != nil {
		t.Fatal(err)
	}
	values := func(seed uint64) ([]map[string]string, []any) {
		p, err := NewPlan(list[0].On, 60, seed)
		if err != nil {
			t.Fatal(err)
		}
		var labels []map[string]string
		var out []any
		for i, n := range p.Nodes {
			labels = append(labels, n.Labels)
			m := p.machine(i)
			for k := range int64(5) {
				out = append(out, m.data("os", k, -1, time.Unix(1e9, 0)), n.calls)
			}
		}
		return labels, out
	}
	l1, v1 := values(7)
	l2, v2 := values(7)
	if d := cmp.Diff(l1, l2) + cmp.Diff(v1, v2); d != "" {
		t.Errorf("they differ: %s", d)
	}
	if _, v3 := values(8); cmp.Equal(v1, v3) {
		t.Error("another seed makes the same values")
	}
}

func TestTwoThirdsOfTheShopHaveTheLargerImage(t *testing.T) {
	list, err := Load("same-cause")
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(list[0].On, 300, 1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewScript(list[0], p)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.faults["disks"]); n != 200 || len(p.Nodes) != 300 {
		t.Errorf("%d of %d nodes", n, len(p.Nodes))
	}
}

// What is simulated must be the product as it is shipped: what differs from its default
// configuration stands here.
func TestConfigurationsAreTheDefaultsButForWhatTheIntervalScales(t *testing.T) {
	want := probe.DefaultConfig()
	want.Interval, want.Heartbeat, want.Discover = time.Second, 2*time.Second, false
	if d := cmp.Diff(want, ProbeConfig(time.Second)); d != "" {
		t.Errorf("probe: %s", d)
	}
	detector := detect.DefaultOptions()
	detector.CollectionInterval, detector.LearningDuration, detector.Cooldown, detector.History = time.Second, 4*time.Minute, 30*time.Second, 2*time.Minute
	if d := cmp.Diff(detector, DetectOptions(time.Second)); d != "" {
		t.Errorf("detector: %s", d)
	}
	if d := cmp.Diff(detect.DefaultOptions(), DetectOptions(30*time.Second)); d != "" {
		t.Errorf("detector at its own interval: %s", d)
	}
	co := coordinator.DefaultConfig()
	co.Name, co.Alerts.Addr, co.Silence = "x", "", 6*time.Second
	if d := cmp.Diff(co, CoordinatorConfig("x"), cmpopts.IgnoreUnexported(intake.Config{})); d != "" {
		t.Errorf("coordinator: %s", d)
	}
	op := operator.DefaultConfig()
	op.Name = "x"
	if d := cmp.Diff(op, OperatorConfig("x")); d != "" {
		t.Errorf("operator: %s", d)
	}
}
