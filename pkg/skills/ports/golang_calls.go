package ports

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func goCalls(w *goWatch) []skills.Call {
	return []skills.Call{
		{
			Name:    "ports_service_summary",
			Doc:     "The fields of the snapshot as they are now. note: what is not told and what would tell it.",
			Example: "ports_service_summary()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.summary(ctx) },
		},
		{
			Name: "ports_service_connections",
			Doc: "Where goroutines of the service wait for the network, the most first. places: function, line (file:line), connections, calls (the function of the standard library called there), " +
				"added (since a growth began; absent without one), stack (the service's own calls, innermost first). connections: all that wait. truncated: there are more.",
			Params:  []skills.Param{skills.Limit(10, 50, "how many places")},
			Example: "ports_service_connections(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				g, err := w.service.Goroutines(ctx)
				if err != nil {
					return nil, err
				}
				return w.list(g, a.Int("limit")), nil
			},
		},
	}
}

func (w *goWatch) summary(ctx context.Context) (any, error) {
	r, err := w.service.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	g, err := w.service.Goroutines(ctx)
	if err != nil {
		return nil, err
	}
	d := skills.Data{}
	goDescriptors(d, r)
	places, total := goConnections(g)
	d.Set("connections_waiting", float64(total), 0)
	if len(places) > 0 {
		d.Text("io_place", places[0].String())
		d.Set("io_place_connections", float64(places[0].Count), 0)
	}
	if _, ok := r.Get(gopprof.OpenFDs); !ok {
		d["note"] = "descriptors and their limit are told by Prometheus metrics (collectors.NewProcessCollector)"
	}
	return d, nil
}

type goPlaceRow struct {
	Function    string   `json:"function"`
	Line        string   `json:"line,omitempty"`
	Connections int      `json:"connections"`
	Calls       string   `json:"calls,omitempty"`
	Added       *int64   `json:"added,omitempty"`
	Stack       []string `json:"stack,omitempty"`
}

func (w *goWatch) list(g *gopprof.Goroutines, limit int) any {
	places, total := goConnections(g)
	a := struct {
		Connections int          `json:"connections"`
		Places      []goPlaceRow `json:"places"`
		Truncated   bool         `json:"truncated,omitempty"`
	}{total, []goPlaceRow{}, len(places) > limit}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range places[:min(limit, len(places))] {
		row := goPlaceRow{Function: p.Function, Line: p.Where(), Connections: p.Count, Calls: p.Via}
		for _, f := range p.Stack {
			row.Stack = append(row.Stack, f.String())
		}
		if grown, ok := w.growth.Of(p.Key()); ok && grown.Added > 0 {
			row.Added = &grown.Added
		}
		a.Places = append(a.Places, row)
	}
	return a
}
