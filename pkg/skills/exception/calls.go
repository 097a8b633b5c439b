package exception

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/stacktrace"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	traceDoc = "id (for exception_stacktrace), datetime, kind (exception, panic, exit, throw, core_dump), language, type, message (at most 200 characters), where (function, file and line on top of the stack that are the program's own), " +
		"cause (the one that was behind it; absent when there is none), group (alike in the same faults), program (who logged it, or where). "
	keptDoc = "The newest 120 traces are kept. "
)

// words are those in which sources differ.
type words struct {
	trace, kept string
	kinds       []string
	kind        string // of the example
}

func (h traces) calls(say words) []skills.Call {
	limit := skills.Limit(10, 50, "how many traces")
	return []skills.Call{
		{
			Name: "exception_stats",
			Doc: "Stack traces of the last five minutes: total_count, by_kind, by_language and by_level (counts by name; by_level is empty where none is told), top_types (type and count, most often first, at most 10), type_count. " +
				"Also window_seconds.",
			Example: "exception_stats()",
			Run:     h.answer(func(skills.Args) (any, error) { return h.stats(), nil }),
		},
		{
			Name: "exception_groups",
			Doc: "Faults, those that came most often in the last five minutes first. groups: group, kind, language, type, message (of the newest), where, count_5m, total (since it is known), first_seen, last_seen, " +
				"new (first seen in the last five minutes), program. total: how many there are.",
			Params: []skills.Param{
				skills.Limit(10, 50, "how many groups"),
				{Name: "only_new", Type: "boolean", Doc: "only those first seen in the last five minutes", Default: false},
			},
			Example: "exception_groups(5, true)",
			Run: h.answer(func(a skills.Args) (any, error) {
				return h.groups(a.Int("limit"), a.Bool("only_new")), nil
			}),
		},
		{
			Name: "exception_recent",
			Doc:  "The newest stack traces. exceptions: " + say.trace + say.kept,
			Params: []skills.Param{limit, {
				Name: "kind", Type: "string", Doc: "only of this kind", Default: "all", Enum: append([]string{"all"}, say.kinds...),
			}},
			Example: `exception_recent(5, "` + say.kind + `")`,
			Run: h.answer(func(a skills.Args) (any, error) {
				kind := a.String("kind")
				return h.list(a.Int("limit"), func(t *stacktrace.Trace) bool { return kind == "all" || t.Kind == kind }), nil
			}),
		},
		{
			Name:    "exception_by_type",
			Doc:     "The newest stack traces whose type, or that of a cause, contains a text, in any case. exceptions: " + say.trace + say.kept,
			Params:  []skills.Param{{Name: "type", Type: "string", Doc: "a part of the name: IOException"}, limit},
			Example: `exception_by_type("Timeout", 10)`,
			Run: h.answer(func(a skills.Args) (any, error) {
				part := strings.ToLower(a.String("type"))
				return h.list(a.Int("limit"), func(t *stacktrace.Trace) bool {
					return strings.Contains(strings.ToLower(t.Type+"\n"+strings.Join(t.Causes, "\n")), part)
				}), nil
			}),
		},
		{
			Name:    "exception_search",
			Doc:     "The newest stack traces whose type, message, causes or functions match a regular expression (RE2; (?i) for any case). exceptions: " + say.trace + say.kept,
			Params:  []skills.Param{{Name: "pattern", Type: "string", Doc: "at most 200 characters"}, limit},
			Example: `exception_search("(?i)connection refused", 10)`,
			Run: h.answer(func(a skills.Args) (any, error) {
				re, err := compile(a.String("pattern"))
				if err != nil {
					return nil, err
				}
				return h.list(a.Int("limit"), func(t *stacktrace.Trace) bool { return matches(re, t) }), nil
			}),
		},
		{
			Name: "exception_stacktrace",
			Doc: "One trace: " + say.trace + "found: false when there is none of this id. causes: all of them. frames: where it happened first: function, file and line (absent when not told). " +
				"truncated: there were more than 24 frames.",
			Params:  []skills.Param{{Name: "id", Type: "integer", Doc: "as exception_recent has it", Min: skills.Level(1), Max: skills.Level(1 << 31)}},
			Example: "exception_stacktrace(1)",
			Run: h.answer(func(a skills.Args) (any, error) {
				return h.trace(a.Int("id")), nil
			}),
		},
	}
}

// answer has a callback answer with what was written until now.
func (h traces) answer(f func(skills.Args) (any, error)) func(context.Context, skills.Args) (any, error) {
	return func(ctx context.Context, a skills.Args) (any, error) {
		if err := h.read(ctx); err != nil {
			return nil, err
		}
		return f(a)
	}
}

func (h traces) stats() map[string]any {
	s := statsOf(h.recent())
	types := mostOften(s.types)
	top := []map[string]any{}
	for _, name := range types[:min(len(types), 10)] {
		top = append(top, map[string]any{"type": skills.Cut(name), "count": s.types[name]})
	}
	return map[string]any{
		"window_seconds": stacktrace.Window.Seconds(), "total_count": s.total, "by_kind": s.kinds, "by_language": s.languages, "by_level": s.levels, "top_types": top, "type_count": len(types),
	}
}

// mostOften returns the names, those with the highest counts first.
func mostOften(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
}

func (h traces) groups(limit int, onlyNew bool) map[string]any {
	out, total := []map[string]any{}, 0
	for _, g := range h.found.Groups(h.now()) {
		if onlyNew && !h.isNew(g) {
			continue
		}
		if total++; total > limit {
			continue
		}
		out = append(out, map[string]any{
			"group": g.ID, "kind": g.Kind, "language": g.Language, "type": skills.Cut(g.Type), "message": skills.Cut(g.Message), "where": where(g.Where),
			"count_5m": g.Recent, "total": g.Total, "first_seen": stamp(g.First), "last_seen": stamp(g.Last), "new": h.isNew(g), "program": cmp.Or(g.Module, g.Source),
		})
	}
	return map[string]any{"groups": out, "total": total}
}

func (h traces) list(limit int, keep func(*stacktrace.Trace) bool) map[string]any {
	out := []map[string]any{}
	for _, t := range h.found.Traces(limit, keep) {
		out = append(out, view(&t))
	}
	return map[string]any{"exceptions": out}
}

func view(t *stacktrace.Trace) map[string]any {
	v := map[string]any{
		"id": float64(t.ID), "datetime": stamp(t.Time), "kind": t.Kind, "language": t.Language, "type": skills.Cut(t.Type), "message": skills.Cut(t.Message),
		"where": where(t.Top()), "group": t.Group, "program": cmp.Or(t.Module, t.Source),
	}
	if t.Level != "" {
		v["level"] = t.Level
	}
	if t.Under != "" {
		v["supervisor"] = skills.Cut(t.Under)
	}
	if len(t.Causes) > 0 {
		v["cause"] = skills.Cut(t.Causes[len(t.Causes)-1])
	}
	return v
}

func (h traces) trace(id int) map[string]any {
	list := h.found.Traces(1, func(t *stacktrace.Trace) bool { return t.ID == id })
	if len(list) == 0 {
		return map[string]any{"found": false, "says": fmt.Sprintf("no trace %d: exception_recent lists those there are", id)}
	}
	v := view(&list[0])
	frames := []map[string]any{}
	for _, f := range list[0].Frames {
		frame := map[string]any{"function": f.Function}
		if f.File != "" {
			frame["file"] = f.File
		}
		if f.Line > 0 {
			frame["line"] = f.Line
		}
		frames = append(frames, frame)
	}
	v["found"], v["frames"], v["causes"], v["truncated"] = true, frames, append([]string{}, list[0].Causes...), list[0].Cut
	return v
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

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

func matches(re *regexp.Regexp, t *stacktrace.Trace) bool {
	if re.MatchString(t.Type) || re.MatchString(t.Message) || slices.ContainsFunc(t.Causes, re.MatchString) {
		return true
	}
	return slices.ContainsFunc(t.Frames, func(f stacktrace.Frame) bool { return re.MatchString(f.Function) })
}
