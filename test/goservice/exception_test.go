package goservice_test

import (
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
)

func TestRecoveredPanicsAreCountedByTheServicesOwnCounter(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{})
	if d := w.snapshot("exception"); d["panics_total"] != 0. || d["panics_5m"] != 0. || d["goroutines_in_panic"] != 0. || len(w.crossed("exception", d)) != 0 {
		t.Errorf("of a calm service: %v", d)
	}
	w.Plant("panic", 25)
	d := w.untilCrossed("exception", "panics_5m", "25 time(s)", "http_panics_recovered_total")
	if d["panics_total"] != 25. {
		t.Errorf("got %v", d)
	}
	a := w.get("exception", "exception_panics(5)")
	if c := row(t, a, "counters", 0); c["name"] != "http_panics_recovered_total" || c["total"] != 25. || c["last_5m"] != 25. || a["note"] != nil || a["last_seen"] == nil {
		t.Errorf("got %v", a)
	}
}

func TestGoroutinesThatHangInThePanicAreNamedWithWhatHandlesIt(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{})
	w.Plant("panichang", 30)
	w.untilCrossed("exception", "goroutines_in_panic", "30 goroutines", "main.placeOrder (", "main.reportPanic (")
	a := w.get("exception", "exception_panics(1)")
	if p := row(t, a, "goroutines", 0); p["goroutines"] != 30. || !strings.HasPrefix(p["place"].(string), "main.placeOrder (") || !strings.HasPrefix(p["handler"].(string), "main.reportPanic (") {
		t.Errorf("got %v", a)
	}
}

func TestAServiceThatCountsNoPanicsSaysSo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ arg, says string }{
		{"-panics=false", "no counter of panics is among the service's metrics"},
		{"-metrics=false", "the service serves no Prometheus metrics"},
	} {
		w := watch(t, gopprof.Config{}, tt.arg)
		d := w.snapshot("exception")
		if _, told := d["panics_total"]; told || d["goroutines_in_panic"] != 0. {
			t.Errorf("with %s: %v", tt.arg, d)
		}
		if note, _ := w.get("exception", "exception_panics()")["note"].(string); !strings.Contains(note, tt.says) || !strings.Contains(note, "exception skill of its host") {
			t.Errorf("with %s it says %q", tt.arg, note)
		}
		if got := w.crossed("exception", d); len(got) != 0 {
			t.Errorf("with %s: %v", tt.arg, got)
		}
	}
}
