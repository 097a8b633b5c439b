package beam

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A row says which process is meant. Others begin with it.
type row struct {
	PID      string `json:"pid"`
	Name     string `json:"name"`
	Function string `json:"current_function"`
	Sits     string `json:"sits_in"`
}

func rowOf(p *reach.Process) row {
	return row{p.PID.String(), skills.Cut(p.Name()), p.Function(), skills.Cut(p.Sits())}
}

// kib returns bytes in KiB, nil for nil.
func kib(bytes *int64) *float64 {
	if bytes == nil {
		return nil
	}
	v := skills.Round(float64(*bytes)/1024, 1)
	return &v
}

type topRow struct {
	row
	Memory     *float64 `json:"memory_kb"`
	Queue      int64    `json:"message_queue"`
	Reductions float64  `json:"reductions"`
	Status     string   `json:"status"`
}

func topRowOf(p *reach.Process) topRow {
	return topRow{rowOf(p), kib(p.Memory), p.QueueLen, p.Reductions, p.Status}
}

type topAnswer struct {
	Total     int      `json:"total_processes"`
	Showing   int      `json:"showing"`
	Offset    int      `json:"offset"`
	Limit     int      `json:"limit"`
	SortBy    string   `json:"sort_by"`
	Processes []topRow `json:"processes"`
	Truncated bool     `json:"truncated,omitempty"`
	Skipped   int      `json:"skipped,omitempty"`
}

func (w *watch) top(ctx context.Context, limit int, by string) (any, error) {
	a := topAnswer{Limit: limit, SortBy: map[string]string{"memory": "memory_kb"}[by], Processes: []topRow{}}
	a.SortBy = cmp.Or(a.SortBy, by)
	var list []reach.Ranked
	if by == "message_queue" {
		q, err := w.node.Queues(ctx)
		if err != nil {
			return nil, err
		}
		a.Total, a.Truncated, list = q.Processes, q.Truncated, q.Top
	} else {
		item := map[string]reach.Item{"memory": reach.ByMemory, "reductions": reach.ByReductions}[by]
		t, err := w.node.Top(ctx, item, limit)
		if err != nil {
			return nil, err
		}
		a.Total, a.Truncated, a.Skipped, list = t.Processes, t.Truncated, t.Skipped, t.List
	}
	for i := range list[:min(limit, len(list))] {
		a.Processes = append(a.Processes, topRowOf(&list[i].Process))
	}
	a.Showing = len(a.Processes)
	return a, nil
}

// unknown answers for a process that there is not; err is returned when it is another.
func unknown(pid string, err error) (any, error) {
	if errors.Is(err, reach.ErrNoProcess) {
		return map[string]string{"pid": pid, "error": reach.ErrNoProcess.Error()}, nil
	}
	return nil, err
}

// one reads the process that a text names, and what it is.
func (w *watch) one(ctx context.Context, pid string, binaries bool) (*reach.One, *reach.Process, error) {
	o, err := w.node.Process(ctx, pid, binaries)
	if err != nil {
		return nil, nil, err
	}
	found, err := w.node.Describe(ctx, []etf.Pid{*o.PID})
	if err == nil && len(found) == 0 {
		err = reach.ErrNoProcess
	}
	if err != nil {
		return nil, nil, err
	}
	return o, &found[0], nil
}

func (w *watch) info(ctx context.Context, pid string) (any, error) {
	o, p, err := w.one(ctx, pid, false)
	if err != nil {
		return unknown(pid, err)
	}
	r := rowOf(p)
	stack, ancestors := []string{}, []string{}
	for i := range p.Stack {
		stack = append(stack, p.Stack[i].String())
	}
	for _, t := range p.Ancestors {
		ancestors = append(ancestors, reach.Label(t))
	}
	if len(ancestors) == 0 && p.Parent != nil {
		ancestors = append(ancestors, p.Parent.String())
	}
	return map[string]any{
		"pid": r.PID, "name": r.Name, "registered_name": reach.Label(p.Registered), "began_with": p.Origin(), "started_by": ancestors, "status": p.Status,
		"current_function": r.Function, "sits_in": r.Sits, "stack": stack, "message_queue": p.QueueLen, "reductions": p.Reductions,
		"memory_kb": kib(p.Memory), "heap_kb": kib(p.Heap), "total_heap_kb": kib(p.TotalHeap), "stack_kb": kib(p.StackSize), "minor_gcs": p.MinorGCs, "binary_kb": kib(&o.Held),
	}, nil
}

// byFunction puts origins together that are the same function, the most first.
func byFunction(list []reach.Origin) []reach.Origin {
	var out []reach.Origin
	for _, x := range list {
		i := slices.IndexFunc(out, func(y reach.Origin) bool { return y.Function == x.Function })
		if i < 0 {
			out = append(out, x)
			continue
		}
		out[i].Count += x.Count
	}
	slices.SortFunc(out, func(a, b reach.Origin) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Function, b.Function))
	})
	return out
}

type originRow struct {
	Function  string  `json:"function"`
	Processes int     `json:"processes"`
	Share     float64 `json:"share_pct"`
	Example   *row    `json:"example"`
	Parent    string  `json:"started_by,omitempty"`
	Added     *int64  `json:"added,omitempty"`
	Steady    *bool   `json:"steady,omitempty"`
}

func (w *watch) originList(ctx context.Context, limit int) (any, error) {
	o, err := w.node.Origins(ctx)
	if err != nil {
		return nil, err
	}
	all := byFunction(o.List())
	list := all[:min(limit, len(all))]
	pids := make([]etf.Pid, len(list))
	for i, x := range list {
		pids[i] = x.Example
	}
	found, err := w.node.Describe(ctx, pids)
	if err != nil {
		return nil, err
	}
	rows := []originRow{}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range list {
		r := originRow{Function: x.Function, Processes: x.Count, Share: skills.Round(100*float64(x.Count)/float64(max(1, o.Processes)), 1), Parent: x.Parent}
		if i := slices.IndexFunc(found, func(p reach.Process) bool { return p.PID == x.Example }); i >= 0 {
			example := rowOf(&found[i])
			r.Example = &example
		}
		if g, ok := w.origins.Of(x.Function); ok && g.Added > 0 {
			steady := g.Steady()
			r.Added, r.Steady = &g.Added, &steady
		}
		rows = append(rows, r)
	}
	return map[string]any{"total_processes": o.Processes, "origins": rows, "truncated": o.Truncated || len(all) > limit}, nil
}
