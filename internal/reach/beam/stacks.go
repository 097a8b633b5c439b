package beam

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// A Doing is what a process was seen to do.
type Doing struct {
	PID      etf.Pid    `erl:"pid"`
	Queue    int64      `erl:"queue"`
	Looks    []Look     `erl:"looks"` // a few, some milliseconds apart
	Monitors int        `erl:"monitors"`
	WaitsFor []etf.Pid  `erl:"waits_for"` // processes it monitors, at most 8: who is called is one of them
	Ports    []HeldPort `erl:"ports"`     // that it is linked to, at most 8
}

// A Look is one moment of it.
type Look struct {
	Status     string  `erl:"status"`
	Stack      []MFA   `erl:"stack"` // innermost first, at most 12
	Reductions float64 `erl:"reductions"`
}

// A HeldPort is a port of a process.
type HeldPort struct {
	Port  etf.Port `erl:"port"`
	Name  string   `erl:"name"`
	Queue int64    `erl:"queue"`
}

// Stacks looks four times, 3 ms apart, at what some processes do; at most 20. Those that
// are gone are left out.
func (n *Node) Stacks(ctx context.Context, pids []etf.Pid) ([]Doing, error) {
	if len(pids) == 0 {
		return nil, nil
	}
	list := etf.List{}
	for _, p := range pids[:min(20, len(pids))] {
		list = append(list, p)
	}
	a, err := ask[struct {
		Processes []Doing `erl:"processes"`
	}](ctx, n, "stacks", args{"Pids": list})
	if err != nil {
		return nil, err
	}
	return a.Processes, nil
}
