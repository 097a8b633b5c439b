package exception

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/fleetlens/fleetlens/internal/reach/stacktrace"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// settle takes in what was written until now.
func (h hostTraces) settle(ctx context.Context) error {
	if err := h.logs.Poll(ctx); err != nil {
		return err
	}
	h.found.Settle(h.logs.Now())
	return nil
}

func (h hostTraces) snapshot(ctx context.Context) (skills.Data, error) {
	if err := h.read(ctx); err != nil {
		return nil, err
	}
	d := skills.Data{}
	groups := h.recent()
	s := statsOf(groups)
	d.Set("total_exceptions_5m", float64(s.total), 0)
	d.Set("panics_5m", float64(s.kinds[stacktrace.Panic]), 0)
	d.Set("core_dumps_5m", float64(s.kinds[stacktrace.CoreDump]), 0)
	d.Set("unique_exception_types", float64(len(s.types)), 0)
	d.Set("exception_groups_5m", float64(len(groups)), 0)
	if len(groups) > 0 {
		top := groups[0]
		d.Text("top_exception_type", top.Type)
		d.Text("top_exception_where", where(top.Where))
		d.Text("top_exception_program", cmp.Or(top.Module, top.Source))
		d.Set("top_exception_count", float64(top.Recent), 0)
	} else {
		d.Set("top_exception_count", 0, 0)
	}
	for _, t := range h.found.Traces(1, func(t *stacktrace.Trace) bool { return died(t.Kind) && h.logs.Now().Sub(t.Time) <= stacktrace.Window }) {
		d.Text("last_panic", fmt.Sprintf("%s: %s at %s", cmp.Or(t.Module, t.Source), t.Type, where(t.Top())))
	}
	h.fresh(d, groups)
	return d, nil
}

func died(kind string) bool { return kind == stacktrace.Panic || kind == stacktrace.CoreDump }

// fresh sets what is new, once enough was seen for something to be.
func (h traces) fresh(d skills.Data, groups []stacktrace.Group) {
	if h.now().Sub(h.began()) < stacktrace.Window {
		return
	}
	n := 0
	for _, g := range groups {
		if !h.isNew(g) {
			continue
		}
		if n++; n == 1 {
			d.Text("new_exception", fmt.Sprintf("%s: %s at %s", cmp.Or(g.Module, g.Source), g.Type, where(g.Where)))
		}
	}
	d.Set("new_exception_groups_5m", float64(n), 0)
}

func (h traces) isNew(g stacktrace.Group) bool {
	return !g.Known && h.now().Sub(g.First) <= stacktrace.Window
}

// recent returns the groups of the last five minutes.
func (h traces) recent() []stacktrace.Group {
	groups := h.found.Groups(h.now())
	for i, g := range groups {
		if g.Recent == 0 {
			return groups[:i]
		}
	}
	return groups
}

// stats are sums over groups.
type stats struct {
	total            int
	kinds, languages map[string]int
	types, levels    map[string]int
}

func statsOf(groups []stacktrace.Group) stats {
	s := stats{kinds: map[string]int{}, languages: map[string]int{}, types: map[string]int{}, levels: map[string]int{}}
	for _, g := range groups {
		s.total += g.Recent
		s.kinds[g.Kind] += g.Recent
		s.languages[g.Language] += g.Recent
		s.types[g.Type] += g.Recent
		if g.Level != "" {
			s.levels[g.Level] += g.Recent
		}
	}
	return s
}

// where writes a frame as function (file:line).
func where(f stacktrace.Frame) string {
	switch {
	case f.Function == "":
		return "an unknown place"
	case f.File == "":
		return f.Function
	}
	file := f.File[strings.LastIndexByte(f.File, '/')+1:]
	if f.Line == 0 {
		return f.Function + " (" + file + ")"
	}
	return fmt.Sprintf("%s (%s:%d)", f.Function, file, f.Line)
}
