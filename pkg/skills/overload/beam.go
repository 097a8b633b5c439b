package overload

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed beam.md
var beamPrompt string

// BeamSource returns the source of Erlang and Elixir nodes, by the names of their
// targets; r reads the machine that the probe runs on, for the memory that is left to
// those of them that run there too.
func BeamSource(nodes map[string]*beam.Node, r *host.Reader) skills.Source {
	return skills.PerTarget(nodes, func(n *beam.Node) skills.Source {
		w := &beamWatch{node: n, machine: r}
		return skills.Source{
			Kind: skills.Beam, Prompt: beamPrompt, Metrics: beamMetrics, Checks: beamChecks, Calls: beamCalls(w), Snapshot: w.snapshot,
		}
	})
}

var beamMetrics = []skills.Metric{
	skills.Info("overload_severity", protocol.Text, "none; transient: a queue of 1,000 messages, or 100,000 in all; sustained: for five minutes, or 10,000, or 1,000,000 in all, and not on its way to empty within a minute; critical: 50,000, or 5,000,000 in all, or no memory left in five minutes."),
	skills.Info("overload_type", protocol.Text, "none; queue_overflow; memory_exhaustion: memory runs out with it; port_saturation: processes stand still before full ports."),
	skills.Info("bottleneck_type", protocol.Text, "What most queued messages wait behind: downstream_blocking (a call that does not return), port_blocking (a full port), contention (a lock or table), garbage_collection, cpu_bound, mixed or unknown; none without overload."),
	skills.Info("bottleneck_location", protocol.Text, "Where the chain of waiting ends: process and function; absent without overload."),
	skills.Gauge("overloaded_seconds", protocol.Seconds, "For how long there has been overload without a pause, as snapshots saw it."),
	skills.Gauge("affected_processes", protocol.Count, "Processes with more than 100 messages waiting."),
	skills.Gauge("total_queue_depth", protocol.Count, "Messages waiting in all processes."),
	skills.Info("recommended_action", protocol.Text, "shed_load, apply_backpressure, scale_horizontally, reduce_contention, add_buffering or monitor."),
	skills.Gauge("time_to_crash_estimate_seconds", protocol.Seconds, "When the memory of the machine will be used up if the node goes on growing as snapshots saw; absent unless it is overloaded, grew steadily and runs on the probe's machine."),

	skills.Gauge("processes_over_1000", protocol.Count, "Processes with more than 1,000 messages waiting."),
	skills.Gauge("processes_over_10000", protocol.Count, "Processes with more than 10,000 messages waiting."),
	skills.Gauge("max_queue", protocol.Count, "Messages waiting in the process with most."),
	skills.Info("max_queue_process", protocol.Text, "That process, as name <pid>; absent when no queue has ten."),
	skills.Info("max_queue_function", protocol.Text, "Where it stands: function, and who called it."),

	skills.Gauge("backlog", protocol.Count, "Messages waiting in the process with most of those that had a queue in the snapshot before too and will not have emptied it within a minute; 0 without one."),
	skills.Info("backlog_process", protocol.Text, "That process, as name <pid>."),
	skills.Info("backlog_function", protocol.Text, "Where it stands: function, and who called it."),
	skills.Gauge("backlog_per_sec", protocol.PerSecond, "How fast its queue grows since the snapshot before; below 0 it shrinks."),
}

// Thresholds leave alone what a busy node has: hundreds of messages waiting for a
// moment, a burst of thousands that is worked off.
var beamChecks = []skills.Check{
	skills.Above("backlog", 1000, 50_000, "message_queue",
		"{value} messages wait for {backlog_process}, which stands in {backlog_function} ({backlog_per_sec} more a second); {bottleneck_type} at {bottleneck_location}",
		"overload_bottleneck()",
		"Mend the end of the chain: a call that does not return needs a time limit, and who sends needs to be held back (a call instead of a cast, a bounded queue) until then."),
	skills.Above("processes_over_1000", 20, 200, "message_queue",
		"{value} processes have more than 1000 messages waiting each; {bottleneck_type} at {bottleneck_location}",
		"overload_cascade_detection()",
		"They wait for the same thing, or for each other: find what began first, and shed load until it is mended."),
	skills.Below("time_to_crash_estimate_seconds", 1800, 300, "memory",
		"the node's queues take the machine's memory: none will be left in {value} s; {max_queue} messages wait for {max_queue_process}",
		"overload_predict_growth()",
		"Hold back who sends, or refuse work at the door: when memory is out, the kernel ends the node."),
}
