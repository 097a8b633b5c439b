package beam

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// Limits of a trace, kept by the node itself.
const (
	// TracePerSecond is how many calls a second are told; one more ends the trace.
	TracePerSecond = 5
	// TraceCalls is how many calls one trace tells at most.
	TraceCalls = 50
	// TraceFor is how long one lasts at most.
	TraceFor = time.Minute
	// hotCalls in the 200 ms before a trace are too many for it to begin.
	hotCalls = 100
)

// Errors of [Node.StartTrace]. They say what to ask for in its place.
var (
	ErrTraceActive      = errors.New("trace_already_active: one function at a time, stop it or wait for its end")
	ErrWildcardModule   = errors.New("wildcard_module_not_allowed: name one module, as Shop.Cart or shop_cart")
	ErrWildcardFunction = errors.New("wildcard_function_not_allowed: name one function, as get or handle_call")
	ErrArityRequired    = errors.New("arity_required: say how many arguments the function takes")
	ErrInvalidArity     = errors.New("invalid_arity: a function takes 0 to 255 arguments")
	ErrBlockedFunction  = errors.New("blocked_function: every program calls it all the time, or messages go through it: trace a function of the program")
	ErrBadName          = errors.New("bad_name: a module or function has letters, digits, dots, underscores and @ in its name, a function of Elixir a ? or ! at its end")
)

// A CallTrace is the trace of one function: the one that runs, or the last.
type CallTrace struct {
	Function string // Shop.Cart.get/2
	Began    time.Time
	Ended    time.Time // zero while it runs
	// Why it ended: stopped, calls, rate, time, or what went wrong.
	Why string
	// PerSecond is how often the function was called just before.
	PerSecond int
	Calls     []TracedCall // the oldest first
}

// Active says whether it runs.
func (t CallTrace) Active() bool { return !t.Began.IsZero() && t.Ended.IsZero() }

// A TracedCall is one call: who called, never with what.
type TracedCall struct {
	At      time.Time
	PID     string
	Process string // its name; empty when it was gone before it could be asked
	Caller  string // the function that called; empty when the node does not know
}

// callTrace keeps the trace of a node.
type callTrace struct {
	turn chan struct{} // holds one token: who starts or stops one

	mu    sync.Mutex
	agent *agent
	last  CallTrace
	count int // begun since the probe did
}

func newCallTrace() *callTrace { return &callTrace{turn: make(chan struct{}, 1)} }

var traceable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_@.]{0,199}$`)
var traceableFunction = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_@]{0,199}[?!]?$`)

// StartTrace traces the calls of one function for a minute at most: which process called
// it and from which function. The node itself ends it when a limit is met. Module is as
// its language writes it: Shop.Cart or shop_cart. It is of the level trace.
func (n *Node) StartTrace(ctx context.Context, module, function string, arity int) (CallTrace, error) {
	m, err := traceTarget(module, function, arity)
	if err != nil {
		return CallTrace{}, err
	}
	if err := n.needs(Trace); err != nil {
		return CallTrace{}, err
	}
	c := n.calls
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return CallTrace{}, context.Cause(ctx)
	}
	if err := c.free(ctx); err != nil {
		return CallTrace{}, err
	}
	name := Function(etf.Atom(m), etf.Atom(function), arity)
	n.Log.Info("more than looking on: a function of the node is traced", "node", n.cfg.Node, "level", string(Trace), "function", name, "for", TraceFor.String())
	first := make(chan error, 2)
	ag, err := n.startAgent(ctx, "watch_calls", args{
		"Module": m, "Function": function, "Arity": arity,
		"PerSecond": TracePerSecond, "Most": TraceCalls, "For": TraceFor.Milliseconds(), "Hot": hotCalls,
	}, TraceFor+leaseFor, func(t etf.Term) { c.hear(t, name, first) })
	if err != nil {
		return CallTrace{}, err
	}
	go c.follow(ag, first)
	select {
	case err = <-first:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		ag.stop()
		return CallTrace{}, fmt.Errorf("%s: %w", name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.agent = ag
	return c.snapshot(), nil
}

// traceTarget checks what is to be traced, and returns the module as the node names it.
func traceTarget(module, function string, arity int) (string, error) {
	m := strings.TrimPrefix(module, ":")
	if m != "" && m[0] >= 'A' && m[0] <= 'Z' && !strings.HasPrefix(m, "Elixir.") {
		m = "Elixir." + m
	}
	switch {
	case slices.Contains(anyName, m):
		return "", ErrWildcardModule
	case slices.Contains(anyName, function):
		return "", ErrWildcardFunction
	case arity == AnyArity:
		return "", ErrArityRequired
	case arity < 0 || arity > 255:
		return "", ErrInvalidArity
	case !traceable.MatchString(m) || !traceableFunction.MatchString(strings.TrimPrefix(function, ":")):
		return "", ErrBadName
	case slices.Contains(blockedModules, m) || slices.Contains(blockedFunctions, m+":"+function):
		return "", ErrBlockedFunction
	}
	return m, nil
}

// AnyArity is the arity of who says none.
const AnyArity = -1000

var anyName = []string{"", "_", "*", ":_", "Elixir._", "Elixir."}

// Functions that every program calls all the time, or through which messages go.
var (
	blockedFunctions = []string{
		"ets:lookup", "ets:lookup_element", "ets:insert", "ets:insert_new", "ets:delete", "ets:member", "gen_server:call", "gen_server:cast", "gen_server:reply",
		"gen_statem:call", "gen_statem:cast", "gen_event:notify", "gen_event:call", "Elixir.GenServer:call", "Elixir.GenServer:cast", "Elixir.GenServer:reply",
		"Elixir.Process:send", "Elixir.Process:send_after", "Elixir.Kernel:send", "Elixir.Agent:get", "Elixir.Agent:update",
	}
	blockedModules = []string{"erlang", "erts_internal", "erl_eval", "prim_eval", "prim_inet", "prim_file", "gen", "init", "erl_tracer", "Elixir.Kernel.Utils"}
)

// hear takes what the agent tells.
func (c *callTrace) hear(t etf.Term, name string, first chan<- error) {
	m, ok := t.(etf.Tuple)
	if !ok || len(m) < 2 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m[0] {
	case etf.Atom("ready"):
		perSecond, _ := m[1].(int64)
		c.last = CallTrace{Function: name, Began: time.Now(), PerSecond: int(perSecond)}
		c.count++
		first <- nil
	case etf.Atom("refused"):
		first <- refusedTrace(m)
	case etf.Atom("call"):
		if call, ok := callOf(m, time.Now()); ok && len(c.last.Calls) < TraceCalls {
			c.last.Calls = append(c.last.Calls, call)
		}
	case etf.Atom("ended"):
		why, _ := etf.Text(m[1])
		c.last.Ended, c.last.Why = time.Now(), why
	}
}

func refusedTrace(m etf.Tuple) error {
	switch m[1] {
	case etf.Atom("hot"):
		n, _ := m[2].(int64)
		return fmt.Errorf("hot_function: it is called %d times a second, and to trace more than %d would slow the node down: trace one that calls it", n, hotCalls*5)
	case etf.Atom("traced"):
		return errors.New("somebody else traces on the node already: nothing was done")
	case etf.Atom("no_module"):
		return errors.New("no_such_function: the node has not loaded such a module, or has nothing of the function's name")
	case etf.Atom("no_function"):
		return errors.New("no_such_function: the module has no such function with so many arguments")
	}
	return fmt.Errorf("it ended before it began: %s", describe(m[1]))
}

// callOf reads {call, Milliseconds, Pid, Name, Caller}.
func callOf(m etf.Tuple, now time.Time) (TracedCall, bool) {
	if len(m) != 5 {
		return TracedCall{}, false
	}
	at, _ := m[1].(int64)
	pid, ok := m[2].(etf.Pid)
	return TracedCall{At: dated(at, now), PID: pid.String(), Process: Label(m[3]), Caller: Label(m[4])}, ok
}

// follow waits for the end of the agent.
func (c *callTrace) follow(ag *agent, first chan<- error) {
	<-ag.done()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.Active() {
		c.last.Ended, c.last.Why = time.Now(), "its process on the node was killed"
		if err := ag.err(); err != nil {
			c.last.Why = err.Error()
		}
	}
	select {
	case first <- errNotBegun:
	default:
	}
}

// free returns once nothing of a trace before is left on the node.
func (c *callTrace) free(ctx context.Context) error {
	c.mu.Lock()
	ag, active := c.agent, c.last.Active()
	c.mu.Unlock()
	switch {
	case active:
		return ErrTraceActive
	case ag == nil:
		return nil
	}
	select {
	case <-ag.done():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *callTrace) snapshot() CallTrace {
	t := c.last
	t.Calls = slices.Clone(t.Calls)
	return t
}

// StopTrace ends the trace that runs and returns it; without one it returns the last.
func (n *Node) StopTrace(ctx context.Context) (CallTrace, error) {
	if err := n.needs(Trace); err != nil {
		return CallTrace{}, err
	}
	n.calls.mu.Lock()
	ag, active := n.calls.agent, n.calls.last.Active()
	n.calls.mu.Unlock()
	if active && ag != nil {
		if err := ag.tell(ctx, etf.Atom("stop")); err != nil {
			ag.stop()
		}
		select {
		case <-ag.done():
		case <-ctx.Done():
			ag.stop()
			return CallTrace{}, context.Cause(ctx)
		}
	}
	t, _ := n.CallTrace()
	return t, nil
}

// CallTrace returns the trace that runs, or the last one, and how many were begun. It
// asks the node nothing.
func (n *Node) CallTrace() (CallTrace, int) {
	n.calls.mu.Lock()
	defer n.calls.mu.Unlock()
	return n.calls.snapshot(), n.calls.count
}
