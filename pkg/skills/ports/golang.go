package ports

import (
	"context"
	_ "embed"
	"errors"
	"sync"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed golang.md
var goPrompt string

// GoSource returns the source of Go services, by the names of their targets. The
// ports skill of a host has it beside its own.
func GoSource(services map[string]*gopprof.Service) skills.Source {
	return skills.PerTarget(services, func(s *gopprof.Service) skills.Source {
		w := &goWatch{service: s}
		return skills.Source{
			Kind: skills.Go, Prompt: goPrompt, Metrics: goMetrics, Checks: goChecks, Calls: goCalls(w), Snapshot: w.snapshot,
		}
	})
}

var goMetrics = []skills.Metric{
	skills.Gauge("service_fds_open", protocol.Count, "File descriptors that the service has open."),
	skills.Info("service_fds_limit", protocol.Count, "How many it may have."),
	skills.Gauge("service_fd_used_pct", protocol.Percent, "Use of that limit."),
	skills.Gauge("connections_waiting", protocol.Count, "Goroutines that wait for the network (IO wait): connections in use, idle ones included."),
	skills.Info("io_place", protocol.Text, "Where most of them wait: function (file:line)."),
	skills.Gauge("io_place_connections", protocol.Count, "How many wait there."),
	skills.Gauge("io_place_added", protocol.Count, "How many more than at the beginning of a steady growth; absent without one."),
	skills.Gauge("http_in_flight", protocol.Count, "HTTP requests being answered, by the usual names of that metric."),
}

var goChecks = []skills.Check{
	skills.Above("service_fd_used_pct", 80, 95, "service_file_descriptors",
		"the service has {service_fds_open} file descriptors open, {value} % of its limit of {service_fds_limit}; most of its connections wait at {io_place} ({io_place_connections})",
		"ports_service_connections(5)",
		"If the count only grows, it does not close what it opens: look at that place, at response bodies and at files. If it is steady, raise the limit (LimitNOFILE of the service)."),
	skills.Above("io_place_added", 500, 10_000, "connections",
		"{io_place_connections} connections wait at {io_place}, {value} more than when the growth began, and never less between",
		"ports_service_connections(5)",
		"Connections that nobody closes: give them a deadline, close response bodies, bound how many there may be."),
}

// A goWatch keeps how many connections waited where in the snapshots before.
type goWatch struct {
	service *gopprof.Service

	mu     sync.Mutex
	growth gopprof.Growth
}

// goConnections returns the places where goroutines wait for the network, the
// most first.
func goConnections(g *gopprof.Goroutines) (places []gopprof.Place, total int) {
	for _, p := range g.Places {
		if p.State == gopprof.IOWait {
			places = append(places, p)
			total += p.Count
		}
	}
	return places, total
}

func (w *goWatch) snapshot(ctx context.Context) (skills.Data, error) {
	d := skills.Data{}
	r, err := w.service.Runtime(ctx)
	if err == nil {
		goDescriptors(d, r)
	}
	g, err2 := w.service.Goroutines(ctx)
	if err2 == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.connections(d, g)
	}
	return d, errors.Join(err, err2)
}

func goDescriptors(d skills.Data, r *gopprof.Runtime) {
	open, ok := r.Get(gopprof.OpenFDs)
	most, ok2 := r.Get(gopprof.MaxFDs)
	if ok {
		d.Set("service_fds_open", open, 0)
	}
	if ok2 && most > 0 {
		d.Set("service_fds_limit", most, 0)
		if ok {
			d.Set("service_fd_used_pct", 100*open/most, 1)
		}
	}
	if v, ok := r.Get(gopprof.InFlight); ok {
		d.Set("http_in_flight", v, 0)
	}
}

func (w *goWatch) connections(d skills.Data, g *gopprof.Goroutines) {
	places, total := goConnections(g)
	values := make(map[string]int64, len(places))
	for _, p := range places {
		values[p.Key()] = int64(p.Count)
	}
	w.growth.Observe(g.At, values)
	d.Set("connections_waiting", float64(total), 0)
	if len(places) == 0 {
		return
	}
	d.Text("io_place", places[0].String())
	d.Set("io_place_connections", float64(places[0].Count), 0)
	// Clients come and go as they please: their number is no leak of the service.
	if grown, ok := w.growth.Of(places[0].Key()); ok && grown.Steady() && places[0].Function != "net/http.(*conn).serve" {
		d.Set("io_place_added", float64(grown.Added), 0)
	}
}
