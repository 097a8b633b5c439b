package overload

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func (m *machine) calls() []skills.Call {
	return []skills.Call{
		{
			Name:    "overload_state",
			Doc:     "The snapshot's judgement, taken now: severity, type, bottleneck_location, overloaded_seconds, affected_processes, total_queue_depth, recommended_action, and memory_exhausted_in_seconds or null.",
			Example: "overload_state()",
			Run:     m.answer(func(s *state) any { return s.answer() }),
		},
		{
			Name: "overload_queue_analysis",
			Doc: "Every queue: run_queue (tasks running or ready, cores), blocked_tasks, accept_queues (address, waiting, backlog, used_pct; fullest first, 10 at most), " +
				"disks (name, queue: mean requests in flight, util_pct, await_ms; longest queue first), softnet (dropped_per_sec, squeezed_per_sec), total_queue_depth.",
			Example: "overload_queue_analysis()",
			Run:     m.answer(func(s *state) any { return s.queueAnswer() }),
		},
		{
			Name: "overload_bottleneck",
			Doc: "What is scarce: bottleneck_type, bottleneck_location, evidence (each with its figures), confidence_level (high: seen for a minute or critical; low: at this moment only), " +
				"cpu_processes (name, pid, cpu_pct of one core; those that use most) and blocked_processes (name, pid, threads) while tasks wait.",
			Example: "overload_bottleneck()",
			Run:     m.bottleneck,
		},
		{
			Name: "overload_cascade_detection",
			Doc: "cascading (more than one resource is overloaded), affected_subsystems (resource, where, since (UTC), overloaded_seconds, evidence; the first to begin first), " +
				"failure_relationships (from, to, why), severity.",
			Example: "overload_cascade_detection()",
			Run:     m.answer(func(s *state) any { return s.cascade() }),
		},
		{
			Name:    "overload_remediation_plan",
			Doc:     "overload_severity, recommended_action, action_description, priority, estimated_impact, implementation_steps.",
			Example: "overload_remediation_plan()",
			Run:     m.answer(func(s *state) any { return s.plan() }),
		},
		{
			Name: "overload_predict_growth",
			Doc: "memory_left_mb (memory and swap that can still be had), memory_change_mb_per_min over trend_seconds, memory_exhausted_in_seconds (null unless they shrank steadily), " +
				"readings (how many the trend has).",
			Example: "overload_predict_growth()",
			Run:     m.predict,
		},
	}
}

func (m *machine) answer(of func(*state) any) func(context.Context, skills.Args) (any, error) {
	return func(ctx context.Context, _ skills.Args) (any, error) {
		s, err := m.look(ctx)
		if s.reading.cpu == nil {
			return nil, err
		}
		return of(s), nil
	}
}

func (s *state) answer() any {
	d := s.data
	return map[string]any{
		"severity": d["overload_severity"], "type": d["overload_type"], "bottleneck_location": d["bottleneck_location"],
		"overloaded_seconds": d["overloaded_seconds"], "affected_processes": d["affected_processes"], "total_queue_depth": d["total_queue_depth"],
		"recommended_action": d["recommended_action"], "memory_exhausted_in_seconds": d["memory_exhausted_in_seconds"],
	}
}

func (s *state) queueAnswer() any {
	listeners := slices.Clone(s.reading.listeners)
	used := func(l *host.Socket) float64 { pct, _ := l.AcceptUsedPct(); return pct }
	slices.SortStableFunc(listeners, func(a, b host.Socket) int { return int(used(&b)*10) - int(used(&a)*10) })
	var queues []map[string]any
	for i := range listeners[:min(10, len(listeners))] {
		l := &listeners[i]
		q := map[string]any{"address": l.Local.String(), "waiting": l.Recv}
		if l.Backlog.Known {
			q["backlog"], q["used_pct"] = l.Backlog.N, skills.Round(used(l), 1)
		}
		queues = append(queues, q)
	}
	slices.SortStableFunc(s.diskRates, func(a, b host.DiskRate) int { return int(b.Queue*100) - int(a.Queue*100) })
	disks := []map[string]any{}
	for _, d := range s.diskRates[:min(10, len(s.diskRates))] {
		disks = append(disks, map[string]any{"name": d.Name, "queue": skills.Round(d.Queue, 2), "util_pct": skills.Round(d.UtilPct, 1), "await_ms": skills.Round(d.AwaitMS, 1)})
	}
	return map[string]any{
		"run_queue":     map[string]any{"tasks": s.reading.cpu.Running.N, "cores": s.reading.cpu.Cores, "per_core": s.data["run_queue_per_core"]},
		"blocked_tasks": s.data["blocked_tasks"], "accept_queues": queues, "disks": disks, "total_queue_depth": s.data["total_queue_depth"],
		"softnet": map[string]any{"dropped_per_sec": s.data["softnet_dropped_per_sec"], "squeezed_per_sec": s.data["softnet_squeezed_per_sec"]},
	}
}

func (m *machine) bottleneck(ctx context.Context, _ skills.Args) (any, error) {
	s, err := m.look(ctx)
	if s.reading.cpu == nil {
		return nil, err
	}
	a := map[string]any{"bottleneck_type": none, "bottleneck_location": "none", "evidence": []string{}, "confidence_level": "low"}
	if len(s.troubles) > 0 {
		first, evidence := s.troubles[0], []string{}
		for _, t := range s.troubles {
			evidence = append(evidence, t.resource+": "+t.evidence)
		}
		a["bottleneck_type"], a["bottleneck_location"], a["evidence"] = first.resource, first.where, evidence
		if first.critical || s.at.Sub(first.since) >= time.Minute {
			a["confidence_level"] = "high"
		}
	}
	scan := s.reading.scan
	if scan == nil {
		return a, nil
	}
	var before *host.Scan
	if base := m.Base(s.at); base != nil {
		before = base.Value.scan
	}
	a["cpu_processes"], a["blocked_processes"] = busiest(scan, before), blocked(scan)
	return a, nil
}

// listed is how many processes an answer names.
const listed = 10

func busiest(scan, before *host.Scan) []map[string]any {
	type use struct {
		p   *host.Process
		pct float64
	}
	var all []use
	scan.CPU(before, func(p *host.Process, pct float64) {
		if pct >= 1 {
			all = append(all, use{p, pct})
		}
	})
	slices.SortFunc(all, func(a, b use) int { return int(b.pct*10) - int(a.pct*10) })
	out := []map[string]any{}
	for _, u := range all[:min(listed, len(all))] {
		out = append(out, map[string]any{"name": u.p.Name(), "pid": u.p.PID, "cpu_pct": skills.Round(u.pct, 1)})
	}
	return out
}

func blocked(scan *host.Scan) []map[string]any {
	out := []map[string]any{}
	for i := range scan.Processes {
		if p := &scan.Processes[i]; p.State == 'D' && len(out) < listed {
			out = append(out, map[string]any{"name": p.Name(), "pid": p.PID, "threads": p.Threads})
		}
	}
	return out
}

// leads says which overloaded resource brings which other, and how.
var leads = []struct{ from, to, why string }{
	{"memory", "disk", "pages are written out and read back"},
	{"memory", "cpu", "memory is searched for pages to free"},
	{"disk", "accept_queue", "programs wait for the disk instead of accepting"},
	{"cpu", "accept_queue", "programs wait for a core instead of accepting"},
	{"memory", "accept_queue", "programs wait for memory instead of accepting"},
	{"cpu", "network", "no processor is free to take packets"},
}

func (s *state) cascade() any {
	systems, relations := []map[string]any{}, []map[string]any{}
	has := map[string]bool{}
	for _, t := range s.troubles {
		has[t.resource] = true
		systems = append(systems, map[string]any{
			"resource": t.resource, "where": t.where, "since": t.since.UTC().Format(time.RFC3339),
			"overloaded_seconds": skills.Round(s.at.Sub(t.since).Seconds(), 0), "evidence": t.evidence,
		})
	}
	for _, l := range leads {
		if has[l.from] && has[l.to] {
			relations = append(relations, map[string]any{"from": l.from, "to": l.to, "why": l.why})
		}
	}
	return map[string]any{"cascading": len(systems) > 1, "affected_subsystems": systems, "failure_relationships": relations, "severity": s.severity}
}

// A plan is what to do at a severity.
type plan struct {
	action, what, priority, impact string
	steps                          []string
}

var actions = map[string]plan{
	critical: {"shed_load", "Refuse a part of the work before the machine refuses all of it.", "critical", "The rest is served in time again.", []string{
		"Refuse or divert the least important requests in front of the machine.", "Stop what can be done later: batch jobs, reports, backups.", "Then look for what began first, and remove that."}},
	sustained: {"apply_backpressure", "Make those who send work wait, or give them more machines.", "high", "Queues stop growing.", []string{
		"Limit the rate or the number of requests at a time where work enters.", "Add capacity to the resource that is scarce.", "Remove the work that need not be done: find its largest consumer."}},
	transient: {"add_buffering", "A burst: let buffers absorb it and watch whether it ends.", "medium", "No request is lost in a burst.", []string{
		"Watch for five minutes whether it ends by itself.", "See that queues are long enough for such a burst.", "Find out where the burst comes from."}},
	none: {"monitor", "Nothing is overloaded.", "low", "None needed.", []string{}},
}

func (s *state) plan() any {
	p := actions[s.severity]
	steps := slices.Clone(p.steps)
	if len(s.troubles) > 0 {
		steps = append([]string{fmt.Sprintf("Look first at %s: %s.", s.troubles[0].resource, s.troubles[0].where)}, steps...)
	}
	return map[string]any{
		"overload_severity": s.severity, "recommended_action": p.action, "action_description": p.what, "priority": p.priority,
		"estimated_impact": p.impact, "implementation_steps": steps,
	}
}

func (m *machine) predict(ctx context.Context, _ skills.Args) (any, error) {
	s, err := m.look(ctx)
	if s.reading.memory == nil {
		return nil, err
	}
	m.mu.Lock()
	trend := slices.Clone(m.memory)
	m.mu.Unlock()
	now := s.reading.memory.Available + s.reading.memory.SwapFree
	a := map[string]any{"memory_left_mb": skills.Round(float64(now)/(1<<20), 0), "memory_exhausted_in_seconds": s.data["memory_exhausted_in_seconds"], "readings": len(trend) + 1}
	if len(trend) > 0 && s.at.Sub(trend[0].at) > 0 {
		over := s.at.Sub(trend[0].at)
		a["trend_seconds"] = skills.Round(over.Seconds(), 0)
		a["memory_change_mb_per_min"] = skills.Round((float64(now)-float64(trend[0].bytes))/(1<<20)/over.Minutes(), 1)
	}
	return a, nil
}
