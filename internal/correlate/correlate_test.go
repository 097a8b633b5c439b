package correlate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/correlate"
)

func TestGroups(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	f := func(id, node, resource string, sev int, after time.Duration) correlate.Finding {
		return correlate.Finding{ID: id, Node: node, Check: resource + "_pct", Resource: resource, Severity: sev, At: at.Add(after)}
	}
	for _, tt := range []struct {
		name string
		in   []correlate.Finding
		want string // groups: ids relation cause
	}{
		{"nothing", nil, ""},
		{"one finding", []correlate.Finding{f("a", "n1", "disk", 1, 0)}, "a temporal disk"},
		{"the same on two nodes", []correlate.Finding{f("a", "n1", "disk", 1, 0), f("b", "n2", "disk", 1, 0)}, "a,b symptomatic disk"},
		{"memory and what it causes, causes first", []correlate.Finding{f("io", "n1", "disk_io", 2, 0), f("mem", "n1", "memory", 1, time.Second)}, "mem,io causal memory"},
		{"a chain of three", []correlate.Finding{f("cpu", "n1", "cpu", 1, 0), f("io", "n1", "disk_io", 1, 0), f("disk", "n1", "disk", 1, 0)}, "disk,io,cpu causal disk"},
		{"a cause that came much later is none", []correlate.Finding{f("io", "n1", "disk_io", 1, 0), f("mem", "n1", "memory", 2, time.Hour)}, "mem temporal memory | io temporal disk_io"},
		{"a cause on another node is none", []correlate.Finding{f("io", "n1", "disk_io", 1, 0), f("mem", "n2", "memory", 2, 0)}, "mem temporal memory | io temporal disk_io"},
		{"unrelated on one node", []correlate.Finding{f("a", "n1", "disk", 1, 0), f("b", "n1", "memory", 2, 0)}, "b temporal memory | a temporal disk"},
		{"what is odd on a node belongs to what is short there", []correlate.Finding{f("odd", "n1", "", 1, 0), f("mem", "n1", "memory", 1, 0)}, "mem,odd causal memory"},
		{"unless that came much later", []correlate.Finding{f("odd", "n1", "", 1, 0), f("mem", "n1", "memory", 2, time.Hour)}, "mem temporal memory | odd temporal _pct"},
		{"what a node serves suffers from what is short there", []correlate.Finding{f("slow", "n1", "requests", 1, 0), f("cpu", "n1", "cpu", 1, 0)}, "cpu,slow causal cpu"},
		{"the same root on two nodes, one with an effect", []correlate.Finding{f("m1", "n1", "memory", 2, 0), f("s1", "n1", "swap", 1, 0), f("m2", "n2", "memory", 1, 0)}, "m1,m2,s1 causal memory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, g := range correlate.Groups(tt.in) {
				var ids []string
				for _, f := range g.Findings {
					ids = append(ids, f.ID)
				}
				if g.Why == "" {
					t.Error("a group does not say why")
				}
				got = append(got, fmt.Sprintf("%s %s %s", strings.Join(ids, ","), g.Relation, g.Cause))
			}
			if s := strings.Join(got, " | "); s != tt.want {
				t.Errorf("groups %q, want %q", s, tt.want)
			}
		})
	}
}

func TestResourcesAreToldByTheNamesOfMetrics(t *testing.T) {
	for metric, want := range map[string]string{
		"disk_max_free_mb": "disk", "disk_busiest_util_pct": "disk_io", "disk_read_bytes_per_sec": "disk_io", "cpu_iowait_pct": "disk_io",
		"cpu_steal_pct": "cpu", "cpu_load_1m": "cpu", "top_cpu_pct": "cpu", "memory_available_mb": "memory", "swap_in_pages_per_sec": "memory",
		"latency_ms": "requests", "errors_pct": "requests", "requests_per_s": "requests", "net_rx_bytes_per_sec": "network", "processes": "",
	} {
		if got := correlate.ResourceOf(metric); got != want {
			t.Errorf("%s is of %q, want %q", metric, got, want)
		}
	}
}

func TestRelateFollowsDependencies(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	f := func(id, node, resource string, after time.Duration) correlate.Finding {
		return correlate.Finding{ID: id, Node: node, Check: resource + "_pct", Resource: resource, Severity: 1, At: at.Add(after)}
	}
	calls := []correlate.Edge{{Caller: "web", Callee: "db"}, {Caller: "front", Callee: "web"}, {Caller: "db", Callee: "web"}}
	for _, tt := range []struct {
		name  string
		in    []correlate.Finding
		calls []correlate.Edge
		want  string // groups: ids relation
		why   string // of the first
	}{
		{"an earlier problem of a dependency is the cause", []correlate.Finding{f("w", "web", "cpu", 2*time.Minute), f("d", "db", "disk_io", 0)}, calls[:2], "d,w causal", "web (cpu) depends on db, which had trouble (disk_io) 2m0s earlier"},
		{"without the dependency they are two", []correlate.Finding{f("w", "web", "cpu", 2*time.Minute), f("d", "db", "disk_io", 0)}, nil, "d temporal | w temporal", ""},
		{"along two dependencies", []correlate.Finding{f("f", "front", "threads", 3*time.Minute), f("w", "web", "cpu", 2*time.Minute), f("d", "db", "disk", 0)}, calls[:2], "d,f,w causal", "so it is with 1 more"},
		{"a later problem of a dependency is not the cause", []correlate.Finding{f("w", "web", "cpu", 0), f("d", "db", "disk_io", 10*time.Minute)}, calls[:2], "d temporal | w temporal", ""},
		{"an old problem of a dependency is not the cause", []correlate.Finding{f("w", "web", "cpu", 3*time.Hour), f("d", "db", "disk_io", 0)}, calls[:2], "d temporal | w temporal", ""},
		{"nobody else fills a disk", []correlate.Finding{f("w", "web", "disk", 2*time.Minute), f("d", "db", "memory", 0)}, calls[:2], "d temporal | w temporal", ""},
		{"others with the same problem stay apart", []correlate.Finding{f("w", "web", "cpu", 2*time.Minute), f("x", "batch", "cpu", 0), f("d", "db", "disk_io", 0)}, calls[:2], "x temporal | d,w causal", ""},
		{"in a circle neither is the cause", []correlate.Finding{f("w", "web", "cpu", 0), f("d", "db", "cpu", 0)}, calls, "d,w symptomatic", "the same problem"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			groups := correlate.Relate(tt.in, tt.calls)
			var got []string
			for _, g := range groups {
				var ids []string
				for _, f := range g.Findings {
					ids = append(ids, f.ID)
				}
				got = append(got, fmt.Sprintf("%s %s", strings.Join(ids, ","), g.Relation))
			}
			if s := strings.Join(got, " | "); s != tt.want {
				t.Errorf("groups %q, want %q", s, tt.want)
			}
			if !strings.Contains(groups[0].Why, tt.why) {
				t.Errorf("why %q, want %q in it", groups[0].Why, tt.why)
			}
		})
	}
}

func TestOutliers(t *testing.T) {
	rows := func(values ...float64) (out []correlate.Row) {
		for i, v := range values {
			out = append(out, correlate.Row{Name: fmt.Sprintf("n%d", i), Metrics: map[string]float64{"load": v, "same": 7}})
		}
		return out
	}
	for _, tt := range []struct {
		name string
		in   []correlate.Row
		want string
	}{
		{"too few peers", rows(1, 1, 1, 90), ""},
		{"all alike", rows(50, 51, 49, 50, 52), ""},
		{"one stands out", rows(50, 51, 49, 50, 52, 95), "n5"},
		{"two stand out, the farthest first", rows(50, 51, 49, 50, 52, 48, 50, 95, 99), "n8 n7"},
		{"noise on a constant is none", rows(100, 100, 100, 100, 101), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, o := range correlate.Outliers(tt.in) {
				got = append(got, o.Name)
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("outliers %q, want %q", s, tt.want)
			}
		})
	}
}
