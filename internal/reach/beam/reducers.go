package beam

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// A Reducer is a process and what it did.
type Reducer struct {
	PID    etf.Pid
	Did    float64 // reductions in the window
	Before float64 // in the window before that
}

// Reducers are the processes that did most in a window, the most first, at most 400.
type Reducers struct {
	Processes      int
	Truncated      bool          // not all processes were looked at
	Before, Window time.Duration // how long the windows were
	Total          float64       // reductions of all processes in the window
	List           []Reducer
}

type reducersAnswer struct {
	Processes int        `erl:"processes"`
	Truncated bool       `erl:"truncated"`
	Before    int64      `erl:"before_us"`
	Window    int64      `erl:"window_us"`
	Sum       float64    `erl:"sum"`
	Top       []etf.Term `erl:"top"`
}

// Reducers watches all processes for a window, after one before that when before is not
// zero: the process of ours on the node sleeps meanwhile. Both are cut to what
// [Node.Window] allows.
func (n *Node) Reducers(ctx context.Context, before, window time.Duration) (*Reducers, error) {
	if before > 0 {
		before, window = n.Window(2*before)/2, n.Window(2*window)/2
	} else {
		window = n.Window(window)
	}
	a, err := ask[reducersAnswer](ctx, n, "reducers", args{"Before": before.Milliseconds(), "Window": window.Milliseconds()})
	if err != nil {
		return nil, err
	}
	out := &Reducers{
		Processes: a.Processes, Truncated: a.Truncated, Total: a.Sum,
		Before: time.Duration(a.Before) * time.Microsecond, Window: time.Duration(a.Window) * time.Microsecond,
	}
	for _, t := range a.Top {
		row, ok := t.(etf.Tuple)
		if !ok || len(row) < 2 {
			continue
		}
		var r Reducer
		r.Did, _ = etf.Number(row[0])
		r.PID, ok = row[1].(etf.Pid)
		if len(row) > 2 {
			r.Before, _ = etf.Number(row[2])
		}
		if ok {
			out.List = append(out.List, r)
		}
	}
	return out, nil
}
