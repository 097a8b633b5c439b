package goservice_test

import (
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func TestAGoroutineLeakIsNamedByItsPlace(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{})
	w.Plant("load", 4)
	w.Plant("goroutines", 60)
	d := w.untilCrossed("overload", "growing_added", "main.waitForReply (leaky/faults.go:", "chan receive")
	if d["overload_type"] != "goroutine_leak" {
		t.Errorf("its type is %v", d["overload_type"])
	}
	first := row(t, w.get("overload", "overload_goroutines(5)"), "places", 0)
	if first["function"] != "main.waitForReply" || first["state"] != "chan receive" || first["since"] == "" || !(first["added"].(float64) >= 100) || !(first["per_sec"].(float64) > 10) {
		t.Errorf("the first place is %v", first)
	}
	b := w.get("overload", "overload_bottleneck()")
	if b["bottleneck_type"] != "leak" || !strings.HasPrefix(b["bottleneck_location"].(string), "main.waitForReply") || b["confidence_level"] != "high" {
		t.Errorf("the bottleneck is %v", b)
	}
	if p := w.get("overload", "overload_remediation_plan()"); p["recommended_action"] != "fix_leak" {
		t.Errorf("the plan is %v", p)
	}
	if waits := w.get("overload", "overload_waits(50)"); !strings.Contains(plain(t, waits), `"function":"main.waitForReply"`) {
		t.Errorf("who waits is %v", waits)
	}
}

func TestALockPileUpIsNamedWithWhoHoldsIt(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{})
	w.Plant("lock", 300)
	d := w.untilCrossed("overload", "blocked_pile_up", "main.(*stock).reserve (leaky/shop.go:", "goroutines wait in lock", "main.(*stock).audit (leaky/shop.go:")
	if d["overload_type"] != "lock_contention" {
		t.Errorf("its type is %v", d["overload_type"])
	}
	if first := row(t, w.get("overload", "overload_bottleneck()"), "places", 0); first["function"] != "main.(*stock).audit" || first["holds"] != true {
		t.Errorf("the first place is %v, not who holds the lock", first)
	}
	c := w.get("overload", "overload_cascade_detection()")
	r := row(t, c, "failure_relationships", 0)
	if r["type"] != "lock_held" || r["by"] != "same_type" || c["cascading"] != false {
		t.Errorf("the cascade is %v", c)
	}
	contention := w.get("overload", "overload_contention(5)")
	if m := contention["mutex"].(map[string]any); m["enabled"] != false || !strings.Contains(m["note"].(string), "runtime.SetMutexProfileFraction") {
		t.Errorf("a service that records no contention answers %v", contention)
	}
	if b := contention["block"].(map[string]any); !strings.Contains(b["note"].(string), "runtime.SetBlockProfileRate") {
		t.Errorf("a service that records no blocking answers %v", contention)
	}
}

func TestContentionNamesWhoHeldTheLock(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{})
	w.Plant("contention", 10)
	w.until("overload", "contention is recorded", func(skills.Data) bool {
		a := w.get("overload", "overload_contention(5)")
		return plain(t, a["mutex"].(map[string]any)["places"]) != "[]" && plain(t, a["block"].(map[string]any)["places"]) != "[]"
	})
	a := w.get("overload", "overload_contention(5)")
	for _, of := range []string{"mutex", "block"} {
		c := a[of].(map[string]any)
		if c["enabled"] != true || row(t, c, "places", 0)["function"] != "main.(*stock).count" {
			t.Errorf("%s is %s", of, plain(t, c))
		}
	}
}

// Behaviour: 157.
func TestAQueueBehindABlockingCallIsSustainedAndTheCallIsNamed(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{})
	w.Plant("queue", 20_000)
	w.untilCrossed("overload", "blocked_pile_up", "chan send", "main.(*payment).charge (leaky/faults.go:", "in IO wait")
	s := w.get("overload", "overload_state()")
	for field, want := range map[string]any{"severity": "sustained", "type": "downstream_blocking", "recommended_action": "apply_backpressure"} {
		if s[field] != want {
			t.Errorf("%s is %v, want %v", field, s[field], want)
		}
	}
	b := w.get("overload", "overload_bottleneck()")
	if b["bottleneck_type"] != "downstream_blocking" || b["confidence_level"] != "high" {
		t.Errorf("the bottleneck is %v", b)
	}
	q := w.get("overload", "overload_queue_analysis()")
	if n := q["total_blocked"].(float64); n < 19_000 {
		t.Errorf("%v goroutines are blocked", n)
	}
	for _, p := range []string{"p50", "p90", "p95", "p99", "p100"} {
		if _, ok := q["queue_percentiles"].(map[string]any)[p].(float64); !ok {
			t.Errorf("no %s in %v", p, q)
		}
	}
	if _, err := w.ask("overload", "overload_waits(5)"); err == nil || !strings.Contains(err.Error(), "at most 10000") {
		t.Errorf("a dump of 20000 goroutines: %v", err)
	}
}
