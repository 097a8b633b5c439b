package prometheus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/prometheus"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// What an answer has at most.
const (
	longestExpr = 2000
	mostSeries  = 50
	mostRanges  = 10
	mostPoints  = 120
)

type answer map[string]any

// warned adds what the server warns of.
func (a answer) warned(warnings []string) answer {
	if len(warnings) > 0 {
		a["warnings"] = skills.Cut(strings.Join(warnings, "; "))
	}
	return a
}

func checkExpr(expr string) error {
	switch {
	case strings.TrimSpace(expr) == "":
		return errors.New("the expression is empty: write PromQL, as sum by (job) (up)")
	case len(expr) > longestExpr:
		return fmt.Errorf("the expression has %d bytes, at most %d", len(expr), longestExpr)
	}
	return nil
}

// labels writes labels as PromQL does, without some of them, and cut.
func labels(of map[string]string, without ...string) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(of)) {
		if !slices.Contains(without, k) {
			pairs = append(pairs, k+"="+strconv.Quote(of[k]))
		}
	}
	return skills.Cut("{" + strings.Join(pairs, ",") + "}")
}

// series writes which series it is.
func series(of map[string]string) string { return skills.Cut(of["__name__"]) + labels(of, "__name__") }

// value is a number as JSON has it; what is none is its name.
func value(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	if err != nil {
		return v
	}
	return short
}

type valueRow struct {
	Series string `json:"series"`
	Value  any    `json:"value"`
}

func values(r reach.Result) []valueRow {
	rows := make([]valueRow, 0, len(r.Series))
	for _, s := range r.Series {
		if len(s.Points) > 0 {
			rows = append(rows, valueRow{series(s.Labels), value(s.Points[0].Value)})
		}
	}
	return rows
}

func (w watch) query(ctx context.Context, expr string) (any, error) {
	if err := checkExpr(expr); err != nil {
		return nil, err
	}
	r, err := w.server.Query(ctx, expr)
	if err != nil {
		return nil, err
	}
	return skills.List(answer{}, "series", values(r), mostSeries).warned(r.Warnings), nil
}

func (w watch) top(ctx context.Context, expr string, n int) (any, error) {
	if err := checkExpr(expr); err != nil {
		return nil, err
	}
	r, err := w.server.Query(ctx, fmt.Sprintf("topk(%d, (%s\n))", n, expr)) // a line of its own: the expression may end in a comment
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(r.Series, func(a, b reach.Series) int {
		return cmp.Compare(b.Points[0].Value, a.Points[0].Value)
	})
	return skills.List(answer{}, "series", values(r), n).warned(r.Warnings), nil
}

// step returns the seconds between points, or says which would do.
func step(minutes, wanted int) (time.Duration, error) {
	least := (minutes*60 + mostPoints - 2) / (mostPoints - 1)
	switch {
	case wanted == 0:
		return time.Duration(max(least, 1)) * time.Second, nil
	case wanted < least:
		return 0, fmt.Errorf("%d minutes have more than %d points every %d seconds: step must be at least %d", minutes, mostPoints, wanted, least)
	}
	return time.Duration(wanted) * time.Second, nil
}

type rangeRow struct {
	Series string   `json:"series"`
	First  any      `json:"first"`
	Last   any      `json:"last"`
	Min    any      `json:"min"`
	Max    any      `json:"max"`
	MinAt  string   `json:"min_at"`
	MaxAt  string   `json:"max_at"`
	Points [][2]any `json:"points"`
	moved  float64
}

func (w watch) ranged(ctx context.Context, expr string, minutes, wanted int) (any, error) {
	if err := checkExpr(expr); err != nil {
		return nil, err
	}
	every, err := step(minutes, wanted)
	if err != nil {
		return nil, err
	}
	to := time.Now().UTC()
	r, err := w.server.Range(ctx, expr, to.Add(-time.Duration(minutes)*time.Minute), to, every)
	if err != nil {
		return nil, err
	}
	var rows []rangeRow
	for _, s := range r.Series {
		if row, ok := ranged(s); ok {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b rangeRow) int {
		return cmp.Or(cmp.Compare(b.moved, a.moved), strings.Compare(a.Series, b.Series))
	})
	return skills.List(answer{"step_seconds": every.Seconds(), "until": to.Format(time.RFC3339)}, "series", rows, mostRanges).warned(r.Warnings), nil
}

// ranged sums up one series; moved is how far it went, of how large it is.
func ranged(s reach.Series) (rangeRow, bool) {
	if len(s.Points) == 0 {
		return rangeRow{}, false
	}
	byValue := func(a, b reach.Point) int { return cmp.Compare(a.Value, b.Value) }
	low, high := slices.MinFunc(s.Points, byValue), slices.MaxFunc(s.Points, byValue)
	row := rangeRow{
		Series: series(s.Labels), First: value(s.Points[0].Value), Last: value(s.Points[len(s.Points)-1].Value),
		Min: value(low.Value), Max: value(high.Value), MinAt: low.At.Format(time.RFC3339), MaxAt: high.At.Format(time.RFC3339),
		Points: [][2]any{},
	}
	if size := max(math.Abs(low.Value), math.Abs(high.Value)); size > 0 && !math.IsInf(size, 0) && !math.IsNaN(low.Value) {
		row.moved = (high.Value - low.Value) / size
	}
	for _, p := range s.Points[:min(len(s.Points), mostPoints)] {
		row.Points = append(row.Points, [2]any{p.At.Format(time.TimeOnly), value(p.Value)})
	}
	return row, true
}

// cutAll cuts the texts of labels and annotations, of which somebody may have written much.
func cutAll(of map[string]string) map[string]string {
	const keys = 20
	out := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(of)) {
		if len(out) < keys {
			out[skills.Cut(k)] = skills.Cut(of[k])
		}
	}
	return out
}

func (w watch) alerts(ctx context.Context, limit int) (any, error) {
	rows, err := w.server.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	failed, _, err := w.server.Rules(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b reach.Alert) int {
		return cmp.Or(strings.Compare(a.State, b.State), a.Since.Compare(b.Since)) // firing before pending
	})
	a := skills.List(answer{}, "alerts", rows, limit)
	for i := range rows[:min(limit, len(rows))] {
		rows[i].Labels, rows[i].Annotations = cutAll(rows[i].Labels), cutAll(rows[i].Annotations)
	}
	for i := range failed {
		failed[i].Error = skills.Cut(failed[i].Error)
	}
	return skills.List(a, "failing_rules", failed, limit), nil
}

func (w watch) targets(ctx context.Context, limit int) (any, error) {
	rows, err := w.server.Targets(ctx)
	if err != nil {
		return nil, err
	}
	type job struct {
		Job     string `json:"job"`
		Targets int    `json:"targets"`
		Down    int    `json:"down"`
	}
	of := map[string]job{}
	down := 0
	for i := range rows {
		j := of[rows[i].Job]
		j.Job = rows[i].Job
		if j.Targets++; rows[i].Health == "down" {
			j.Down++
			down++
		}
		of[j.Job] = j
		rows[i].Error, rows[i].Seconds = skills.Cut(rows[i].Error), skills.Round(rows[i].Seconds, 4)
	}
	slices.SortStableFunc(rows, func(a, b reach.Target) int {
		return cmp.Or(strings.Compare(a.Health, b.Health), cmp.Compare(b.Seconds, a.Seconds), strings.Compare(a.Instance, b.Instance)) // down before unknown before up
	})
	jobs := slices.SortedFunc(maps.Values(of), func(a, b job) int { return cmp.Or(cmp.Compare(b.Down, a.Down), strings.Compare(a.Job, b.Job)) })
	a := skills.List(answer{"total": len(rows), "down": down}, "targets", rows, limit)
	return skills.List(a, "jobs", jobs, limit), nil
}
