package ets

import (
	"cmp"
	"context"
	"slices"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

type growthRow struct {
	Name     string  `json:"name"`
	ID       string  `json:"id"`
	Delta    int64   `json:"size_delta"`
	Pct      float64 `json:"growth_pct"`
	Size     int64   `json:"current_size"`
	Memory   float64 `json:"memory_mb"`
	Gained   float64 `json:"memory_delta_mb"`
	New      bool    `json:"new,omitempty"`
	Owner    string  `json:"owner,omitempty"`
	Only     *bool   `json:"only_grows,omitempty"`
	Readings int     `json:"readings,omitempty"`
	table    reach.Table
}

const noReadings = "growth needs a reading of at least a second ago, and there is none yet: ask again after a snapshot"

// grown returns the tables that have more rows than in the oldest reading, the most
// gained first. A table that this does not have is new, unless tables were left out of
// it.
func grown(tables []reach.Table, oldest sizes) []growthRow {
	var out []growthRow
	for _, t := range tables {
		old, known := oldest.of(idOf(t.ID))
		if !known && !oldest.all || t.Size <= old.rows {
			continue
		}
		r := growthRow{
			Name: t.Label(), ID: t.ID.String(), Delta: t.Size - old.rows, Pct: 100, Size: t.Size,
			Memory: skills.Round(mebibytes(t.Memory), 2), Gained: skills.Round(mebibytes(t.Memory-old.bytes), 2), New: !known, table: t,
		}
		if old.rows > 0 {
			r.Pct = skills.Round(100*float64(r.Delta)/float64(old.rows), 2)
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b growthRow) int { return cmp.Compare(b.Delta, a.Delta) })
	return out
}

// mostGrowing is how many rows a list of growing tables has.
const mostGrowing = 10

// since reads the tables, and returns the readings of the last so long before that.
func (w *watch) since(ctx context.Context, window time.Duration) (*reach.Tables, []skills.Reading[sizes], time.Time, error) {
	t, now, err := w.read(ctx)
	if err != nil {
		return nil, nil, now, err
	}
	list := w.history.Since(now.Add(-window))
	if len(list) > 0 && now.Sub(list[0].At) < skills.ShortestRate {
		list = nil
	}
	return t, list, now, nil
}

func (w *watch) growthStats(ctx context.Context, window time.Duration) (any, error) {
	t, readings, now, err := w.since(ctx, window)
	if err != nil {
		return nil, err
	}
	if len(readings) == 0 {
		return map[string]any{"fastest_growing_tables": []growthRow{}, "note": noReadings}, nil
	}
	rows := grown(t.List, readings[0].Value)
	return map[string]any{
		"fastest_growing_tables": append([]growthRow{}, rows[:min(mostGrowing, len(rows))]...),
		"over_seconds":           skills.Round(now.Sub(readings[0].At).Seconds(), 1), "truncated": t.Truncated || len(rows) > mostGrowing,
	}, nil
}

// fell says whether a table ever had fewer rows than before, and whether by more than a
// tenth.
func fell(id uint64, readings []skills.Reading[sizes], now int64) (ever, much bool) {
	most := int64(0)
	look := func(rows int64) {
		ever = ever || rows < most
		much = much || 10*rows < 9*most
		most = max(most, rows)
	}
	for _, r := range readings {
		if s, ok := r.Value.of(id); ok {
			look(s.rows)
		}
	}
	look(now)
	return ever, much
}

func (w *watch) leaks(ctx context.Context, threshold float64) (any, error) {
	t, readings, now, err := w.since(ctx, time.Hour)
	if err != nil {
		return nil, err
	}
	if len(readings) == 0 {
		return map[string]any{"suspected_leaks": []growthRow{}, "note": noReadings}, nil
	}
	rows := []growthRow{}
	for _, r := range grown(t.List, readings[0].Value) {
		ever, much := fell(idOf(r.table.ID), readings, r.Size)
		if r.Pct > threshold && !much {
			only := !ever
			r.Only, r.Readings = &only, len(readings)
			rows = append(rows, r)
		}
	}
	all := len(rows)
	rows = rows[:min(mostGrowing, all)]
	var tables []reach.Table
	for _, r := range rows {
		tables = append(tables, r.table)
	}
	names, err := w.owners(ctx, tables)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		rows[i].Owner = names[rows[i].table.Owner]
	}
	return map[string]any{
		"suspected_leaks": rows, "over_seconds": skills.Round(now.Sub(readings[0].At).Seconds(), 1), "truncated": t.Truncated || all > mostGrowing,
	}, nil
}
