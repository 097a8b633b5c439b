package luasandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"
)

// A run is one conversation with a child, seen from the parent, to whom nothing
// the child says is more than a claim.
type run struct {
	sandbox *Sandbox
	process *process
	calls   map[string]Func
	result  Result
}

// converse gives the child its script, answers its calls, and returns its end.
func (r *run) converse(ctx context.Context, script string) error {
	if err := r.handshake(); err != nil {
		return err
	}
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
		r.note(said)
		if said.Kind != kindCall {
			return r.end(said)
		}
		if next, err = r.call(ctx, said); err != nil {
			return err
		}
	}
}

// handshake proves each to the other: the child that it is this package's, and
// the parent that it holds the pipe and gave the token.
func (r *run) handshake() error {
	p := r.process
	deadline := time.Now().Add(startTime)
	hello := order{Kind: kindHello, Token: p.token, Limits: &r.sandbox.limits}
	said, err := p.exchange(hello, deadline, 4<<10)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &ChildError{Reason: "the program did not become a child in " + startTime.String() + ": is something initialised before this package that waits?"}
	}
	if err != nil {
		return p.obituary(r.sandbox, err)
	}
	if said.Kind != kindReady || said.Token != p.token {
		return &ChildError{Reason: "the program that was started is not this package's child"}
	}
	return nil
}

// turn sends o and waits for the child's next report, within what is left of its
// wall time and the grace.
func (r *run) turn(o order) (report, error) {
	limits := r.sandbox.limits
	begin := time.Now()
	said, err := r.process.exchange(o, begin.Add(limits.Wall-r.result.Usage.Wall+grace), limits.maxReport())
	r.result.Usage.Wall += time.Since(begin)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return report{}, r.sandbox.reached(LimitWall, 0)
	}
	if err != nil {
		return report{}, r.process.obituary(r.sandbox, err)
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
		if r.sandbox.limits.bound(last.Limit) != "" {
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

// obituary returns why a conversation broke off with err.
func (p *process) obituary(s *Sandbox, err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !isBrokenPipe(err) {
		return &ChildError{Reason: "child broke the protocol", Err: err}
	}
	words := p.lastWords()
	if limit := fatalLimit(words); limit != "" {
		return s.reached(limit, 0)
	}
	if words == "" {
		words = "it said nothing"
	}
	return &ChildError{Reason: "child died (" + p.fate() + "): " + words}
}
