package gopprof

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// What goroutines wait for.
const (
	Running     = "running"
	ChanReceive = "chan receive"
	ChanSend    = "chan send"
	Select      = "select"
	IOWait      = "IO wait"
	Lock        = "lock"
	Semaphore   = "semacquire"
	WaitGroup   = "WaitGroup wait"
	Cond        = "Cond wait"
	Sleep       = "sleep"
	Syscall     = "syscall"
	Waiting     = "waiting"
)

// Goroutines are those of a service at one moment.
type Goroutines struct {
	At     time.Time
	Total  int
	States map[string]int
	Places []Place // most goroutines first, at most 256
	// Panicking are those in the middle of a panic, most first, at most 64 places.
	Panicking []Panicking
}

// A Place is where goroutines stand in one state.
type Place struct {
	Frame
	State string
	Count int
	Via   string  // the function of the standard library that was called there
	Stack []Frame // the service's own calls of the stack with most of them, innermost first
	most  int
}

// Key tells one place from another.
func (p Place) Key() string {
	return p.State + "\x00" + p.Function + "\x00" + p.File + ":" + strconv.Itoa(p.Line)
}

const mostPlaces = 256

// Goroutines reads where the goroutines of the service stand.
func (s *Service) Goroutines(ctx context.Context) (*Goroutines, error) {
	return once(ctx, s, &s.goroutines, func(ctx context.Context) (*Goroutines, error) {
		p, err := s.profile(ctx, "goroutine", 0)
		if err != nil {
			return nil, err
		}
		return goroutinesOf(p, time.Now())
	})
}

func goroutinesOf(p *profile.Profile, at time.Time) (*Goroutines, error) {
	i, err := column(p, "goroutine")
	if err != nil {
		return nil, err
	}
	g := &Goroutines{At: at, States: map[string]int{}}
	places := map[string]*Place{}
	for _, sample := range p.Sample {
		n := int(sample.Value[i])
		stack := frames(sample)
		if n <= 0 || len(stack) == 0 {
			continue
		}
		state := stateOf(stack)
		g.Total += n
		g.States[state] += n
		g.panicking(stack, n)
		frame, via := owner(stack)
		place := Place{Frame: frame, State: state, Via: via}
		known := places[place.Key()]
		if known == nil {
			known = &place
			places[place.Key()] = known
		}
		known.Count += n
		if n > known.most {
			known.most, known.Via, known.Stack = n, via, own(stack, 6)
		}
	}
	g.sortPanicking()
	for _, place := range places {
		g.Places = append(g.Places, *place)
	}
	slices.SortFunc(g.Places, func(a, b Place) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Key(), b.Key()))
	})
	g.Places = slices.Clone(g.Places[:min(mostPlaces, len(g.Places))])
	return g, nil
}

// waits says by the runtime's innermost calls what a goroutine waits for.
var waits = []struct{ function, state string }{
	{"runtime.chanrecv", ChanReceive},
	{"runtime.chansend", ChanSend},
	{"runtime.selectgo", Select},
	{"runtime.block", Select},
	{"internal/poll.runtime_pollWait", IOWait},
	{"internal/sync.runtime_SemacquireMutex", Lock},
	{"sync.runtime_SemacquireMutex", Lock},
	{"sync.runtime_SemacquireRWMutex", Lock},
	{"sync.runtime_SemacquireWaitGroup", WaitGroup},
	{"sync.runtime_Semacquire", Semaphore},
	{"sync.runtime_notifyListWait", Cond},
	{"internal/poll.runtime_Semacquire", Semaphore},
	{"time.Sleep", Sleep},
	{"syscall.", Syscall},
	{"internal/runtime/syscall.", Syscall},
	{"runtime.cgocall", Syscall},
}

func stateOf(stack []Frame) string {
	parked := false
	for i, f := range stack[:min(8, len(stack))] {
		if !isStandard(f.Function) {
			break
		}
		for _, w := range waits {
			if !strings.HasPrefix(f.Function, w.function) {
				continue
			}
			if w.state == Semaphore && i+1 < len(stack) && stack[i+1].Function == "sync.(*WaitGroup).Wait" { // before Go 1.25
				return WaitGroup
			}
			return w.state
		}
		parked = parked || f.Function == "runtime.gopark" || f.Function == "runtime.goparkunlock"
	}
	if parked {
		return Waiting
	}
	return Running
}
