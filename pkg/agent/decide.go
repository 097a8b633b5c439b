package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// decisionError is a decision that failed for good.
type decisionError struct{ error }

func (e decisionError) Unwrap() error { return e.error }

func (l *loop) view() View {
	return View{
		RunID: l.spec.RunID, Start: l.start, Records: l.spec.Journal.Records(), Tools: l.spec.Tools.Tools(),
		State: l.spec.Tools.State(), Step: l.step + 1, Now: time.Now().UTC(), memory: &l.memory,
	}
}

func (l *loop) decide(parent, ctx context.Context) error {
	view := l.view()
	hash, err := requestHash(view)
	if err != nil {
		return decisionError{err}
	}
	for n := 1; ; n++ {
		answer, err := l.decision(ctx, view, n)
		if err == nil {
			answer.Step, answer.RequestHash = view.Step, hash
			if answer.Model == "" {
				answer.Model = l.decider().Name()
			}
			if l.instead != "" {
				answer.Instead = l.instead
			}
			l.say(view.Step, describe(answer))
			return l.append(ctx, protocol.RecordAnswer, answer)
		}
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if n >= attempts || errors.Is(err, ErrFinal) {
			err = failedAfter(l.decider(), n, err)
			if l.instead != "" || l.spec.Instead == nil {
				return decisionError{err}
			}
			l.standIn(err)
			n = 0
			continue
		}
		delay := backoff(err, n)
		l.spec.Log.Warn("a decision failed", "run", l.spec.RunID, "step", view.Step, "attempt", n, "delay", delay, "err", err)
		if err := l.append(ctx, protocol.RecordRetry, protocol.Retry{Step: view.Step, Attempt: n, Error: err.Error(), DelayMS: delay.Milliseconds()}); err != nil {
			return err
		}
		if err := rest(parent, ctx, delay); err != nil {
			return err
		}
	}
}

// ask asks the decider once. A panic of it, and an answer that no record can
// hold, are failures like others.
func (l *loop) ask(ctx context.Context, view View) (a protocol.Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = l.panicked("the decider", p)
		}
	}()
	if a, err = l.decider().Decide(ctx, view); err != nil {
		return a, err
	}
	a.Calls, a.Dropped = callsOf(a.Calls, view.Step)
	raw, err := json.Marshal(a)
	if err == nil && len(raw) > maxKept {
		err = fmt.Errorf("the answer has %d bytes (at most %d)", len(raw), maxKept)
	}
	return a, err
}

// callsOf returns the calls of an answer that the journal keeps, each with an id,
// and how many more there were. The list is a new one: the decider may give its
// own to another run.
func callsOf(all []protocol.ToolCall, step int) (calls []protocol.ToolCall, dropped int) {
	calls = slices.Clone(all[:min(len(all), MaxCallsPerStep+1)])
	for i := range calls {
		if calls[i].ID == "" {
			calls[i].ID = fmt.Sprintf("call_%d_%d", step, i)
		}
	}
	return calls, len(all) - len(calls)
}

// panicked makes an error of a panic, so that it ends neither the worker nor the run.
func (l *loop) panicked(who string, p any) error {
	l.spec.Log.Error("a panic was contained", "run", l.spec.RunID, "who", who, "panic", p, "stack", string(debug.Stack()))
	return fmt.Errorf("%s panicked: %v", who, p)
}

// rest waits, unless the run ends or the worker stops.
func rest(parent, ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-parent.Done():
		return errStopping
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
