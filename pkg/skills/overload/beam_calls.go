package overload

import (
	"context"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

const beamQueueDoc = "name, pid, message_queue_len, function (where it stands, and who called that), bottleneck_type (of processes that were looked into), growth_per_sec (messages, since the snapshot before)"

func beamCalls(w *beamWatch) []skills.Call {
	of := func(answer func(*beamState) any) func(context.Context, skills.Args) (any, error) {
		return func(ctx context.Context, _ skills.Args) (any, error) {
			s, err := w.look(ctx, beamSome)
			if s == nil {
				return nil, err
			}
			return answer(s), nil
		}
	}
	return []skills.Call{
		{
			Name: "overload_state", Aliases: []string{"overload_get_queue_status"},
			Doc: "How it stands: severity (none, transient, sustained, critical), type (none, queue_overflow, port_saturation, memory_exhaustion), bottleneck_type and bottleneck_location (where the chain of waiting ends: name <pid> in function), " +
				"affected_processes (more than 100 messages), total_queue_depth, max_queue (messages), recommended_action, overloaded_seconds (as far as it was seen), " +
				"time_to_crash_estimate_seconds (from measured growth and the machine's memory, or null) and note (why null). truncated: not all processes were looked at.",
			Example: "overload_state()",
			Run:     of((*beamState).answer),
		},
		{
			Name: "overload_queue_analysis",
			Doc: "total_queued_messages, processes_with_queues, queue_percentiles (p50, p90, p95, p99, p100 of the queues that are not empty, nearest rank), fastest_growing_queues (5 at most, steepest first: " + beamQueueDoc +
				", initial_size and final_size (messages), since (UTC)), overload_classification (duration_minutes, growth_pattern: stable, burst, linear, exponential, unknown; classification: the severity).",
			Example: "overload_queue_analysis()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.analysis(ctx) },
		},
		{
			Name: "overload_processes", Aliases: []string{"overload_get_overloaded_processes"},
			Doc:     "Processes with more than 100 messages waiting, most first. processes: " + beamQueueDoc + "; total. truncated: there are more.",
			Params:  []skills.Param{skills.Limit(10, 50, "how many processes")},
			Example: "overload_processes(10)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				s, err := w.look(ctx, beamSome)
				if s == nil {
					return nil, err
				}
				return s.overloaded(a.Int("limit")), nil
			},
		},
		{
			Name: "overload_bottleneck", Aliases: []string{"overload_detect_bottlenecks"},
			Doc: "What processes with queues do instead of reading their messages, seen four times within 10 ms. bottleneck_type (none, downstream_blocking: waits for an answer; port_blocking: a full port; contention: a lock or table; " +
				"garbage_collection; cpu_bound; mixed; unknown), bottleneck_location, evidence (texts, with the chain of calls), confidence_level (low, medium, high). " +
				"processes, the end of the chain first (holds: others wait for it): " + beamQueueDoc + ".",
			Example: "overload_bottleneck()",
			Run:     of((*beamState).bottleneckAnswer),
		},
		{
			Name: "overload_cascade_detection", Aliases: []string{"overload_detect_cascades"},
			Doc: "Whether one overload brings others: cascading, severity (none, warning from two, critical from four), affected_subsystems (name: a process, gen_servers, ets, ports or schedulers; evidence), " +
				"failure_relationships (from, to, type: call_blocking, io_blocking, contention; from holds up to).",
			Example: "overload_cascade_detection()",
			Run:     of((*beamState).cascade),
		},
		{
			Name: "overload_remediation_plan",
			Doc: "What to do: overload_severity, bottleneck_type, bottleneck_location, where (the process with the longest queue, and where it stands), recommended_action, action_description, priority (low, medium, high, critical), " +
				"estimated_impact, implementation_steps (three; none when nothing is overloaded).",
			Example: "overload_remediation_plan()",
			Run:     of((*beamState).remedy),
		},
		{
			Name: "overload_predict_growth",
			Doc: "Queues that grow, soonest critical first. processes: name, pid, message_queue_len, growth_per_sec (since the snapshot before), saturation_threshold_messages (50000), seconds_until_saturation. " +
				"time_to_crash_estimate_seconds (memory) or null; note: why. truncated: there are more.",
			Example: "overload_predict_growth()",
			Run:     of((*beamState).predict),
		},
	}
}
