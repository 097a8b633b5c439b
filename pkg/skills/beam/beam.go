// Package beam is the skill that watches an Erlang or Elixir node as a whole: memory,
// processes, schedulers, atoms, and which processes and functions are behind what is
// wrong with them.
package beam

import (
	_ "embed"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed beam.md
var prompt string

// Skill returns the beam skill; nodes are the Erlang and Elixir nodes of this host by
// the names of their targets.
func Skill(nodes map[string]*reach.Node) skills.Skill {
	return skills.Skill{
		Name:    "beam",
		Title:   "BEAM VM",
		Summary: "Health of an Erlang or Elixir node: memory, processes, message queues, schedulers, atoms, binaries, and which process or function is behind it.",
		Prefix:  "beam_",
		Sources: []skills.Source{skills.PerTarget(nodes, source)},
	}
}

func source(n *reach.Node) skills.Source {
	w := &watch{node: n}
	return skills.Source{Kind: skills.Beam, Prompt: prompt, Metrics: metrics, Checks: checks, Calls: w.calls(), Snapshot: w.snapshot}
}

var metrics = []skills.Metric{
	skills.Gauge("reachable", protocol.Count, "1 when the node answers, 0 when it does not run or its schedulers do not answer; then nothing else is there."),
	skills.Info("unreachable_reason", protocol.Text, "Why it does not."),
	skills.Gauge("process_utilization_pct", protocol.Percent, "Processes, of the most there may be."),
	skills.Gauge("port_utilization_pct", protocol.Percent, "Ports, of the most there may be."),
	skills.Gauge("atom_utilization_pct", protocol.Percent, "Atoms, of the most there may be: they are never freed, and the node ends when there is no more room."),
	skills.Gauge("scheduler_run_queue", protocol.Count, "Processes and ports that wait to run, at the moment of the snapshot."),
	skills.Info("schedulers_online", protocol.Count, "Schedulers in use: one thread each."),
	skills.Gauge("binary_memory_mb", protocol.Mebibytes, "Binaries outside of the processes' heaps."),
	skills.Info("otp_release", protocol.Text, "Release of Erlang/OTP."),
	skills.Info("uptime_seconds", protocol.Seconds, "For how long the node runs."),
	skills.Gauge("restarts_per_hour", protocol.Count, "How often the node began anew in the last hour, as the probe saw."),

	skills.Gauge("total_memory_mb", protocol.Mebibytes, "What the node has allocated in all."),
	skills.Gauge("process_memory_mb", protocol.Mebibytes, "Heaps, stacks and queues of all processes."),
	skills.Gauge("ets_memory_mb", protocol.Mebibytes, "ETS tables."),
	skills.Gauge("code_memory_mb", protocol.Mebibytes, "Loaded code."),
	skills.Gauge("persistent_term_mb", protocol.Mebibytes, "Persistent terms."),
	skills.Info("largest_process", protocol.Text, "The process with most memory: name (pid); absent where all processes have less than 64 MiB together."),
	skills.Gauge("largest_process_mb", protocol.Mebibytes, "What it has. Processes with more than 10,000 messages are not asked."),
	skills.Info("largest_process_function", protocol.Text, "The function it is in."),
	skills.Info("binary_holder", protocol.Text, "The process that holds most in binaries: name (pid); absent where there are less than 32 MiB of them."),
	skills.Gauge("binary_held_mb", protocol.Mebibytes, "What it holds; others may hold the same."),
	skills.Gauge("binary_growing_mb", protocol.Mebibytes, "How much more a process holds in binaries than when a steady growth began; absent without one."),
	skills.Info("binary_growing_holder", protocol.Text, "That process: name (pid)."),
	skills.Info("binary_growing_function", protocol.Text, "The function it is in."),
	skills.Gauge("binary_growing_for_seconds", protocol.Seconds, "For how long it grows, as far as it was seen."),

	skills.Gauge("process_count", protocol.Count, "Processes."),
	skills.Info("top_origin", protocol.Text, "The function that most processes began with."),
	skills.Gauge("top_origin_processes", protocol.Count, "How many did."),
	skills.Gauge("growing_processes", protocol.Count, "How many more processes began with one function than when a steady growth of their number began; absent without one."),
	skills.Info("growing_origin", protocol.Text, "That function."),
	skills.Gauge("growing_origin_processes", protocol.Count, "How many processes began with it."),
	skills.Info("growing_origin_parent", protocol.Text, "Who started one of them."),
	skills.Gauge("growing_processes_per_sec", protocol.PerSecond, "How fast their number grows."),

	skills.Gauge("total_queued_messages", protocol.Count, "Messages in the queues of all processes."),
	skills.Gauge("max_queue_size", protocol.Count, "Messages in the longest queue."),
	skills.Info("max_queue_process", protocol.Text, "Whose queue that is: name (pid)."),
	skills.Info("max_queue_function", protocol.Text, "The function it is in, and which of the application's functions called that."),
	skills.Gauge("max_queue_for_seconds", protocol.Seconds, "For how long this process has had the longest queue, of 100 messages or more."),

	skills.Gauge("scheduler_utilization_pct", protocol.Percent, "How busy the schedulers are, over a quarter of a second. It is not the system's CPU time: a scheduler that waits for work in a loop is idle."),
	skills.Gauge("scheduler_max_utilization_pct", protocol.Percent, "How busy the busiest one is."),
	skills.Gauge("run_queue_per_scheduler", protocol.Ratio, "Processes and ports that wait to run, for each scheduler: the middle one of five readings, times how busy the schedulers are."),
	skills.Info("busiest_process", protocol.Text, "The process with most reductions: name (pid); absent while the schedulers have time to spare. Of an overloaded node it is what was seen two minutes ago at most."),
	skills.Info("busiest_function", protocol.Text, "The function it is in, and which of the application's functions called that."),
	skills.Gauge("busiest_share_pct", protocol.Percent, "Its share of the reductions of all."),
	skills.Gauge("spinning_for_seconds", protocol.Seconds, "For how long one process has done most of the node's work with a scheduler busy all the time; 0 while none does."),

	skills.Gauge("atom_count", protocol.Count, "Atoms."),
	skills.Info("atom_limit", protocol.Count, "The most there may be."),
	skills.Gauge("atoms_per_min", protocol.Count, "New atoms a minute, over the last 10 minutes at most."),
	skills.Gauge("atom_hours_left", protocol.Count, "Hours until there is no room, where their number grows steadily; absent where it does not."),
}

// Thresholds leave alone a node that works hard: what counts is what waits, and what
// grows without end.
var checks = []skills.Check{
	{
		Metric: "reachable", Op: protocol.Below, Critical: skills.Level(0), Resource: "node",
		Says:   "{unreachable_reason}",
		Advice: "See whether the node's process runs and what its log and erl_crash.dump say. One that runs and does not answer is stuck in native code, stopped, or has no processor.",
	},
	skills.Above("atom_utilization_pct", 50, 80, "atoms",
		"{value} % of {atom_limit} atoms are used; they are never freed, and the node ends when there is no room; {atoms_per_min} come every minute",
		"beam_atom_growth_rate(10)",
		"Find what makes atoms of text that comes from outside (binary_to_atom, list_to_atom, String.to_atom, xmerl, JSON with atom keys, node names) and use binaries or binary_to_existing_atom. Only a restart frees them."),
	skills.Below("atom_hours_left", 168, 24, "atoms",
		"atoms leak: {atom_count} of {atom_limit} are used and {atoms_per_min} more come every minute, so that there is no room in {value} hours, and the node ends then",
		"beam_atom_leak_detected()",
		"Find what makes atoms of text that comes from outside (binary_to_atom, list_to_atom, String.to_atom, xmerl, JSON with atom keys, node names) and use binaries or binary_to_existing_atom. Only a restart frees them."),
	skills.Above("process_utilization_pct", 70, 90, "processes",
		"{process_count} processes are {value} % of the most there may be; {top_origin_processes} of them began with {top_origin}",
		"beam_process_origins(5)",
		"If their number only grows they are never ended: look at what starts them, and at what they wait for. If the work needs so many, raise the limit (+P)."),
	skills.Above("growing_processes", 5000, 50_000, "processes",
		"processes leak: {growing_origin_processes} began with {growing_origin}, {value} more than when the growth began, and their number never fell; they were started by {growing_origin_parent}",
		"beam_process_origins(5)",
		"Nobody ends them: look at what each waits for (its current function), give that a timeout, and link or monitor what they work for."),
	skills.Above("max_queue_size", 2000, 20_000, "message_queue",
		"{value} messages wait for {max_queue_process}, which is in {max_queue_function}; {total_queued_messages} wait in all",
		"beam_queue_processes(1000)",
		"The process cannot keep up: take what blocks out of it (calls to others, files, the network), spread it over more processes, or hold back who sends."),
	skills.Above("run_queue_per_scheduler", 5, 30, "schedulers",
		"{value} processes wait for each of {schedulers_online} schedulers, which are {scheduler_utilization_pct} % busy; {busiest_process} does most, {busiest_share_pct} % of the work, in {busiest_function}",
		"beam_hot_functions(5, 1000)",
		"There is more to do than the processors can: look at the hot functions, move work elsewhere, or give the node more processors."),
	skills.Above("spinning_for_seconds", 300, 3600, "schedulers",
		"for {value} seconds {busiest_process} has kept a scheduler busy all the time, with {busiest_share_pct} % of the node's work, in {busiest_function}",
		"beam_top_reducers_window(5, 1000)",
		"An endless loop, or one process that does what many could: look at that function."),
	skills.Above("binary_growing_mb", 64, 512, "binaries",
		"{binary_growing_holder} holds {value} MiB more in binaries than {binary_growing_for_seconds} seconds before, and never less between; it is in {binary_growing_function}",
		"beam_binary_top_memory(5)",
		"It keeps binaries, or small parts of large ones (binary:copy the part), or it works too seldom to be collected: let it hibernate, or do this work in a process that ends."),
	skills.Above("largest_process_mb", 512, 2048, "process_memory",
		"{largest_process} has {value} MiB of memory, of {process_memory_mb} MiB of all processes; it is in {largest_process_function}",
		`beam_top_processes(5, "memory")`,
		"Look at what its state keeps, and at its queue. A heap that is large only for a moment can be given back by hibernating."),
	skills.Above("restarts_per_hour", 3, 10, "restarts",
		"the node began anew {value} times within an hour; it runs for {uptime_seconds} seconds now",
		"beam_get_system()",
		"Look at its crash dump (erl_crash.dump) and at what starts it: memory, atoms or a supervisor that gave up."),
}
