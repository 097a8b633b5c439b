package beam

import (
	"cmp"
	"context"
	"slices"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// held is what a process held at one moment; bytes and count are nil where its binaries
// were not counted.
type held struct {
	held, collections int64
	bytes, count      *int64
}

// bytesOf returns what a process holds: what its binaries have when they were listed,
// else what its collector has added up.
func bytesOf(h *reach.Holder) int64 {
	if h.Bytes != nil {
		return *h.Bytes
	}
	return h.Held
}

func heldBy(h *reach.Holders) map[etf.Pid]held {
	out := make(map[etf.Pid]held, len(h.List))
	for i := range h.List {
		x := &h.List[i]
		out[x.PID] = held{x.Held, x.Collections, x.Bytes, x.Count}
	}
	return out
}

func (w *watch) keepHeld(now time.Time, h *reach.Holders) { w.held.Add(now, heldBy(h)) }

type binaryRow struct {
	row
	Count *int64   `json:"binary_count"`
	KB    *float64 `json:"binary_memory_kb"`
	GCs   int64    `json:"minor_gcs"`
}

func binaryRowOf(h *reach.Holder) binaryRow {
	bytes := bytesOf(h)
	return binaryRow{rowOf(&h.Process), h.Count, kib(&bytes), h.Collections}
}

func (w *watch) binaryTop(ctx context.Context, limit int) (any, error) {
	h, err := w.node.Binaries(ctx, most)
	if err != nil {
		return nil, err
	}
	rows := []binaryRow{}
	for i := range h.List[:min(limit, len(h.List))] {
		rows = append(rows, binaryRowOf(&h.List[i]))
	}
	return map[string]any{"total_processes": h.Processes, "showing": len(rows), "limit": limit, "processes": rows, "truncated": h.Truncated}, nil
}

// leakEvery is how often it may be asked for leaks of binaries: each time many
// processes list what they hold.
const leakEvery = time.Minute

// leakWindow is how long it watches when there is no reading of before.
const leakWindow = 2 * time.Second

// leastLeak is from how many bytes on something leaks: a line that was read is none.
const leastLeak = 4096

type leakRow struct {
	row
	Delta     *int64   `json:"binary_delta"`
	Count     *int64   `json:"binary_count"`
	KB        *float64 `json:"binary_memory_kb"`
	DeltaKB   *float64 `json:"binary_memory_delta_kb"`
	Collected bool     `json:"collected"`

	added int64
}

func (w *watch) binaryLeak(ctx context.Context, limit int) (any, error) {
	now := time.Now()
	w.anew(now)
	w.mu.Lock()
	wait := leakEvery - now.Sub(w.asked)
	if wait <= 0 {
		w.asked = now
	}
	w.mu.Unlock()
	if wait > 0 {
		return map[string]any{
			"total_processes": 0, "showing": 0, "limit": limit, "processes": []leakRow{}, "error": "rate_limited",
			"message": "it was asked less than 60 seconds ago: ask again in " + wait.Round(time.Second).String(),
		}, nil
	}
	base, err := w.heldBefore(ctx)
	if err != nil {
		return nil, err
	}
	h, err := w.node.ReadBinaries(ctx, most)
	if err != nil {
		return nil, err
	}
	now = time.Now()
	w.keepHeld(now, h)
	rows := leaks(base.Value, h)
	all := len(rows)
	rows = rows[:min(limit, all)]
	return map[string]any{
		"total_processes": h.Processes, "showing": len(rows), "limit": limit, "processes": rows, "truncated": h.Truncated || all > limit,
		"over_seconds": skills.Round(now.Sub(base.At).Seconds(), 1),
		"note":         "nothing was collected for this: what a process's next collection would free counts as held",
	}, nil
}

// heldBefore returns the oldest reading of the last hour, or takes one and waits.
func (w *watch) heldBefore(ctx context.Context) (*skills.Reading[map[etf.Pid]held], error) {
	if list := w.held.Since(time.Now().Add(-time.Hour)); len(list) > 0 && time.Since(list[0].At) >= leakWindow {
		return &list[0], nil
	}
	h, err := w.node.ReadBinaries(ctx, most)
	if err != nil {
		return nil, err
	}
	base := skills.Reading[map[etf.Pid]held]{At: time.Now(), Value: heldBy(h)}
	w.held.Add(base.At, base.Value)
	return &base, pause(ctx, leakWindow)
}

// leaks returns who holds more than before, the most first. Who was not among those
// that held most is compared with nothing: it held less than the least of them.
func leaks(before map[etf.Pid]held, h *reach.Holders) []leakRow {
	out := []leakRow{}
	for i := range h.List {
		x := &h.List[i]
		old, known := before[x.PID]
		bytes := bytesOf(x)
		r := leakRow{row: rowOf(&x.Process), Count: x.Count, KB: kib(&bytes), added: x.Held - old.held, Collected: known && old.collections != x.Collections}
		if x.Bytes != nil && old.bytes != nil {
			r.added = *x.Bytes - *old.bytes
		}
		if x.Count != nil && (old.count != nil || !known) {
			delta := *x.Count
			if old.count != nil {
				delta -= *old.count
			}
			r.Delta = &delta
		}
		if r.DeltaKB = kib(&r.added); r.added >= leastLeak && (r.Delta == nil || *r.Delta > 0) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b leakRow) int { return cmp.Compare(b.added, a.added) })
	return out
}

func (w *watch) binaryInfo(ctx context.Context, pid string) (any, error) {
	o, p, err := w.one(ctx, pid, true)
	if err != nil {
		return unknown(pid, err)
	}
	type handle struct {
		ID   string `json:"id"`
		Size int64  `json:"size_bytes"`
		Refs int64  `json:"refcount"`
	}
	list := []handle{}
	for _, b := range o.Binaries {
		list = append(list, handle(b))
	}
	bytes := o.Held
	if o.Memory != nil {
		bytes = *o.Memory
	}
	a := map[string]any{
		"pid": p.PID.String(), "name": skills.Cut(p.Name()), "current_function": p.Function(), "binary_count": o.Count, "binary_memory_kb": kib(&bytes), "binaries": list,
		"truncated": o.Count == nil || *o.Count > int64(len(list)),
	}
	if o.Count == nil {
		a["note"] = "it holds too many to list them, or its queue is too long: to do so would hold it up"
	}
	return a, nil
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
