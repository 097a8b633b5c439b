package gc

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A watch reads one service and keeps what its counters were.
type watch struct {
	service *gopprof.Service
	skills.History[*reading]
}

// A reading is what rates are taken against.
type reading struct {
	runtime *gopprof.Runtime
	alloc   map[string]int64 // bytes by place, since the service began
}

// A current reading, beside the one before.
type current struct {
	*gopprof.Runtime
	heap *gopprof.Heap
	prev *reading // nil when there is none
	over time.Duration
}

func (w *watch) snapshot(ctx context.Context) (skills.Data, error) {
	c, err := w.read(ctx)
	if c == nil {
		return nil, err
	}
	r := &reading{runtime: c.Runtime}
	if c.heap != nil {
		r.alloc = make(map[string]int64, len(c.heap.Places))
		for _, p := range c.heap.Places {
			r.alloc[p.Key()] = p.Alloc
		}
	}
	w.Advance(c.At, r)
	return c.fields(), err
}

// read reads the service. Without its heap profile there is the rest, and an error.
func (w *watch) read(ctx context.Context) (*current, error) {
	r, err := w.service.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	c := &current{Runtime: r}
	if base := w.Base(r.At); base != nil {
		c.prev, c.over = base.Value, r.At.Sub(base.At)
	}
	c.heap, err = w.service.Heap(ctx)
	return c, err
}

// rate returns how fast a counter grew; false without two readings, or when the
// service began anew.
func (c *current) rate(k gopprof.Key) (float64, bool) {
	if c.prev == nil {
		return 0, false
	}
	a, ok := c.prev.runtime.Get(k)
	b, ok2 := c.Get(k)
	return (b - a) / c.over.Seconds(), ok && ok2 && b >= a
}

// cost returns the share of the processors that collections take, in percent, and
// whether it is since the service began.
func (c *current) cost() (pct float64, sinceStart, known bool) {
	gc, ok := c.rate(gopprof.GCCPUSeconds)
	all, ok2 := c.rate(gopprof.AllCPUSeconds)
	if ok && ok2 && all > 0 { // they move on with each collection
		idle, _ := c.rate(gopprof.GCIdleSeconds)
		return 100 * max(0, gc-idle) / all, false, true
	}
	now, ok := c.Get(gopprof.GCCPUFraction)
	if !ok {
		return 0, false, false
	}
	if start, told := c.Get(gopprof.StartTime); told && c.prev != nil {
		before, ok := c.prev.runtime.Get(gopprof.GCCPUFraction)
		began := time.UnixMilli(int64(start * 1000))
		if age := c.prev.runtime.At.Sub(began); ok && age > 0 {
			spent := now*c.At.Sub(began).Seconds() - before*age.Seconds()
			return min(100, max(0, 100*spent/c.over.Seconds())), false, true
		}
	}
	return 100 * now, true, true
}

// longestPause returns the longest pause since the snapshot before.
func (c *current) longestPause() (time.Duration, bool) {
	if c.Pause == nil {
		most, ok := c.Get(gopprof.PauseMax)
		return time.Duration(most * float64(time.Second)), ok
	}
	since := c.At.Add(-5 * time.Minute)
	if c.prev != nil {
		since = c.prev.runtime.At
	}
	longest := time.Duration(0)
	for _, p := range c.Pause {
		if p.Ended.After(since) {
			longest = max(longest, p.For)
		}
	}
	return longest, true
}

// mib sets a size in MiB.
func mib(d skills.Data, name string, bytes float64) { d.Set(name, bytes/(1<<20), 1) }

func (c *current) fields() skills.Data {
	d := skills.Data{}
	if n, ok := c.Get(gopprof.NumGC); ok {
		d.Set("gc_count", n, 0)
	}
	for name, k := range map[string]gopprof.Key{"gcs_per_sec": gopprof.NumGC, "gc_forced_per_sec": gopprof.NumForcedGC} {
		if v, ok := c.rate(k); ok {
			d.Set(name, v, 2)
		}
	}
	if v, ok := c.rate(gopprof.TotalAlloc); ok {
		d.Set("alloc_bytes_per_sec", v, 0)
	}
	if pct, sinceStart, ok := c.cost(); ok && c.prev != nil { // alone it says nothing of now
		d.Set("gc_cpu_pct", pct, 1)
		d["gc_cpu_over"] = "recent"
		if sinceStart {
			d["gc_cpu_over"] = "since start"
		}
	}
	if p, ok := c.longestPause(); ok {
		d.Set("gc_pause_max_ms", float64(p)/1e6, 3)
	}
	if v, ok := c.rate(gopprof.PauseTotal); ok {
		d.Set("gc_pause_pct", 100*v, 3)
	}
	for name, k := range map[string]gopprof.Key{"heap_live_mb": gopprof.HeapAlloc, "heap_goal_mb": gopprof.NextGC} {
		if v, ok := c.Get(k); ok {
			mib(d, name, v)
		}
	}
	if v, ok := c.Get(gopprof.GOGC); ok && v > 0 && v < 1e6 { // off is a negative or the largest number
		d.Set("gogc_pct", v, 0)
	}
	c.limit(d)
	if top := c.allocators(); len(top) > 0 {
		d.Text("top_allocator", top[0].String())
		d.Set("top_allocator_pct", top[0].pct, 1)
	}
	return d
}

// limit sets what there is to say of GOMEMLIMIT.
func (c *current) limit(d skills.Data) {
	limit, ok := c.Get(gopprof.MemoryLimit)
	if !ok || limit <= 0 || limit >= 1<<60 { // the largest number is no limit
		return
	}
	mib(d, "memory_limit_mb", limit)
	sys, ok := c.Get(gopprof.Sys)
	released, ok2 := c.Get(gopprof.HeapReleased)
	if ok && ok2 {
		d.Set("memory_limit_used_pct", 100*(sys-released)/limit, 1)
	}
}
