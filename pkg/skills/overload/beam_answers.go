package overload

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func (s *beamState) answer() any {
	a := map[string]any{
		"severity": s.severity, "type": s.kind, "bottleneck_type": none, "bottleneck_location": none, "affected_processes": s.queues.Over100,
		"total_queue_depth": s.queues.Total, "recommended_action": s.plan().action, "time_to_crash_estimate_seconds": nil,
		"overloaded_seconds": skills.Round(s.at.Sub(s.since).Seconds(), 0), "max_queue": s.queues.P100,
	}
	if s.severity != none {
		a["bottleneck_type"], a["bottleneck_location"] = s.class, s.where
	}
	if s.crash != nil {
		a["time_to_crash_estimate_seconds"] = skills.Round(*s.crash, 0)
	} else {
		a["note"] = "no time to crash: " + s.crashNote
	}
	if s.queues.Truncated {
		a["truncated"] = true
	}
	return a
}

// A beamQueue is a process with a queue, as callbacks tell of it.
type beamQueue struct {
	Name     string   `json:"name"`
	PID      string   `json:"pid"`
	Queue    float64  `json:"message_queue_len"`
	Function string   `json:"function"`
	Type     string   `json:"bottleneck_type,omitempty"`
	PerSec   *float64 `json:"growth_per_sec,omitempty"`
	Initial  *int64   `json:"initial_size,omitempty"`
	Final    *int64   `json:"final_size,omitempty"`
	Since    string   `json:"since,omitempty"`
	Holds    bool     `json:"holds,omitempty"`
}

func (s *beamState) queue(p *beam.Ranked) beamQueue {
	q := beamQueue{Name: p.Name(), PID: p.PID.String(), Queue: p.Value, Function: s.placeOf(p)}
	for _, b := range s.stuck {
		if b.PID == p.PID {
			q.Type = b.class
		}
	}
	if was, ok := s.prev.lengths[p.PID]; ok {
		rate := skills.Round((p.Value-was)/max(1, s.at.Sub(s.prev.at).Seconds()), 2)
		q.PerSec = &rate
	}
	return q
}

// overloaded lists the processes with long queues.
func (s *beamState) overloaded(limit int) any {
	rows := []beamQueue{}
	for i := range s.queues.Top {
		if p := &s.queues.Top[i]; p.Value > 100 && len(rows) < limit {
			rows = append(rows, s.queue(p))
		}
	}
	return map[string]any{"processes": rows, "total": s.queues.Over100, "truncated": s.queues.Truncated || s.queues.Over100 > len(rows)}
}

// percentile is the nearest rank of sorted lengths, the longest first.
func percentile(longestFirst []beam.Length, p int) float64 {
	n := len(longestFirst)
	if n == 0 {
		return 0
	}
	return longestFirst[n-max(1, n*p/100)].Messages
}

func (w *beamWatch) analysis(ctx context.Context) (any, error) {
	s, err := w.look(ctx, beamLong)
	if s == nil {
		return nil, err
	}
	lengths, cut, err := w.node.Lengths(ctx)
	if err != nil {
		return nil, err
	}
	percentiles := map[string]float64{}
	for _, p := range []int{50, 90, 95, 99, 100} {
		percentiles["p"+strconv.Itoa(p)] = percentile(lengths, p)
	}
	fastest := []beamQueue{}
	for i := range s.queues.Top {
		p := &s.queues.Top[i]
		g, ok := s.growth[p.PID]
		if !ok || g.Added <= 0 {
			continue
		}
		q := s.queue(p)
		rate, first := skills.Round(g.PerSecond(), 2), g.Value-g.Added
		q.PerSec, q.Initial, q.Final, q.Since = &rate, &first, &g.Value, g.Since.Format(time.RFC3339)
		fastest = append(fastest, q)
	}
	slices.SortStableFunc(fastest, func(a, b beamQueue) int { return cmp.Compare(*b.PerSec, *a.PerSec) })
	a := map[string]any{
		"total_queued_messages": s.queues.Total, "processes_with_queues": s.queues.NonEmpty, "queue_percentiles": percentiles,
		"fastest_growing_queues": fastest[:min(5, len(fastest))], "overload_classification": s.classification(),
	}
	if cut || s.queues.Truncated {
		a["truncated"] = true
	}
	return a, nil
}

// classification says how the overload goes on.
func (s *beamState) classification() any {
	pattern := "stable"
	if len(s.queues.Top) > 0 && s.severity != none {
		top := &s.queues.Top[0]
		_, rate := s.lasting(top)
		g := s.growth[top.PID]
		switch {
		case drains(top.Value, rate):
			pattern = "burst"
		case s.prev.at.IsZero():
			pattern = unknown
		case g.Steady() && rate > 2*g.PerSecond():
			pattern = "exponential"
		case rate > 0:
			pattern = "linear"
		}
	}
	return map[string]any{"duration_minutes": skills.Round(s.at.Sub(s.since).Minutes(), 1), "growth_pattern": pattern, "classification": s.severity}
}

// bottleneckAnswer tells where the chain of waiting ends: there first.
func (s *beamState) bottleneckAnswer() any {
	rows := []beamQueue{}
	named := map[string]bool{}
	for _, b := range s.stuck {
		for i, w := range slices.Backward(b.chain) {
			if pid := w.PID.String(); !named[pid] {
				named[pid] = true
				rows = append(rows, beamQueue{Name: w.Name(), PID: pid, Queue: float64(w.QueueLen), Function: w.place, Type: w.class, Holds: i == len(b.chain)-1})
			}
		}
	}
	for _, b := range s.stuck {
		if pid := b.PID.String(); !named[pid] {
			named[pid] = true
			rows = append(rows, s.queue(&b.Ranked))
		}
	}
	class, where, confidence := s.class, s.where, s.confidence
	if len(s.stuck) == 0 {
		class, where, confidence = none, none, "low"
	}
	return map[string]any{
		"bottleneck_type": class, "bottleneck_location": where, "evidence": s.evidence(), "confidence_level": confidence, "processes": rows[:min(20, len(rows))],
	}
}

// A beamLink is how one part's overload brings another's.
type beamLink struct {
	From string `json:"from"`
	To   string `json:"to"`
	Type string `json:"type"`
}

// cascade tells which parts of the node are overloaded, and which brings which.
func (s *beamState) cascade() any {
	type system struct {
		Name     string `json:"name"`
		Evidence string `json:"evidence"`
	}
	systems, links := []system{}, []beamLink{}
	has := map[string]bool{}
	failing := func(name, evidence string) {
		has[name] = true
		systems = append(systems, system{name, evidence})
	}
	v := s.vitals
	if s.queues.Over1k > 10 {
		failing("gen_servers", strconv.Itoa(s.queues.Over1k)+" processes have more than 1000 messages waiting")
	}
	if v.Memory["ets"] > 500<<20 && has["gen_servers"] {
		failing("ets", "ETS tables take "+strconv.FormatInt(v.Memory["ets"]>>20, 10)+" MiB")
	}
	if v.PortLimit > 0 && v.Ports*5 > v.PortLimit*4 {
		failing("ports", strconv.Itoa(v.Ports)+" of "+strconv.Itoa(v.PortLimit)+" ports are open")
	}
	if v.Online > 0 && v.RunQueue > 10*v.Online {
		failing("schedulers", strconv.Itoa(v.RunQueue)+" processes wait to run on "+strconv.Itoa(v.Online)+" schedulers")
	}
	for _, b := range s.stuck {
		failing(beamLabel(&b.Process), strconv.FormatFloat(b.Value, 'f', 0, 64)+" messages wait; it stands in "+b.place)
		from := beamLabel(&b.Process)
		for _, w := range b.chain {
			to := beamLabel(&w.Process)
			link := beamLink{to, from, "call_blocking"}
			if w.class == portBlocking {
				link.Type = "io_blocking"
			}
			if !slices.Contains(links, link) {
				links = append(links, link)
			}
			from = to
		}
		if b.class == contention && has["ets"] {
			links = append(links, beamLink{"ets", beamLabel(&b.Process), "contention"})
		}
		if b.class == portBlocking {
			links = append(links, beamLink{"ports", beamLabel(&b.Process), "io_blocking"})
		}
	}
	severity := none
	switch n := len(systems); {
	case n >= 4:
		severity = "critical"
	case n >= 2:
		severity = "warning"
	}
	return map[string]any{
		"cascading": len(systems) > 1, "severity": severity, "affected_subsystems": systems, "failure_relationships": links[:min(20, len(links))],
	}
}

// predict says when queues will be so long as to be critical, soonest first.
func (s *beamState) predict() any {
	type row struct {
		Name    string   `json:"name"`
		PID     string   `json:"pid"`
		Queue   float64  `json:"message_queue_len"`
		PerSec  float64  `json:"growth_per_sec"`
		Full    float64  `json:"saturation_threshold_messages"`
		Seconds *float64 `json:"seconds_until_saturation"`
	}
	const full = 50_000
	rows := []row{}
	for i := range s.queues.Top {
		p := &s.queues.Top[i]
		was, known := s.prev.lengths[p.PID]
		over := s.at.Sub(s.prev.at).Seconds()
		if !known || over <= 0 || p.Value <= was {
			continue
		}
		rate := (p.Value - was) / over
		in := skills.Round(max(0, full-p.Value)/rate, 0)
		rows = append(rows, row{p.Name(), p.PID.String(), p.Value, skills.Round(rate, 2), full, &in})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(*a.Seconds, *b.Seconds) })
	a := map[string]any{"processes": rows[:min(20, len(rows))], "time_to_crash_estimate_seconds": nil, "truncated": len(rows) > 20}
	switch {
	case s.crash != nil:
		a["time_to_crash_estimate_seconds"] = skills.Round(*s.crash, 0)
	default:
		a["note"] = "no time to crash: " + s.crashNote
	}
	if s.prev.at.IsZero() {
		a["note"] = "growth needs a snapshot of at least a second ago, and there is none yet"
	}
	return a
}
