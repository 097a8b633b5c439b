package postgres

import (
	"context"
	"slices"
	"strings"

	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// An answer is what a callback tells.
type answer map[string]any

// note sets what there is to say of what is missing.
func (a answer) note(notes ...string) answer {
	notes = slices.DeleteFunc(notes, func(n string) bool { return n == "" })
	if len(notes) > 0 {
		a["note"] = strings.Join(notes, " ")
	}
	return a
}

// privileges adds what the role may not see.
func (h *history) privileges(ctx context.Context, a answer, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	f, err := h.server.Facts(ctx)
	if err != nil {
		return nil, err
	}
	return a.note(f.Note()), nil
}

// mostWaiters is how many waiters one chain lists.
const mostWaiters = 20

func (h *history) blockingChain(ctx context.Context, limit int) (any, error) {
	chains, err := h.server.Blocking(ctx)
	for i := range chains {
		chains[i].Waiters = chains[i].Waiters[:min(mostWaiters, len(chains[i].Waiters))]
	}
	return h.privileges(ctx, skills.List(answer{}, "chains", chains, limit), err)
}

func (h *history) locks(ctx context.Context, limit int) (any, error) {
	locks, err := h.server.Locks(ctx, limit+1)
	return h.privileges(ctx, skills.List(answer{}, "locks", locks, limit), err)
}

func (h *history) longRunning(ctx context.Context, limit int, atLeast float64) (any, error) {
	sessions, err := h.server.LongRunning(ctx, atLeast, limit+1)
	return h.privileges(ctx, skills.List(answer{}, "sessions", sessions, limit), err)
}

// usage sets how many connections there are.
func (a answer) usage(c reach.Connections) answer {
	a["used"], a["max"], a["reserved"], a["used_pct"] = c.Used, c.Max, c.Reserved, skills.Round(c.UsedPct(), 1)
	a["active"], a["idle"], a["idle_in_transaction"] = c.Active, c.Idle, c.IdleInTransaction
	if c.Hidden > 0 {
		a["hidden"] = c.Hidden
	}
	return a
}

func (h *history) connections(ctx context.Context, limit int) (any, error) {
	c, err := h.server.Connections(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := h.server.Groups(ctx, limit+1)
	return h.privileges(ctx, skills.List(answer{}.usage(c), "groups", groups, limit), err)
}

func (h *history) poolStats(ctx context.Context) (any, error) {
	c, err := h.server.Connections(ctx)
	if err != nil {
		return nil, err
	}
	chains, err := h.server.Blocking(ctx)
	if err != nil {
		return nil, err
	}
	waits := map[int]float64{}
	for _, chain := range chains {
		for _, w := range chain.Waiters {
			if w.WaitSeconds != nil {
				waits[w.PID] = 1000 * *w.WaitSeconds
			}
		}
	}
	var ms []float64
	for _, w := range waits {
		ms = append(ms, w)
	}
	return h.privileges(ctx, answer{}.usage(c).queue(ms), nil)
}

// contention is from how many milliseconds on a wait counts as contention.
const contention = 50

// queue sets what waits of so many milliseconds amount to.
func (a answer) queue(ms []float64) answer {
	a["waiting"] = len(ms)
	long, sum := 0, 0.0
	for _, v := range ms {
		if sum += v; v >= contention {
			long++
		}
	}
	a["high_contention_count"] = long
	if len(ms) == 0 {
		return a
	}
	slices.Sort(ms)
	at := 0.95 * float64(len(ms)-1)
	below := int(at)
	p95 := ms[below]
	if below+1 < len(ms) {
		p95 += (at - float64(below)) * (ms[below+1] - ms[below])
	}
	a["avg_queue_time_ms"] = skills.Round(sum/float64(len(ms)), 1)
	a["max_queue_time_ms"] = ms[len(ms)-1]
	a["p95_queue_time_ms"] = skills.Round(p95, 1)
	return a
}
