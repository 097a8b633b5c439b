package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// act makes the calls of an answer that have no result yet.
func (l *loop) act(parent, ctx context.Context, a protocol.Answer) error {
	for n := l.done; n < len(a.Calls); n++ {
		if err := l.over(ctx); err != nil {
			return err
		}
		res, err := l.used(parent, ctx, a.Calls[n], n)
		if err != nil {
			return err
		}
		if res.Failed || res.Invalid {
			l.say(a.Step, fmt.Sprintf("%s: refused: %s", res.Tool, firstLine(res.Content)))
		}
		if err := l.record(ctx, res); err != nil {
			return err
		}
		if l.cancel != nil {
			return ErrCancelled
		}
	}
	return nil
}

// record writes the result of a call that was made, also when the run was
// cancelled or its time ended meanwhile: what a call has started must be known to
// whoever ends the run.
func (l *loop) record(ctx context.Context, res protocol.ToolResult) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancel()
	err := l.append(ctx, protocol.RecordResult, res)
	if errors.Is(err, ErrCancelled) { // told once: the journal takes the record behind the cancel
		l.cancel = &protocol.Cancel{}
		err = l.append(ctx, protocol.RecordResult, res)
	}
	return err
}

// call makes one call. Its error means that the run cannot go on here; what goes
// wrong within the tool is told to the decider.
func (l *loop) call(parent, ctx context.Context, tc protocol.ToolCall, n int) (protocol.ToolResult, error) {
	res := protocol.ToolResult{Step: l.step, CallID: tc.ID, Tool: tc.Tool}
	refuse := func(text string) protocol.ToolResult {
		res.Content, res.Invalid = errorContent(text), true
		return res
	}
	if n >= MaxCallsPerStep {
		return refuse(fmt.Sprintf("at most %d calls in one answer are made; this one and the %d after it were not: make them in the next", MaxCallsPerStep, l.pending[0].Dropped)), nil
	}
	t, ok := l.tools[tc.Tool]
	if !ok {
		return refuse(fmt.Sprintf("unknown tool %q (have %s)", tc.Tool, strings.Join(l.names(), ", "))), nil
	}
	args, err := t.arguments(tc.Args)
	if err != nil {
		return refuse(err.Error()), nil
	}
	if t.Ends && l.failed != "" { // else a notification that was sent back would be lost
		res.Content, res.Failed = errorContent(fmt.Sprintf("%s was not done: %s before it in this answer failed; see to that, then call %s again", t.Name, l.failed, t.Name)), true
		return res, nil
	}
	c := Call{RunID: l.spec.RunID, Step: l.step, N: n, At: l.at, Stopping: parent.Done(), Model: l.model, Instead: l.instead, Usage: l.usage, slot: l.spec.Slot}
	out, err := l.use(context.WithValue(ctx, argsKey{}, args), t, c)
	switch {
	case err == nil:
	case errors.Is(err, errStopping), errors.Is(err, ErrSuperseded), errors.Is(err, ErrCancelled):
		return res, err
	case context.Cause(ctx) != nil:
		return res, context.Cause(ctx)
	default:
		res.Content, res.Failed = errorContent(err.Error()), true
		if out.Effect == nil {
			return res, nil
		}
	}
	if out.Effect != nil {
		if res.Effect, err = json.Marshal(out.Effect); err != nil {
			res.Content = errorContent("the result cannot be expressed in JSON: " + err.Error())
			res.Effect, res.Failed = nil, true
		}
		if len(res.Effect) > maxKept {
			res.Content = errorContent(fmt.Sprintf("the result has %d bytes (at most %d): ask fewer targets, or for less", len(res.Effect), maxKept))
			res.Effect, res.Failed = nil, true
		}
	}
	if !res.Failed {
		res.Content = render(out.Content)
	}
	return res, nil
}

// use runs a tool. A panic of it is its failure.
func (l *loop) use(ctx context.Context, t Tool, c Call) (out Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = Outcome{}, l.panicked("the tool "+t.Name, p)
		}
	}()
	return t.run(ctx, c)
}

func (l *loop) names() []string {
	var names []string
	for _, t := range l.spec.Tools.Tools() {
		names = append(names, t.Name)
	}
	return names
}
