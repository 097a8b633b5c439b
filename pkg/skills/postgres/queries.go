package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A span is what happened since the snapshot before, or since statistics began.
type span struct {
	reach.Window
	seconds float64 // 0: since statistics began
	errors  float64
}

func (h *history) span(ctx context.Context) (span, error) {
	now := time.Now()
	counts, err := h.server.Counts(ctx)
	if err != nil {
		return span{}, err
	}
	databases, err := h.server.Databases(ctx, mostDatabases)
	if err != nil {
		return span{}, err
	}
	var sp span
	var prev reading
	if base := h.Base(now); base != nil {
		prev, sp.seconds = base.Value, now.Sub(base.At).Seconds()
	}
	sp.Window = reach.Between(prev.counts, counts, h.server.SlowMS())
	before := map[string]float64{}
	for _, db := range prev.databases {
		before[db.Name] = db.Rollbacks
	}
	for _, db := range databases {
		sp.errors += max(0, db.Rollbacks-before[db.Name])
	}
	return sp, nil
}

func (sp span) note() string {
	if sp.seconds == 0 {
		return "There was no snapshot a second or more ago: this is since the statistics were reset."
	}
	return ""
}

func (h *history) queryStats(ctx context.Context) (any, error) {
	f, err := h.server.Facts(ctx)
	if err != nil {
		return nil, err
	}
	sp, err := h.span(ctx)
	if err != nil {
		return nil, err
	}
	a := answer{"threshold_ms": h.server.SlowMS(), "error_count": sp.errors}
	if sp.seconds > 0 {
		a["window_seconds"] = skills.Round(sp.seconds, 1)
	}
	if f.NoStatements != "" {
		active, err := h.server.Active(ctx, 200)
		a["source"], a["running_now"] = sourceActivity, len(active)
		if len(active) > 0 && active[0].QuerySeconds != nil {
			a["max_time_ms"] = 1000 * *active[0].QuerySeconds
		}
		return a.note(sp.note(), f.Note(), f.NoStatements), err
	}
	return a.stats(sp.Window).note(sp.note(), f.Note()), nil
}

// stats sets what the queries of a window cost.
func (a answer) stats(w reach.Window) answer {
	a["source"], a["query_count"], a["slow_count"] = sourceStatements, w.Calls, w.Slow
	if w.Calls > 0 {
		a["avg_time_ms"], a["max_time_ms"] = skills.Round(w.AvgMS(), 2), skills.Round(w.MaxMS, 1)
	}
	return a
}

// A slow is a statement that was slow in a window.
type slow struct {
	Query    string  `json:"query"`
	User     string  `json:"user,omitempty"`
	Database string  `json:"database,omitempty"`
	Calls    float64 `json:"calls"`
	TotalMS  float64 `json:"total_time_ms"`
	AvgMS    float64 `json:"avg_time_ms"`
	MaxMS    float64 `json:"max_time_ms"`
	Rows     float64 `json:"rows"`
}

func (h *history) slowQueries(ctx context.Context, limit int) (any, error) {
	f, err := h.server.Facts(ctx)
	if err != nil {
		return nil, err
	}
	a := answer{"threshold_ms": h.server.SlowMS()}
	if f.NoStatements != "" {
		return h.sampled(ctx, a, f, limit, h.server.SlowMS())
	}
	sp, err := h.span(ctx)
	if err != nil {
		return nil, err
	}
	sp.Top = slices.DeleteFunc(sp.Top, func(c reach.Count) bool { return c.MaxMS < h.server.SlowMS() })
	slices.SortStableFunc(sp.Top, func(a, b reach.Count) int { return cmp.Compare(b.MaxMS, a.MaxMS) })
	queries, err := statementsOf(ctx, h.server, sp.Window, limit)
	var rows []slow
	for _, q := range queries {
		rows = append(rows, slow{q.Query, q.User, q.Database, q.Calls, skills.Round(q.TotalMS, 1), skills.Round(q.AvgMS, 1), skills.Round(q.MaxMS, 1), q.Rows})
	}
	a["source"] = sourceStatements
	return skills.List(a, "queries", rows, limit).note(sp.note(), f.Note()), err
}

func (h *history) statements(ctx context.Context, limit int, order string) (any, error) {
	f, err := h.server.Facts(ctx)
	if err != nil {
		return nil, err
	}
	if f.NoStatements != "" {
		return h.sampled(ctx, answer{}, f, limit, 0)
	}
	queries, err := h.server.Statements(ctx, order, limit+1)
	return skills.List(answer{"source": sourceStatements}, "queries", queries, limit).note(f.Note()), err
}

// sampled tells of the queries that were seen running, those at least so slow;
// where that matters, slowest first.
func (h *history) sampled(ctx context.Context, a answer, f reach.Facts, limit int, atLeastMS float64) (any, error) {
	s, err := h.server.Sample(ctx)
	if err != nil {
		return nil, err
	}
	queries := slices.DeleteFunc(s.Queries, func(q reach.Sampled) bool { return q.MaxMS < atLeastMS })
	if atLeastMS > 0 {
		slices.SortStableFunc(queries, func(a, b reach.Sampled) int { return cmp.Compare(b.MaxMS, a.MaxMS) })
	}
	for i := range queries {
		queries[i].SeenPct = skills.Round(queries[i].SeenPct, 1)
	}
	a["source"], a["readings"], a["sampled_seconds"] = sourceActivity, s.Readings, skills.Round(s.Seconds, 1)
	return skills.List(a, "queries", queries, limit).note(f.Note(), f.NoStatements), nil
}
