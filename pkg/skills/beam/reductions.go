package beam

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// described returns what the first so many of the reducers are, without those that ended.
func (w *watch) described(ctx context.Context, list []reach.Reducer, limit int) ([]reach.Reducer, []reach.Process, error) {
	list = list[:min(limit, len(list))]
	pids := make([]etf.Pid, len(list))
	for i, r := range list {
		pids[i] = r.PID
	}
	found, err := w.node.Describe(ctx, pids)
	if err != nil {
		return nil, nil, err
	}
	var alive []reach.Reducer
	for i := range found {
		j := slices.IndexFunc(list, func(r reach.Reducer) bool { return r.PID == found[i].PID })
		alive = append(alive, list[j])
	}
	return alive, found, nil
}

type reducerRow struct {
	row
	Delta float64 `json:"reductions_delta"`
	Rate  float64 `json:"rate_per_sec"`
	Share float64 `json:"share_pct"`
}

func (w *watch) reducers(ctx context.Context, limit int, window time.Duration) (any, error) {
	r, err := w.node.Reducers(ctx, 0, window)
	if err != nil {
		return nil, err
	}
	list, found, err := w.described(ctx, r.List, limit)
	if err != nil {
		return nil, err
	}
	rows := []reducerRow{}
	for i, x := range list {
		rows = append(rows, reducerRow{rowOf(&found[i]), x.Did, perSecond(x.Did, r.Window), shareOf(x.Did, r.Total)})
	}
	return map[string]any{"window_ms": r.Window.Milliseconds(), "showing": len(rows), "limit": limit, "processes": rows, "truncated": r.Truncated}, nil
}

func perSecond(n float64, over time.Duration) float64 {
	return skills.Round(n/max(over.Seconds(), 0.001), 0)
}

func shareOf(n, total float64) float64 { return skills.Round(min(100, 100*n/max(1, total)), 1) }

// workTrend is one of five words for how hard a process works.
func workTrend(perSecond float64) string {
	switch {
	case perSecond > 10_000:
		return "very_high"
	case perSecond > 5000:
		return "high"
	case perSecond > 1000:
		return "moderate"
	case perSecond > 100:
		return "low"
	}
	return "idle"
}

func (w *watch) reductionRate(ctx context.Context, pid string, window time.Duration) (any, error) {
	before, err := w.node.Process(ctx, pid, false)
	if err != nil {
		return unknown(pid, err)
	}
	if err := pause(ctx, window); err != nil {
		return nil, err
	}
	after, err := w.node.Process(ctx, pid, false)
	if errors.Is(err, reach.ErrNoProcess) {
		return map[string]string{"pid": pid, "error": "process_died"}, nil
	}
	if err != nil {
		return nil, err
	}
	over := time.Duration(after.At-before.At) * time.Microsecond
	did := max(0, after.Reductions-before.Reductions)
	rate := perSecond(did, over)
	return map[string]any{"pid": after.PID.String(), "reductions_per_sec": rate, "reductions_delta": did, "window_ms": over.Milliseconds(), "trend": workTrend(rate)}, nil
}

// leastRate is what a baseline counts as, in reductions a second: from nothing to a
// little is no burst.
const leastRate = 1000

type burstRow struct {
	row
	Baseline float64 `json:"baseline_rate"`
	Current  float64 `json:"current_rate"`
	Pct      float64 `json:"burst_multiplier_pct"`
}

// burst is how much harder a process worked in the second window, in percent of the
// first.
func burst(r reach.Reducer, before, window time.Duration) (baseline, current, pct float64) {
	baseline, current = r.Before/max(before.Seconds(), 0.001), r.Did/max(window.Seconds(), 0.001)
	return baseline, current, 100 * current / max(baseline, leastRate)
}

func (w *watch) bursts(ctx context.Context, window time.Duration, threshold float64) (any, error) {
	r, err := w.node.Reducers(ctx, window, window)
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(r.List, func(x reach.Reducer) bool {
		_, _, pct := burst(x, r.Before, r.Window)
		return pct < threshold
	})
	list, found, err := w.described(ctx, list, most)
	if err != nil {
		return nil, err
	}
	rows := []burstRow{}
	for i, x := range list {
		baseline, current, pct := burst(x, r.Before, r.Window)
		rows = append(rows, burstRow{rowOf(&found[i]), skills.Round(baseline, 0), skills.Round(current, 0), skills.Round(pct, 0)})
	}
	slices.SortStableFunc(rows, func(a, b burstRow) int { return cmp.Compare(b.Pct, a.Pct) })
	return map[string]any{
		"baseline_window_ms": r.Before.Milliseconds(), "burst_threshold_pct": threshold, "showing": len(rows), "processes": rows, "truncated": r.Truncated,
	}, nil
}

type functionRow struct {
	Function  string  `json:"function"`
	Total     float64 `json:"total_reductions"`
	Avg       float64 `json:"avg_reductions"`
	Share     float64 `json:"share_pct"`
	Processes int     `json:"process_count"`
	Example   string  `json:"example"`
}

// hottest is how many processes are asked what they are in.
const hottest = 200

func (w *watch) hot(ctx context.Context, limit int, window time.Duration) (any, error) {
	r, err := w.node.Reducers(ctx, 0, window)
	if err != nil {
		return nil, err
	}
	list, found, err := w.described(ctx, r.List, hottest)
	if err != nil {
		return nil, err
	}
	rows := []functionRow{}
	for i, x := range list {
		where := skills.Cut(found[i].Sits())
		j := slices.IndexFunc(rows, func(f functionRow) bool { return f.Function == where })
		if j < 0 {
			j, rows = len(rows), append(rows, functionRow{Function: where, Example: x.PID.String()})
		}
		rows[j].Total += x.Did
		rows[j].Processes++
	}
	for i := range rows {
		rows[i].Avg = skills.Round(rows[i].Total/float64(rows[i].Processes), 0)
		rows[i].Share = shareOf(rows[i].Total, r.Total)
	}
	slices.SortFunc(rows, func(a, b functionRow) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Function, b.Function))
	})
	rows = rows[:min(limit, len(rows))]
	return map[string]any{"window_ms": r.Window.Milliseconds(), "showing": len(rows), "limit": limit, "functions": rows, "truncated": r.Truncated}, nil
}
