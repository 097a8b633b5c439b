package logger

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const templateDoc = "id, template (the message with <*> in the place of what differs), level (the gravest seen), count_5m, per_min (mean of the last five minutes), total (since it is known), " +
	"first_seen, last_seen, new (first seen in the last five minutes), source and module of the last one. "

func (h written) templateCalls(level func(doc, def string) skills.Param) []skills.Call {
	return []skills.Call{
		{
			Name:    "logger_templates",
			Doc:     "Kinds of messages, those that came most often in the last five minutes first. templates: " + templateDoc + "total: how many there are of that level.",
			Params:  []skills.Param{skills.Limit(15, 100, "how many templates"), level("the least grave to show", "all")},
			Example: `logger_templates(10, "error")`,
			Run: h.polled(func(a skills.Args) (any, error) {
				keep := atLeast(a.String("level"))
				return h.kinds(a.Int("limit"), func(t *logs.Template) bool { return keep(&logs.Entry{Level: t.Level}) }), nil
			}),
		},
		{
			Name: "logger_new_templates",
			Doc:  "Kinds of messages first seen in the last minutes, the gravest first. What was logged before reading began is not new. templates: " + templateDoc + "total: how many there are.",
			Params: []skills.Param{
				{Name: "minutes", Type: "integer", Doc: "how far back", Default: 15.0, Min: skills.Level(1), Max: skills.Level(1440)},
				skills.Limit(15, 100, "how many templates"),
			},
			Example: "logger_new_templates(5, 10)",
			Run: h.polled(func(a skills.Args) (any, error) {
				return h.fresh(time.Duration(a.Int("minutes"))*time.Minute, a.Int("limit")), nil
			}),
		},
		{
			Name:    "logger_template",
			Doc:     "One kind of message: " + templateDoc + "per_minute: how many in each of the last 15 minutes, the present one, which has only begun, first. example: one of its messages.",
			Params:  []skills.Param{{Name: "id", Type: "integer", Doc: "as logger_templates has it", Min: skills.Level(1), Max: skills.Level(1 << 31)}},
			Example: "logger_template(1)",
			Run: h.polled(func(a skills.Args) (any, error) {
				return h.kind(logs.TemplateID(a.Int("id"))), nil
			}),
		},
	}
}

func (h written) kinds(limit int, keep func(*logs.Template) bool) map[string]any {
	return page(h.Templates(), limit, keep)
}

// page returns the first of the templates that are kept, and how many there are.
func page(list []logs.Template, limit int, keep func(*logs.Template) bool) map[string]any {
	out, total := []map[string]any{}, 0
	for i := range list {
		if !keep(&list[i]) {
			continue
		}
		if total++; total <= limit {
			out = append(out, kindView(&list[i]))
		}
	}
	return map[string]any{"templates": out, "total": total}
}

func (h written) fresh(within time.Duration, limit int) map[string]any {
	list := h.Templates()
	slices.SortStableFunc(list, func(a, b logs.Template) int { return cmp.Compare(a.Level, b.Level) })
	now := h.Now()
	return page(list, limit, func(t *logs.Template) bool { return !t.Known && now.Sub(t.First) <= within })
}

func (h written) kind(id logs.TemplateID) map[string]any {
	t, ok := h.Template(id)
	if !ok {
		return map[string]any{"found": false, "says": fmt.Sprintf("no template %d: logger_templates lists those there are", id)}
	}
	v := kindView(&t)
	v["found"], v["per_minute"], v["example"] = true, t.PerMinute, t.Example
	return v
}

func kindView(t *logs.Template) map[string]any {
	v := map[string]any{
		"id": float64(t.ID), "template": cut(t.Text), "level": t.Level.String(), "count_5m": t.Recent, "per_min": skills.Round(perMinute(*t), 1),
		"total": t.Total, "first_seen": stamp(t.First), "last_seen": stamp(t.Last), "new": t.New, "source": t.Source,
	}
	if t.Module != "" {
		v["module"] = skills.Cut(t.Module)
	}
	return v
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// sourcesCall is of a machine alone: a node has one log.
func (h hostLogs) sourcesCall() skills.Call {
	return skills.Call{
		Name: "logger_sources",
		Doc: "What is read: sources: name, entries (lines since reading began; absent for the journal), last_read (absent when nothing came), skipped_mb (passed over because too much came at once). " +
			"What cannot be: unreadable: source, reason, grant (what would let the probe read it).",
		Example: "logger_sources()",
		Run:     h.polled(func(skills.Args) (any, error) { return h.sources(), nil }),
	}
}

func (h hostLogs) sources() map[string]any {
	read, unreadable := h.reader.Sources()
	sources, failed := []map[string]any{}, []map[string]any{}
	for _, s := range read {
		v := map[string]any{"name": s.Name}
		if s.Name != logs.JournalName {
			v["entries"], v["skipped_mb"] = s.Entries, skills.Round(float64(s.Skipped)/(1<<20), 1)
		}
		if !s.Last.IsZero() {
			v["last_read"] = stamp(s.Last)
		}
		sources = append(sources, v)
	}
	for _, u := range unreadable[:min(len(unreadable), 50)] {
		v := map[string]any{"source": u.Source, "reason": skills.Cut(u.Reason)}
		if u.Grant != "" {
			v["grant"] = u.Grant
		}
		failed = append(failed, v)
	}
	return map[string]any{"sources": sources[:min(len(sources), 100)], "unreadable": failed}
}
