package prometheus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/prometheus"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	mostCompared   = 5000 // series that one question compares
	comparedPoints = 60
	fewestPoints   = 10  // that two series must share
	leastR         = 0.7 // from where on two series moved together
	mostTogether   = 20
)

// counters are the endings of the names of what only grows.
var counters = []string{"_total", "_count", "_sum", "_bucket"}

type together struct {
	Series string  `json:"series"`
	R      float64 `json:"r"`
	Before any     `json:"before"`
	After  any     `json:"after"`
}

func (w watch) correlated(ctx context.Context, expr string, minutes int) (any, error) {
	if err := checkExpr(expr); err != nil {
		return nil, err
	}
	to := time.Now().UTC()
	from, every := to.Add(-time.Duration(minutes)*time.Minute), time.Duration(minutes)*time.Minute/comparedPoints
	r, err := w.server.Range(ctx, expr, from, to, every)
	if err != nil {
		return nil, err
	}
	if len(r.Series) != 1 {
		return nil, fmt.Errorf("the expression gives %d series: write one that gives a single one, with a matcher or sum by (instance)", len(r.Series))
	}
	of := r.Series[0]
	selector, err := neighbours(of.Labels)
	if err != nil {
		return nil, err
	}
	counted, err := w.server.Query(ctx, "count("+selector+")")
	if err != nil {
		return nil, err
	}
	if len(counted.Series) == 1 && len(counted.Series[0].Points) == 1 && counted.Series[0].Points[0].Value > mostCompared {
		return nil, fmt.Errorf("%s has %.0f series, of which at most %d are compared: name an expression that keeps the label instance", selector, counted.Series[0].Points[0].Value, mostCompared)
	}
	all, err := w.server.Range(ctx, selector, from, to, every)
	if err != nil {
		return nil, err
	}
	rows := alike(of, all.Series)
	a := answer{"of": series(of.Labels), "compared": len(all.Series)}
	return skills.List(a, "series", rows, mostTogether).warned(append(r.Warnings, all.Warnings...)), nil
}

// neighbours selects the series of the same instance, or of the same job.
func neighbours(of map[string]string) (string, error) {
	for _, label := range []string{"instance", "job"} {
		if v := of[label]; v != "" {
			return fmt.Sprintf(`{%s=%s,__name__!~".+_bucket"}`, label, strconv.Quote(v)), nil
		}
	}
	return "", errors.New("the series has neither the label instance nor job, so that it is not known what to compare it with: write an expression that keeps one, as sum by (instance) (…)")
}

// alike returns the series that moved as one did, nearest first.
func alike(of reach.Series, among []reach.Series) []together {
	symptom := moves(of)
	var rows []together
	for _, s := range among {
		with := moves(s)
		r, ok := pearson(symptom, with)
		if !ok || math.Abs(r) < leastR || series(s.Labels) == series(of.Labels) {
			continue
		}
		before, after := quarters(with)
		rows = append(rows, together{series(s.Labels), skills.Round(r, 3), value(before), value(after)})
	}
	slices.SortStableFunc(rows, func(a, b together) int {
		return cmp.Or(cmp.Compare(math.Abs(b.R), math.Abs(a.R)), strings.Compare(a.Series, b.Series))
	})
	return rows
}

// moves returns a series' points; of what only grows, by how much it grew to each.
func moves(s reach.Series) []reach.Point {
	counts := slices.ContainsFunc(counters, func(ending string) bool { return strings.HasSuffix(s.Labels["__name__"], ending) })
	if !counts {
		return s.Points
	}
	var out []reach.Point
	for i := 1; i < len(s.Points); i++ {
		grew := s.Points[i].Value - s.Points[i-1].Value
		if grew < 0 { // it began anew
			grew = s.Points[i].Value
		}
		out = append(out, reach.Point{At: s.Points[i].At, Value: grew})
	}
	return out
}

// pearson returns how two series correlate at the times that both have, unless they share
// too few or one of them does not move.
func pearson(a, b []reach.Point) (float64, bool) {
	at := make(map[int64]float64, len(a))
	for _, p := range a {
		at[p.At.UnixMilli()] = p.Value
	}
	var n, sumX, sumY, sumXX, sumYY, sumXY float64
	// Sums of squares of what is large lose what differs: both are taken from their first value.
	var x0, y0 float64
	for _, p := range b {
		x, ok := at[p.At.UnixMilli()]
		y := p.Value
		if !ok || math.IsNaN(x+y) || math.IsInf(x+y, 0) {
			continue
		}
		if n == 0 {
			x0, y0 = x, y
		}
		x, y = x-x0, y-y0
		n++
		sumX, sumY, sumXX, sumYY, sumXY = sumX+x, sumY+y, sumXX+x*x, sumYY+y*y, sumXY+x*y
	}
	varX, varY := n*sumXX-sumX*sumX, n*sumYY-sumY*sumY
	if n < fewestPoints || !(varX > 1e-12*n*sumXX) || !(varY > 1e-12*n*sumYY) {
		return 0, false
	}
	r := (n*sumXY - sumX*sumY) / math.Sqrt(varX*varY)
	return max(-1, min(1, r)), !math.IsNaN(r)
}

// quarters returns the means of the first and the last quarter of some points.
func quarters(points []reach.Point) (first, last float64) {
	n := max(1, len(points)/4)
	mean := func(list []reach.Point) (sum float64) {
		for _, p := range list {
			sum += p.Value / float64(len(list))
		}
		return sum
	}
	return mean(points[:n]), mean(points[len(points)-n:])
}
