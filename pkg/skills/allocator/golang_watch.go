package allocator

import (
	"context"
	"errors"
	"sync"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A goWatch keeps what the places of one service held in the snapshots before.
type goWatch struct {
	service *gopprof.Service

	mu     sync.Mutex
	growth gopprof.Growth
}

// goLeast is what a place must have gained to be worth a word, in bytes: heap
// profiles are estimates.
const goLeast = 8 << 20

func (w *goWatch) snapshot(ctx context.Context) (skills.Data, error) {
	d := skills.Data{}
	r, err := w.service.Runtime(ctx)
	if err == nil {
		goSizes(d, r)
	}
	h, err2 := w.service.Heap(ctx)
	if err2 == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.keep(h)
		w.holders(d, h)
	}
	return d, errors.Join(err, err2)
}

func (w *goWatch) keep(h *gopprof.Heap) {
	values := make(map[string]int64, len(h.Places))
	for _, p := range h.Places {
		values[p.Key()] = p.InUse
	}
	w.growth.Observe(h.At, values)
}

// holders sets who holds most, and who holds steadily more.
func (w *goWatch) holders(d skills.Data, h *gopprof.Heap) {
	if len(h.Places) > 0 {
		d.Text("largest_place", h.Places[0].String())
		goMiB(d, "largest_mb", float64(h.Places[0].InUse))
	}
	for _, g := range w.growth.Grown() {
		if !g.Steady() || g.Added < goLeast {
			continue
		}
		d.Text("growing_place", g.Key)
		goMiB(d, "growing_mb", float64(g.Value))
		goMiB(d, "growing_added_mb", float64(g.Added))
		d.Set("growing_bytes_per_sec", g.PerSecond(), 0)
		d.Set("growing_for_seconds", g.For.Seconds(), 0)
		return
	}
}

func goMiB(d skills.Data, name string, bytes float64) { d.Set(name, bytes/(1<<20), 1) }

func goSizes(d skills.Data, r *gopprof.Runtime) {
	for name, k := range map[string]gopprof.Key{
		"heap_alloc_mb": gopprof.HeapAlloc, "heap_inuse_mb": gopprof.HeapInuse, "heap_idle_mb": gopprof.HeapIdle,
		"heap_released_mb": gopprof.HeapReleased, "heap_sys_mb": gopprof.HeapSys, "stacks_mb": gopprof.StackInuse,
		"sys_mb": gopprof.Sys, "rss_mb": gopprof.RSS,
	} {
		if v, ok := r.Get(k); ok {
			goMiB(d, name, v)
		}
	}
	if v, ok := r.Get(gopprof.HeapObjects); ok {
		d.Set("heap_objects", v, 0)
	}
	if inuse, ok := r.Get(gopprof.HeapInuse); ok && inuse >= 128<<20 {
		if alloc, ok := r.Get(gopprof.HeapAlloc); ok {
			d.Set("fragmentation_pct", 100*max(0, inuse-alloc)/inuse, 1)
		}
	}
	all := goClasses(r)
	if len(all) == 0 {
		return
	}
	worst, fragmented := 1.0, 0
	for _, c := range all {
		if c.Reserved >= goLargeMB {
			worst = min(worst, c.Ratio)
		}
		if c.problematic() {
			fragmented++
		}
	}
	d.Set("allocator_count", float64(len(all)), 0)
	d.Set("fragmented_allocators", float64(fragmented), 0)
	d.Set("worst_usage_ratio", worst, 3)
}
