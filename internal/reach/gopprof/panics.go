package gopprof

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// panicCounter matches the names that services and frameworks give to a counter of
// their panics: go_panics_total, http_panics_recovered_total,
// grpc_req_panics_recovered_total, controller_runtime_reconcile_panics_total.
var panicCounter = regexp.MustCompile(`^([a-z0-9_:]+_)?(panics?|panics?_(recovered|caught|handled)|recovered_panics?)_total$`)

// A Counter is a metric that only grows, its series added up.
type Counter struct {
	Name  string
	Value float64
}

const mostCounters = 32

// countPanics keeps a counter of panics. A metric of that name and another type is none.
func (r *Runtime) countPanics(name string, metrics []*dto.Metric) {
	sum := 0.0
	for _, m := range metrics {
		if m.Counter == nil && m.Untyped == nil {
			return
		}
		sum += value(m)
	}
	if finite(sum) && sum >= 0 && len(r.Panics) < mostCounters {
		r.Panics = append(r.Panics, Counter{shortText(name), sum})
		slices.SortFunc(r.Panics, func(a, b Counter) int { return strings.Compare(a.Name, b.Name) })
	}
}

// HasMetrics reports whether the service serves Prometheus metrics.
func (r *Runtime) HasMetrics() bool { return slices.Contains(r.From, "metrics") }

// A Panicking is where goroutines panicked whose deferred functions still run.
type Panicking struct {
	Frame         // the service's function that panicked
	Handler Frame // the service's function that runs because of it
	Count   int
}

const mostPanicking = 64

// panicking adds the goroutines of a stack if they are in the middle of a panic.
func (g *Goroutines) panicking(stack []Frame, n int) {
	at := slices.IndexFunc(stack, func(f Frame) bool { return f.Function == "runtime.gopanic" })
	if at < 0 {
		return
	}
	p := Panicking{Count: n}
	p.Frame, _ = owner(stack[at:])
	p.Handler, _ = owner(stack[:at])
	for i := range g.Panicking {
		if known := &g.Panicking[i]; known.Frame == p.Frame && known.Handler == p.Handler {
			known.Count += n
			return
		}
	}
	if len(g.Panicking) < mostPanicking {
		g.Panicking = append(g.Panicking, p)
	}
}

func (g *Goroutines) sortPanicking() {
	slices.SortFunc(g.Panicking, func(a, b Panicking) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.String(), b.String()))
	})
}

// A PanicLog counts panics between readings of a service. The zero value is empty; it
// is not safe for concurrent use.
type PanicLog struct {
	last   *Runtime
	events []panicked
}

type panicked struct {
	at   time.Time
	name string
	n    float64
}

const mostPanicEvents = 500

// Observe takes a reading. What was counted before the first one is not known to be new.
func (l *PanicLog) Observe(r *Runtime) {
	prev := l.last
	if prev != nil && !r.At.After(prev.At) {
		return
	}
	l.last = r
	if prev == nil || !prev.HasMetrics() {
		return
	}
	for _, c := range r.Panics {
		n := c.Value
		for _, was := range prev.Panics { // a counter with labels is absent until its first panic
			if was.Name == c.Name && was.Value <= c.Value { // else the service began anew
				n -= was.Value
			}
		}
		if n > 0 {
			l.events = append(l.events[max(0, len(l.events)+1-mostPanicEvents):], panicked{r.At, c.Name, n})
		}
	}
}

// Since returns how many panics each counter counted after a time, and when the last was met.
func (l *PanicLog) Since(t time.Time) (by map[string]float64, last time.Time) {
	by = map[string]float64{}
	for _, e := range l.events {
		if e.at.After(t) {
			by[e.name] += e.n
			last = e.at
		}
	}
	return by, last
}
