package beam

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// A question is one thing that may be asked of a node. There are no others: what is
// sent is one of these, with arguments that were checked.
type question struct {
	name  string // of the file in scripts, without .erl
	level Level
	// scan says that it goes through all processes, tables or ports: one at a time,
	// within the node's budget.
	scan bool
	// variables are the arguments, as the script names them.
	variables []string
	// sum is the SHA-256 of the script, so that no change of one goes unseen.
	sum string
}

//go:embed scripts/*.erl
var embedded embed.FS

// scripts holds the files of the table; tests add some.
var scripts fs.ReadFileFS = embedded

// source returns what the node evaluates: an exit with {answer, Value, Reductions,
// Microseconds}, {fault, Class, Reason} or {crowded, ProcessesThatWait}. The exit of a
// process is what its monitor is told, so that nothing else is needed for an answer.
func (q *question) source() string {
	text, err := scripts.ReadFile("scripts/" + q.name + ".erl")
	if err != nil {
		panic(err) // the table names a file that is not there: a test walks it
	}
	body := `try
FleetlensBegan = erlang:monotonic_time(microsecond),
FleetlensAnswer = (fun() -> ` + string(text) + `
end)(),
{reductions, FleetlensReductions} = erlang:process_info(self(), reductions),
{answer, FleetlensAnswer, FleetlensReductions, erlang:monotonic_time(microsecond) - FleetlensBegan}
catch FleetlensClass:FleetlensReason -> {fault, FleetlensClass, FleetlensReason} end`
	if q.scan {
		body = `case erlang:statistics(total_run_queue_lengths_all) of
FleetlensQueue when ` + crowdVariable + ` >= 0, FleetlensQueue > ` + crowdVariable + ` -> {crowded, FleetlensQueue};
_ -> ` + body + ` end`
	}
	return "exit(" + body + ")."
}

// hash returns what sum must be.
func (q *question) hash() string {
	text, err := scripts.ReadFile("scripts/" + q.name + ".erl")
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// find returns the named question of the table.
func find(name string) *question {
	i := slices.IndexFunc(table, func(q question) bool { return q.name == name })
	if i < 0 {
		panic("beam: no question is named " + name)
	}
	return &table[i]
}

// args are the values of a question's variables: numbers, texts (binaries on the
// node), processes, and atoms that stand in the code here. Texts become atoms on the
// node only where the node has them already.
type args map[string]etf.Term

// bindings returns them as erl_eval takes them.
func (q *question) bindings(a args) (etf.List, error) {
	out := etf.List{}
	for _, name := range q.variables {
		v, ok := a[name]
		if !ok {
			return nil, fmt.Errorf("beam: %s lacks %s", q.name, name)
		}
		out = append(out, etf.Tuple{etf.Atom(name), v})
	}
	if len(a) != len(q.variables) {
		return nil, fmt.Errorf("beam: %s takes %s", q.name, strings.Join(q.variables, ", "))
	}
	return out, nil
}

// ask asks a question and reads the answer into a T, see [etf.Unmarshal].
func ask[T any](ctx context.Context, n *Node, name string, a args) (*T, error) {
	t, err := n.ask(ctx, find(name), a)
	if err != nil {
		return nil, err
	}
	v := new(T)
	if err := etf.Unmarshal(t, v); err != nil {
		return nil, fmt.Errorf("%s answered %s in a way that is not understood: %w", n.cfg.Node, name, err)
	}
	return v, nil
}

// cached is an answer, and when it came.
type cached[T any] struct {
	value *T
	err   error
	at    time.Time
}

// once asks a question without arguments, unless it was answered a moment ago: the
// skills of one target want much of the same at the same time. Who comes while it is
// asked waits for that answer.
func once[T any](ctx context.Context, n *Node, name string) (*T, error) {
	turn := n.turnOf(name)
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%s is still being asked for %s: %w", n.cfg.Node, name, context.Cause(ctx))
	}
	if c, ok := n.kept(name).(cached[T]); ok && time.Since(c.at) < n.cfg.Cache {
		return c.value, c.err
	}
	v, err := ask[T](ctx, n, name, nil)
	if ctx.Err() == nil {
		n.keep(name, cached[T]{v, err, time.Now()})
	}
	return v, err
}
