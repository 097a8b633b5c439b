package supervisor

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed beam.md
var beamPrompt string

// BeamSource returns the source of Erlang and Elixir nodes, by the names of their
// targets. The supervisor skill of a host has it beside its own.
func BeamSource(nodes map[string]*beam.Node) skills.Source {
	return skills.PerTarget(nodes, func(n *beam.Node) skills.Source {
		w := newBeamWatch(n)
		return skills.Source{
			Kind: skills.Beam, Prompt: beamPrompt, Metrics: beamMetrics, Checks: beamChecks, Calls: beamCalls(w), Snapshot: w.snapshot,
		}
	})
}

var beamMetrics = []skills.Metric{
	skills.Gauge("supervisor_count", protocol.Count, "Supervisors: those below the applications, and others that were found."),
	skills.Gauge("total_children", protocol.Count, "Their children, running or not."),
	skills.Info("largest_supervisor", protocol.Text, "The supervisor with most children, as name <pid>."),
	skills.Gauge("largest_supervisor_children", protocol.Count, "How many it has."),
	skills.Info("supervisors_truncated", protocol.Text, "Set when there are, or may be, more supervisors than were asked."),

	skills.Gauge("restarts_5m", protocol.Count, "How often in five minutes a listed child was seen to be another process than before, for the child with most; a snapshot sees one at most. Dynamic children come and go and are not counted."),
	skills.Info("crash_loop_child", protocol.Text, "That child: its id, what it began as and its process now; absent when there is none."),
	skills.Info("crash_loop_supervisor", protocol.Text, "Its supervisor, as name <pid>."),
	skills.Gauge("restarts_all_5m", protocol.Count, "The same of all children together."),
	skills.Gauge("children_restarting", protocol.Count, "Children that their supervisor tries to start and cannot, in this snapshot and the one before."),
	skills.Info("restarting_child", protocol.Text, "One of them, by its id."),
	skills.Info("restarting_supervisor", protocol.Text, "Its supervisor, as name <pid>."),
	skills.Gauge("supervisors_unresponsive", protocol.Count, "Supervisors that did not answer within half a second, in this snapshot and the one before; no more than three are waited for."),
	skills.Info("unresponsive_supervisor", protocol.Text, "One of them, as name <pid>."),
	skills.Info("unresponsive_function", protocol.Text, "Where it stands: function, and who called it."),

	skills.Gauge("orphans", protocol.Count, "Processes that were started by one that has died, and were so in the snapshot before too."),
	skills.Info("orphan_process", protocol.Text, "What most of them are: a name, or the function they began with."),
	skills.Info("orphan_ancestor", protocol.Text, "Who left most of them: the name or process of the ancestor that died."),
	skills.Gauge("unlinked_processes", protocol.Count, "Processes with neither links nor monitors, those of the runtime itself left out, in this snapshot and the one before."),
	skills.Info("unlinked_process", protocol.Text, "What most of them are: a name, or the function they began with."),
	skills.Info("unlinked_function", protocol.Text, "Where most of them stand."),
}

// Thresholds leave alone what healthy nodes have: children that are not started, dynamic
// ones that come and go, some processes that end by themselves.
var beamChecks = []skills.Check{
	skills.Above("restarts_5m", 3, 8, "supervision",
		"{crash_loop_child} under the supervisor {crash_loop_supervisor} was restarted {value} times in five minutes",
		"sup_restarts(5)",
		"It crashes again and again within what its supervisor allows: its crash reports (exception skill) say how. A restart hides it and loses its state each time."),
	skills.Above("children_restarting", 1, 5, "supervision",
		"{value} children cannot be started again, {restarting_child} of the supervisor {restarting_supervisor} among them",
		"sup_restarts(5)",
		"Its init fails: look at what it needs there (a connection, a file, a name) and let init return before that is reached."),
	skills.Above("supervisors_unresponsive", 1, 3, "supervision",
		"{value} supervisors do not answer, {unresponsive_supervisor} among them; it stands in {unresponsive_function}",
		"sup_list(10)",
		"A supervisor does nothing else while a child starts or stops: that child's init or terminate takes too long. Until then nothing below it is restarted."),
	skills.Above("orphans", 200, 2000, "processes",
		"{value} processes have lost the one that started them; most began as {orphan_process}, left by {orphan_ancestor}",
		"sup_orphaned_processes(10)",
		"They were started without a link, or do not end when their starter does: start them below a supervisor (Task.Supervisor, DynamicSupervisor)."),
	skills.Above("unlinked_processes", 2000, 20_000, "processes",
		"{value} processes have neither links nor monitors; most began as {unlinked_process} and stand in {unlinked_function}",
		"sup_unlinked_processes(10)",
		"Nobody ends them and nobody would see them crash: link them to their owner or start them below a supervisor, and give what they wait for a time limit."),
}
