package exception

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/stacktrace"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed beam.md
var beamPrompt string

// BeamSource returns the source of Erlang and Elixir nodes, by the names of their
// targets. It needs the level events of a node, since it puts a log handler there.
func BeamSource(nodes map[string]*beam.Node) skills.Source {
	return skills.PerTarget(nodes, func(n *beam.Node) skills.Source {
		b := beamTraces{traces{
			found: n.Exceptions(), now: time.Now, began: func() time.Time { return n.Book().Began() },
			read: func(ctx context.Context) error { return n.Watch(ctx) },
		}, n}
		calls := b.calls(words{beamTraceDoc, "The newest 500 are kept. ", beam.ExceptionKinds(), beam.KindExit})
		for i := range calls {
			calls[i].Level = string(beam.Events)
		}
		return skills.Source{
			Kind: skills.Beam, Prompt: beamPrompt, Metrics: beamMetrics, Checks: beamChecks, Calls: calls, Snapshot: b.snapshot,
		}
	})
}

// beamTraces are the crashes of one node.
type beamTraces struct {
	traces
	node *beam.Node
}

const beamTraceDoc = "id (for exception_stacktrace), datetime, kind (error, exit, throw; message is a report without an exception, as of a supervisor that gave up), level, language, type (badmatch, RuntimeError), " +
	"message (what else may be told: names that stand in code, or the words of an exception of Elixir; terms are left out), where (the program's own function on top of the stack, file and line), " +
	"group (alike in the same faults), program (the process: its name, or its pid), supervisor (absent when not told). "

var beamMetrics = []skills.Metric{
	skills.Gauge("total_exceptions_5m", protocol.Count, "Processes that ended by an exception, and exceptions that were logged, in the last five minutes."),
	skills.Gauge("by_kind_error", protocol.Count, "Those that were errors: of the machine (badmatch) or raised."),
	skills.Gauge("by_kind_exit", protocol.Count, "Those that were exits: a call that was not answered, a dependency that ended."),
	skills.Gauge("by_kind_throw", protocol.Count, "Those that were throws that nobody caught."),
	skills.Gauge("by_kind_message", protocol.Count, "Supervisors that gave up because a child ended too often."),
	skills.Gauge("by_level_error", protocol.Count, "Those logged as error."),
	skills.Gauge("by_level_other", protocol.Count, "Those logged at another level."),
	skills.Gauge("unique_exception_types", protocol.Count, "Different types among them."),
	skills.Gauge("exception_groups_5m", protocol.Count, "Different faults among them: a type and where it happened."),
	skills.Info("top_exception_type", protocol.Text, "The type of the fault that came most often; absent when there is none."),
	skills.Info("top_exception_types", protocol.Text, "The types that came most often, with their counts, at most 10."),
	skills.Gauge("top_exception_count", protocol.Count, "How often that fault came in the last five minutes."),
	skills.Info("top_exception_where", protocol.Text, "The function of the program on top of its stack, with file and line."),
	skills.Info("top_exception_process", protocol.Text, "The process that ended by it last."),
	skills.Info("top_exception_says", protocol.Text, "What else is told of it: who did not answer a call, the words of an exception of Elixir."),
	skills.Info("supervisor_gave_up", protocol.Text, "The supervisor that gave up last, in the last five minutes."),
	skills.Gauge("new_exception_groups_5m", protocol.Count, "Faults first seen in the last five minutes; absent in the first five minutes of watching."),
	skills.Info("new_exception", protocol.Text, "The one of them that came most often, as process: type at function."),
	skills.Info("watched_seconds", protocol.Seconds, "For how long the node's log has been told to the probe without a gap."),
}

var beamChecks = []skills.Check{
	skills.Above("by_kind_message", 1, 3, "supervisor",
		"{value} supervisor(s) gave up in five minutes, {supervisor_gave_up} last; what ended most often was {top_exception_process} by {top_exception_type} at {top_exception_where}",
		`exception_recent(5, "message")`,
		"All that stood below it is gone unless its own supervisor starts it again: repair why its child ended, then see what else restarted."),
	skills.Above("top_exception_count", 10, 100, "exceptions",
		"{top_exception_process} ended {value} times in five minutes by {top_exception_type} at {top_exception_where}; {top_exception_says}",
		"exception_groups(5)",
		"One place in the code fails again and again: its type and function say what it lacks; when it says in a call of another process, look at that one."),
	skills.Above("new_exception_groups_5m", 3, 8, "exceptions",
		"{value} faults were never seen before the last five minutes, most often {new_exception}",
		"exception_groups(5, true)",
		"Faults that are new say what changed: look for a deployment, a setting or a dependency that failed just before the first of them."),
}

func (b beamTraces) snapshot(ctx context.Context) (skills.Data, error) {
	if err := b.read(ctx); err != nil {
		return nil, err
	}
	d := skills.Data{}
	groups := b.recent()
	s := statsOf(groups)
	d.Set("total_exceptions_5m", float64(s.total), 0)
	for _, kind := range beam.ExceptionKinds() {
		d.Set("by_kind_"+kind, float64(s.kinds[kind]), 0)
	}
	d.Set("by_level_error", float64(s.levels["error"]), 0)
	d.Set("by_level_other", float64(s.total-s.levels["error"]), 0)
	d.Set("unique_exception_types", float64(len(s.types)), 0)
	d.Set("exception_groups_5m", float64(len(groups)), 0)
	d.Set("top_exception_count", 0, 0)
	if top, ok := topOf(groups); ok {
		d.Text("top_exception_type", top.Type)
		d.Text("top_exception_where", where(top.Where))
		d.Text("top_exception_process", cmp.Or(top.Module, top.Source))
		d.Text("top_exception_says", top.Message)
		d.Set("top_exception_count", float64(top.Recent), 0)
	}
	d.Text("top_exception_types", types(s))
	for _, t := range b.found.Traces(1, func(t *stacktrace.Trace) bool {
		return t.Kind == beam.KindMessage && b.now().Sub(t.Time) <= stacktrace.Window
	}) {
		d.Text("supervisor_gave_up", t.Module)
	}
	b.fresh(d, groups)
	watched := 0.0
	if w := b.node.Watching(); !w.Since.IsZero() {
		watched = b.now().Sub(w.Since).Seconds()
	}
	d.Set("watched_seconds", watched, 0)
	return d, nil
}

// topOf returns the fault that came most often, exceptions before what supervisors say
// because of them.
func topOf(groups []stacktrace.Group) (stacktrace.Group, bool) {
	i := slices.IndexFunc(groups, func(g stacktrace.Group) bool { return g.Kind != beam.KindMessage })
	if i < 0 {
		if len(groups) == 0 {
			return stacktrace.Group{}, false
		}
		i = 0
	}
	return groups[i], true
}

// types writes the types that came most often with their counts.
func types(s stats) string {
	var out []string
	for _, name := range mostOften(s.types) {
		out = append(out, fmt.Sprintf("%s %d", name, s.types[name]))
	}
	return strings.Join(out[:min(len(out), 10)], ", ")
}
