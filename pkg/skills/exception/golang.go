package exception

import (
	"context"
	_ "embed"
	"errors"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed golang.md
var goPrompt string

// GoSource returns the source of Go services, by the names of their targets. The
// exception skill of a host has it beside its own.
func GoSource(services map[string]*gopprof.Service) skills.Source {
	return skills.PerTarget(services, func(s *gopprof.Service) skills.Source {
		w := &goWatch{service: s}
		return skills.Source{
			Kind: skills.Go, Prompt: goPrompt, Metrics: goMetrics, Checks: goChecks, Calls: w.calls(), Snapshot: w.snapshot,
		}
	})
}

var goMetrics = []skills.Metric{
	skills.Counter("panics_total", protocol.Count, "Panics that the service counted since it began, of all counters of panics among its metrics; absent where it has none."),
	skills.Gauge("panics_5m", protocol.Count, "Those of the last five minutes, as far as it was watched; absent where it counts none."),
	skills.Info("panic_counter", protocol.Text, "The counter that gained most of them; absent without any."),
	skills.Gauge("goroutines_in_panic", protocol.Count, "Goroutines that panicked and whose deferred functions still run."),
	skills.Info("panic_place", protocol.Text, "Where most of these panicked: function (file:line)."),
	skills.Info("panic_handler", protocol.Text, "What runs because of it: function (file:line)."),
}

var goChecks = []skills.Check{
	skills.Above("panics_5m", 1, 20, "panic",
		"the service panicked {value} time(s) in five minutes, as {panic_counter} counts",
		"exception_panics(5)",
		"Somebody recovers them, and each fails a request: the logs of the service have message and stack trace."),
	skills.Above("goroutines_in_panic", 10, 500, "panic_handling",
		"{value} goroutines stand in the middle of a panic, most of them from {panic_place}, in {panic_handler}",
		"exception_panics(5)",
		"Deferred functions that do not end: see what that one waits for, a lock or a call without a deadline."),
}

const goWindow = 5 * time.Minute

// A goWatch counts the panics of one service. Snapshots alone find new ones.
type goWatch struct {
	service *gopprof.Service

	mu  sync.Mutex
	log gopprof.PanicLog
}

func (w *goWatch) snapshot(ctx context.Context) (skills.Data, error) {
	d := skills.Data{}
	r, err := w.service.Runtime(ctx)
	if err == nil {
		w.counters(d, r)
	}
	g, err2 := w.service.Goroutines(ctx)
	if err2 == nil {
		goPanicking(d, g)
	}
	return d, errors.Join(err, err2)
}

func (w *goWatch) counters(d skills.Data, r *gopprof.Runtime) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log.Observe(r)
	if len(r.Panics) == 0 {
		return
	}
	total, lately, most := 0.0, 0.0, 0.0
	by, _ := w.log.Since(r.At.Add(-goWindow))
	for _, c := range r.Panics { // by name, so that the same one is named each time
		total += c.Value
		lately += by[c.Name]
		if by[c.Name] > most {
			most = by[c.Name]
			d.Text("panic_counter", c.Name)
		}
	}
	d.Set("panics_total", total, 0)
	d.Set("panics_5m", lately, 0)
}

func goPanicking(d skills.Data, g *gopprof.Goroutines) {
	n := 0
	for _, p := range g.Panicking {
		n += p.Count
	}
	d.Set("goroutines_in_panic", float64(n), 0)
	if n > 0 {
		d.Text("panic_place", g.Panicking[0].String())
		d.Text("panic_handler", g.Panicking[0].Handler.String())
	}
}

func (w *goWatch) calls() []skills.Call {
	return []skills.Call{{
		Name: "exception_panics",
		Doc: "counters of panics among the service's metrics: name, total (since it began), last_5m (over the snapshots). goroutines in the middle of a panic now, most first: place (function and line that panicked), " +
			"handler (what runs because of it), goroutines. last_seen: the snapshot that met the newest panic (UTC; absent without one). truncated: there are more. note: what the service does not expose, and where else to look.",
		Params:  []skills.Param{skills.Limit(10, 50, "how many places")},
		Example: "exception_panics(5)",
		Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.panics(ctx, a.Int("limit")) },
	}}
}

type goCounter struct {
	Name  string  `json:"name"`
	Total float64 `json:"total"`
	Last  float64 `json:"last_5m"`
}

type goPanicPlace struct {
	Place      string `json:"place"`
	Handler    string `json:"handler"`
	Goroutines int    `json:"goroutines"`
}

func (w *goWatch) panics(ctx context.Context, limit int) (any, error) {
	r, err := w.service.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	g, err := w.service.Goroutines(ctx)
	if err != nil {
		return nil, err
	}
	a := struct {
		Counters   []goCounter    `json:"counters"`
		Goroutines []goPanicPlace `json:"goroutines"`
		LastSeen   string         `json:"last_seen,omitempty"`
		Truncated  bool           `json:"truncated,omitempty"`
		Note       string         `json:"note,omitempty"`
	}{Counters: []goCounter{}, Goroutines: []goPanicPlace{}, Truncated: len(g.Panicking) > limit}
	w.mu.Lock()
	by, last := w.log.Since(time.Now().Add(-goWindow))
	w.mu.Unlock()
	if !last.IsZero() {
		a.LastSeen = last.UTC().Format(time.RFC3339)
	}
	for _, c := range r.Panics {
		a.Counters = append(a.Counters, goCounter{c.Name, c.Value, by[c.Name]})
	}
	for _, p := range g.Panicking[:min(limit, len(g.Panicking))] {
		a.Goroutines = append(a.Goroutines, goPanicPlace{p.String(), p.Handler.String(), p.Count})
	}
	const logs = "the stack traces of panics are in the service's logs: the exception skill of its host reads them"
	switch {
	case !r.HasMetrics():
		a.Note = "the service serves no Prometheus metrics, so nobody counts its panics here; " + logs
	case len(r.Panics) == 0:
		a.Note = "no counter of panics is among the service's metrics (http_panics_recovered_total, grpc_req_panics_recovered_total, go_panics_total and their like): count them where they are recovered; " + logs
	}
	return a, nil
}
