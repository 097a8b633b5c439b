package luasandbox

import (
	"context"
	"encoding/json"
	"time"
)

// A run is one conversation with a child, seen from the parent, to whom nothing
// the child says is more than a claim.
type run struct {
	sandbox *Sandbox
	process *process
	calls   map[string]Func
	heard   bool // a report, at least one
	result  Result
}

// converse gives the child its script, answers its calls, and returns its end.
func (r *run) converse(ctx context.Context, script string) error {
	names := make([]string, 0, len(r.calls))
	for name := range r.calls {
		names = append(names, name)
	}
	next := order{Kind: kindScript, Source: []byte(script), Calls: names}
	for {
		said, err := r.turn(next)
		if err != nil {
			return err
		}
		r.heard = true
		r.note(said)
		if said.Kind != kindCall {
			return r.end(said)
		}
		if next, err = r.call(ctx, said); err != nil {
			return err
		}
	}
}

// turn sends o and waits for the child's next report, within what is left of its
// wall time and the grace.
func (r *run) turn(o order) (report, error) {
	limits := r.sandbox.limits
	begin := time.Now()
	said, err := r.process.exchange(o, begin.Add(limits.Wall-r.result.Usage.Wall+grace), limits.maxReport())
	r.result.Usage.Wall += time.Since(begin)
	if isTimeout(err) {
		return report{}, r.sandbox.reached(LimitWall, 0)
	}
	if err != nil {
		why, limit := r.process.obituary(err)
		if limit != "" {
			return report{}, r.sandbox.reached(limit, 0)
		}
		return report{}, why
	}
	return said, nil
}

// note takes over what the child printed and counted.
func (r *run) note(said report) {
	room := r.sandbox.limits.Output - len(r.result.Output)
	if len(said.Output) > room {
		said.Output, said.OutputCut = said.Output[:max(room, 0)], true
	}
	r.result.Output += said.Output
	r.result.OutputCut = r.result.OutputCut || said.OutputCut
	r.result.Usage.Instructions = said.Instructions
}

// end returns what the last report says, its value in r.result.
func (r *run) end(last report) error {
	switch last.Kind {
	case kindDone:
		return r.take(last.Value)
	case kindFailed:
		return &ScriptError{Message: last.Message, Line: last.Line}
	case kindLimit:
		if bound, _ := r.sandbox.limits.bound(last.Limit); bound != "" {
			return r.sandbox.reached(last.Limit, last.Line)
		}
	}
	return &ChildError{Reason: "child sent a frame that has no place here"}
}

func (r *run) take(value json.RawMessage) error {
	limits := r.sandbox.limits
	if len(value) > limits.Result {
		return r.sandbox.reached(LimitResult, 0)
	}
	if nesting(value) > limits.Nesting {
		return r.sandbox.reached(LimitNesting, 0)
	}
	if len(value) == 0 {
		return nil // null, which encoding/json leaves out of a frame
	}
	if err := json.Unmarshal(value, &r.result.Value); err != nil {
		return &ChildError{Reason: "child sent a result that is not JSON", Err: err}
	}
	return nil
}
