// Package exception is the skill of faults that programs die of or report with a
// stack trace: which, how often, since when, and where in the code. Of a Go service
// it tells the panics that the service itself exposes.
package exception

import (
	"context"
	_ "embed"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/internal/reach/stacktrace"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed host.md
var hostPrompt string

// Skill returns the skill; r reads the logs of the machine and may be shared with
// other skills. It must not have been read yet.
func Skill(r *logs.Reader) skills.Skill {
	return skills.Skill{
		Name:    "exception",
		Title:   "Exceptions",
		Summary: "Stack traces in logs, grouped: which exceptions, panics and core dumps, how often, new ones, and where in the code.",
		Prefix:  "exception_",
		Sources: []skills.Source{hostSource(r)},
	}
}

func hostSource(r *logs.Reader) skills.Source {
	h := hostTraces{traces{found: stacktrace.New(), now: r.Now, began: r.Began}, r}
	h.read = h.settle
	r.Tap(h.tap)
	return skills.Source{
		Kind: skills.Host, Prompt: hostPrompt, Metrics: hostMetrics, Checks: hostChecks, Calls: h.calls(words{traceDoc, keptDoc, stacktrace.Kinds(), "panic"}), Snapshot: h.snapshot,
	}
}

// traces are stack traces, and how to have them brought up to date.
type traces struct {
	found      *stacktrace.Collector
	now, began func() time.Time
	read       func(context.Context) error
}

// hostTraces are the stack traces in the logs of one machine.
type hostTraces struct {
	traces
	logs *logs.Reader
}

// tap shows the collector every line of the logs.
func (h hostTraces) tap(e *logs.Entry, text string, known bool) (part bool) {
	if e.Message != "" && !strings.HasPrefix(text, " ") && !strings.HasPrefix(text, "\t") {
		text = e.Message // without the header
	}
	return h.found.Add(stacktrace.Line{
		Text: text, Source: e.Source, Module: e.Module, PID: e.PID, Time: e.Time, Known: known, Arrived: h.logs.Now(),
	})
}

var hostMetrics = []skills.Metric{
	skills.Gauge("total_exceptions_5m", protocol.Count, "Stack traces in the logs of the last five minutes, of all kinds."),
	skills.Gauge("panics_5m", protocol.Count, "Those that were panics or fatal errors of Go programs."),
	skills.Gauge("core_dumps_5m", protocol.Count, "Those that were core dumps."),
	skills.Gauge("unique_exception_types", protocol.Count, "Different types among them."),
	skills.Gauge("exception_groups_5m", protocol.Count, "Different faults among them: a type and where it happened."),
	skills.Info("top_exception_type", protocol.Text, "The type of the fault that came most often; absent when there is none."),
	skills.Gauge("top_exception_count", protocol.Count, "How often it came in the last five minutes."),
	skills.Info("top_exception_where", protocol.Text, "The function of the program on top of its stack, with file and line."),
	skills.Info("top_exception_program", protocol.Text, "Which program logged it, or where."),
	skills.Gauge("new_exception_groups_5m", protocol.Count, "Faults first seen in the last five minutes; absent in the first five minutes of reading."),
	skills.Info("new_exception", protocol.Text, "The one of them that came most often, as program: type at function."),
	skills.Info("last_panic", protocol.Text, "The newest panic or core dump of the last five minutes, as program: type at function."),
}

var hostChecks = []skills.Check{
	skills.Above("panics_5m", 1, 5, "panic",
		"{value} panic(s) of Go programs in five minutes: {last_panic}",
		`exception_recent(5, "panic")`,
		"A panic ends the program or the request: the function on top of the stack says where, the message what it could not do."),
	skills.Above("core_dumps_5m", 1, 3, "crash",
		"{value} core dump(s) in five minutes: {last_panic}",
		`exception_recent(5, "core_dump")`,
		"A fault in native code or memory: the same function each time is a bug or a broken library, several programs at once are memory or an update."),
	skills.Above("new_exception_groups_5m", 2, 6, "exceptions",
		"{value} faults were never seen before the last five minutes, most often {new_exception}",
		"exception_groups(5, true)",
		"Faults that are new say what changed: look for a deployment, a setting or a dependency that failed just before the first of them."),
	skills.Above("top_exception_count", 50, 500, "exceptions",
		"{top_exception_type} was thrown {value} times in five minutes by {top_exception_program}, at {top_exception_where}",
		"exception_groups(5)",
		"One place in the code fails again and again: its message and its cause name what it lacks."),
}
