package beam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/dist"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// A Node is one node. It connects when it is first asked, and again when the
// connection is gone. It is safe for concurrent use. Close it.
type Node struct {
	cfg Config
	me  string
	// Log has a line for all that is more than looking on.
	Log *slog.Logger

	dialing chan struct{} // holds one token: who dials, and what follows
	conn    *dist.Conn
	down    failure

	mu       sync.Mutex
	forms    map[string]etf.Raw // parsed scripts, of this run of the node
	creation uint32
	restarts int
	turns    map[string]chan struct{}
	answers  map[string]any

	scans  chan struct{} // holds one token: one scan at a time
	budget budget

	events *eventLog
	logs   *logTail
	calls  *callTrace
}

// A failure is why the node could not be reached, for those who would dial again at once.
type failure struct {
	err   error
	until time.Time
	wait  time.Duration
}

// Between two attempts to connect it waits this long at first, and at most.
const (
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
)

var notInNames = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// New returns a client of the node; it connects to nothing yet.
func New(c Config) *Node {
	c.Level = cmp.Or(c.Level, Observe)
	c.Timeout, c.Cache, c.MaxCPU = cmp.Or(c.Timeout, 5*time.Second), cmp.Or(c.Cache, 3*time.Second), cmp.Or(c.MaxCPU, 1)
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	n := &Node{
		cfg: c, me: "fleetlens_probe@" + notInNames.ReplaceAllString(host, "-"), Log: slog.New(slog.DiscardHandler),
		dialing: make(chan struct{}, 1), scans: make(chan struct{}, 1),
		turns: map[string]chan struct{}{}, answers: map[string]any{},
		budget: budget{share: c.MaxCPU / 100},
		events: newEventLog(), calls: newCallTrace(),
	}
	n.logs = newLogTail(c.Node)
	return n
}

// Name is the node's full name.
func (n *Node) Name() string { return n.cfg.Node }

// Close ends the connection, and with it everything of ours on the node.
func (n *Node) Close() {
	n.dialing <- struct{}{}
	defer func() { <-n.dialing }()
	n.down = failure{err: errors.New("the client was closed"), until: time.Now().Add(100 * 365 * 24 * time.Hour)}
	if n.conn != nil {
		n.conn.Close()
	}
}

// Run returns which run of the node answers, and how often it began anew since the
// first answer. It is 0 before that. What grows on a node is to be compared within one
// run.
func (n *Node) Run() (creation uint32, restarts int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.creation, n.restarts
}

// silent is of a node that is connected and does not answer.
func (n *Node) silent() error {
	return fmt.Errorf("%s did not answer within %s: %w", n.cfg.Node, n.cfg.Timeout, ErrSilent)
}

// needs says what the node's owner would have to grant.
func (n *Node) needs(l Level) error {
	if n.cfg.Level.Grants(l) {
		return nil
	}
	return fmt.Errorf("%s grants the level %s and this needs %s: its owner sets `level: %s` for it, under targets.beam in the host's own configuration", n.cfg.Node, n.cfg.Level, l, l)
}

// ask asks a question and returns the answer.
func (n *Node) ask(ctx context.Context, q *question, a args) (etf.Term, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, n.cfg.Timeout, n.silent())
	defer cancel()
	if err := n.needs(q.level); err != nil {
		return nil, err
	}
	bound, err := q.bindings(a)
	if err != nil {
		return nil, err
	}
	conn, err := n.connect(ctx)
	if err != nil {
		return nil, err
	}
	if !q.scan {
		return n.evaluate(ctx, conn, q, bound)
	}
	select {
	case n.scans <- struct{}{}:
		defer func() { <-n.scans }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%s is still being asked something else: %w", n.cfg.Node, context.Cause(ctx))
	}
	crowd, err := n.budget.admit(time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.cfg.Node, err)
	}
	return n.evaluate(ctx, conn, q, append(bound, etf.Tuple{etf.Atom(crowdVariable), crowd}))
}

// heapWords caps a process of ours: 32 MiB on a machine of 64 bits.
const heapWords = 4 << 20

// evaluate has the node evaluate a script in a process of its own.
func (n *Node) evaluate(ctx context.Context, conn *dist.Conn, q *question, bound etf.List) (etf.Term, error) {
	forms, err := n.parsed(ctx, conn, q)
	if err != nil {
		return nil, err
	}
	p, err := conn.Spawn(evaluation(forms, bound, "low"))
	if err != nil {
		return nil, err
	}
	end, err := p.Wait(ctx)
	if err != nil {
		return nil, err
	}
	return n.answer(q, end)
}

func evaluation(forms etf.Term, bound etf.List, priority etf.Atom) dist.Spawn {
	return dist.Spawn{Module: "erl_eval", Function: "exprs", Args: etf.List{forms, bound}, Priority: priority, Heap: heapWords}
}

// answer reads what a process of ours exited with: see question.source.
func (n *Node) answer(q *question, end etf.Term) (etf.Term, error) {
	t, _ := end.(etf.Tuple)
	switch {
	case len(t) == 4 && t[0] == etf.Atom("answer"):
		cost, _ := etf.Number(t[2])
		wall, _ := etf.Number(t[3])
		if q.scan {
			n.budget.spend(time.Now(), cost, time.Duration(wall)*time.Microsecond)
		}
		return t[1], nil
	case len(t) == 2 && t[0] == etf.Atom("crowded"):
		length, _ := t[1].(int64)
		n.budget.crowded(time.Now())
		return nil, fmt.Errorf("%s is overloaded: %d processes wait to run, so that nothing more is asked of it but once a minute", n.cfg.Node, length)
	case len(t) == 3 && t[0] == etf.Atom("fault"):
		return nil, fmt.Errorf("%s cannot answer %s: %s", n.cfg.Node, q.name, describe(t[1:]))
	case end == etf.Term(etf.Atom("killed")):
		return nil, fmt.Errorf("%s: to answer %s needed more than %d MiB of its memory, or something there kills what we ask", n.cfg.Node, q.name, heapWords*8>>20)
	}
	return nil, fmt.Errorf("%s: the process that answers %s ended early: %s", n.cfg.Node, q.name, describe(end))
}

// describe says of what kind a term of the node's is, never what it holds.
func describe(t etf.Term) string {
	switch v := t.(type) {
	case etf.Atom:
		return string(v)
	case etf.Tuple:
		if len(v) > 0 {
			return describe(v[0]) + orMore(len(v))
		}
	case etf.List:
		if len(v) > 0 {
			return describe(v[0]) + orMore(len(v))
		}
	}
	return fmt.Sprintf("a %T", t)
}

func orMore(n int) string {
	if n > 1 {
		return ", …"
	}
	return ""
}

// parsed returns a script as the node's own parser reads it.
func (n *Node) parsed(ctx context.Context, conn *dist.Conn, q *question) (etf.Term, error) {
	n.mu.Lock()
	forms, ok := n.forms[q.name]
	n.mu.Unlock()
	if ok {
		return forms, nil
	}
	var characters etf.List
	for _, r := range q.source() {
		characters = append(characters, int64(r))
	}
	p, err := conn.Spawn(evaluation(parser, etf.List{etf.Tuple{etf.Atom("Text"), characters}}, "low"))
	if err != nil {
		return nil, err
	}
	end, err := p.Wait(ctx)
	if err != nil {
		return nil, err
	}
	t, _ := end.(etf.Tuple)
	if len(t) != 2 || t[0] != etf.Atom("ok") {
		return nil, fmt.Errorf("%s does not understand the script of %s: %s", n.cfg.Node, q.name, describe(end))
	}
	raw, err := etf.Encode(t[1])
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.forms == nil {
		n.forms = map[string]etf.Raw{}
	}
	n.forms[q.name] = raw
	return raw, nil
}

// parser is exit(erl_parse:parse_exprs(element(2, erl_scan:string(Text)))) in the form
// that erl_eval takes, which every release reads alike
// (https://www.erlang.org/doc/apps/erts/absform.html).
var parser = func() etf.List {
	atom := func(name etf.Atom) etf.Tuple { return etf.Tuple{etf.Atom("atom"), 1, name} }
	call := func(f etf.Tuple, args ...etf.Term) etf.Tuple {
		return etf.Tuple{etf.Atom("call"), 1, f, etf.List(args)}
	}
	remote := func(m, f etf.Atom) etf.Tuple { return etf.Tuple{etf.Atom("remote"), 1, atom(m), atom(f)} }
	scan := call(remote("erl_scan", "string"), etf.Tuple{etf.Atom("var"), 1, etf.Atom("Text")})
	tokens := call(remote("erlang", "element"), etf.Tuple{etf.Atom("integer"), 1, 2}, scan)
	return etf.List{call(remote("erlang", "exit"), call(remote("erl_parse", "parse_exprs"), tokens))}
}()

// turnOf returns the channel that lets one at a time ask a question.
func (n *Node) turnOf(name string) chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.turns[name] == nil {
		n.turns[name] = make(chan struct{}, 1)
	}
	return n.turns[name]
}

// kept returns what keep kept.
func (n *Node) kept(name string) any {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.answers[name]
}

func (n *Node) keep(name string, answer any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[name] = answer
}
