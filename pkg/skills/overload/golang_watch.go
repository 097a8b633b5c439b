package overload

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A goWatch keeps what the places of one service held in the snapshots before.
type goWatch struct {
	service *gopprof.Service

	mu     sync.Mutex
	growth gopprof.Growth
	last   goBlocked // of the newest snapshot
	before goBlocked // of the one before it
}

// A goBlocked is how many goroutines were blocked at the places with most of them.
type goBlocked struct {
	at     time.Time
	counts map[string]int
}

const goMostBlocked = 32

func (w *goWatch) snapshot(ctx context.Context) (skills.Data, error) {
	g, err := w.service.Goroutines(ctx)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(g)
	return goFields(w.judge(g)), nil
}

// look is what the callbacks go by: the goroutines now, beside the snapshots before.
func (w *goWatch) look(ctx context.Context) (goState, error) {
	g, err := w.service.Goroutines(ctx)
	if err != nil {
		return goState{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.judge(g), nil
}

// keep moves the history on. Readings less than a second apart are one.
func (w *goWatch) keep(g *gopprof.Goroutines) {
	values := make(map[string]int64, len(g.Places))
	blocked := goBlocked{g.At, map[string]int{}}
	for _, p := range g.Places {
		if goWaits(p.State) && len(blocked.counts) < goMostBlocked {
			blocked.counts[p.Key()] = p.Count
		}
		if !goServes(p) {
			values[p.Key()] = int64(p.Count)
		}
	}
	w.growth.Observe(g.At, values)
	if g.At.Sub(w.last.at) >= skills.ShortestRate {
		w.before, w.last = w.last, blocked
	}
}

// goServes reports whether a place is where the library waits for clients: how
// many there are is up to them.
func goServes(p gopprof.Place) bool {
	return strings.HasPrefix(p.Function, "net/http.(*conn).") || strings.HasPrefix(p.Function, "net/http.(*connReader).") ||
		strings.HasPrefix(p.Function, "net/http.(*http2serverConn).")
}

// goWaits reports whether goroutines in a state want to go on.
func goWaits(state string) bool {
	return state == gopprof.Lock || state == gopprof.Semaphore || state == gopprof.ChanSend
}

// A goState is what the goroutines of a service come to.
type goState struct {
	*gopprof.Goroutines
	blocked    gopprof.Place // with most that want to go on; Count is what was there before as well
	blockedFor time.Duration
	holder     *gopprof.Place
	leak       gopprof.Place
	grown      gopprof.Grown // of leak; zero when nothing grows steadily
	growth     map[string]gopprof.Grown
}

func (w *goWatch) judge(g *gopprof.Goroutines) goState {
	s := goState{Goroutines: g, growth: map[string]gopprof.Grown{}}
	prev := w.last
	if !prev.at.Before(g.At) {
		prev = w.before
	}
	for _, p := range g.Places {
		if grown, ok := w.growth.Of(p.Key()); ok {
			s.growth[p.Key()] = grown
			if grown.Steady() && grown.Added >= 20 && grown.Added > s.grown.Added {
				s.leak, s.grown = p, grown
			}
		}
		if !goWaits(p.State) {
			continue
		}
		if !prev.at.IsZero() {
			p.Count = min(p.Count, prev.counts[p.Key()])
		}
		if p.Count > s.blocked.Count {
			s.blocked = p
		}
	}
	if s.blocked.Count > 0 {
		s.blockedFor = s.growth[s.blocked.Key()].For
		s.holder = goHolder(g, s.blocked)
	}
	return s
}

// goHolder returns who seems to hold what the goroutines at a place wait for: one
// that is within the same function, else within a method of the same type.
func goHolder(g *gopprof.Goroutines, blocked gopprof.Place) *gopprof.Place {
	within := func(test func(function string) bool) *gopprof.Place {
		for i, p := range g.Places {
			if goWaits(p.State) || p.Key() == blocked.Key() {
				continue
			}
			for _, f := range p.Stack {
				if test(f.Function) {
					return &g.Places[i]
				}
			}
		}
		return nil
	}
	if p := within(func(f string) bool { return f == blocked.Function }); p != nil {
		return p
	}
	receiver := goReceiver(blocked.Function)
	if receiver == "" {
		return nil
	}
	return within(func(f string) bool { return goReceiver(f) == receiver })
}

// goReceiver returns the type that a method is of: main.(*stock) of
// main.(*stock).take; empty for a function.
func goReceiver(function string) string {
	i := strings.LastIndexByte(function, '/') + 1
	if j := strings.IndexByte(function[i:], ')'); j >= 0 && strings.Contains(function[i:i+j], ".(*") {
		return function[:i+j+1]
	}
	return ""
}

// pile is the larger of the two ways in which goroutines gather.
func (s goState) pile() int { return max(s.blocked.Count, int(s.grown.Value)) }

// goPile is how many goroutines at one place are worth a word.
const goPile = 100

func (s goState) severity() string {
	held := max(s.blockedFor, s.grown.For)
	switch n := s.pile(); {
	case n >= 50_000:
		return "critical"
	case n >= 10_000, n >= goPile && held >= 5*time.Minute:
		return "sustained"
	case n >= goPile:
		return "transient"
	}
	return "none"
}

// kind names what is going on. Goroutines that are blocked and become more are
// held up: they leak only where nobody holds them up.
func (s goState) kind() string {
	switch {
	case s.pile() < goPile:
		return "none"
	case s.blocked.Count < goPile:
		return "goroutine_leak"
	case s.holder != nil && (s.holder.State == gopprof.IOWait || s.holder.State == gopprof.Syscall):
		return "downstream_blocking"
	case s.blocked.State == gopprof.Lock:
		return "lock_contention"
	}
	return "queue_overflow"
}

// culprit is where to look.
func (s goState) culprit() gopprof.Place {
	if s.blocked.Count >= goPile {
		return s.blocked
	}
	return s.leak
}

func (s goState) allBlocked() int {
	return s.States[gopprof.Lock] + s.States[gopprof.Semaphore] + s.States[gopprof.ChanSend]
}

func goFields(s goState) skills.Data {
	d := skills.Data{}
	d.Set("goroutines", float64(s.Total), 0)
	d.Set("goroutines_running", float64(s.States[gopprof.Running]), 0)
	d.Set("goroutines_blocked", float64(s.allBlocked()), 0)
	if len(s.Places) > 0 {
		d.Set("largest_goroutines", float64(s.Places[0].Count), 0)
		d.Text("largest_place", s.Places[0].String())
		d.Text("largest_state", s.Places[0].State)
	}
	if s.grown.Added > 0 {
		d.Set("growing_goroutines", float64(s.grown.Value), 0)
		d.Set("growing_added", float64(s.grown.Added), 0)
		d.Text("growing_place", s.leak.String())
		d.Text("growing_state", s.leak.State)
		d.Set("growing_per_sec", s.grown.PerSecond(), 2)
		d.Set("growing_for_seconds", s.grown.For.Seconds(), 0)
	}
	d.Set("blocked_pile_up", float64(s.blocked.Count), 0)
	if s.blocked.Count > 0 {
		d.Text("blocked_place", s.blocked.String())
		d.Text("blocked_state", s.blocked.State)
		d.Set("blocked_for_seconds", s.blockedFor.Seconds(), 0)
		if s.holder != nil {
			d.Text("blocked_holder", s.holder.String()+" in "+s.holder.State)
		}
	}
	d["overload_severity"], d["overload_type"] = s.severity(), s.kind()
	return d
}
