package goservice_test

import (
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func TestAHeapLeakIsNamedByItsPlace(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{})
	w.Plant("load", 4)
	w.Plant("heap", 30)
	w.untilCrossed("allocator", "growing_added_mb", "main.rememberOrder (leaky/faults.go:")
	a := w.get("allocator", "allocator_growth(5)")
	first := row(t, a, "places", 0)
	if first["function"] != "main.rememberOrder" || first["steady"] != true || !(first["added_mb"].(float64) >= 64) || !(first["bytes_per_sec"].(float64) > 10<<20) {
		t.Errorf("the first place is %v", first)
	}
	if !strings.Contains(plain(t, first["stack"]), "main.fault") {
		t.Errorf("its callers are %v", first["stack"])
	}
	if h := row(t, w.get("allocator", "allocator_holders(3)"), "places", 0); h["function"] != "main.rememberOrder" || !(h["inuse_pct"].(float64) > 80) {
		t.Errorf("who holds most is %v", h)
	}
}

// Behaviour: 161.
func TestAllocatorRatios(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{})
	w.Plant("heap", 200)
	d := w.until("allocator", "the heap is large", func(d skills.Data) bool { return d["heap_inuse_mb"].(float64) > 200 })
	f := w.get("allocator", "allocator_fragmentation()")
	average, score := f["average_usage_ratio"].(float64), f["fragmentation_score"].(float64)
	if average <= 0 || average > 1 || score != skills.Round(1-average, 3) {
		t.Errorf("the fragmentation is %v", f)
	}
	all := w.get("allocator", "allocator_summary()")["allocators"].([]any)
	if len(all) != 5 || d["allocator_count"] != 5. {
		t.Errorf("%d allocators, the snapshot says %v", len(all), d["allocator_count"])
	}
	for _, c := range all {
		one := w.get("allocator", `allocator_by_type("`+c.(map[string]any)["name"].(string)+`")`)
		if r := one["usage_ratio"].(float64); r < 0 || r > 1 {
			t.Errorf("a ratio of %v: %v", r, one)
		}
	}
	if _, err := w.ask("allocator", `allocator_by_type("attic")`); err == nil || !strings.Contains(err.Error(), `name must be one of "heap", "heap_spans"`) {
		t.Errorf("an unknown allocator: %v", err)
	}
	last := 0.0
	bad := w.get("allocator", "allocator_problematic()")["allocators"].([]any)
	for _, c := range bad {
		r := c.(map[string]any)["usage_ratio"].(float64)
		if r < last || r >= 0.5 {
			t.Errorf("problematic are %v", bad)
		}
		last = r
	}
	if d = w.snapshot("allocator"); d["fragmented_allocators"] != float64(len(bad)) {
		t.Errorf("the snapshot says %v, the list has %d", d["fragmented_allocators"], len(bad))
	}
}

func TestGCPressureNamesWhoAllocates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"with all that a service may expose", nil},
		{"with net/http/pprof alone", []string{"-metrics=false", "-vars=false"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t, gopprof.Config{}, tt.args...)
			w.Plant("gc", 2)
			w.untilCrossed("gc", "gc_cpu_pct", "main.renderInvoice (leaky/faults.go:", "collections a second")
			p := w.get("gc", "gc_pressure()")
			if p["pressure"] != "high" || !strings.Contains(plain(t, p["reasons"]), "main.renderInvoice") {
				t.Errorf("the pressure is %v", p)
			}
			if tt.args == nil && !strings.Contains(plain(t, p["reasons"]), "GOGC is 2") {
				t.Errorf("the reasons do not name the setting: %v", p["reasons"])
			}
			a := w.get("gc", "gc_top_allocators(3)")
			if first := row(t, a, "places", 0); first["function"] != "main.renderInvoice" || !(first["alloc_pct"].(float64) > 50) {
				t.Errorf("who allocates is %v", a)
			}
		})
	}
}

func TestCollectionsThatAreAskedForAreCounted(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{})
	w.Plant("forcedgc", 20)
	w.untilCrossed("gc", "gc_forced_per_sec", "asks for")
	if s := w.get("gc", "gc_stats()"); s["interval_seconds"] == nil || len(s["read_from"].([]any)) == 0 {
		t.Errorf("gc_stats answers %v", s)
	}
}
