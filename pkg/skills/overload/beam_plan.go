package overload

import (
	"fmt"
	"slices"
)

// beamPlans are what to do when what stands in the way is known.
var beamPlans = map[string]plan{
	downstream: {"apply_backpressure", "Hold back who sends until the call returns in time.", "high", "Queues stop growing; callers hear of it early.", []string{
		"Give the call a time limit, and answer or drop what it was for when it passes.", "Make senders wait or refuse them: call instead of cast, a bounded queue, a pool with a limit.", "Find out why what is called does not answer."}},
	portBlocking: {"apply_backpressure", "Hold back who writes until the peer reads.", "high", "Processes go on; memory stays bounded.", []string{
		"Set send_timeout on the socket, or write with nosuspend and drop.", "Let one process own the slow peer, so that it alone is held up.", "Look at the peer that does not read (ports skill)."}},
	cpuBound: {"scale_horizontally", "Share the work among more processes or nodes.", "high", "Messages are worked off as fast as they come.", []string{
		"Have several processes do what one does now: a pool, or partitions by key.", "Take out of the process what need not be done in order.", "Look at what the function costs (tracer skill), and add nodes if schedulers are busy."}},
	contention: {"reduce_contention", "Let fewer wait for the same lock or table.", "high", "Processes run beside each other again.", []string{
		"See which table or lock it is, and how long it is held.", "Use read_concurrency and write_concurrency, partition the table, or keep a copy.", "Do outside of the lock what need not be within."}},
	collecting: {"reduce_allocation", "Give the process less to keep.", "high", "It spends its time on messages.", []string{
		"See what makes its heap large (gc skill): state that grows, large messages.", "Keep large data in ETS or in binaries, or hibernate between bursts.", "Share its work among several processes."}},
}

// plan is what to do about it.
func (s *beamState) plan() plan {
	switch s.severity {
	case none:
		return actions[none]
	case critical:
		p := actions[critical]
		p.action, p.what = "shed_load", "Refuse a part of the work before the node's memory is out."
		p.steps = []string{"Refuse or drop the least important messages where they enter.", "Stop what can be done later: batch jobs, reports.", "Then remove what stands in the way."}
		return p
	case sustained:
		if p, ok := beamPlans[s.class]; ok {
			return p
		}
		return actions[sustained]
	}
	return actions[transient]
}

func (s *beamState) remedy() any {
	p := s.plan()
	steps := slices.Clone(p.steps)
	if s.severity == critical {
		if of, ok := beamPlans[s.class]; ok {
			steps[2] = of.steps[0]
		}
	}
	a := map[string]any{
		"overload_severity": s.severity, "recommended_action": p.action, "action_description": p.what, "priority": p.priority, "estimated_impact": p.impact,
		"implementation_steps": steps, "bottleneck_type": none,
	}
	if s.severity != none {
		a["bottleneck_type"], a["bottleneck_location"] = s.class, s.where
		if len(s.stuck) > 0 {
			a["where"] = fmt.Sprintf("%s, which stands in %s", beamLabel(&s.stuck[0].Process), s.stuck[0].place)
		}
	}
	return a
}
