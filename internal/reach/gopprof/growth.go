package gopprof

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// mostWatched is how many places a Growth keeps.
const mostWatched = 64

// A Growth watches what places hold from one reading to the next, and tells those
// that grow steadily. It keeps some 200 bytes for each of at most 64 places. The
// zero value is empty; it is not safe for concurrent use.
type Growth struct {
	runs map[string]*run
	at   time.Time
}

// A run is the time in which what a place holds never fell by more than a tenth.
type run struct {
	from, since int64 // what it held at first, and when, in Unix milliseconds
	at          int64
	last, most  int64
	rises       int
}

// A Grown place holds more than it did.
type Grown struct {
	Key   string
	Value int64 // what it holds
	Added int64 // how much more than at Since
	Since time.Time
	For   time.Duration
	Rises int // readings in which it held more than ever before
}

// PerSecond returns how fast it grows.
func (g Grown) PerSecond() float64 { return float64(g.Added) / max(g.For.Seconds(), 0.001) }

// Steady reports whether it is more than a rise and fall of work: it grew in four
// readings and has half as much again as at the beginning.
func (g Grown) Steady() bool { return g.Rises >= 4 && 2*g.Added >= g.Value-g.Added }

// Observe takes in what the places hold at a time; readings less than a second
// apart are passed over. A place that is not named holds nothing.
func (g *Growth) Observe(at time.Time, values map[string]int64) {
	if at.Sub(g.at) < time.Second {
		return
	}
	g.at = at
	if g.runs == nil {
		g.runs = map[string]*run{}
	}
	for key, r := range g.runs {
		if _, here := values[key]; !here {
			r.next(0, at.UnixMilli())
		}
	}
	for key, v := range values {
		if r := g.runs[key]; r != nil {
			r.next(v, at.UnixMilli())
		} else if v > 0 {
			g.runs[key] = &run{from: v, since: at.UnixMilli(), at: at.UnixMilli(), last: v, most: v}
		}
	}
	g.forget()
}

func (r *run) next(v, at int64) {
	if 10*v < 9*r.most {
		*r = run{from: v, since: at, at: at, last: v, most: v}
		return
	}
	if v > r.most {
		r.rises++
	}
	r.last, r.most, r.at = v, max(r.most, v), at
}

// forget keeps the places that hold or gained most.
func (g *Growth) forget() {
	for key, r := range g.runs {
		if r.last == 0 {
			delete(g.runs, key)
		}
	}
	if len(g.runs) <= mostWatched {
		return
	}
	keys := make([]string, 0, len(g.runs))
	for key := range g.runs {
		keys = append(keys, key)
	}
	worth := func(r *run) int64 { return r.last + 2*(r.last-r.from) }
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(worth(g.runs[b]), worth(g.runs[a])), strings.Compare(a, b))
	})
	for _, key := range keys[mostWatched:] {
		delete(g.runs, key)
	}
}

// Grown returns the places that hold more than at the beginning of their run, the
// most added first.
func (g *Growth) Grown() []Grown {
	var out []Grown
	for key, r := range g.runs {
		if r.last > r.from {
			out = append(out, r.grown(key))
		}
	}
	slices.SortFunc(out, func(a, b Grown) int {
		return cmp.Or(cmp.Compare(b.Added, a.Added), strings.Compare(a.Key, b.Key))
	})
	return out
}

func (r *run) grown(key string) Grown {
	return Grown{
		Key: key, Value: r.last, Added: r.last - r.from, Since: time.UnixMilli(r.since).UTC(),
		For: time.Duration(r.at-r.since) * time.Millisecond, Rises: r.rises,
	}
}

// Of returns what is known of one place, and whether it is watched.
func (g *Growth) Of(key string) (Grown, bool) {
	r, ok := g.runs[key]
	if !ok {
		return Grown{Key: key}, false
	}
	return r.grown(key), true
}
