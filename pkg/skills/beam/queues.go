package beam

import (
	"cmp"
	"context"
	"slices"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// mostQueues is how many rows a list of queues has.
const mostQueues = 100

type queueRow struct {
	row
	Queue  int64  `json:"message_queue"`
	Status string `json:"status"`
}

func (w *watch) queuesAbove(ctx context.Context, threshold float64) (any, error) {
	list, truncated, err := w.node.Lengths(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(l reach.Length) bool { return l.Messages <= threshold })
	shown := list[:min(mostQueues, len(list))]
	found, err := w.describe(ctx, shown)
	if err != nil {
		return nil, err
	}
	rows := []queueRow{}
	for _, l := range shown {
		if p := found[l.PID]; p != nil {
			rows = append(rows, queueRow{rowOf(p), int64(l.Messages), p.Status})
		}
	}
	return map[string]any{"threshold": threshold, "count": len(list), "processes": rows, "truncated": truncated || len(list) > len(shown)}, nil
}

// describe returns what the processes are that are still there.
func (w *watch) describe(ctx context.Context, list []reach.Length) (map[etf.Pid]*reach.Process, error) {
	pids := make([]etf.Pid, len(list))
	for i, l := range list {
		pids[i] = l.PID
	}
	found, err := w.node.Describe(ctx, pids)
	if err != nil {
		return nil, err
	}
	out := make(map[etf.Pid]*reach.Process, len(found))
	for i := range found {
		out[found[i].PID] = &found[i]
	}
	return out, nil
}

type queueGrowthRow struct {
	row
	Growth  int64 `json:"queue_growth"`
	Initial int64 `json:"initial_queue"`
	Final   int64 `json:"final_queue"`
}

func (w *watch) queueGrowth(ctx context.Context, interval time.Duration, limit int) (any, error) {
	before, cut, err := w.node.Lengths(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := pause(ctx, interval); err != nil {
		return nil, err
	}
	after, cut2, err := w.node.Lengths(ctx)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	initial := make(map[etf.Pid]float64, len(before))
	for _, l := range before {
		initial[l.PID] = l.Messages
	}
	grown := slices.DeleteFunc(after, func(l reach.Length) bool { return l.Messages <= initial[l.PID] })
	slices.SortStableFunc(grown, func(a, b reach.Length) int {
		return cmp.Compare(b.Messages-initial[b.PID], a.Messages-initial[a.PID])
	})
	shown := grown[:min(limit, len(grown))]
	found, err := w.describe(ctx, shown)
	if err != nil {
		return nil, err
	}
	rows := []queueGrowthRow{}
	for _, l := range shown {
		if p := found[l.PID]; p != nil {
			rows = append(rows, queueGrowthRow{rowOf(p), int64(l.Messages - initial[l.PID]), int64(initial[l.PID]), int64(l.Messages)})
		}
	}
	return map[string]any{"interval_ms": took.Milliseconds(), "showing": len(rows), "limit": limit, "processes": rows, "truncated": cut || cut2}, nil
}

func (w *watch) queueStats(ctx context.Context) (any, error) {
	q, err := w.node.Queues(ctx)
	if err != nil {
		return nil, err
	}
	a := map[string]any{
		"total_queued_messages": q.Total, "processes_with_large_queues": q.Over1k, "processes_with_critical_queues": q.Over10k,
		"max_queue_size": q.P100, "max_queue_process": nil, "truncated": q.Truncated,
	}
	if len(q.Top) > 0 {
		a["max_queue_process"] = rowOf(&q.Top[0].Process)
	}
	return a, nil
}
