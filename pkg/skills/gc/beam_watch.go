package gc

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A beamWatch asks one node and keeps what its counters were, and which processes did
// not collect.
type beamWatch struct {
	node *beam.Node
	skills.History[*beam.Vitals]
	heaps skills.Recent[map[string]int64]

	mu    sync.Mutex
	run   int // which run of the node the rest is of
	quiet map[etf.Pid]quiet
	asked time.Time // when the heaps were last gone through in a snapshot
	found skills.Data
}

// quiet is since when a process was seen with the same count of collections.
type quiet struct {
	collections int64
	since       time.Time
}

// Heaps are gone through in a snapshot where there is so much of them, and where there
// are so many processes once a minute at most.
const (
	beamLeastMemory = 32 << 20
	beamMany        = 20_000
	beamTop         = 50
)

func (w *beamWatch) snapshot(ctx context.Context) (skills.Data, error) {
	v, err := w.node.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	now, d := time.Now(), beamTotals(v)
	_, run := w.node.Run()
	w.mu.Lock()
	if run != w.run {
		w.run, w.quiet, w.asked, w.found = run, nil, time.Time{}, nil
		w.heaps.Forget()
	}
	w.mu.Unlock()
	beamRates(d, w.Advance(now, v), v)
	return d, w.largest(ctx, d, v, now)
}

func beamTotals(v *beam.Vitals) skills.Data {
	d := skills.Data{}
	d.Set("total_gcs", float64(v.GCs), 0)
	d.Set("words_reclaimed", v.Reclaimed, 0)
	d.Set("bytes_reclaimed_mb", v.Reclaimed*float64(v.WordBytes)/(1<<20), 2)
	return d
}

// beamRates sets what was collected since a reading of the same run of the node, by the
// node's clock: the vitals may be of a moment ago.
func beamRates(d skills.Data, base *skills.Reading[*beam.Vitals], v *beam.Vitals) {
	if base == nil || v.UptimeMS <= base.Value.UptimeMS || v.GCs < base.Value.GCs {
		return
	}
	over := float64(v.UptimeMS-base.Value.UptimeMS) / 1000
	d.Set("gcs_per_sec", float64(v.GCs-base.Value.GCs)/over, 1)
	d.Set("reclaimed_mb_per_sec", (v.Reclaimed-base.Value.Reclaimed)*float64(v.WordBytes)/(1<<20)/over, 2)
}

func beamWho(p *beam.Process) string {
	if name := p.Name(); name != "" {
		return fmt.Sprintf("%s (%s)", name, p.PID)
	}
	return p.PID.String()
}

// largest goes through the heaps, and says whose is largest and whose grows.
func (w *beamWatch) largest(ctx context.Context, d skills.Data, v *beam.Vitals, now time.Time) error {
	if v.Memory["processes"] < beamLeastMemory {
		w.heaps.Add(now, nil) // who grew has let go
		return nil
	}
	w.mu.Lock()
	again := v.Processes >= beamMany && now.Sub(w.asked) < 55*time.Second
	if again {
		maps.Copy(d, w.found)
	} else {
		w.asked = now
	}
	w.mu.Unlock()
	if again {
		return nil
	}
	list, err := w.heapsNow(ctx, now)
	if err != nil || len(list) == 0 {
		return err
	}
	found := skills.Data{}
	found.Text("largest_heap_process", beamWho(list[0]))
	beamMiB(found, "largest_heap_mb", *list[0].TotalHeap)
	found.Text("largest_heap_function", list[0].Sits())
	values := map[string]int64{}
	for _, p := range list {
		values[p.PID.String()] = *p.TotalHeap
	}
	w.heaps.Add(now, values)
	w.grown(found, list)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = found
	maps.Copy(d, found)
	return nil
}

// beamLeast is what a heap has gained to be worth a word, in bytes.
const beamLeast = 8 << 20

func (w *beamWatch) grown(d skills.Data, list []*beam.Process) {
	all := rising(w.heaps.Since(time.Time{}))
	if len(all) == 0 || all[0].added < beamLeast {
		return
	}
	for _, p := range list {
		if p.PID.String() == all[0].key {
			d.Text("growing_heap_process", beamWho(p))
			beamMiB(d, "growing_heap_mb", all[0].added)
			beamMiB(d, "growing_heap_now_mb", all[0].value)
			d.Text("growing_heap_function", p.Sits())
			d.Set("growing_heap_for_seconds", all[0].over.Seconds(), 0)
		}
	}
}

func beamMiB(d skills.Data, name string, bytes int64) { d.Set(name, float64(bytes)/(1<<20), 2) }

// heapsNow returns the processes with most memory, by their heaps, the largest first,
// and notes which of them did not collect since they were seen before.
func (w *beamWatch) heapsNow(ctx context.Context, now time.Time) ([]*beam.Process, error) {
	t, err := w.node.Top(ctx, beam.ByMemory, beamTop)
	if err != nil {
		return nil, err
	}
	list := beamHeaps(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := make(map[etf.Pid]quiet, len(list))
	for _, p := range list {
		q, known := w.quiet[p.PID]
		if !known || q.collections != *p.MinorGCs {
			q = quiet{*p.MinorGCs, now}
		}
		seen[p.PID] = q
	}
	w.quiet = seen
	return list, nil
}
