package goservice_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func TestTheRuntimeTellsWhatRuns(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{})
	w.Plant("cpu", 2)
	d := w.until("runtime", "processor use is known", func(d skills.Data) bool { return d["cpu_cores_used"] != nil })
	for name, want := range map[string]any{
		"program": "leaky", "go_version": runtime.Version(), "module": "github.com/fleetlens/fleetlens", "gomaxprocs": 1.,
	} {
		if d[name] != want {
			t.Errorf("%s is %v, want %v", name, d[name], want)
		}
	}
	for _, name := range []string{"goroutines", "threads", "rss_mb", "heap_alloc_mb", "memory_sys_mb", "fds_open", "cpu_used_pct"} {
		if v, ok := d[name].(float64); !ok || v <= 0 {
			t.Errorf("%s is %v", name, d[name])
		}
	}
	m := w.get("runtime", "go_memory()")
	sum := 0.
	for i := range m["classes"].([]any) {
		sum += row(t, m, "classes", i)["pct"].(float64)
	}
	if sum < 95 || sum > 105 {
		t.Errorf("the classes are %.1f %% of the memory: %v", sum, m)
	}
}

func TestWithoutMetricsTheRuntimeSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{}, "-metrics=false", "-vars=false")
	s := w.get("runtime", "go_summary()")
	if s["program"] != "leaky" || s["threads"] != nil || !strings.Contains(s["note"].(string), "collectors.NewGoCollector") {
		t.Errorf("go_summary answers %v", s)
	}
	if p := w.get("ports", "ports_service_summary()"); !strings.Contains(p["note"].(string), "collectors.NewProcessCollector") || p["service_fds_open"] != nil {
		t.Errorf("ports_service_summary answers %v", p)
	}
	if e := w.get("vm_events", "sysmon_stats()"); !strings.Contains(e["note"].(string), "MetricsScheduler") {
		t.Errorf("sysmon_stats answers %v", e)
	}
}

func TestLeakedConnectionsAreNamedByWhereTheyWait(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{})
	w.Plant("fds", 200)
	w.untilCrossed("ports", "service_fd_used_pct", "main.awaitMessage (leaky/faults.go:", "of its limit of 460")
	a := w.get("ports", "ports_service_connections(3)")
	first := row(t, a, "places", 0)
	if first["function"] != "main.awaitMessage" || first["connections"] != 400. || !strings.HasPrefix(first["calls"].(string), "net.(*conn).Read") {
		t.Errorf("the first place is %v", first)
	}
}

func TestALongPauseIsAnEvent(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{}, "-procs=2")
	w.Plant("pause", 400)
	d := w.untilCrossed("vm_events", "long_gc_events_5m", "50 ms or more")
	a := w.get("vm_events", `sysmon_events("long_gc", 2)`)
	if e := row(t, a, "events", 0); !(e["duration_ms"].(float64) >= 50) || e["datetime"] == "" {
		t.Errorf("the events are %v", a)
	}
	if s := w.get("vm_events", "sysmon_stats()"); !(s["max_gc_duration_ms"].(float64) >= d["max_gc_duration_ms"].(float64)) {
		t.Errorf("sysmon_stats answers %v", s)
	}
	if g := w.get("gc", "gc_get_long_gcs(5, 50)"); !(g["longest_ms"].(float64) >= 50) {
		t.Errorf("gc_get_long_gcs answers %v", g)
	}
}

// The machine may run other tests, which leave the service less than the usual
// threshold; a tenth is far above what it uses without work, and what it gets.
func TestWorkWithoutProcessorsIsSeen(t *testing.T) {
	w := watch(t, gopprof.Config{})
	w.Plant("cpu", 20)
	w.untilCrossed("vm_events", "long_schedule_events_5m", "waited 100 ms or more for a processor")
	for i := range w.list {
		if w.list[i].Name == "runtime" {
			lower, err := skills.Override(w.list[i], map[string]skills.Threshold{"runtime.cpu_used_pct": {Warn: skills.Level(10)}})
			if err != nil {
				t.Fatal(err)
			}
			w.list[i] = lower
		}
	}
	d := w.until("runtime", "a tenth of the processors is used", func(d skills.Data) bool { v, _ := d["cpu_used_pct"].(float64); return v >= 10 })
	var checks []skills.Check
	for _, s := range w.list {
		if s.Name == "runtime" {
			checks = s.Sources[0].Checks
		}
	}
	if x := skills.Evaluate(checks, d); len(x) != 1 || !strings.Contains(x[0].Says, "leaky uses ") {
		t.Errorf("crossed: %+v", x)
	}
}
