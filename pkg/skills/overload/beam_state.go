package overload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A beamState is what the queues of a node come to.
type beamState struct {
	at     time.Time
	queues *beam.Queues
	vitals *beam.Vitals
	prev   beamLengths
	since  time.Time // when it began to be overloaded; at when it is not
	growth map[etf.Pid]gopprof.Grown

	stuck []*beamStuck // the processes with long queues, longest first

	severity, kind string
	class, where   string
	confidence     string
	crash          *float64
	crashNote      string
}

// A beamStuck is a process with a queue, and what it does instead of reading it.
type beamStuck struct {
	beam.Ranked
	doing *beam.Doing
	class string        // what it waits for, as bottlenecks are named
	place string        // where it stands
	chain []*beamWaited // whom it waits for, and whom that one waits for
}

// A beamWaited is a process that another one waits for.
type beamWaited struct {
	beam.Process
	class, place string
}

// label writes a process as name <pid>.
func beamLabel(p *beam.Process) string {
	return strings.TrimSpace(p.Name() + " " + p.PID.String())
}

// Processes that are looked into.
const (
	mostStuck = 10
	mostHops  = 3 // of a chain of calls
)

// explain looks at what the processes with long queues do.
func (s *beamState) explain(ctx context.Context, n *beam.Node, long float64) error {
	var pids []etf.Pid
	for i := range s.queues.Top {
		if p := s.queues.Top[i]; p.Value >= long && len(pids) < mostStuck {
			pids = append(pids, p.PID)
			s.stuck = append(s.stuck, &beamStuck{Ranked: p, class: unknown, place: p.Sits()})
		}
	}
	doing, err := n.Stacks(ctx, pids)
	if err != nil {
		return err
	}
	for i := range doing {
		for _, b := range s.stuck {
			if b.PID == doing[i].PID {
				b.doing = &doing[i]
				b.class, b.place = beamClass(b.doing)
			}
		}
	}
	var errs []error
	for _, b := range s.stuck {
		if b.doing != nil && b.class == downstream {
			errs = append(errs, s.follow(ctx, n, b))
		}
	}
	return errors.Join(errs...)
}

// follow finds whom a process waits for, and on to the end of the chain.
func (s *beamState) follow(ctx context.Context, n *beam.Node, b *beamStuck) error {
	seen := map[etf.Pid]bool{b.PID: true}
	for doing := b.doing; doing != nil && len(b.chain) < mostHops; {
		list, err := n.Describe(ctx, doing.WaitsFor)
		if err != nil {
			return err
		}
		next := callee(list, doing)
		if next == nil || seen[next.PID] {
			return nil
		}
		seen[next.PID] = true
		found, err := n.Stacks(ctx, []etf.Pid{next.PID})
		if err != nil {
			return err
		}
		w := &beamWaited{Process: *next, class: unknown, place: next.Sits()}
		b.chain = append(b.chain, w)
		if len(found) == 0 {
			return nil
		}
		w.class, w.place = beamClass(&found[0])
		if doing = &found[0]; w.class != downstream {
			return nil
		}
	}
	return nil
}

// callee returns which of the processes that one monitors it waits for: the only one,
// or one that is busy. One that sits and waits for messages it has none of is not it.
func callee(list []beam.Process, of *beam.Doing) *beam.Process {
	slices.SortStableFunc(list, func(a, b beam.Process) int { return cmp.Compare(b.QueueLen, a.QueueLen) })
	for i := range list {
		p := &list[i]
		if idle := p.Status == "waiting" && loops(p.Function()) && p.QueueLen == 0; !idle {
			return p
		}
	}
	if len(list) == 1 && of.Monitors == 1 {
		return &list[0]
	}
	return nil
}

// loops reports whether a function is where a process of OTP waits for its next message.
func loops(function string) bool {
	f, _, _ := strings.Cut(function, "/")
	return slices.Contains([]string{"gen_server:loop", "gen_statem:loop_receive", "gen_statem:loop_hibernate", "gen_event:fetch_msg", "proc_lib:wake_up", "erlang:hibernate"}, f)
}

// end is where the chain of waiting of a process ends.
func (b *beamStuck) end() string {
	if n := len(b.chain); n > 0 {
		return beamLabel(&b.chain[n-1].Process) + " in " + b.chain[n-1].place
	}
	return beamLabel(&b.Process) + " in " + b.place
}

// lasting returns how many messages a process had now and in the snapshot before, 0 when
// it will have emptied its queue within a minute; and how fast that grows a second.
func (s *beamState) lasting(p *beam.Ranked) (messages, perSec float64) {
	was, known := s.prev.lengths[p.PID]
	over := s.at.Sub(s.prev.at).Seconds()
	if !known || over <= 0 {
		return 0, 0
	}
	perSec = (p.Value - was) / over
	if drains(p.Value, perSec) {
		return 0, perSec
	}
	return min(was, p.Value), perSec
}

func drains(messages, perSec float64) bool { return perSec < 0 && messages < -perSec*60 }

// backlog returns the process with most messages that last.
func (s *beamState) backlog() (most *beam.Ranked, messages, perSec float64) {
	for i := range s.queues.Top {
		if n, rate := s.lasting(&s.queues.Top[i]); n > messages {
			most, messages, perSec = &s.queues.Top[i], n, rate
		}
	}
	return most, messages, perSec
}

// judge tells how bad it is, and what stands in the way.
func (s *beamState) judge() {
	s.severity = s.level()
	s.class, s.where, s.confidence = s.bottleneck()
	s.kind = s.typed()
	if s.severity == none {
		s.crash, s.crashNote = nil, "nothing is overloaded"
		s.since = s.at
	}
}

// level is the severity: by the size of queues, by how long it has lasted, and by
// whether they empty.
func (s *beamState) level() string {
	var largest *beam.Ranked
	most, total := 0.0, float64(s.queues.Total)
	if len(s.queues.Top) > 0 {
		largest = &s.queues.Top[0]
		most = largest.Value
	}
	lasted := s.at.Sub(s.since)
	switch {
	case most <= 1000 && total <= 100_000:
		return none
	case most > 50_000, total > 5_000_000, s.crash != nil && *s.crash < 300:
		return critical
	case lasted >= sustainedAfter:
		return sustained
	case total > 1_000_000:
		return sustained
	case most > 10_000:
		if _, rate := s.lasting(largest); !drains(most, rate) {
			return sustained
		}
	}
	return transient
}

func (s *beamState) typed() string {
	switch {
	case s.severity == none:
		return none
	case s.class == portBlocking:
		return "port_saturation"
	case s.crash != nil && *s.crash < 1800, s.queues.Total > 2_000_000:
		return "memory_exhaustion"
	}
	return "queue_overflow"
}

func (s *beamState) fields() skills.Data {
	d := skills.Data{"overload_severity": s.severity, "overload_type": s.kind, "bottleneck_type": none, "recommended_action": s.plan().action}
	if s.severity != none {
		d["bottleneck_type"] = s.class
		d.Text("bottleneck_location", s.where)
	}
	d.Set("overloaded_seconds", s.at.Sub(s.since).Seconds(), 0)
	d.Set("affected_processes", float64(s.queues.Over100), 0)
	d.Set("total_queue_depth", float64(s.queues.Total), 0)
	d.Set("processes_over_1000", float64(s.queues.Over1k), 0)
	d.Set("processes_over_10000", float64(s.queues.Over10k), 0)
	d.Set("max_queue", float64(s.queues.P100), 0)
	if top := s.queues.Top; len(top) > 0 && top[0].Value >= beamSome {
		d.Text("max_queue_process", beamLabel(&top[0].Process))
		d.Text("max_queue_function", top[0].Sits())
	}
	if s.crash != nil {
		d.Set("time_to_crash_estimate_seconds", *s.crash, 0)
	}
	p, messages, perSec := s.backlog()
	d.Set("backlog", messages, 0)
	if p != nil {
		d.Text("backlog_process", beamLabel(&p.Process))
		d.Text("backlog_function", s.placeOf(p))
		d.Set("backlog_per_sec", perSec, 1)
	}
	return d
}

// placeOf says where a process stands.
func (s *beamState) placeOf(p *beam.Ranked) string {
	for _, b := range s.stuck {
		if b.PID == p.PID {
			return b.place
		}
	}
	return p.Sits()
}

func (s *beamState) String() string {
	return fmt.Sprintf("%s %s %s at %s", s.severity, s.kind, s.class, s.where)
}
