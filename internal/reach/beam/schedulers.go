package beam

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// Schedulers says how busy the schedulers of a node were for a while.
type Schedulers struct {
	List    []Scheduler // by number
	Online  int         // normal ones that are in use
	Waiting []int64     // processes and ports that waited to run, at five moments
	Active  []int64     // those and the ones that ran
	Window  time.Duration
}

// A Scheduler is one of them.
type Scheduler struct {
	ID          int
	Kind        string  // normal, dirty_cpu or dirty_io
	Utilization float64 // 0 to 1
}

type schedulersAnswer struct {
	Schedulers [][3]etf.Term `erl:"schedulers"`
	Online     int           `erl:"online"`
	Normal     int           `erl:"normal"`
	DirtyCPU   int           `erl:"dirty_cpu"`
	DirtyOn    int           `erl:"dirty_cpu_online"`
	Waiting    []int64       `erl:"waiting"`
	Active     []int64       `erl:"active"`
}

// Schedulers measures them for a window, which is cut to what [Node.Window] allows. The
// node measures only while the process of ours lives. An answer of a moment ago for the
// same window serves again.
func (n *Node) Schedulers(ctx context.Context, window time.Duration) (*Schedulers, error) {
	window = n.Window(window)
	return shared(ctx, n, fmt.Sprint("schedulers ", window), n.cfg.Cache, func(ctx context.Context) (*Schedulers, error) {
		a, err := ask[schedulersAnswer](ctx, n, "schedulers", args{"Window": window.Milliseconds()})
		if err != nil {
			return nil, err
		}
		out := &Schedulers{Online: a.Online, Waiting: a.Waiting, Active: a.Active, Window: window}
		for _, t := range a.Schedulers {
			id, _ := etf.Number(t[0])
			busy, _ := etf.Number(t[1])
			all, _ := etf.Number(t[2])
			s := Scheduler{ID: int(id), Kind: "normal"}
			switch {
			case s.ID > a.Normal+a.DirtyCPU:
				s.Kind = "dirty_io"
			case s.ID > a.Normal:
				s.Kind = "dirty_cpu"
			}
			if s.ID > a.Online && s.ID <= a.Normal || s.ID > a.Normal+a.DirtyOn && s.ID <= a.Normal+a.DirtyCPU {
				continue // it is not in use
			}
			if all > 0 {
				s.Utilization = min(1, max(0, busy/all))
			}
			out.List = append(out.List, s)
		}
		return out, nil
	})
}

// Normal returns those that run processes.
func (s *Schedulers) Normal() []Scheduler {
	return slices.DeleteFunc(slices.Clone(s.List), func(x Scheduler) bool { return x.Kind != "normal" })
}

// MedianWaiting is how many processes and ports waited to run: the middle one of the
// five times, so that a moment is not taken for a state.
func (s *Schedulers) MedianWaiting() int64 {
	if len(s.Waiting) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.Waiting))
	return sorted[len(sorted)/2]
}
