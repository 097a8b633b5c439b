package ets

import (
	"cmp"
	"context"
	"slices"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func (w *watch) calls() []skills.Call {
	return []skills.Call{
		{
			Name:    "ets_list_tables",
			Doc:     "The tables, those with most memory first. total_tables, tables: name, type, protection, size (rows), memory_kb. truncated: there are more.",
			Params:  []skills.Param{skills.Limit(100, 500, "how many tables")},
			Example: "ets_list_tables(20)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.list(ctx, a.Int("limit")) },
		},
		{
			Name: "ets_table_info",
			Doc: "One table, by its name or printed reference: name, id, owner_pid, owner (name), type, protection, size (rows), memory_kb, compressed, read_concurrency, write_concurrency, " +
				"matches (how many tables have this name: the largest is told). Of one that there is not: error table_not_found; that went meanwhile: table_info_unavailable.",
			Params:  []skills.Param{{Name: "name", Type: "string", Doc: `which table: a name, or a reference as "#Ref<0.1.2.3>"`}},
			Example: `ets_table_info("logger")`,
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.info(ctx, a.String("name")) },
		},
		{
			Name: "ets_top_tables",
			Doc:  "The tables with most memory or rows: total_tables, showing, sort_by, tables: name, id, owner (name and pid), type, protection, size (rows), memory_kb, compressed, read_concurrency, write_concurrency. truncated: not all tables were looked at.",
			Params: []skills.Param{
				skills.Limit(10, 50, "how many tables"),
				{Name: "sort_by", Type: "string", Doc: "what to sort by", Default: "memory", Enum: []string{"memory", "size"}},
			},
			Example: `ets_top_tables(5, "memory")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.top(ctx, a.Int("limit"), a.String("sort_by"))
			},
		},
		{
			Name: "ets_growth_stats",
			Doc: "Which tables have more rows than so many minutes ago, as far as the probe saw them, the most first, at most 10: fastest_growing_tables: name, id, size_delta (rows), growth_pct (100 for one that is new or was empty), current_size, memory_mb, memory_delta_mb, new. " +
				"over_seconds. note: why there is nothing.",
			Params:  []skills.Param{{Name: "interval_minutes", Type: "number", Doc: "over how many minutes", Default: 10.0, Min: skills.Level(0.1), Max: skills.Level(60)}},
			Example: "ets_growth_stats(10)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.growthStats(ctx, time.Duration(a.Number("interval_minutes")*float64(time.Minute)))
			},
		},
		{
			Name: "ets_leak_candidates",
			Doc: "The tables that grew by more than threshold_pct in the last hour, as far as the probe saw them, and never fell by more than a tenth between, the most rows gained first: suspected_leaks: as in ets_growth_stats, and owner, only_grows (it never fell at all), readings. " +
				"over_seconds. note: why there is nothing.",
			Params:  []skills.Param{{Name: "threshold_pct", Type: "number", Doc: "from how much growth on", Default: 50.0, Min: skills.Level(0), Max: skills.Level(1e6)}},
			Example: "ets_leak_candidates(50)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.leaks(ctx, a.Number("threshold_pct")) },
		},
	}
}

func kib(bytes int64) float64 { return skills.Round(float64(bytes)/1024, 1) }

type listRow struct {
	Name       string  `json:"name"`
	Type       string  `json:"type"`
	Protection string  `json:"protection"`
	Size       int64   `json:"size"`
	Memory     float64 `json:"memory_kb"`
}

func (w *watch) list(ctx context.Context, limit int) (any, error) {
	t, _, err := w.read(ctx)
	if err != nil {
		return nil, err
	}
	rows := []listRow{}
	for _, x := range sorted(t.List, "memory", limit) {
		rows = append(rows, listRow{x.Label(), x.Type, x.Protection, x.Size, kib(x.Memory)})
	}
	return map[string]any{"total_tables": t.Count, "tables": rows, "truncated": t.Count > len(rows)}, nil
}

// sorted returns the largest so many.
func sorted(list []reach.Table, by string, limit int) []reach.Table {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b reach.Table) int {
		if by == "size" {
			return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Name, b.Name))
		}
		return cmp.Or(cmp.Compare(b.Memory, a.Memory), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(limit, len(list))]
}

type tableRow struct {
	Name       string  `json:"name"`
	ID         string  `json:"id"`
	OwnerPID   string  `json:"owner_pid"`
	Owner      string  `json:"owner"`
	Type       string  `json:"type"`
	Protection string  `json:"protection"`
	Size       int64   `json:"size"`
	Memory     float64 `json:"memory_kb"`
	Compressed bool    `json:"compressed"`
	Read       bool    `json:"read_concurrency"`
	Write      bool    `json:"write_concurrency"`
	Matches    int     `json:"matches,omitempty"`
}

func tableRowOf(t *reach.Table, owner string) tableRow {
	return tableRow{
		Name: t.Label(), ID: t.ID.String(), OwnerPID: t.Owner.String(), Owner: owner, Type: t.Type, Protection: t.Protection,
		Size: t.Size, Memory: kib(t.Memory), Compressed: t.Compressed, Read: t.Read, Write: t.Write,
	}
}

func (w *watch) top(ctx context.Context, limit int, by string) (any, error) {
	t, _, err := w.read(ctx)
	if err != nil {
		return nil, err
	}
	list := sorted(t.List, by, limit)
	names, err := w.owners(ctx, list)
	if err != nil {
		return nil, err
	}
	rows := []tableRow{}
	for i := range list {
		rows = append(rows, tableRowOf(&list[i], names[list[i].Owner]))
	}
	return map[string]any{"total_tables": t.Count, "showing": len(rows), "sort_by": by, "tables": rows, "truncated": t.Truncated}, nil
}

func (w *watch) info(ctx context.Context, name string) (any, error) {
	if len(name) > 255 {
		name = name[:255]
	}
	found, matches, err := w.node.Table(ctx, name)
	if err != nil {
		return nil, err
	}
	switch {
	case matches == 0:
		return map[string]string{"name": name, "error": "table_not_found"}, nil
	case len(found) == 0:
		return map[string]string{"name": name, "error": "table_info_unavailable"}, nil
	}
	largest := sorted(found, "memory", 1)
	names, err := w.owners(ctx, largest)
	if err != nil {
		return nil, err
	}
	r := tableRowOf(&largest[0], names[largest[0].Owner])
	r.Matches = matches
	return r, nil
}
