package vmevents

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
)

// Behaviour: 145.
func TestLongPausesAreCountedAndTheLongestIsKept(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	w := &goWatch{}
	w.observe(&gopprof.Runtime{At: at, Pause: []gopprof.Pause{
		{Ended: at.Add(-time.Second), For: 100 * time.Millisecond},
		{Ended: at.Add(-2 * time.Second), For: 49 * time.Millisecond},
		{Ended: at.Add(-time.Hour), For: time.Second},
	}})
	if n, longest := w.count(goGC, at); n != 1 || longest != 100 {
		t.Errorf("%g pauses, the longest of %g ms", n, longest)
	}
	later := at.Add(30 * time.Second)
	w.observe(&gopprof.Runtime{At: later, Pause: []gopprof.Pause{
		{Ended: later.Add(-time.Second), For: 300 * time.Millisecond},
		{Ended: at.Add(-time.Second), For: 100 * time.Millisecond}, // known already
	}})
	if n, longest := w.count(goGC, later); n != 2 || longest != 300 {
		t.Errorf("%g pauses, the longest of %g ms", n, longest)
	}
	if n, _ := w.count(goGC, later.Add(goWindow)); n != 0 {
		t.Errorf("%g pauses are still counted", n)
	}
	b, err := json.Marshal(w.list(later, "", 1))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"datetime":"2026-11-22T10:00:29Z","age_seconds":1,"type":"long_gc","duration_ms":300,"count":1}`; !strings.Contains(string(b), want) || !strings.Contains(string(b), `"truncated":true`) {
		t.Errorf("the newest alone is listed as %s", b)
	}
}

func TestPausesWithoutAListAreCountedByBuckets(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	of := func(counts ...float64) (h gopprof.Histogram) {
		for i, c := range counts {
			h = append(h, gopprof.Bucket{UpTo: []float64{0.001, 0.064, 0.25, math.Inf(1)}[i], Count: c})
		}
		return h
	}
	w := &goWatch{}
	w.observe(&gopprof.Runtime{At: at, GCPauses: of(10, 12, 12, 12), SchedLatency: of(5, 5, 5, 5)})
	w.observe(&gopprof.Runtime{At: at.Add(time.Second), GCPauses: of(20, 22, 25, 25), SchedLatency: of(5, 5, 5, 9)})
	if n, longest := w.count(goGC, at); n != 3 || longest != 64 {
		t.Errorf("%g pauses, the longest of at least %g ms", n, longest)
	}
	if n, longest := w.count(goSchedule, at); n != 4 || longest != 250 {
		t.Errorf("%g waits, the longest of at least %g ms", n, longest)
	}
	if !w.hasP99 || w.p99 != 0.25 {
		t.Errorf("the 99th percentile is %g, %v", w.p99, w.hasP99)
	}
}
