package vmevents

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// beamWindow is over what events are counted.
const beamWindow = 5 * time.Minute

// beamWatch answers for one node.
type beamWatch struct{ node *beam.Node }

func (w beamWatch) calls() []skills.Call {
	return []skills.Call{
		{
			Name: "sysmon_stats",
			Doc: "Events of the last five minutes: long_gc_count_5m, long_schedule_count_5m, busy_port_count_5m, busy_dist_port_count_5m, large_heap_count_5m, affected_process_count, affected_port_count, " +
				"max_gc_duration_ms, max_schedule_duration_ms, max_heap_mb. Also: by_process (process, function and count of those with most events, at most 5), kept (events that can still be listed), " +
				"oldest (the time of the oldest, UTC), events_dropped (too many for their second, since the probe began), watched_seconds (without a gap), last_gap (why it was not watched before; absent when it was).",
			Example: "sysmon_stats()",
			Level:   string(beam.Events),
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.stats(ctx) },
		},
		{
			Name: "sysmon_events",
			Doc: "events, newest first: datetime (UTC), age_seconds, type, pid and process (its registered name, label or first function; absent when it was gone), function (of the program, where it was). " +
				"long_gc and large_heap: duration_ms, heap_size, old_heap_size (bytes in use), heap_mb (both, with room). long_schedule: duration_ms, in_mfa, out_mfa (functions where it began and stopped to run). " +
				"busy ports: port, port_name (tcp_inet is a socket). truncated: there are more. At most 500 are kept.",
			Params: []skills.Param{
				{Name: "type", Type: "string", Doc: "which type; empty: all", Default: "", Enum: append([]string{""}, beam.EventTypes()...)},
				skills.Limit(20, 100, "how many events"),
			},
			Example: `sysmon_events("long_schedule", 10)`,
			Level:   string(beam.Events),
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.list(ctx, a.String("type"), a.Int("limit"))
			},
		},
	}
}

// name is what an event's process is called.
func name(e *beam.Event) string { return cmp.Or(e.Process, e.PID, e.Port) }

// place is where in the program an event was.
func place(e *beam.Event) string { return cmp.Or(e.Function, e.Out, e.In) }

// beamSum are the events of one type in the window.
type beamSum struct {
	count   int
	longest beam.Event // by time or by size
	often   beam.Event // the newest of the process that it was most often
	times   map[string]int
}

// sums counts events by type.
func sums(events []beam.Event, now time.Time) (byType map[string]*beamSum, processes, ports map[string]bool) {
	byType, processes, ports = map[string]*beamSum{}, map[string]bool{}, map[string]bool{}
	for _, t := range beam.EventTypes() {
		byType[t] = &beamSum{times: map[string]int{}}
	}
	for _, e := range events {
		s := byType[e.Type]
		if s == nil || now.Sub(e.At) > beamWindow {
			continue
		}
		s.count++
		if s.count == 1 || e.Duration > s.longest.Duration || heap(&e) > heap(&s.longest) {
			s.longest = e
		}
		who := name(&e)
		if s.times[who]++; s.count == 1 || s.times[who] > s.times[name(&s.often)] || who == name(&s.often) && s.often.Process == "" {
			s.often = e
		}
		if e.PID != "" {
			processes[e.PID] = true
		}
		if e.Port != "" {
			ports[e.Port] = true
		}
	}
	return byType, processes, ports
}

// heap is how large an event's heap is, with its room; 0 for events of other types.
func heap(e *beam.Event) int64 {
	if e.Type != beam.LargeHeap {
		return 0
	}
	return e.HeapBlock + e.OldHeapBlock
}

func (w beamWatch) snapshot(ctx context.Context) (skills.Data, error) {
	events, err := w.node.Events(ctx)
	if err != nil {
		return nil, err
	}
	d, now := skills.Data{}, time.Now()
	byType, processes, ports := sums(events, now)
	for _, t := range beam.EventTypes() {
		d.Set(t+"_events_5m", float64(byType[t].count), 0)
	}
	w.extremes(d, byType)
	for t, prefix := range map[string]string{beam.LongGC: "long_gc", beam.LongSchedule: "long_schedule"} {
		if s := byType[t]; s.count > 0 {
			d.Text(prefix+"_process", name(&s.longest))
			d.Text(prefix+"_function", place(&s.longest))
		}
	}
	if s := byType[beam.LargeHeap]; s.count > 0 {
		d.Text("large_heap_process", name(&s.longest))
	}
	if s := byType[beam.BusyPort]; s.count > 0 {
		d.Text("busy_port_process", name(&s.often))
		d.Text("busy_port_name", cmp.Or(s.often.PortName, s.often.Port))
		d.Text("busy_port_function", place(&s.often))
	}
	if s := byType[beam.BusyDistPort]; s.count > 0 {
		d.Text("busy_dist_port_process", name(&s.often))
	}
	d.Set("affected_process_count", float64(len(processes)), 0)
	d.Set("affected_port_count", float64(len(ports)), 0)
	dropped, state := w.node.EventLosses()
	d.Set("events_dropped", float64(dropped), 0)
	d.Set("watched_seconds", watched(state, now), 0)
	return d, nil
}

// watched is for how many seconds the node has been watched.
func watched(s beam.WatchState, now time.Time) float64 {
	if s.Since.IsZero() {
		return 0
	}
	return now.Sub(s.Since).Seconds()
}

func (w beamWatch) extremes(d skills.Data, byType map[string]*beamSum) {
	ms := func(s *beamSum) float64 { return float64(s.longest.Duration.Milliseconds()) }
	d.Set("max_gc_duration_ms", ms(byType[beam.LongGC]), 0)
	d.Set("max_schedule_duration_ms", ms(byType[beam.LongSchedule]), 0)
	d.Set("max_heap_mb", float64(heap(&byType[beam.LargeHeap].longest))/(1<<20), 1)
}

func (w beamWatch) stats(ctx context.Context) (any, error) {
	events, err := w.node.Events(ctx)
	if err != nil {
		return nil, err
	}
	d, now := skills.Data{}, time.Now()
	byType, processes, ports := sums(events, now)
	for _, t := range beam.EventTypes() {
		d.Set(t+"_count_5m", float64(byType[t].count), 0)
	}
	w.extremes(d, byType)
	d.Set("affected_process_count", float64(len(processes)), 0)
	d.Set("affected_port_count", float64(len(ports)), 0)
	d["by_process"] = mostOften(events, now)
	d["kept"] = len(events)
	if len(events) > 0 {
		d["oldest"] = events[len(events)-1].At.UTC().Format(time.RFC3339)
	}
	dropped, state := w.node.EventLosses()
	d.Set("events_dropped", float64(dropped), 0)
	d.Set("watched_seconds", watched(state, now), 0)
	if state.LastEnd != "" {
		d["last_gap"] = state.LastEnd + ", " + state.LastEndAt.UTC().Format(time.RFC3339)
	}
	return d, nil
}

type beamCulprit struct {
	Process  string `json:"process"`
	Function string `json:"function,omitempty"`
	Count    int    `json:"count"`
}

// mostOften returns the processes with most events in the window.
func mostOften(events []beam.Event, now time.Time) []beamCulprit {
	out := []beamCulprit{}
	for _, e := range events {
		if now.Sub(e.At) > beamWindow {
			continue
		}
		known := false
		for i := range out {
			if known = out[i].Process == name(&e); known {
				out[i].Count++
				out[i].Function = cmp.Or(out[i].Function, place(&e))
				break
			}
		}
		if !known {
			out = append(out, beamCulprit{name(&e), place(&e), 1})
		}
	}
	slices.SortStableFunc(out, func(a, b beamCulprit) int { return cmp.Compare(b.Count, a.Count) })
	return out[:min(len(out), 5)]
}

type beamEventRow struct {
	At       string   `json:"datetime"`
	Age      float64  `json:"age_seconds"`
	Type     string   `json:"type"`
	PID      string   `json:"pid,omitempty"`
	Process  string   `json:"process,omitempty"`
	Function string   `json:"function,omitempty"`
	MS       *int64   `json:"duration_ms,omitempty"`
	Heap     *int64   `json:"heap_size,omitempty"`
	OldHeap  *int64   `json:"old_heap_size,omitempty"`
	HeapMB   *float64 `json:"heap_mb,omitempty"`
	In       string   `json:"in_mfa,omitempty"`
	Out      string   `json:"out_mfa,omitempty"`
	Port     string   `json:"port,omitempty"`
	PortName string   `json:"port_name,omitempty"`
}

func rowOf(e *beam.Event, now time.Time) beamEventRow {
	r := beamEventRow{
		At: e.At.UTC().Format(time.RFC3339Nano), Age: skills.Round(now.Sub(e.At).Seconds(), 1), Type: e.Type, PID: e.PID,
		Process: skills.Cut(e.Process), Function: skills.Cut(e.Function), In: e.In, Out: e.Out, Port: e.Port, PortName: skills.Cut(e.PortName),
	}
	if ms := e.Duration.Milliseconds(); e.Type == beam.LongGC || e.Type == beam.LongSchedule {
		r.MS = &ms
	}
	if e.Type == beam.LongGC || e.Type == beam.LargeHeap {
		mb := skills.Round(float64(e.HeapBlock+e.OldHeapBlock)/(1<<20), 1)
		r.Heap, r.OldHeap, r.HeapMB = &e.Heap, &e.OldHeap, &mb
	}
	return r
}

func (w beamWatch) list(ctx context.Context, kind string, limit int) (any, error) {
	events, err := w.node.Events(ctx)
	if err != nil {
		return nil, err
	}
	a := struct {
		Events    []beamEventRow `json:"events"`
		Truncated bool           `json:"truncated,omitempty"`
	}{Events: []beamEventRow{}}
	now := time.Now()
	for i := range events {
		if kind != "" && events[i].Type != kind {
			continue
		}
		if len(a.Events) == limit {
			a.Truncated = true
			break
		}
		a.Events = append(a.Events, rowOf(&events[i], now))
	}
	return a, nil
}
