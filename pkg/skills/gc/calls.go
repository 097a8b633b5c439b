package gc

import (
	"context"
	"fmt"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func calls(w *watch) []skills.Call {
	return []skills.Call{
		{
			Name:    "gc_stats",
			Doc:     "The fields of the snapshot as they are now, rates since the last snapshot, and: interval_seconds (over which the rates are), read_from (metrics, vars, heap, …: what answered). note: what is not told and what would tell it.",
			Example: "gc_stats()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.stats(ctx) },
		},
		{
			Name: "gc_pressure",
			Doc: "Why collections cost what they cost. pressure (none, moderate from 8 % of the processors, high from 20 %), reasons (texts, the weightiest first; empty when there is none), " +
				"gc_cpu_pct, gcs_per_sec, heap_live_mb, heap_goal_mb, alloc_bytes_per_sec (as in the snapshot), allocators (at most 3, as in gc_top_allocators).",
			Example: "gc_pressure()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.pressure(ctx) },
		},
		{
			Name: "gc_top_allocators",
			Doc: "Who allocates most, since the last snapshot (before there is one: since the service began). places: function, line (file:line), calls (the function of the standard library that allocated for it), " +
				"alloc_bytes_per_sec (absent since start), alloc_mb, alloc_pct (share of all). over: recent or since start. It is an estimate from samples. truncated: there are more.",
			Params:  []skills.Param{skills.Limit(10, 50, "how many places")},
			Example: "gc_top_allocators(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				c, err := w.read(ctx)
				if err != nil {
					return nil, err
				}
				return c.answer(a.Int("limit")), nil
			},
		},
		{
			Name: "gc_get_long_gcs",
			Doc: "The pauses of the last 256 collections that lasted at least threshold_ms, newest first. pauses: datetime (UTC), duration_ms. " +
				"looked_at: how many there were, longest_ms. note: why there is no list. truncated: there are more.",
			Params: []skills.Param{
				skills.Limit(20, 100, "how many pauses"),
				{Name: "threshold_ms", Type: "number", Doc: "the shortest to list, in ms", Default: 1.0, Min: skills.Level(0), Max: skills.Level(60_000)},
			},
			Example: "gc_get_long_gcs(5, 0.1)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				r, err := w.service.Runtime(ctx)
				if err != nil {
					return nil, err
				}
				return longGCs(r, a.Int("limit"), a.Number("threshold_ms")), nil
			},
		},
	}
}

func (w *watch) stats(ctx context.Context) (any, error) {
	c, err := w.read(ctx)
	if c == nil {
		return nil, err
	}
	d := c.fields()
	d["read_from"] = c.From
	note := ""
	if err != nil {
		note = err.Error() + ". "
	}
	if c.prev == nil {
		note += "rates need a snapshot before. "
	} else {
		d.Set("interval_seconds", c.over.Seconds(), 1)
	}
	if _, sinceStart, ok := c.cost(); ok && sinceStart && c.prev != nil {
		note += "the recent cost needs the time at which the service began: Prometheus metrics with the process collector tell it. "
	}
	if _, ok := c.Get(gopprof.MemoryLimit); !ok {
		note += "GOGC and GOMEMLIMIT are told by Prometheus metrics alone. "
	}
	if note != "" {
		d["note"] = note
	}
	return d, nil
}

func (w *watch) pressure(ctx context.Context) (any, error) {
	c, err := w.read(ctx)
	if err != nil {
		return nil, err
	}
	d := c.fields()
	cost, _ := d["gc_cpu_pct"].(float64)
	a := map[string]any{"pressure": "none", "reasons": c.reasons(d, cost), "allocators": c.answer(3).Places}
	switch {
	case cost >= 20:
		a["pressure"] = "high"
	case cost >= 8:
		a["pressure"] = "moderate"
	}
	for _, name := range []string{"gc_cpu_pct", "gcs_per_sec", "heap_live_mb", "heap_goal_mb", "alloc_bytes_per_sec"} {
		if v, ok := d[name]; ok {
			a[name] = v
		}
	}
	return a, nil
}

// reasons says why collections are made so often, the weightiest first.
func (c *current) reasons(d skills.Data, cost float64) []string {
	out := []string{}
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if v, _ := d["memory_limit_used_pct"].(float64); v >= 95 {
		say("the memory is at %g %% of GOMEMLIMIT: collections begin before the heap has grown by GOGC", v)
	}
	if v, _ := d["gc_forced_per_sec"].(float64); v >= 0.1 {
		say("%g collections a second are asked for by the service's own code", v)
	}
	live, _ := d["heap_live_mb"].(float64)
	if v, ok := d["gogc_pct"].(float64); ok && v < 50 {
		say("GOGC is %g: the heap may grow by so many percent only between collections", v)
	} else if goal, ok := d["heap_goal_mb"].(float64); ok && goal > 0 && live > 16 && goal < 1.1*live && cost >= 8 {
		say("the heap (%g MiB) has little room up to its goal of %g MiB", live, goal)
	}
	if top := c.allocators(); len(top) > 0 && cost >= 8 {
		say("%s allocates %.1f %% of it all", top[0].String(), top[0].pct)
	}
	return out
}

func longGCs(r *gopprof.Runtime, limit int, threshold float64) any {
	type row struct {
		At string  `json:"datetime"`
		MS float64 `json:"duration_ms"`
	}
	a := struct {
		Pauses    []row   `json:"pauses"`
		Looked    int     `json:"looked_at"`
		Longest   float64 `json:"longest_ms"`
		Truncated bool    `json:"truncated,omitempty"`
		Note      string  `json:"note,omitempty"`
	}{Pauses: []row{}, Looked: len(r.Pause)}
	if r.Pause == nil {
		a.Note = "the service tells no single pauses: expvar or net/http/pprof would"
	}
	for _, p := range r.Pause {
		ms := float64(p.For) / 1e6
		a.Longest = max(a.Longest, skills.Round(ms, 3))
		switch {
		case ms < threshold:
		case len(a.Pauses) == limit:
			a.Truncated = true
		default:
			a.Pauses = append(a.Pauses, row{p.Ended.Format(time.RFC3339Nano), skills.Round(ms, 3)})
		}
	}
	return a
}
