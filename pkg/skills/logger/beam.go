package logger

import (
	"context"
	_ "embed"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed beam.md
var beamPrompt string

// BeamSource returns the source of Erlang and Elixir nodes, by the names of their
// targets. It needs the level events of a node, since it puts a log handler there.
func BeamSource(nodes map[string]*beam.Node) skills.Source {
	return skills.PerTarget(nodes, func(n *beam.Node) skills.Source {
		b := beamLogs{written{n.Book(), func(ctx context.Context) error { return n.Watch(ctx) }}, n}
		return skills.Source{
			Kind: skills.Beam, Prompt: beamPrompt, Metrics: beamMetrics, Checks: beamChecks, Calls: b.calls(), Snapshot: b.snapshot,
		}
	})
}

// beamLogs answers for one node.
type beamLogs struct {
	written
	node *beam.Node
}

var beamMetrics = []skills.Metric{
	skills.Gauge("total_logs_1m", protocol.Count, "Entries of the last minute; of those below warning, and of those above, no more than some 50 a second are told."),
	skills.Gauge("error_count_1m", protocol.Count, "Those of level error, critical, alert or emergency."),
	skills.Gauge("warning_count_1m", protocol.Count, "Those of level warning."),
	skills.Gauge("error_rate_pct", protocol.Percent, "Share of errors among the entries of the last minute; 0 without entries."),
	skills.Gauge("unique_error_modules", protocol.Count, "Modules that logged an error in the last minute."),
	skills.Gauge("error_burst_ratio", protocol.Ratio, "Errors of the last minute against their mean a minute in the ten minutes before, which counts as 1 at least; absent with fewer than 20 errors, and in the first ten minutes."),
	skills.Gauge("templates", protocol.Count, "Kinds of messages that are known."),
	skills.Gauge("new_error_templates_5m", protocol.Count, "Kinds of error messages first seen in the last five minutes, those that differ in one word counted once; absent in the first five minutes."),
	skills.Info("new_error_template", protocol.Text, "The one of them that came most often, as module: text."),
	skills.Info("top_error_template", protocol.Text, "The error message that came most often in the last five minutes, as module: text; absent when there is none."),
	skills.Gauge("top_error_template_per_min", protocol.Count, "How often it came, a minute."),
	skills.Info("watched_seconds", protocol.Seconds, "For how long the node's log has been told to the probe without a gap."),
}

var beamChecks = []skills.Check{
	skills.Above("new_error_templates_5m", 3, 10, "errors",
		"{value} kinds of errors were never seen before the last five minutes, most often: {new_error_template}",
		"logger_new_templates(5, 10)",
		"Errors that are new say what changed: read them with their time, and look for a deployment or a dependency that failed just before the first."),
	skills.Above("error_burst_ratio", 5, 20, "errors",
		"{error_count_1m} errors in the last minute are {value} times as many as before, most often: {top_error_template}",
		`logger_templates(5, "error")`,
		"Find the message that grew and when it began; the exception skill has the crashes among them with their functions."),
	skills.Above("error_count_1m", 200, 1500, "errors",
		"{value} errors were logged in the last minute ({error_rate_pct} % of all entries), most often: {top_error_template}",
		`logger_templates(5, "error")`,
		"One message that makes most of them is one fault: a process that crashes and is started again, or one that goes on without what it needs."),
}

func (b beamLogs) snapshot(ctx context.Context) (skills.Data, error) {
	if err := b.poll(ctx); err != nil {
		return nil, err
	}
	d := skills.Data{}
	b.entries(d)
	b.templates(d)
	d.Set("watched_seconds", b.watched(), 0)
	return d, nil
}

func (b beamLogs) watched() float64 {
	if s := b.node.Watching(); !s.Since.IsZero() {
		return b.Now().Sub(s.Since).Seconds()
	}
	return 0
}

const beamEntryDoc = "timestamp, level, message (at most 400 characters; of crashes who, what and where, never what the program held), process (its name or pid), module, func (name/arity), line and domain " +
	"(absent when not told), source (the node), template (an id for logger_template). "

func (b beamLogs) calls() []skills.Call {
	stats := skills.Call{
		Name: "logger_stats",
		Doc: statsDoc + "Also window_seconds, watched_seconds (since when the log is told without a gap), last_gap (why it was not before; absent when it was), lost (entries that the probe did not take in time). " +
			"Of a flood some 50 entries a second are told of those below warning, and as many of those from warning on: then counts are too low.",
		Example: "logger_stats()",
		Run:     b.polled(func(skills.Args) (any, error) { return b.stats(), nil }),
	}
	list := append([]skills.Call{stats}, b.entryCalls(beamEntryDoc)...)
	for i := range list {
		list[i].Level = string(beam.Events)
	}
	return list
}

func (b beamLogs) stats() map[string]any {
	v := b.written.stats()
	v["watched_seconds"], v["lost"] = skills.Round(b.watched(), 0), b.node.LogLosses()
	if s := b.node.Watching(); s.LastEnd != "" {
		v["last_gap"] = s.LastEnd + ", " + s.LastEndAt.UTC().Format(time.RFC3339)
	}
	return v
}
