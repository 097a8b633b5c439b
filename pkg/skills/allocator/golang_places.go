package allocator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

type goPlaceRow struct {
	Function string   `json:"function"`
	Line     string   `json:"line,omitempty"`
	InUse    float64  `json:"inuse_mb"`
	Pct      *float64 `json:"inuse_pct,omitempty"`
	Added    *float64 `json:"added_mb,omitempty"`
	PerSec   *float64 `json:"bytes_per_sec,omitempty"`
	Since    string   `json:"since,omitempty"`
	For      *float64 `json:"for_seconds,omitempty"`
	Rises    *int     `json:"rises,omitempty"`
	Steady   *bool    `json:"steady,omitempty"`
	Objects  *int64   `json:"objects,omitempty"`
	Calls    string   `json:"calls,omitempty"`
	Stack    []string `json:"stack,omitempty"`
}

type goPlacesAnswer struct {
	Places    []goPlaceRow `json:"places"`
	InUse     float64      `json:"inuse_mb"`
	Truncated bool         `json:"truncated,omitempty"`
	Note      string       `json:"note,omitempty"`
}

func goRow(p gopprof.Alloc) goPlaceRow {
	row := goPlaceRow{Function: p.Function, Line: p.Where(), InUse: goRound(p.InUse), Calls: p.Via}
	for _, f := range p.Stack {
		row.Stack = append(row.Stack, f.String())
	}
	return row
}

func goRound(bytes int64) float64 { return skills.Round(float64(bytes)/(1<<20), 2) }

func (w *goWatch) grown(ctx context.Context, limit int) (any, error) {
	h, err := w.service.Heap(ctx)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	list := w.growth.Grown()
	w.mu.Unlock()
	rank := func(g gopprof.Grown) int {
		if g.Steady() {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b gopprof.Grown) int { return cmp.Compare(rank(a), rank(b)) })
	a := goPlacesAnswer{Places: []goPlaceRow{}, InUse: goRound(h.InUse), Truncated: len(list) > limit}
	if len(list) == 0 {
		a.Note = "nothing holds more than before, or there are not two snapshots yet"
	}
	for _, g := range list[:min(limit, len(list))] {
		i := slices.IndexFunc(h.Places, func(p gopprof.Alloc) bool { return p.Key() == g.Key })
		if i < 0 { // it holds nothing any more
			continue
		}
		row := goRow(h.Places[i])
		added, rate, seconds, steady := goRound(g.Added), skills.Round(g.PerSecond(), 0), skills.Round(g.For.Seconds(), 0), g.Steady()
		row.Added, row.PerSec, row.For, row.Rises, row.Steady, row.Since = &added, &rate, &seconds, &g.Rises, &steady, g.Since.Format(time.RFC3339)
		a.Places = append(a.Places, row)
	}
	return a, nil
}

func (w *goWatch) most(ctx context.Context, limit int) (any, error) {
	h, err := w.service.Heap(ctx)
	if err != nil {
		return nil, err
	}
	a := goPlacesAnswer{Places: []goPlaceRow{}, InUse: goRound(h.InUse), Truncated: len(h.Places) > limit}
	for _, p := range h.Places[:min(limit, len(h.Places))] {
		row := goRow(p)
		pct := skills.Round(100*float64(p.InUse)/float64(max(h.InUse, 1)), 1)
		row.Pct, row.Objects = &pct, &p.Objects
		a.Places = append(a.Places, row)
	}
	return a, nil
}
