package beam

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// LongQueue is from how many messages on nothing is asked of a process that goes
// through its queue: its memory, its heap. It would be held up for as long.
const LongQueue = 10_000

// A Process is one of a node's.
type Process struct {
	PID        etf.Pid    `erl:"pid"`
	Registered etf.Term   `erl:"registered_name"` // an atom, or the empty list
	Label      etf.Term   `erl:"label"`           // what it calls itself (OTP 27, Elixir 1.17)
	Started    *MFA       `erl:"started"`         // the callback it began with, when proc_lib started it
	Initial    *MFA       `erl:"initial_call"`
	Current    *MFA       `erl:"current_function"`
	Stack      []MFA      `erl:"stack"` // innermost first, at most 8
	Ancestors  []etf.Term `erl:"ancestors"`
	Parent     *etf.Pid   `erl:"parent"` // nil before OTP 25
	Status     string     `erl:"status"`
	QueueLen   int64      `erl:"message_queue_len"`
	Reductions float64    `erl:"reductions"` // since it began
	// What follows is nil where the queue is longer than LongQueue.
	Memory    *int64 `erl:"memory"`          // bytes, with its share of what it was sent
	TotalHeap *int64 `erl:"total_heap_size"` // bytes, of all generations
	Heap      *int64 `erl:"heap_size"`       // bytes, of the young generation
	StackSize *int64 `erl:"stack_size"`      // bytes
	MinorGCs  *int64 `erl:"minor_gcs"`       // since its last full collection
	Fullsweep *int64 `erl:"fullsweep_after"` // collections after which one is full
}

// Name is what people call it: its registered name, else its label, else the function
// that it began with.
func (p *Process) Name() string {
	for _, t := range []etf.Term{p.Registered, p.Label} {
		if s := Label(t); s != "" {
			return s
		}
	}
	return p.Origin()
}

// Origin is the function it began with. That of one spawned with a function without a
// name is where this stands.
func (p *Process) Origin() string {
	if s := p.Started.String(); s != "" {
		return s
	}
	if i := len(p.Stack) - 1; i >= 0 && p.Initial.String() == "erlang:apply/2" {
		if f := &p.Stack[i]; !f.library() {
			return f.String()
		}
	}
	return p.Initial.String()
}

// Sits is the function it is in, and the first below it on its stack that is not of a
// library: gen:do_call/4, called by Shop.Cart.get/2.
func (p *Process) Sits() string {
	here := p.Current.String()
	for i := range p.Stack {
		if f := &p.Stack[i]; !f.library() {
			if s := f.String(); s != here {
				return here + ", called by " + s
			}
			break
		}
	}
	return here
}

// Function is the function it is in.
func (p *Process) Function() string { return p.Current.String() }

// Describe returns what some processes are, in the same order without those that are
// gone; at most 200.
func (n *Node) Describe(ctx context.Context, pids []etf.Pid) ([]Process, error) {
	if len(pids) == 0 {
		return nil, nil
	}
	list := etf.List{}
	for _, p := range pids[:min(200, len(pids))] {
		list = append(list, p)
	}
	out, err := ask[[]Process](ctx, n, "describe", args{"Pids": list})
	if err != nil {
		return nil, err
	}
	return *out, nil
}

// A ranked process is one that a scan found.
type ranked struct {
	PID   etf.Pid
	Value float64
}

// A scanned answer is what a scan of all processes found.
type scanned struct {
	Processes int        `erl:"processes"` // how many there are
	Seen      int        `erl:"seen"`      // how many were looked at
	Truncated bool       `erl:"truncated"`
	Skipped   int        `erl:"skipped"` // of which nothing was asked, because of their long queues
	Top       []etf.Term `erl:"top"`     // {Value, Pid}, the most first
}

func (s *scanned) ranked() []ranked {
	var out []ranked
	for _, t := range s.Top {
		pair, ok := t.(etf.Tuple)
		if !ok || len(pair) != 2 {
			continue
		}
		v, ok := etf.Number(pair[0])
		pid, ok2 := pair[1].(etf.Pid)
		if ok && ok2 {
			out = append(out, ranked{pid, v})
		}
	}
	return out
}

// describe returns the ranked processes that are still there, with the value of each.
func (n *Node) describe(ctx context.Context, list []ranked) ([]Ranked, error) {
	pids := make([]etf.Pid, len(list))
	for i, r := range list {
		pids[i] = r.PID
	}
	found, err := n.Describe(ctx, pids)
	if err != nil {
		return nil, err
	}
	var out []Ranked
	for _, p := range found {
		i := slices.IndexFunc(list, func(r ranked) bool { return r.PID == p.PID })
		if i >= 0 {
			out = append(out, Ranked{p, list[i].Value})
		}
	}
	return out, nil
}

// A Ranked process has what it was ranked by.
type Ranked struct {
	Process
	Value float64
}

// Queues are the message queues of all processes.
type Queues struct {
	Processes int   `erl:"processes"` // how many there are
	Seen      int   `erl:"seen"`      // how many were looked at
	Truncated bool  `erl:"truncated"` // the scan ended before the last
	Total     int64 `erl:"total"`     // messages in all of them
	NonEmpty  int   `erl:"non_empty"`
	Over100   int   `erl:"over_100"` // processes with more messages than that
	Over1k    int   `erl:"over_1000"`
	Over10k   int   `erl:"over_10000"`
	// Of the lengths, by nearest rank; empty queues count.
	P50  int64 `erl:"p50"`
	P90  int64 `erl:"p90"`
	P95  int64 `erl:"p95"`
	P99  int64 `erl:"p99"`
	P100 int64 `erl:"p100"`

	// Top are those with the longest queues, longest first, at most 50; Value is the
	// length as it was seen in the scan.
	Top []Ranked

	Found []etf.Term `erl:"top"`
}

// Queues looks through the message queues of all processes, or returns what was found
// a moment ago.
func (n *Node) Queues(ctx context.Context) (*Queues, error) {
	return shared(ctx, n, "queues", n.cfg.Cache, func(ctx context.Context) (*Queues, error) {
		q, err := ask[Queues](ctx, n, "queues", nil)
		if err != nil {
			return nil, err
		}
		s := scanned{Top: q.Found}
		q.Top, err = n.describe(ctx, s.ranked())
		q.Found = nil
		return q, err
	})
}

// shared answers as [once] does, for what takes more than one question, or is good for
// another time than the configuration says.
func shared[T any](ctx context.Context, n *Node, key string, age time.Duration, read func(context.Context) (*T, error)) (*T, error) {
	key = "shared " + key
	turn := n.turnOf(key)
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%s is still being asked for %s: %w", n.cfg.Node, key, context.Cause(ctx))
	}
	if c, ok := n.kept(key).(cached[T]); ok && time.Since(c.at) < age {
		return c.value, c.err
	}
	v, err := read(ctx)
	if ctx.Err() == nil {
		n.keep(key, cached[T]{v, err, time.Now()})
	}
	return v, err
}
