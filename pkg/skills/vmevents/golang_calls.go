package vmevents

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

func goCalls(w *goWatch) []skills.Call {
	return []skills.Call{
		{
			Name: "sysmon_stats",
			Doc: "Events of the last five minutes: long_gc_count_5m, long_schedule_count_5m, restart_count_5m, max_gc_duration_ms, max_schedule_duration_ms, " +
				"kept (events that can still be listed), oldest (the time of the oldest, UTC). note: what the service does not tell and what would tell it.",
			Example: "sysmon_stats()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.stats(ctx) },
		},
		{
			Name: "sysmon_events",
			Doc: "events, newest first: datetime (UTC), age_seconds, type, duration_ms (absent for restart; where the service counts by buckets, the lower border of the longest), " +
				"count (how many such a snapshot met). truncated: there are more.",
			Params: []skills.Param{
				{Name: "type", Type: "string", Doc: "which type; empty: all", Default: "", Enum: []string{"", goGC, goSchedule, goRestart}},
				skills.Limit(20, 100, "how many events"),
			},
			Example: `sysmon_events("long_gc", 10)`,
			Run: func(_ context.Context, a skills.Args) (any, error) {
				return w.list(time.Now(), a.String("type"), a.Int("limit")), nil
			},
		},
	}
}

type goEventRow struct {
	At    string   `json:"datetime"`
	Age   float64  `json:"age_seconds"`
	Type  string   `json:"type"`
	MS    *float64 `json:"duration_ms,omitempty"`
	Count float64  `json:"count"`
}

func (w *goWatch) list(now time.Time, kind string, limit int) any {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := struct {
		Events    []goEventRow `json:"events"`
		Truncated bool         `json:"truncated,omitempty"`
	}{Events: []goEventRow{}}
	for _, e := range w.events.newestFirst() {
		if kind != "" && e.kind != kind {
			continue
		}
		if len(a.Events) == limit {
			a.Truncated = true
			break
		}
		row := goEventRow{At: e.at.UTC().Format(time.RFC3339Nano), Age: skills.Round(now.Sub(e.at).Seconds(), 1), Type: e.kind, Count: e.count}
		if e.kind != goRestart {
			ms := skills.Round(e.ms, 3)
			row.MS = &ms
		}
		a.Events = append(a.Events, row)
	}
	return a
}

func (w *goWatch) stats(ctx context.Context) (any, error) {
	r, err := w.service.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	d := skills.Data{"kept": len(w.events.entries)}
	for kind, longest := range map[string]string{goGC: "max_gc_duration_ms", goSchedule: "max_schedule_duration_ms", goRestart: ""} {
		n, ms := w.count(kind, r.At)
		d.Set(kind+"_count_5m", n, 0)
		if longest != "" {
			d.Set(longest, ms, 3)
		}
	}
	if all := w.events.newestFirst(); len(all) > 0 {
		d["oldest"] = all[len(all)-1].at.UTC().Format(time.RFC3339)
	}
	if r.SchedLatency == nil {
		d["note"] = "scheduling latency is not told: collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsScheduler)) among its Prometheus metrics would"
	}
	return d, nil
}
