package gc

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed beam.md
var beamPrompt string

// BeamSource returns the source of Erlang and Elixir nodes, by the names of their
// targets. Each process of a node collects its own heap.
func BeamSource(nodes map[string]*beam.Node) skills.Source {
	return skills.PerTarget(nodes, func(n *beam.Node) skills.Source {
		w := &beamWatch{node: n}
		return skills.Source{
			Kind: skills.Beam, Prompt: beamPrompt, Metrics: beamMetrics, Checks: beamChecks, Calls: w.calls(), Snapshot: w.snapshot,
		}
	})
}

var beamMetrics = []skills.Metric{
	skills.Counter("total_gcs", protocol.Count, "Collections of all processes since the node began."),
	skills.Counter("words_reclaimed", protocol.Count, "Words that they freed."),
	skills.Counter("bytes_reclaimed_mb", protocol.Mebibytes, "The same as memory."),
	skills.Gauge("gcs_per_sec", protocol.PerSecond, "Collections of all processes."),
	skills.Gauge("reclaimed_mb_per_sec", protocol.Mebibytes, "What they free, in MiB a second: about what is allocated."),
	skills.Info("largest_heap_process", protocol.Text, "The process with the largest heap: name (pid); absent where all processes have less than 32 MiB together."),
	skills.Gauge("largest_heap_mb", protocol.Mebibytes, "Its heap, of all generations. Processes with more than 10,000 messages are not asked."),
	skills.Info("largest_heap_function", protocol.Text, "The function it is in."),
	skills.Info("growing_heap_process", protocol.Text, "The process whose heap grows steadily: name (pid); absent without one."),
	skills.Gauge("growing_heap_mb", protocol.Mebibytes, "How much larger its lowest size is than it was: a heap rises until it is collected."),
	skills.Gauge("growing_heap_now_mb", protocol.Mebibytes, "How large it is."),
	skills.Info("growing_heap_function", protocol.Text, "The function it is in."),
	skills.Gauge("growing_heap_for_seconds", protocol.Seconds, "For how long it grows, as far as it was seen."),
}

// Thresholds leave alone how often is collected: that is what work does.
var beamChecks = []skills.Check{
	skills.Above("growing_heap_mb", 128, 1024, "process_heap",
		"the heap of {growing_heap_process} has {growing_heap_now_mb} MiB; at its lowest, after collections, it has {value} MiB more than {growing_heap_for_seconds} seconds before: what it holds stays reachable; it is in {growing_heap_function}",
		"gc_top_processes(5)",
		"Look at what its state keeps: a list, map or queue without bound. Keep it in a table with a bound, or drop it."),
}
