package beam

import (
	"context"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A usage is how busy some schedulers are, in percent.
type usage struct{ avg, most, least float64 }

func use(list []reach.Scheduler) usage {
	if len(list) == 0 {
		return usage{}
	}
	u := usage{least: 100}
	for _, s := range list {
		pct := 100 * s.Utilization
		u.avg += pct / float64(len(list))
		u.most, u.least = max(u.most, pct), min(u.least, pct)
	}
	return u
}

// imbalanced says whether some have much more to do than others. Where there is little
// to do that is as it should be: work is put together on few of them.
func (u usage) imbalanced(n int) bool { return n > 1 && u.most-u.least > 50 }

type schedulerRow struct {
	ID  int     `json:"id"`
	Pct float64 `json:"utilization_pct"`
}

func (w *watch) utilization(ctx context.Context, sample time.Duration) (any, error) {
	s, err := w.node.Schedulers(ctx, sample)
	if err != nil {
		return nil, err
	}
	normal := s.Normal()
	rows := []schedulerRow{}
	for _, x := range normal {
		rows = append(rows, schedulerRow{x.ID, skills.Round(100*x.Utilization, 1)})
	}
	u := use(normal)
	a := map[string]any{
		"schedulers": rows, "avg_utilization_pct": skills.Round(u.avg, 1), "max_utilization_pct": skills.Round(u.most, 1), "min_utilization_pct": skills.Round(u.least, 1),
		"imbalanced": u.imbalanced(len(normal)), "run_queue": s.MedianWaiting(), "sample_ms": s.Window.Milliseconds(),
	}
	for _, kind := range []string{"dirty_cpu", "dirty_io"} {
		var list []reach.Scheduler
		for _, x := range s.List {
			if x.Kind == kind {
				list = append(list, x)
			}
		}
		a[kind+"_avg_utilization_pct"] = skills.Round(use(list).avg, 1)
	}
	return a, nil
}

func (w *watch) capacity(ctx context.Context) (any, error) {
	s, err := w.node.Schedulers(ctx, time.Second)
	if err != nil {
		return nil, err
	}
	return use(s.Normal()).avg < 70, nil
}

func (w *watch) health(ctx context.Context) (any, error) {
	s, err := w.node.Schedulers(ctx, time.Second)
	if err != nil {
		return nil, err
	}
	normal := s.Normal()
	u := use(normal)
	return healthOf(u, u.imbalanced(len(normal))), nil
}

func healthOf(u usage, imbalanced bool) map[string]any {
	status, factor := "healthy", 0.0
	switch {
	case u.avg > 90:
		status = "critical"
	case u.avg > 70:
		status = "warning"
	}
	if imbalanced {
		factor = u.most - u.least
	}
	return map[string]any{
		"status": status, "avg_utilization_pct": skills.Round(u.avg, 1), "max_utilization_pct": skills.Round(u.most, 1), "min_utilization_pct": skills.Round(u.least, 1),
		"imbalance_factor": skills.Round(factor, 1), "imbalanced": imbalanced, "recommendations": recommend(u, imbalanced),
	}
}

func recommend(u usage, imbalanced bool) []string {
	busy := []string{
		"Find who does most: beam_top_reducers_window and beam_hot_functions.",
		"Hold back or spread the load: the node has no processor time to spare.",
		"Give the node more processors, or more nodes.",
	}
	switch {
	case u.avg > 90 && imbalanced:
		return append(busy, "Some schedulers have much more to do than others: one process that never waits, or native code that does not yield.")
	case u.avg > 90:
		return busy
	case u.avg > 70:
		return []string{"Find who does most: beam_top_reducers_window.", "Plan for more processors: a peak would find no time to spare."}
	case imbalanced:
		return []string{
			"With little to do work is put together on few schedulers: as it should be, unless one of them has no time to spare.",
			"Find who keeps it busy: beam_top_reducers_window.",
			"Native code that does not yield shows as one busy scheduler with few reductions.",
		}
	}
	return []string{"There is time to spare."}
}
