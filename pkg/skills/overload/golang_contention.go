package overload

import (
	"context"
	"errors"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

type goContentionAnswer struct {
	Enabled any          `json:"enabled"`
	Delay   float64      `json:"delay_seconds"`
	Places  []goDelayRow `json:"places"`
	Note    string       `json:"note,omitempty"`
}

type goDelayRow struct {
	Function    string  `json:"function"`
	Line        string  `json:"line,omitempty"`
	Delay       float64 `json:"delay_seconds"`
	Pct         float64 `json:"delay_pct"`
	Contentions int64   `json:"contentions"`
	Calls       string  `json:"calls,omitempty"`
}

func goContention(ctx context.Context, service *gopprof.Service, limit int) (any, error) {
	mutex, err := service.Mutexes(ctx)
	block, err2 := service.Blocking(ctx)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	return map[string]any{
		"mutex": goDelays(mutex, limit, "runtime.SetMutexProfileFraction(100)"),
		"block": goDelays(block, limit, "runtime.SetBlockProfileRate(1000000)"),
	}, nil
}

// goDelays lists the places of one kind of contention; how is what has it recorded.
func goDelays(c *gopprof.Contention, limit int, how string) goContentionAnswer {
	a := goContentionAnswer{Enabled: "unknown", Delay: skills.Round(c.Delay.Seconds(), 3), Places: []goDelayRow{}}
	switch {
	case c.Enabled == nil:
		a.Note = "nothing is recorded: nobody waited, or the service does not record it: it would call " + how + " as it starts"
	case !*c.Enabled:
		a.Enabled = false
		a.Note = "the service does not record it: it would call " + how + " as it starts"
	default:
		a.Enabled = true
	}
	for _, p := range c.Places[:min(limit, len(c.Places))] {
		a.Places = append(a.Places, goDelayRow{
			p.Function, p.Where(), skills.Round(p.Delay.Seconds(), 3), skills.Round(100*float64(p.Delay)/float64(max(c.Delay, 1)), 1), p.Contentions, p.Via,
		})
	}
	return a
}

func goLongWaits(ctx context.Context, service *gopprof.Service, limit int) (any, error) {
	type row struct {
		Function   string `json:"function"`
		Line       string `json:"line,omitempty"`
		State      string `json:"state"`
		Minutes    int    `json:"minutes"`
		Goroutines int    `json:"goroutines"`
		CreatedBy  string `json:"created_by,omitempty"`
	}
	list, err := service.Waits(ctx)
	if err != nil {
		return nil, err
	}
	rows := []row{}
	for _, w := range list[:min(limit, len(list))] {
		rows = append(rows, row{w.Function, w.Where(), w.State, w.Minutes, w.Count, w.CreatedBy})
	}
	return map[string]any{"places": rows, "truncated": len(list) > limit}, nil
}
