package overload

import (
	"context"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

const goPlaceDoc = "function, line (file:line), state (what they wait for), goroutines, calls (the function of the standard library called there), " +
	"stack (the service's own calls, innermost first), since (as far as it was seen), added, per_sec (how they became more since then). "

func goCalls(w *goWatch) []skills.Call {
	of := func(answer func(goState) any) func(context.Context, skills.Args) (any, error) {
		return func(ctx context.Context, _ skills.Args) (any, error) {
			s, err := w.look(ctx)
			if err != nil {
				return nil, err
			}
			return answer(s), nil
		}
	}
	return []skills.Call{
		{
			Name: "overload_state",
			Doc: "How it stands: severity (none, transient, sustained, critical), type (none, goroutine_leak, lock_contention, downstream_blocking, queue_overflow), " +
				"bottleneck_location (function (file:line)), affected_goroutines, goroutines (all), blocked_goroutines, recommended_action, for_seconds (as far as it was seen), growth_per_sec.",
			Example: "overload_state()",
			Run:     of(goOverloadState),
		},
		{
			Name: "overload_goroutines",
			Doc: "The places with most goroutines. places: " + goPlaceDoc +
				"Those that become steadily more come first, then those with most. goroutines: all. states: goroutines by what they wait for. truncated: there are more places.",
			Params:  []skills.Param{skills.Limit(10, 50, "how many places")},
			Example: "overload_goroutines(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				s, err := w.look(ctx)
				if err != nil {
					return nil, err
				}
				return goPlaces(s, a.Int("limit")), nil
			},
		},
		{
			Name: "overload_queue_analysis",
			Doc: "Goroutines that want to go on (lock, semacquire, chan send). total_blocked, places_with_queues, queue_percentiles (p50, p90, p95, p99, p100 of the goroutines at such a place), " +
				"fastest_growing (at most 5 places: function, line, state, goroutines, added, per_sec, since), overload_classification (duration_minutes, growth_pattern: none, stable, linear, burst; classification).",
			Example: "overload_queue_analysis()",
			Run:     of(goQueues),
		},
		{
			Name: "overload_bottleneck",
			Doc: "Where the chain of waiting ends. bottleneck_type (none, downstream_blocking, contention, queue, leak, cpu_bound), bottleneck_location (function (file:line) that is waited for, or where they wait), " +
				"evidence (texts), confidence_level (low, medium, high). places: where goroutines wait and, first, who holds them up (holds: true): " + goPlaceDoc,
			Example: "overload_bottleneck()",
			Run:     of(goBottleneck),
		},
		{
			Name: "overload_cascade_detection",
			Doc: "Whether one pile-up makes others. cascading, severity (none, warning, critical), affected_places, failure_relationships (at most 20: from and to (function (file:line)), " +
				"goroutines that wait, type: lock_held, io_blocking or queue_full, by: same_function or same_type).",
			Example: "overload_cascade_detection()",
			Run:     of(goCascade),
		},
		{
			Name: "overload_remediation_plan",
			Doc: "What to do: overload_severity, recommended_action, action_description, priority (low, medium, high, critical), estimated_impact, location (function (file:line)), " +
				"implementation_steps (three).",
			Example: "overload_remediation_plan()",
			Run:     of(goRemedy),
		},
		{
			Name: "overload_contention",
			Doc: "Delays at locks and channels since the service began. mutex: who held locks, block: who waited; each with enabled (true, false or unknown), delay_seconds (all), " +
				"places (function, line, delay_seconds, delay_pct, contentions, calls), longest first, and note (how to have it recorded).",
			Params:  []skills.Param{skills.Limit(10, 50, "how many places of each")},
			Example: "overload_contention(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return goContention(ctx, w.service, a.Int("limit"))
			},
		},
		{
			Name: "overload_waits",
			Doc: "How long goroutines have stood where they are, by the runtime's own count. places, longest first: function, line, state, minutes (whole ones, the longest), goroutines, created_by. " +
				"The service stops while it writes them down; refused above 10000 goroutines. truncated: there are more.",
			Params:  []skills.Param{skills.Limit(10, 50, "how many places")},
			Example: "overload_waits(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return goLongWaits(ctx, w.service, a.Int("limit"))
			},
		},
	}
}
