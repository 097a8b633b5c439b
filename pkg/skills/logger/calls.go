package logger

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	hostEntryDoc = "timestamp, level, message (at most 400 characters), module (the program or logger; absent when the line tells none), source (file, docker:ID or journal:UNIT), pid (absent when not told), " +
		"template (an id for logger_template). "
	keptDoc = "Of all logs the newest 1000 entries are kept. "
)

func (h hostLogs) calls() []skills.Call {
	stats := skills.Call{
		Name: "logger_stats",
		Doc: statsDoc +
			"Also window_seconds, lines_cut and skipped_mb (what was too long or too much, since reading began).",
		Example: "logger_stats()",
		Run:     h.polled(func(skills.Args) (any, error) { return h.stats(), nil }),
	}
	return append(append([]skills.Call{stats}, h.entryCalls(hostEntryDoc)...), h.sourcesCall())
}

const statsDoc = "Counts of the last 60 seconds: total_count, error_count (error, critical, alert and emergency), warning_count, info_count, debug_count, error_rate (errors, % of all), " +
	"error_module_count. "

// entryCalls are those that list entries and templates.
func (h written) entryCalls(entryDoc string) []skills.Call {
	level := func(doc, def string) skills.Param {
		return skills.Param{Name: "level", Type: "string", Doc: doc, Default: def, Enum: append([]string{"all"}, logs.Levels()...)}
	}
	return append([]skills.Call{
		{
			Name:    "logger_recent",
			Doc:     "The newest entries of a level or graver. entries: " + entryDoc + keptDoc,
			Params:  []skills.Param{skills.Limit(20, 100, "how many entries"), level("the least grave to show", "all")},
			Example: `logger_recent(10, "warning")`,
			Run: h.polled(func(a skills.Args) (any, error) {
				return h.list(a.Int("limit"), atLeast(a.String("level"))), nil
			}),
		},
		{
			Name:    "logger_errors",
			Doc:     "The newest errors, critical, alert and emergency among them. entries: " + entryDoc + keptDoc,
			Params:  []skills.Param{skills.Limit(10, 100, "how many entries")},
			Example: "logger_errors(10)",
			Run: h.polled(func(a skills.Args) (any, error) {
				return h.list(a.Int("limit"), atLeast("error")), nil
			}),
		},
		{
			Name:    "logger_search",
			Doc:     "The newest entries whose message matches a regular expression (RE2; (?i) for any case). entries: " + entryDoc + keptDoc,
			Params:  []skills.Param{{Name: "pattern", Type: "string", Doc: "at most 200 characters"}, skills.Limit(20, 100, "how many entries")},
			Example: `logger_search("(?i)out of memory", 10)`,
			Run: h.polled(func(a skills.Args) (any, error) {
				re, err := compile(a.String("pattern"))
				if err != nil {
					return nil, err
				}
				return h.list(a.Int("limit"), func(e *logs.Entry) bool { return re.MatchString(e.Message) }), nil
			}),
		},
		{
			Name:    "logger_by_module",
			Doc:     "The newest entries of programs, loggers or sources whose name contains a text, in any case. entries: " + entryDoc + keptDoc,
			Params:  []skills.Param{{Name: "name", Type: "string", Doc: "a part of the name: nginx, journal:checkout, /var/log/app"}, skills.Limit(20, 100, "how many entries")},
			Example: `logger_by_module("ssh", 10)`,
			Run: h.polled(func(a skills.Args) (any, error) {
				name := strings.ToLower(a.String("name"))
				return h.list(a.Int("limit"), func(e *logs.Entry) bool {
					return strings.Contains(strings.ToLower(e.Module), name) || strings.Contains(strings.ToLower(e.Source), name)
				}), nil
			}),
		},
	}, h.templateCalls(level)...)
}

// polled has a callback answer with what was written until now.
func (h written) polled(answer func(skills.Args) (any, error)) func(context.Context, skills.Args) (any, error) {
	return func(ctx context.Context, a skills.Args) (any, error) {
		if err := h.poll(ctx); err != nil {
			return nil, err
		}
		return answer(a)
	}
}

func (h hostLogs) stats() map[string]any {
	v := h.written.stats()
	cut, skipped := h.reader.Losses()
	v["lines_cut"], v["skipped_mb"] = cut, skills.Round(float64(skipped)/(1<<20), 1)
	return v
}

func (h written) stats() map[string]any {
	t := h.Totals(time.Minute)
	return map[string]any{
		"window_seconds": 60.0, "total_count": t.Total, "error_count": t.Errors, "warning_count": t.Warnings, "info_count": t.Infos, "debug_count": t.Debug,
		"error_rate": skills.Round(pct(t.Errors, t.Total), 2), "error_module_count": t.ErrorModules,
	}
}

// longestPattern bounds what a search costs.
const longestPattern = 200

func compile(pattern string) (*regexp.Regexp, error) {
	if pattern == "" || len(pattern) > longestPattern {
		return nil, fmt.Errorf("pattern has %d characters: it must have 1 to %d", len(pattern), longestPattern)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w; write a regular expression as RE2 has them, with \\ before signs that are meant literally", err)
	}
	return re, nil
}

// atLeast keeps entries of a level and of graver ones.
func atLeast(level string) func(*logs.Entry) bool {
	least, ok := logs.ParseLevel(level)
	return func(e *logs.Entry) bool { return !ok || e.Level <= least }
}

func (h written) list(limit int, keep func(*logs.Entry) bool) map[string]any {
	entries := h.Entries(limit, keep)
	out := make([]map[string]any, 0, len(entries))
	for i := range entries {
		out = append(out, view(&entries[i]))
	}
	return map[string]any{"entries": out}
}

func view(e *logs.Entry) map[string]any {
	v := map[string]any{
		"timestamp": e.Time.UTC().Format("2006-01-02T15:04:05.000Z"), "level": e.Level.String(),
		"message": cut(e.Message), "source": e.Source, "template": float64(e.Template),
	}
	if e.Module != "" {
		v["module"] = skills.Cut(e.Module)
	}
	if e.PID > 0 {
		v["pid"] = e.PID
	}
	for name, text := range map[string]string{"process": e.Process, "func": e.Func, "domain": e.Domain} {
		if text != "" {
			v[name] = skills.Cut(text)
		}
	}
	if e.Line > 0 {
		v["line"] = float64(e.Line)
	}
	return v
}

// longestMessage is how many characters of a message an answer has.
const longestMessage = 400

func cut(s string) string {
	if len(s) <= longestMessage {
		return s
	}
	if runes := []rune(s); len(runes) > longestMessage {
		return string(runes[:longestMessage]) + logs.Truncated
	}
	return s
}
