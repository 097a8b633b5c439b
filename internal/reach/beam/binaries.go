package beam

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// A Holder is a process that holds binaries outside of its heap.
type Holder struct {
	Process
	Held int64 // bytes, as its collector has added up
	// Count is how many it holds and Bytes what is in them; nil where they were not
	// listed, because it was not asked for or they may be too many.
	Count, Bytes *int64
	Collections  int64 // minor ones since its last full one
}

// Holders are the processes that hold most in binaries, at most 50, the most first.
type Holders struct {
	Processes int
	Truncated bool // not all processes were looked at
	List      []Holder
}

type binaryCount struct {
	PID      etf.Pid `erl:"pid"`
	Held     int64   `erl:"held"`
	MinorGCs int64   `erl:"minor_gcs"`
	Count    *int64  `erl:"count"`
	Memory   *int64  `erl:"memory"`
}

// Binaries returns who holds most in binaries, or held most a moment ago, see
// [Node.ReadBinaries].
func (n *Node) Binaries(ctx context.Context, counted int) (*Holders, error) {
	return shared(ctx, n, fmt.Sprint("binaries ", counted), n.cfg.Cache, func(ctx context.Context) (*Holders, error) { return n.ReadBinaries(ctx, counted) })
}

// ReadBinaries looks through all processes for those that hold most in binaries. The
// first so many of them have theirs counted, for which each lists them. Nothing is
// collected for it.
func (n *Node) ReadBinaries(ctx context.Context, counted int) (*Holders, error) {
	s, err := ask[scanned](ctx, n, "binaries", args{"Limit": 50})
	if err != nil {
		return nil, err
	}
	list, err := n.describe(ctx, s.ranked())
	if err != nil {
		return nil, err
	}
	pids, counts := etf.List{}, etf.List{}
	for i, r := range list {
		if pids = append(pids, r.PID); i < counted {
			counts = append(counts, r.PID)
		}
	}
	held, err := ask[[]binaryCount](ctx, n, "binary_counts", args{"Pids": pids, "Count": counts})
	if err != nil {
		return nil, err
	}
	out := &Holders{Processes: s.Processes, Truncated: s.Truncated}
	for _, c := range *held {
		if i := slices.IndexFunc(list, func(r Ranked) bool { return r.PID == c.PID }); i >= 0 {
			out.List = append(out.List, Holder{list[i].Process, c.Held, c.Count, c.Memory, c.MinorGCs})
		}
	}
	slices.SortStableFunc(out.List, func(a, b Holder) int { return cmp.Compare(b.Held, a.Held) })
	return out, nil
}
