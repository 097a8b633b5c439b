package vmevents

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed beam.md
var beamPrompt string

// BeamSource returns the source of Erlang and Elixir nodes, by the names of their
// targets. It needs the level events of a node, since it becomes its system monitor.
func BeamSource(nodes map[string]*beam.Node) skills.Source {
	return skills.PerTarget(nodes, func(n *beam.Node) skills.Source {
		w := beamWatch{n}
		return skills.Source{
			Kind: skills.Beam, Prompt: beamPrompt, Metrics: beamMetrics, Checks: beamChecks, Calls: w.calls(), Snapshot: w.snapshot,
		}
	})
}

// Events are those of the last five minutes.
var beamMetrics = []skills.Metric{
	skills.Gauge("long_gc_events_5m", protocol.Count, "Garbage collections of single processes that took 500 ms or more."),
	skills.Gauge("max_gc_duration_ms", protocol.Milliseconds, "The longest of them; 0 without any."),
	skills.Info("long_gc_process", protocol.Text, "The process that it was; absent without any."),
	skills.Info("long_gc_function", protocol.Text, "The function of the program that it ran; absent when it is not known."),
	skills.Gauge("long_schedule_events_5m", protocol.Count, "Times that a process or port kept a scheduler for 500 ms or more without a pause."),
	skills.Gauge("max_schedule_duration_ms", protocol.Milliseconds, "The longest of them; 0 without any."),
	skills.Info("long_schedule_process", protocol.Text, "The process that it was, or the port."),
	skills.Info("long_schedule_function", protocol.Text, "The function in which it began, or ended, to run; absent when it is not known."),
	skills.Gauge("busy_port_events_5m", protocol.Count, "Times that a process was suspended because a port (a socket, a program) took no more; no more than 20 events of all types are told a second."),
	skills.Info("busy_port_process", protocol.Text, "The process that it was most often."),
	skills.Info("busy_port_name", protocol.Text, "The port that it was most often: tcp_inet is a socket, other names are programs."),
	skills.Info("busy_port_function", protocol.Text, "The function of the program that wrote; absent when it is not known."),
	skills.Gauge("busy_dist_port_events_5m", protocol.Count, "Times that a process was suspended because the connection to another node took no more."),
	skills.Info("busy_dist_port_process", protocol.Text, "The process that it was most often."),
	skills.Gauge("large_heap_events_5m", protocol.Count, "Times that a process had a heap of 256 MiB or more after a collection."),
	skills.Gauge("max_heap_mb", protocol.Mebibytes, "The largest of these heaps; 0 without any."),
	skills.Info("large_heap_process", protocol.Text, "The process that has it."),
	skills.Gauge("affected_process_count", protocol.Count, "Different processes in all these events."),
	skills.Gauge("affected_port_count", protocol.Count, "Different ports in all these events."),
	skills.Counter("events_dropped", protocol.Count, "Events that were too many for their second and were only counted, since the probe began."),
	skills.Info("watched_seconds", protocol.Seconds, "For how long the node has been watched without a gap: less than 300, and there may have been events that nobody saw."),
}

// Thresholds leave alone a node that is busy: some waits for sockets are its daily life.
var beamChecks = []skills.Check{
	skills.Above("max_gc_duration_ms", 1000, 10_000, "gc_pause",
		"a garbage collection of the process {long_gc_process} took {value} ms; it ran {long_gc_function}",
		`sysmon_events("long_gc", 10)`,
		"Its heap is huge, or most of it is alive: have it hold less, split its state, or let it hibernate when it is done."),
	skills.Above("long_gc_events_5m", 3, 30, "gc_pause",
		"{value} garbage collections took 500 ms or more in five minutes, the longest, of {max_gc_duration_ms} ms, in the process {long_gc_process}; it ran {long_gc_function}",
		`sysmon_events("long_gc", 10)`,
		"One process again and again holds too much; many different ones have a machine without processor time or memory beneath them."),
	skills.Above("long_schedule_events_5m", 2, 20, "scheduler",
		"{value} times in five minutes something kept a scheduler for 500 ms or more, the longest, of {max_schedule_duration_ms} ms, was {long_schedule_process}; in {long_schedule_function}",
		`sysmon_events("long_schedule", 10)`,
		"Native code (a NIF) or a function of the machine that does not pause: run it on dirty schedulers or in smaller pieces. All of them at once say that the machine had no processor for the node."),
	skills.Above("max_schedule_duration_ms", 5000, 30_000, "scheduler",
		"something kept a scheduler for {value} ms without a pause: {long_schedule_process}; in {long_schedule_function}",
		`sysmon_events("long_schedule", 10)`,
		"All that waited behind it stood still meanwhile: run such work on dirty schedulers, in a port program, or in smaller pieces."),
	skills.Above("busy_port_events_5m", 50, 1000, "port",
		"{value} times in five minutes a process was suspended because a port took no more, most often {busy_port_process} at {busy_port_name}; it wrote in {busy_port_function}",
		`sysmon_events("busy_port", 10)`,
		"Whoever reads at the other end is too slow, or hangs: see who it is (the ports skill), and let the writer have a deadline and a bound."),
	skills.Above("busy_dist_port_events_5m", 10, 300, "distribution",
		"{value} times in five minutes a process was suspended because the connection to another node took no more, most often {busy_dist_port_process}",
		`sysmon_events("busy_dist_port", 10)`,
		"Large messages between nodes, or a slow network: send less at once; a larger +zdbbl only puts it off."),
	skills.Above("max_heap_mb", 1024, 8192, "memory",
		"the process {large_heap_process} has a heap of {value} MiB",
		`sysmon_events("large_heap", 10)`,
		"See what it holds and who fills it; a max_heap_size would end it before it ends the node."),
}
