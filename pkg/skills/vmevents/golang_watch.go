package vmevents

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// From when on an event is one, how long it counts, and how many are kept.
const (
	goLongGC       = 50 * time.Millisecond
	goLongSchedule = 100 * time.Millisecond
	goWindow       = 5 * time.Minute
	goKept         = 500
)

// Types of event.
const (
	goGC       = "long_gc"
	goSchedule = "long_schedule"
	goRestart  = "restart"
)

// A goEvent is something that happened in a service's runtime, once or as often
// as a snapshot met it.
type goEvent struct {
	at    time.Time
	kind  string
	ms    float64
	count float64
}

// A goWatch keeps the events of one service. Snapshots alone find new ones.
type goWatch struct {
	service *gopprof.Service

	mu     sync.Mutex
	last   *gopprof.Runtime // of the newest snapshot
	p99    float64          // of scheduling latency between the last two, in seconds
	hasP99 bool
	events ring[goEvent]
}

func (w *goWatch) snapshot(ctx context.Context) (skills.Data, error) {
	r, err := w.service.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.observe(r)
	return w.fields(r), nil
}

// observe finds what happened since the snapshot before.
func (w *goWatch) observe(r *gopprof.Runtime) {
	prev := w.last
	if prev != nil && !r.At.After(prev.At) {
		return
	}
	w.last = r
	since := r.At.Add(-goWindow)
	if prev != nil {
		since = prev.At
		if goBeganAnew(prev, r) {
			w.events.add(goEvent{r.At, goRestart, 0, 1}, goKept)
			prev = nil
		}
	}
	for _, p := range slices.Backward(r.Pause) { // the oldest first
		if p.Ended.After(since) && p.For >= goLongGC {
			w.events.add(goEvent{p.Ended, goGC, float64(p.For) / 1e6, 1}, goKept)
		}
	}
	w.hasP99 = false
	if prev == nil {
		return
	}
	if r.Pause == nil {
		w.buckets(r.At, goGC, r.GCPauses.Delta(prev.GCPauses), goLongGC)
	}
	waits := r.SchedLatency.Delta(prev.SchedLatency)
	w.buckets(r.At, goSchedule, waits, goLongSchedule)
	w.p99, w.hasP99 = waits.Quantile(0.99)
}

// buckets adds what lasted at least so long, as one event with its count.
func (w *goWatch) buckets(at time.Time, kind string, h gopprof.Histogram, least time.Duration) {
	n, border := h.Over(least.Seconds())
	if n <= 0 {
		return
	}
	longest := border
	for i := 1; i < len(h); i++ {
		if h[i].Count > h[i-1].Count && h[i-1].UpTo > longest && !math.IsInf(h[i-1].UpTo, 0) {
			longest = h[i-1].UpTo
		}
	}
	w.events.add(goEvent{at, kind, longest * 1000, n}, goKept)
}

// goBeganAnew reports whether a service is not the one it was.
func goBeganAnew(prev, now *gopprof.Runtime) bool {
	if a, ok := prev.Get(gopprof.StartTime); ok {
		if b, ok := now.Get(gopprof.StartTime); ok {
			return b-a > 1
		}
	}
	for _, k := range []gopprof.Key{gopprof.NumGC, gopprof.TotalAlloc} {
		a, ok := prev.Get(k)
		b, ok2 := now.Get(k)
		if ok && ok2 && b < a {
			return true
		}
	}
	return false
}

// count returns how often a type occurred in the window, and the longest.
func (w *goWatch) count(kind string, now time.Time) (n, longest float64) {
	for _, e := range w.events.entries {
		if e.kind == kind && now.Sub(e.at) <= goWindow {
			n += e.count
			longest = max(longest, e.ms)
		}
	}
	return n, longest
}

func (w *goWatch) fields(r *gopprof.Runtime) skills.Data {
	d := skills.Data{}
	set := func(kind, counted, longest string) {
		n, ms := w.count(kind, r.At)
		d.Set(counted, n, 0)
		if longest != "" {
			d.Set(longest, ms, 3)
		}
	}
	if r.Pause != nil || r.GCPauses != nil {
		set(goGC, "long_gc_events_5m", "max_gc_duration_ms")
	}
	if r.SchedLatency != nil {
		set(goSchedule, "long_schedule_events_5m", "max_schedule_duration_ms")
	}
	set(goRestart, "restarts_5m", "")
	if w.hasP99 {
		d.Set("sched_latency_p99_ms", 1000*w.p99, 3)
	}
	return d
}
