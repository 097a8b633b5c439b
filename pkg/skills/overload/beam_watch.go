package overload

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A beamWatch keeps what the queues of one node held in the snapshots before. It is safe
// for concurrent use.
type beamWatch struct {
	node    *beam.Node
	machine *host.Reader

	mu  sync.Mutex
	run uint32 // of the node: another one has other processes of the same numbers
	beamPast
}

// beamPast is of one run of a node.
type beamPast struct {
	growth       gopprof.Growth // of queues, by process
	last, before beamLengths
	since        time.Time // when the overload began that lasts
	memory       []left    // what the node used, from reading to reading
}

// beamLengths are the longest queues at one moment.
type beamLengths struct {
	at      time.Time
	lengths map[etf.Pid]float64
}

func (w *beamWatch) snapshot(ctx context.Context) (skills.Data, error) {
	s, err := w.look(ctx, beamLong)
	if s == nil {
		return nil, err
	}
	w.advance(s)
	return s.fields(), err
}

// Queues that are looked into: from so many messages on in a snapshot, and in callbacks.
const (
	beamLong = 1000
	beamSome = 10
)

// look reads the queues now, and what the processes with long ones do.
func (w *beamWatch) look(ctx context.Context, long float64) (*beamState, error) {
	q, err := w.node.Queues(ctx)
	if err != nil {
		return nil, err
	}
	v, err := w.node.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	s := &beamState{at: time.Now(), queues: q, vitals: v, growth: map[etf.Pid]gopprof.Grown{}}
	w.recall(s)
	errs := s.explain(ctx, w.node, long)
	s.judge()
	return s, errors.Join(errs)
}

// recall puts beside a reading what there was before.
func (w *beamWatch) recall(s *beamState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if run, _ := w.node.Run(); run != w.run {
		w.run, w.beamPast = run, beamPast{}
	}
	s.prev = w.last
	if s.at.Sub(s.prev.at) < skills.ShortestRate {
		s.prev = w.before
	}
	if s.since = w.since; s.since.IsZero() {
		s.since = s.at
	}
	for i := range s.queues.Top {
		if g, ok := w.growth.Of(s.queues.Top[i].PID.String()); ok {
			s.growth[s.queues.Top[i].PID] = g
		}
	}
	s.crash, s.crashNote = w.crash(s)
}

// advance makes a reading the newest one, unless the one there is is as good as new.
func (w *beamWatch) advance(s *beamState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.at.Sub(w.last.at) < skills.ShortestRate {
		return
	}
	values, now := map[string]int64{}, beamLengths{s.at, map[etf.Pid]float64{}}
	for i := range s.queues.Top {
		p := &s.queues.Top[i]
		values[p.PID.String()], now.lengths[p.PID] = int64(p.Value), p.Value
	}
	w.growth.Observe(s.at, values)
	w.before, w.last = w.last, now
	if w.since = s.since; s.severity == none {
		w.since = time.Time{}
	}
	w.memory = append(w.memory, left{s.at, uint64(s.vitals.Memory["total"])})
	if len(w.memory) > memoryReadings {
		w.memory = w.memory[1:]
	}
}

// Readings that a crash is foreseen by: so many at least, each with more than the one
// before, and by so much in all.
const (
	crashReadings = 4
	crashGrowth   = 20 // a twentieth
)

// crash says when the machine's memory is used up if the node grows on as it did; nil,
// and why, when that cannot be told.
func (w *beamWatch) crash(s *beamState) (seconds *float64, note string) {
	now := left{s.at, uint64(s.vitals.Memory["total"])}
	trend := append(append([]left{}, w.memory...), now)
	from := len(trend) - 1
	for from > 0 && trend[from-1].bytes < trend[from].bytes {
		from--
	}
	first := trend[from]
	over := now.at.Sub(first.at).Seconds()
	if len(trend)-from < crashReadings || over < crashReadings || (now.bytes-first.bytes)*crashGrowth < first.bytes {
		return nil, "the node's memory has not grown steadily from snapshot to snapshot: it does not run out by itself"
	}
	pid, err := strconv.ParseInt(s.vitals.OSPID, 10, 32)
	if err != nil || w.machine == nil || w.machine.Plain() || w.machine.ProcessName(int32(pid)) != "beam.smp" {
		return nil, "the node does not run where the probe does (or in a container of its own): how much memory it may have is not known"
	}
	m, err := w.machine.Memory()
	if err != nil {
		return nil, "the machine's memory cannot be read: " + err.Error()
	}
	in := float64(m.Available+m.SwapFree) / (float64(now.bytes-first.bytes) / over)
	return &in, ""
}
