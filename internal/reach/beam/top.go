package beam

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// An Item is what processes are ranked by.
type Item string

// Items.
const (
	ByReductions Item = "reductions"      // since they began
	ByMemory     Item = "memory"          // bytes
	ByHeap       Item = "total_heap_size" // bytes
)

// Top are the processes with the most of an item, the most first.
type Top struct {
	Processes int  // how many there are
	Truncated bool // not all of them were looked at
	Skipped   int  // of which nothing was asked, because their queues are longer than LongQueue
	List      []Ranked
}

// Top looks through all processes for those with the most of an item, at most 200. An
// answer of a moment ago serves again.
func (n *Node) Top(ctx context.Context, by Item, limit int) (*Top, error) {
	most := 50 // that serves several who ask for fewer
	if limit > most {
		most = 200
	}
	t, err := shared(ctx, n, fmt.Sprint("top ", most, by), n.cfg.Cache, func(ctx context.Context) (*Top, error) {
		s, err := ask[scanned](ctx, n, "top", args{"Item": etf.Atom(by), "Limit": most})
		if err != nil {
			return nil, err
		}
		return n.found(ctx, s)
	})
	if err != nil {
		return nil, err
	}
	cut := *t
	cut.List = t.List[:min(limit, len(t.List))]
	return &cut, nil
}

func (n *Node) found(ctx context.Context, s *scanned) (*Top, error) {
	list, err := n.describe(ctx, s.ranked())
	return &Top{Processes: s.Processes, Truncated: s.Truncated, Skipped: s.Skipped, List: list}, err
}

// Registered returns the registered processes with an empty queue and a heap of at
// least so many bytes, which is their Value, the largest first; at most 100.
func (n *Node) Registered(ctx context.Context, bytes int64) (*Top, error) {
	s, err := ask[scanned](ctx, n, "registered", args{"Bytes": bytes})
	if err != nil {
		return nil, err
	}
	return n.found(ctx, s)
}

// A Length is a process and how many messages it has.
type Length struct {
	PID      etf.Pid
	Messages float64
}

// Lengths returns the queues that are not empty, the longest first, at most 2,000.
func (n *Node) Lengths(ctx context.Context) (list []Length, truncated bool, err error) {
	s, err := ask[scanned](ctx, n, "queue_lengths", nil)
	if err != nil {
		return nil, false, err
	}
	for _, r := range s.ranked() {
		list = append(list, Length{r.PID, r.Value})
	}
	return list, s.Truncated, nil
}

// ErrNoProcess says that there is no such process, or no more.
var ErrNoProcess = errors.New("process_not_found")

// One is a single process, at one moment.
type One struct {
	PID        *etf.Pid `erl:"pid"`
	Reductions float64  `erl:"reductions"`
	MinorGCs   int64    `erl:"minor_gcs"`
	Held       int64    `erl:"held"` // bytes in binaries outside of its heap, as its collector adds up
	Count      *int64   `erl:"count"`
	Memory     *int64   `erl:"memory"`   // bytes of those binaries; nil, as Count, where they were not listed
	Binaries   []Handle `erl:"binaries"` // the largest 200
	At         int64    `erl:"at"`       // of the node's clock, in microseconds
}

// A Handle is a process's reference to a binary.
type Handle struct {
	ID   string `erl:"id"`
	Size int64  `erl:"size"` // bytes
	Refs int64  `erl:"refs"` // how many hold it
}

var pidText = regexp.MustCompile(`^(?:#PID)?<?0\.(\d{1,10})\.(\d{1,10})>?$`)

// Process reads the process that a text names: <0.1.2>, #PID<0.1.2> or 0.1.2; with
// binaries, what it holds outside of its heap. The error is ErrNoProcess when there is
// none.
func (n *Node) Process(ctx context.Context, text string, binaries bool) (*One, error) {
	m := pidText.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return nil, ErrNoProcess
	}
	p, err := ask[One](ctx, n, "process", args{"Text": "<0." + m[1] + "." + m[2] + ">", "Binaries": binaries})
	if err == nil && p.PID == nil {
		err = ErrNoProcess
	}
	return p, err
}

// Window is the longest time for which the node can be watched in one question: it
// must answer within the configuration's timeout.
func (n *Node) Window(wanted time.Duration) time.Duration {
	return max(100*time.Millisecond, min(wanted, n.cfg.Timeout-1500*time.Millisecond))
}

// Named returns what the process is that a text names, see [Node.Process].
func (n *Node) Named(ctx context.Context, text string) (*Process, error) {
	one, err := n.Process(ctx, text, false)
	if err != nil {
		return nil, err
	}
	list, err := n.Describe(ctx, []etf.Pid{*one.PID})
	if err == nil && len(list) == 0 {
		err = ErrNoProcess
	}
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}
