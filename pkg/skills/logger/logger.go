// Package logger is the skill of what programs log: how many errors, of which
// kinds, since when, and the lines themselves.
package logger

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed host.md
var hostPrompt string

// Skill returns the skill; r reads the logs of the machine and may be shared with
// other skills.
func Skill(r *logs.Reader) skills.Skill {
	return skills.Skill{
		Name:    "logger",
		Title:   "Logs",
		Summary: "What programs log: error rates, kinds of messages with their rates, new kinds of errors, and the lines themselves.",
		Prefix:  "logger_",
		Sources: []skills.Source{hostSource(r)},
	}
}

func hostSource(r *logs.Reader) skills.Source {
	h := hostLogs{written{r.Book, r.Poll}, r}
	return skills.Source{
		Kind: skills.Host, Prompt: hostPrompt, Metrics: hostMetrics, Checks: hostChecks, Calls: h.calls(), Snapshot: h.snapshot,
	}
}

var hostMetrics = []skills.Metric{
	skills.Gauge("total_logs_1m", protocol.Count, "Entries of the last minute in all logs that are read."),
	skills.Gauge("error_count_1m", protocol.Count, "Those of level error, critical, alert or emergency."),
	skills.Gauge("warning_count_1m", protocol.Count, "Those of level warning."),
	skills.Gauge("error_rate_pct", protocol.Percent, "Share of errors among the entries of the last minute; 0 without entries."),
	skills.Gauge("unique_error_modules", protocol.Count, "Programs or loggers that logged an error in the last minute."),
	skills.Gauge("error_burst_ratio", protocol.Ratio, "Errors of the last minute against their mean a minute in the ten minutes before, which counts as 1 at least; absent with fewer than 20 errors, and in the first ten minutes."),
	skills.Gauge("templates", protocol.Count, "Kinds of messages that are known."),
	skills.Gauge("new_error_templates_5m", protocol.Count, "Kinds of error messages first seen in the last five minutes, those that differ in one word counted once; absent in the first five minutes of reading."),
	skills.Info("new_error_template", protocol.Text, "The one of them that came most often, as program: text."),
	skills.Info("top_error_template", protocol.Text, "The error message that came most often in the last five minutes, as program: text; absent when there is none."),
	skills.Gauge("top_error_template_per_min", protocol.Count, "How often it came, a minute."),
	skills.Info("sources_read", protocol.Count, "Files, containers and journals that are followed."),
	skills.Info("sources_unreadable", protocol.Count, "Those that are there and cannot be read."),
	skills.Info("source_unreadable", protocol.Text, "The first of them, and why."),
	skills.Counter("lines_cut", protocol.Count, "Entries too long to be kept whole, since reading began."),
	skills.Counter("skipped_mb", protocol.Mebibytes, "Of logs passed over because too much came at once, since reading began."),
}

var hostChecks = []skills.Check{
	skills.Above("new_error_templates_5m", 3, 10, "errors",
		"{value} kinds of errors were never seen before the last five minutes, most often: {new_error_template}",
		"logger_new_templates(5, 10)",
		"Errors that are new say what changed: read them with their time, and look for a deployment or a dependency that failed just before the first."),
	skills.Above("error_burst_ratio", 5, 20, "errors",
		"{error_count_1m} errors in the last minute are {value} times as many as before, most often: {top_error_template}",
		`logger_templates(5, "error")`,
		"Find the message that grew and when it began; errors of several programs at once usually have one cause, the one that failed first."),
	skills.Above("error_count_1m", 300, 3000, "errors",
		"{value} errors were logged in the last minute ({error_rate_pct} % of all entries), most often: {top_error_template}",
		`logger_templates(5, "error")`,
		"One message that makes most of them is one fault: repair it, or a disk fills with its repetition."),
}
