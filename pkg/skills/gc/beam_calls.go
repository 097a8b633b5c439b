package gc

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func (w *beamWatch) calls() []skills.Call {
	limit := skills.Limit(10, 50, "how many processes")
	return []skills.Call{
		{
			Name:    "gc_stats",
			Doc:     "Since the node began: total_gcs, words_reclaimed, bytes_reclaimed_mb; since the last snapshot: gcs_per_sec, reclaimed_mb_per_sec (absent without one).",
			Example: "gc_stats()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.stats(ctx) },
		},
		{
			Name: "gc_top_processes",
			Doc: "The processes with the largest heaps, the largest first, of the 200 with most memory. processes: pid, name, heap_size_kb (the young part), total_heap_size_kb, minor_gcs (since its last full collection), fullsweep_after, message_queue_len, current_function. " +
				"skipped: how many were not asked, because of their long queues. truncated: not all processes were looked at.",
			Params: []skills.Param{limit}, Example: "gc_top_processes(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) { return w.top(ctx, a.Int("limit")) },
		},
		{
			Name: "gc_find_spiky_processes",
			Doc: "The processes whose whole heap is at least threshold_mb larger than its young part, the most first, of the 200 with most memory: pid, name, heap_size_kb, total_heap_size_kb, variance_mb (between the two), stack_size_kb. " +
				"They hold much that is old, or that was not collected yet. truncated: not all processes were looked at.",
			Params:  []skills.Param{{Name: "threshold_mb", Type: "number", Doc: "from how many MiB on", Default: 1.0, Min: skills.Level(0), Max: skills.Level(1e6)}},
			Example: "gc_find_spiky_processes(1)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.spiky(ctx, a.Number("threshold_mb")) },
		},
		{
			Name: "gc_find_lazy_gc_processes",
			Doc: "The processes with a large heap that have not collected for so long, as far as the probe saw (no release tells when a process collected last), the longest first: pid, name, heap_size_mb, total_heap_size_mb, last_gc_minutes_ago (at least), minor_gcs. " +
				"watched: of how many processes it knows. note: why there is nothing.",
			Params: []skills.Param{
				{Name: "min_heap_mb", Type: "number", Doc: "from which heap on, in MiB", Default: 1.0, Min: skills.Level(0), Max: skills.Level(1e6)},
				{Name: "max_gc_age_minutes", Type: "number", Doc: "for how many minutes it has not collected", Default: 5.0, Min: skills.Level(0), Max: skills.Level(1440)},
			},
			Example: "gc_find_lazy_gc_processes(1, 5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.lazy(ctx, a.Number("min_heap_mb"), time.Duration(a.Number("max_gc_age_minutes")*float64(time.Minute)))
			},
		},
		{
			Name: "gc_calculate_efficiency",
			Doc: "One process: pid, name, heap_size_kb, total_heap_size_kb, minor_gcs, and efficiency_ratio, total_reclaimed_mb, total_allocated_mb, which are null: no release tells what one process has freed. note says so. " +
				"node_reclaimed_mb_per_gc: what a collection frees on average, of all processes. Of one that there is not: error process_not_found.",
			Params:  []skills.Param{{Name: "pid", Type: "string", Doc: `which process: "<0.123.0>"`}},
			Example: `gc_calculate_efficiency("<0.0.0>")`,
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.efficiency(ctx, a.String("pid")) },
		},
		{
			Name:    "gc_recommend_hibernation",
			Doc:     "Registered processes with a heap of 1 MiB or more and nothing to do, those that would free most first: pid, name, heap_size_mb, message_queue_len (0), estimated_savings_mb (nine tenths of the heap: how much of it is still needed nobody knows before), current_function.",
			Example: "gc_recommend_hibernation()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.hibernation(ctx) },
		},
		{
			Name:    "gc_get_long_gcs",
			Doc:     "Collections that took 500 ms or more, newest first: events: datetime (UTC), pid, name, function (what it ran), duration_ms, heap_size and old_heap_size (bytes). They are told at the level events: note says when it is not granted. truncated: there are more.",
			Params:  []skills.Param{skills.Limit(20, 100, "how many")},
			Example: "gc_get_long_gcs(5)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.longGCs(ctx, a.Int("limit")) },
		},
	}
}

func (w *beamWatch) stats(ctx context.Context) (any, error) {
	v, err := w.node.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	now, d := time.Now(), beamTotals(v)
	beamRates(d, w.Base(now), v)
	return d, nil
}

// beamHeaps returns those of which the heap is known, the largest first.
func beamHeaps(t *beam.Top) []*beam.Process {
	var out []*beam.Process
	for i := range t.List {
		if p := &t.List[i].Process; p.TotalHeap != nil && p.Heap != nil && p.MinorGCs != nil && p.Fullsweep != nil && p.StackSize != nil {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b *beam.Process) int { return cmp.Compare(*b.TotalHeap, *a.TotalHeap) })
	return out
}

// beamAll is how many processes are looked at.
const beamAll = 200

func beamKiB(bytes int64) float64 { return skills.Round(float64(bytes)/1024, 1) }
func beamMB(bytes int64) float64  { return skills.Round(float64(bytes)/(1<<20), 2) }

type heapRow struct {
	PID       string  `json:"pid"`
	Name      string  `json:"name"`
	Heap      float64 `json:"heap_size_kb"`
	Total     float64 `json:"total_heap_size_kb"`
	Minor     int64   `json:"minor_gcs"`
	Fullsweep int64   `json:"fullsweep_after"`
	Queue     int64   `json:"message_queue_len"`
	Function  string  `json:"current_function"`
}

func heapRowOf(p *beam.Process) heapRow {
	return heapRow{p.PID.String(), skills.Cut(p.Name()), beamKiB(*p.Heap), beamKiB(*p.TotalHeap), *p.MinorGCs, *p.Fullsweep, p.QueueLen, p.Function()}
}

func (w *beamWatch) top(ctx context.Context, limit int) (any, error) {
	t, err := w.node.Top(ctx, beam.ByMemory, beamAll)
	if err != nil {
		return nil, err
	}
	rows := []heapRow{}
	list := beamHeaps(t)
	for _, p := range list[:min(limit, len(list))] {
		rows = append(rows, heapRowOf(p))
	}
	return map[string]any{"total_processes": t.Processes, "showing": len(rows), "processes": rows, "skipped": t.Skipped, "truncated": t.Truncated}, nil
}

func (w *beamWatch) spiky(ctx context.Context, threshold float64) (any, error) {
	t, err := w.node.Top(ctx, beam.ByMemory, beamAll)
	if err != nil {
		return nil, err
	}
	type row struct {
		PID      string  `json:"pid"`
		Name     string  `json:"name"`
		Heap     float64 `json:"heap_size_kb"`
		Total    float64 `json:"total_heap_size_kb"`
		Variance float64 `json:"variance_mb"`
		Stack    float64 `json:"stack_size_kb"`
	}
	rows := []row{}
	for _, p := range beamHeaps(t) {
		if more := *p.TotalHeap - *p.Heap; float64(more) >= threshold*(1<<20) {
			rows = append(rows, row{p.PID.String(), skills.Cut(p.Name()), beamKiB(*p.Heap), beamKiB(*p.TotalHeap), beamMB(more), beamKiB(*p.StackSize)})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.Variance, a.Variance) })
	return map[string]any{"threshold_mb": threshold, "processes": rows, "truncated": t.Truncated}, nil
}

func (w *beamWatch) lazy(ctx context.Context, least float64, age time.Duration) (any, error) {
	now := time.Now()
	list, err := w.heapsNow(ctx, now)
	if err != nil {
		return nil, err
	}
	type row struct {
		PID   string  `json:"pid"`
		Name  string  `json:"name"`
		Heap  float64 `json:"heap_size_mb"`
		Total float64 `json:"total_heap_size_mb"`
		Ago   float64 `json:"last_gc_minutes_ago"`
		Minor int64   `json:"minor_gcs"`
	}
	rows, longest := []row{}, time.Duration(0)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range list {
		quiet := now.Sub(w.quiet[p.PID].since)
		longest = max(longest, quiet)
		if float64(*p.TotalHeap) >= least*(1<<20) && quiet >= age {
			rows = append(rows, row{p.PID.String(), skills.Cut(p.Name()), beamMB(*p.Heap), beamMB(*p.TotalHeap), skills.Round(quiet.Minutes(), 2), *p.MinorGCs})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.Ago, a.Ago) })
	a := map[string]any{"processes": rows, "watched": len(w.quiet)}
	if len(rows) == 0 && longest < age {
		a["note"] = "the probe has not watched these processes for so long yet"
	}
	return a, nil
}

func (w *beamWatch) efficiency(ctx context.Context, pid string) (any, error) {
	p, err := w.node.Named(ctx, pid)
	if errors.Is(err, beam.ErrNoProcess) {
		return map[string]string{"pid": pid, "error": err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := w.node.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	a := map[string]any{
		"pid": p.PID.String(), "name": skills.Cut(p.Name()), "efficiency_ratio": nil, "total_reclaimed_mb": nil, "total_allocated_mb": nil, "minor_gcs": p.MinorGCs,
		"note": "no release of Erlang tells what one process has freed or allocated: only the sums of all of them are known",
	}
	if p.Heap != nil && p.TotalHeap != nil {
		a["heap_size_kb"], a["total_heap_size_kb"] = beamKiB(*p.Heap), beamKiB(*p.TotalHeap)
	}
	if v.GCs > 0 {
		a["node_reclaimed_mb_per_gc"] = skills.Round(v.Reclaimed*float64(v.WordBytes)/(1<<20)/float64(v.GCs), 4)
	}
	return a, nil
}

func (w *beamWatch) hibernation(ctx context.Context) (any, error) {
	t, err := w.node.Registered(ctx, 1<<20)
	if err != nil {
		return nil, err
	}
	type row struct {
		PID      string  `json:"pid"`
		Name     string  `json:"name"`
		Heap     float64 `json:"heap_size_mb"`
		Queue    int64   `json:"message_queue_len"`
		Savings  float64 `json:"estimated_savings_mb"`
		Function string  `json:"current_function"`
	}
	rows := []row{}
	for _, p := range t.List {
		if p.QueueLen == 0 && p.Status == "waiting" {
			rows = append(rows, row{p.PID.String(), skills.Cut(p.Name()), beamMB(int64(p.Value)), 0, skills.Round(0.9*p.Value/(1<<20), 2), p.Function()})
		}
	}
	return map[string]any{"processes": rows, "truncated": t.Truncated}, nil
}

type longGCRow struct {
	At       string  `json:"datetime"`
	PID      string  `json:"pid"`
	Name     string  `json:"name"`
	Function string  `json:"function,omitempty"`
	MS       float64 `json:"duration_ms"`
	Heap     int64   `json:"heap_size"`
	OldHeap  int64   `json:"old_heap_size"`
}

func (w *beamWatch) longGCs(ctx context.Context, limit int) (any, error) {
	if _, err := w.node.Vitals(ctx); err != nil {
		return nil, err
	}
	rows, more := []longGCRow{}, false
	events, err := w.node.Events(ctx)
	if err != nil { // what it answers to is not granted, or taken: the rest of the skill works
		return map[string]any{"events": rows, "note": err.Error()}, nil
	}
	for _, e := range events {
		if e.Type != beam.LongGC {
			continue
		}
		if more = len(rows) == limit; more {
			break
		}
		rows = append(rows, longGCRow{
			e.At.UTC().Format(time.RFC3339Nano), e.PID, skills.Cut(e.Process), e.Function, skills.Round(float64(e.Duration)/1e6, 1), e.Heap, e.OldHeap,
		})
	}
	return map[string]any{"events": rows, "truncated": more}, nil
}
