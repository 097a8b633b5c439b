package beam

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

func (w *watch) calls() []skills.Call {
	return append(append(w.stateCalls(), w.processCalls()...), w.schedulerCalls()...)
}

// most is how many rows a list has.
const most = 50

func ms(a skills.Args, name string) time.Duration {
	return time.Duration(a.Number(name) * float64(time.Millisecond))
}

// window returns a parameter in milliseconds. The node answers within its timeout, so
// that a longer one is cut.
func window(name, doc string, def float64) skills.Param {
	return skills.Param{Name: name, Type: "number", Doc: doc + ", in ms; cut to what the node's timeout allows, 3500 by default", Default: def, Min: skills.Level(100), Max: skills.Level(30_000)}
}

var pidParam = skills.Param{Name: "pid", Type: "string", Doc: `which process: "<0.123.0>"`}

const rowDoc = "pid, name (registered, else what it calls itself, else the function it began with), current_function (what it is in), sits_in (the same, and the first function of the application that called it)"

func (w *watch) stateCalls() []skills.Call {
	plain := func(name, doc string, run func(context.Context) (any, error)) skills.Call {
		return skills.Call{Name: name, Doc: doc, Example: name + "()", Run: func(ctx context.Context, _ skills.Args) (any, error) { return run(ctx) }}
	}
	return []skills.Call{
		plain("beam_get_memory", "The node's memory in MiB: total_mb, processes_mb, processes_used_mb, system_mb, binary_mb, ets_mb, code_mb, atom_mb.", w.getMemory),
		plain("beam_get_processes", "process_count, process_limit, port_count, port_limit.", w.getProcesses),
		plain("beam_get_schedulers", "schedulers, schedulers_online, dirty_cpu_schedulers_online, dirty_io_schedulers, run_queue (processes and ports that wait to run).", w.getSchedulers),
		plain("beam_get_atoms", "atom_count, atom_limit, atom_mb (memory of their texts), atom_used_mb.", w.getAtoms),
		plain("beam_get_system", "node, otp_release, elixir_version (null on Erlang alone), uptime_seconds, schedulers_online, restarts_per_hour (as the probe saw).", w.getSystem),
		plain("beam_get_persistent_terms", "count, memory_mb.", w.getPersistentTerms),
		{
			Name: "beam_atom_growth_rate",
			Doc: "How fast the number of atoms grows, from the probe's readings of the last minutes_back: current_count, limit, utilization_pct, atoms_per_minute, atoms_per_hour, hours_until_exhausted (null when they do not grow), " +
				"urgency (healthy, monitoring from 168 hours left, concerning from 24, warning above 80 % used, critical, insufficient_history), time_window_minutes, samples_count. The rates are null without two readings.",
			Params:  []skills.Param{{Name: "minutes_back", Type: "number", Doc: "over how many minutes", Default: 10.0, Min: skills.Level(1), Max: skills.Level(60)}},
			Example: "beam_atom_growth_rate(10)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.atomGrowth(ctx, a.Number("minutes_back"))
			},
		},
		plain("beam_atom_leak_detected", "Whether atoms leak, over 10 minutes: suspected_leak (more than half used and more than 10 a minute, or a steady growth), growth_rate (a minute), hours_until_full (null when they do not grow), current_utilization_pct, recommendation.", w.atomLeak),
	}
}

func (w *watch) processCalls() []skills.Call {
	limit := skills.Limit(10, most, "how many processes")
	return []skills.Call{
		{
			Name: "beam_top_processes",
			Doc: "The processes with the most of something, the most first. total_processes, showing, offset (0), limit, sort_by, processes: " + rowDoc + ", memory_kb (null with more than 10,000 messages), message_queue, reductions (since it began), status. " +
				"truncated: not all processes were looked at. skipped: how many were not asked, because of their long queues.",
			Params:  []skills.Param{limit, {Name: "sort_by", Type: "string", Doc: "what to sort by", Default: "memory", Enum: []string{"memory", "message_queue", "reductions"}}},
			Example: `beam_top_processes(5, "memory")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.top(ctx, a.Int("limit"), a.String("sort_by"))
			},
		},
		{
			Name: "beam_process_info",
			Doc: "One process: pid, name, registered_name, began_with, started_by (its ancestors, the nearest first), status, current_function, sits_in, stack (functions, innermost first), message_queue, reductions, " +
				"memory_kb, heap_kb, total_heap_kb, stack_kb, minor_gcs, binary_kb (held outside of its heap). Of one that there is not: error process_not_found.",
			Params: []skills.Param{pidParam}, Example: `beam_process_info("<0.0.0>")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) { return w.info(ctx, a.String("pid")) },
		},
		{
			Name: "beam_process_origins",
			Doc: "With which functions the processes began, the most first. total_processes, origins: function, processes (an estimate where there are many), share_pct, example (one of them: " + rowDoc + "), started_by (who started that one), " +
				"added (since a growth of their number began; absent without one), steady (it never fell, and is half as many again). truncated: not all processes were looked at.",
			Params: []skills.Param{skills.Limit(10, 40, "how many functions")}, Example: "beam_process_origins(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) { return w.originList(ctx, a.Int("limit")) },
		},
		{
			Name: "beam_binary_leak",
			Doc: "Which processes hold more binaries than before, the most first, against the probe's oldest reading of the last hour (or one of two seconds ago). total_processes, showing, limit, over_seconds, processes: " + rowDoc + ", " +
				"binary_delta (how many more; null where they were not counted), binary_count, binary_memory_kb, binary_memory_delta_kb, collected (whether its collector ran between). " +
				"Nothing is collected for it, so that what a collection would free counts as held. Once in 60 seconds: before, the list is empty and error is rate_limited.",
			Params: []skills.Param{limit}, Example: "beam_binary_leak(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) { return w.binaryLeak(ctx, a.Int("limit")) },
		},
		{
			Name: "beam_binary_top_memory",
			Doc: "The processes that hold most in binaries outside of their heaps, the most first. total_processes, showing, limit, processes: " + rowDoc + ", binary_count (null where they are too many to list), binary_memory_kb, minor_gcs. " +
				"A binary that several hold counts for each. truncated: not all processes were looked at.",
			Params: []skills.Param{limit}, Example: "beam_binary_top_memory(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) { return w.binaryTop(ctx, a.Int("limit")) },
		},
		{
			Name:   "beam_binary_info",
			Doc:    "The binaries that one process holds: pid, name, current_function, binary_count, binary_memory_kb, binaries (the largest 200): id, size_bytes, refcount (how many hold it). Of one that there is not: error process_not_found.",
			Params: []skills.Param{pidParam}, Example: `beam_binary_info("<0.0.0>")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) { return w.binaryInfo(ctx, a.String("pid")) },
		},
		{
			Name:    "beam_queue_processes",
			Doc:     "The processes with more than threshold messages, the longest queue first, at most 100: threshold, count (of all), processes: " + rowDoc + ", message_queue, status. truncated: not all are listed.",
			Params:  []skills.Param{{Name: "threshold", Type: "number", Doc: "messages", Default: 1000.0, Min: skills.Level(0), Max: skills.Level(1e9)}},
			Example: "beam_queue_processes(1000)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.queuesAbove(ctx, a.Number("threshold"))
			},
		},
		{
			Name: "beam_queue_growth",
			Doc:  "Which queues grew in an interval, the most first: interval_ms, showing, limit, processes: " + rowDoc + ", queue_growth (messages), initial_queue (0 for a process that was not there), final_queue. truncated: not all processes were looked at.",
			Params: []skills.Param{
				{Name: "interval_ms", Type: "number", Doc: "how long to wait between two looks, in ms", Default: 1000.0, Min: skills.Level(10), Max: skills.Level(8000)}, limit,
			},
			Example: "beam_queue_growth(500, 5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.queueGrowth(ctx, ms(a, "interval_ms"), a.Int("limit"))
			},
		},
		{
			Name: "beam_queue_stats",
			Doc: "total_queued_messages, processes_with_large_queues (more than 1,000), processes_with_critical_queues (more than 10,000), max_queue_size, " +
				"max_queue_process (null when all are empty): pid, name, current_function, sits_in.",
			Example: "beam_queue_stats()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.queueStats(ctx) },
		},
	}
}

func (w *watch) schedulerCalls() []skills.Call {
	limit := skills.Limit(10, most, "how many")
	return []skills.Call{
		{
			Name: "beam_scheduler_utilization",
			Doc: "How busy the schedulers are over sample_ms: schedulers (normal ones): id, utilization_pct; avg_utilization_pct, max_utilization_pct, min_utilization_pct, imbalanced (more than 50 between them), " +
				"dirty_cpu_avg_utilization_pct, dirty_io_avg_utilization_pct, run_queue (the middle of five readings), sample_ms.",
			Params:  []skills.Param{window("sample_ms", "for how long", 1000)},
			Example: "beam_scheduler_utilization(200)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.utilization(ctx, ms(a, "sample_ms"))
			},
		},
		{
			Name:    "beam_scheduler_capacity_available",
			Doc:     "true when the schedulers are less than 70 % busy on average, over one second.",
			Example: "beam_scheduler_capacity_available()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.capacity(ctx) },
		},
		{
			Name:    "beam_scheduler_health",
			Doc:     "Over one second: status (critical above 90 % on average, warning above 70, else healthy), avg_utilization_pct, max_utilization_pct, min_utilization_pct, imbalanced, imbalance_factor (most less least when imbalanced, else 0), recommendations.",
			Example: "beam_scheduler_health()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.health(ctx) },
		},
		{
			Name:    "beam_top_reducers_window",
			Doc:     "The processes that did most in a window, the most first: window_ms, showing, limit, processes: " + rowDoc + ", reductions_delta, rate_per_sec, share_pct (of all). truncated: not all processes were looked at.",
			Params:  []skills.Param{limit, window("window_ms", "for how long", 1000)},
			Example: "beam_top_reducers_window(5, 200)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.reducers(ctx, a.Int("limit"), ms(a, "window_ms"))
			},
		},
		{
			Name: "beam_reduction_rate",
			Doc:  "How hard one process works: pid, reductions_per_sec, reductions_delta, window_ms, trend (very_high above 10,000 a second, high above 5,000, moderate above 1,000, low above 100, idle). Of one that there is not: error process_not_found; that ended meanwhile: process_died.",
			Params: []skills.Param{
				pidParam, {Name: "window_ms", Type: "number", Doc: "for how long, in ms", Default: 1000.0, Min: skills.Level(100), Max: skills.Level(8000)},
			},
			Example: `beam_reduction_rate("<0.0.0>", 100)`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.reductionRate(ctx, a.String("pid"), ms(a, "window_ms"))
			},
		},
		{
			Name: "beam_burst_detection",
			Doc: "Which processes work much harder in a window than in the one before it, the hardest first: baseline_window_ms (of both windows), burst_threshold_pct, showing, processes: " + rowDoc + ", " +
				"baseline_rate and current_rate (reductions a second), burst_multiplier_pct (current of baseline; a baseline below 1,000 counts as that). truncated: not all processes were looked at.",
			Params: []skills.Param{
				window("baseline_window_ms", "for how long each of the two windows is", 500),
				{Name: "burst_threshold_pct", Type: "number", Doc: "from how many percent of the baseline on", Default: 200.0, Min: skills.Level(100), Max: skills.Level(1e6)},
			},
			Example: "beam_burst_detection(100, 200)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.bursts(ctx, ms(a, "baseline_window_ms"), a.Number("burst_threshold_pct"))
			},
		},
		{
			Name: "beam_hot_functions",
			Doc: "In which functions the 200 processes are that did most in a window, those with the most reductions first: window_ms, showing, limit, functions: function (what they are in at its end, with the first of the application that called it), " +
				"total_reductions, avg_reductions (of a process), share_pct (of all), process_count, example (pid).",
			Params:  []skills.Param{limit, window("window_ms", "for how long", 1000)},
			Example: "beam_hot_functions(5, 200)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.hot(ctx, a.Int("limit"), ms(a, "window_ms"))
			},
		},
	}
}
