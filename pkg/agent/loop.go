package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Limits that hold for every run.
const (
	// MaxCallsPerStep is how many tool calls of one answer are made. The next one is
	// refused, and what comes after it is dropped: each refusal would cost a record of
	// the journal and, at every later step, the tokens to read it.
	MaxCallsPerStep = 16
	// MaxInvalidInARow is how many steps in a row may hold nothing but invalid calls.
	MaxInvalidInARow = 3
	// HandBack is how long a worker that stops may take for the step in hand.
	HandBack = 25 * time.Second
	// endGrace is how long writing the end may take once the deadline is past.
	endGrace = 10 * time.Second
	// maxContent is how much of a tool's result the decider reads, in bytes.
	maxContent = 24 << 10
	// maxKept is how large an answer, or what a tool call changes, may be: with the
	// rest of its record it has to fit into the journal, else no worker could go on.
	maxKept = 512 << 10
)

// A Spec is what a run needs.
type Spec struct {
	RunID   string
	Start   protocol.Start // written first when the journal is empty; else the journal's own holds
	Tools   Toolset
	Decider Decider
	// Instead decides from the step on in which Decider cannot go on: it failed for
	// good, or the run's tokens are spent. Nil: the run fails then.
	Instead Decider
	Journal Journal
	Log     *slog.Logger
	// Aborted is closed when the run was cancelled, to end the call in hand. Nil: never.
	Aborted <-chan struct{}
	// Slot, when set, is released while the run waits.
	Slot Slot
	// Telemetry is told of all that happens, and Skill is what it calls an operator's
	// run; empty for a coordinator's.
	Telemetry *Telemetry
	Skill     string
	// OnStep is told of each answer and each result, for progress. Nil: nobody.
	OnStep func(step int, text string)
}

// A Slot is a worker's place among the runs it works on at a time.
type Slot interface {
	Release()
	// Acquire returns when there is a place again, or with ctx's cause.
	Acquire(ctx context.Context) error
}

// A Toolset is the tools of one run and the state they fold into.
type Toolset interface {
	Tools() []Tool
	// State returns what View.State shows.
	State() any
	// Begin sets the state from the start record's subject.
	Begin(s protocol.Start) error
	// Input returns what reached the run from outside since the last turn, and
	// whether there was anything; FoldInput applies it.
	Input(ctx context.Context) (protocol.Input, bool, error)
	FoldInput(in protocol.Input) error
	// Summary returns what the finish record keeps.
	Summary() any
}

// Run takes a run from where its journal stands to its end, and returns the
// finish record's data. It returns an error, and has not ended the run, when the
// worker stops (context.Canceled), was superseded (ErrSuperseded) or cannot
// write the journal: another worker goes on then.
//
// ctx ends when the worker stops; the step in hand gets HandBack to finish. The
// run's own deadline stands in its start record.
func Run(ctx context.Context, spec Spec) (protocol.Finish, error) {
	l := &loop{spec: spec, tools: map[string]Tool{}}
	for _, t := range spec.Tools.Tools() {
		l.tools[t.Name] = t
	}
	return l.observed(ctx)
}

type loop struct {
	spec  Spec
	tools map[string]Tool
	start protocol.Start

	step     int               // the last step that was decided
	at       time.Time         // when it was, or when its last call had its result
	pending  []protocol.Answer // at most one: the answer whose calls are not all done
	done     int               // calls of the pending answer that have a result
	failed   string            // the last of those that failed or was invalid
	valid    int               // of those, the ones that were valid
	invalid  int               // steps in a row without a valid call
	lastErr  string            // of the last invalid call
	ended    bool              // a tool that ends the run succeeded
	finished *protocol.Finish
	cancel   *protocol.Cancel
	usage    protocol.Usage
	model    string
	instead  string // why Spec.Instead decides; empty: it does not
	memory   memory
	resting  int // no compaction is tried before this step: the last one failed
	watch    watch
}

func (l *loop) run(parent context.Context) (protocol.Finish, error) {
	if len(l.spec.Journal.Records()) == 0 || !has(l.spec.Journal.Records(), protocol.RecordStart) {
		l.spec.Start.Tools = l.names()
		if _, err := l.spec.Journal.Append(parent, protocol.RecordStart, l.spec.Start); err != nil && !errors.Is(err, ErrCancelled) {
			return protocol.Finish{}, err
		}
	}
	if err := l.replay(); err != nil {
		return protocol.Finish{}, fmt.Errorf("replay of run %s: %w", l.spec.RunID, err)
	}
	if l.finished != nil {
		return *l.finished, nil
	}
	ctx, release := handBack(parent)
	defer release()
	// The deadline holds for everything but writing the end.
	work, cancelWork := context.WithDeadlineCause(ctx, l.start.Settings.Deadline, errDeadline)
	defer cancelWork()
	work, abort := context.WithCancelCause(work)
	defer abort(nil)
	if l.spec.Aborted != nil {
		watching := make(chan struct{})
		defer close(watching)
		go func() {
			select {
			case <-l.spec.Aborted:
				abort(ErrCancelled)
			case <-watching:
			}
		}()
	}
	outcome, err := l.turns(parent, work)
	switch {
	case outcome == "":
		return protocol.Finish{}, err
	case errors.Is(err, errDeadline):
		err = fmt.Errorf("the deadline of %s passed", l.start.Settings.Deadline.UTC().Format(time.RFC3339))
	}
	end, cancelEnd := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancelEnd()
	return l.finish(end, outcome, err)
}

var errDeadline = errors.New("the deadline passed")

// handBack returns a context that outlives parent by HandBack.
func handBack(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() {
		t := time.AfterFunc(HandBack, cancel)
		context.AfterFunc(ctx, func() { t.Stop() })
	})
	return ctx, func() { stop(); cancel() }
}

func has(records []protocol.Record, kind protocol.RecordKind) bool {
	for _, r := range records {
		if r.Kind == kind {
			return true
		}
	}
	return false
}

// replay folds the journal's records into the state.
func (l *loop) replay() error {
	started := false
	for _, r := range l.spec.Journal.Records() {
		if r.Kind == protocol.RecordStart {
			if started { // two workers wrote it before either had claimed the run
				continue
			}
			started = true
		}
		if err := l.apply(r); err != nil {
			return fmt.Errorf("record %d (%s): %w", r.N, r.Kind, err)
		}
	}
	if !started {
		l.start = l.spec.Start
		return l.spec.Tools.Begin(l.start)
	}
	return nil
}

// apply folds one record. It is the only place where a run's state changes.
func (l *loop) apply(r protocol.Record) error {
	switch r.Kind {
	case protocol.RecordStart:
		if err := json.Unmarshal(r.Data, &l.start); err != nil {
			return err
		}
		return l.spec.Tools.Begin(l.start)
	case protocol.RecordAnswer:
		var a protocol.Answer
		if err := json.Unmarshal(r.Data, &a); err != nil {
			return err
		}
		l.step, l.at, l.model = a.Step, r.At, a.Model
		if a.Instead != "" {
			l.instead = a.Instead
		}
		l.usage = l.usage.Plus(a.Usage)
		l.pending, l.done, l.valid, l.failed = []protocol.Answer{a}, 0, 0, ""
		if len(a.Calls) == 0 {
			l.settle()
		}
	case protocol.RecordResult:
		var res protocol.ToolResult
		if err := json.Unmarshal(r.Data, &res); err != nil {
			return err
		}
		l.at = r.At
		return l.applyResult(res)
	case protocol.RecordInput:
		var in protocol.Input
		if err := json.Unmarshal(r.Data, &in); err != nil {
			return err
		}
		return l.spec.Tools.FoldInput(in)
	case protocol.RecordCompaction:
		var c protocol.Compaction
		if err := json.Unmarshal(r.Data, &c); err != nil {
			return err
		}
		l.usage = l.usage.Plus(c.Usage)
	case protocol.RecordCancel:
		l.cancel = &protocol.Cancel{}
		return json.Unmarshal(r.Data, l.cancel)
	case protocol.RecordFinish:
		l.finished = &protocol.Finish{}
		return json.Unmarshal(r.Data, l.finished)
	}
	return nil // claims and retries change nothing
}

func (l *loop) applyResult(res protocol.ToolResult) error {
	l.done++
	if res.Invalid {
		l.lastErr = res.Content
	} else {
		l.valid++
	}
	if res.Failed || res.Invalid {
		l.failed = res.Tool
	}
	t := l.tools[res.Tool]
	if t.Ends && !res.Failed && !res.Invalid {
		l.ended = true
	}
	if len(l.pending) > 0 && l.done >= len(l.pending[0].Calls) {
		l.settle()
	}
	if t.fold == nil || len(res.Effect) == 0 {
		return nil
	}
	return t.fold(res.Effect)
}

// settle closes the pending answer.
func (l *loop) settle() {
	if l.valid == 0 {
		l.invalid++
		if len(l.pending[0].Calls) == 0 {
			l.lastErr = noCall
		}
	} else {
		l.invalid = 0
	}
	l.pending = nil
}

const noCall = "the answer calls no tool: call one, or call done to end"

// turns runs until the run ends. An empty outcome means that it did not end here.
func (l *loop) turns(parent, ctx context.Context) (protocol.Outcome, error) {
	for {
		if l.cancel != nil {
			return protocol.OutcomeCancelled, ErrCancelled
		}
		if err := l.over(ctx); err != nil {
			return l.interrupted(err)
		}
		switch {
		case len(l.pending) > 0:
			if err := l.act(parent, l.turn(ctx, l.step), l.pending[0]); err != nil {
				return l.interrupted(err)
			}
			continue
		case l.ended:
			return protocol.OutcomeDone, nil
		case l.invalid >= MaxInvalidInARow:
			return protocol.OutcomeFailed, fmt.Errorf("%d answers in a row were invalid: %s", l.invalid, l.lastErr)
		case l.start.Settings.MaxIterations > 0 && l.step >= l.start.Settings.MaxIterations:
			return protocol.OutcomeMaxIterations, fmt.Errorf("%d steps were made, no more are allowed", l.step)
		case l.instead == "" && l.spent() && l.spec.Instead == nil:
			return protocol.OutcomeFailed, l.spentError()
		case parent.Err() != nil:
			return "", parent.Err() // hand the run back between two steps
		}
		if l.instead == "" && l.spent() {
			l.standIn(l.spentError())
		}
		ctx := l.turn(ctx, l.step+1)
		if err := l.listen(ctx); err != nil {
			return l.interrupted(err)
		}
		switch compacted, err := l.compact(ctx); {
		case err != nil:
			return l.interrupted(err)
		case compacted:
			continue // it took time and tokens: the limits are looked at again
		}
		if err := l.decide(parent, ctx); err != nil {
			if failed, ok := errors.AsType[decisionError](err); ok {
				return protocol.OutcomeFailed, failed
			}
			return l.interrupted(err)
		}
	}
}

// over says why nothing more may be done. It asks the clock too: a wait that was
// cut to the deadline ends at the moment at which ctx does, sometimes before.
func (l *loop) over(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if !time.Now().Before(l.start.Settings.Deadline) {
		return errDeadline
	}
	return nil
}

// interrupted tells the end of the run from a stop of the worker.
func (l *loop) interrupted(err error) (protocol.Outcome, error) {
	switch {
	case errors.Is(err, ErrCancelled):
		return protocol.OutcomeCancelled, err
	case errors.Is(err, errDeadline), errors.Is(err, context.DeadlineExceeded) && !time.Now().Before(l.start.Settings.Deadline):
		return protocol.OutcomeDeadline, errDeadline
	case errors.Is(err, errStopping):
		return "", context.Canceled
	}
	return "", err
}

// append writes a record and folds it.
func (l *loop) append(ctx context.Context, kind protocol.RecordKind, data any) error {
	r, err := l.spec.Journal.Append(ctx, kind, data)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, ErrSuperseded) && !errors.Is(err, ErrCancelled) {
			return cause
		}
		return err
	}
	return l.apply(r)
}

func (l *loop) listen(ctx context.Context) error {
	in, some, err := l.spec.Tools.Input(ctx)
	if err != nil || !some {
		return err
	}
	in.Step = l.step
	l.heard(ctx, in)
	return l.append(ctx, protocol.RecordInput, in)
}

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

func (l *loop) finish(ctx context.Context, outcome protocol.Outcome, cause error) (protocol.Finish, error) {
	f := protocol.Finish{Outcome: outcome, Usage: l.usage, Steps: l.step, Model: l.model, Instead: l.instead}
	if f.Model == "" {
		f.Model = l.decider().Name()
	}
	if cause != nil {
		f.Error = cause.Error()
	}
	var err error
	if f.Summary, err = json.Marshal(l.spec.Tools.Summary()); err != nil {
		return f, fmt.Errorf("summary: %w", err)
	}
	_, err = l.spec.Journal.Append(ctx, protocol.RecordFinish, f)
	if errors.Is(err, ErrCancelled) { // it was cancelled just before the end: say so instead
		f.Outcome, f.Error = protocol.OutcomeCancelled, ErrCancelled.Error()
		_, err = l.spec.Journal.Append(ctx, protocol.RecordFinish, f)
	}
	return f, err
}

func (l *loop) say(step int, text string) {
	if l.spec.OnStep != nil && text != "" {
		l.spec.OnStep(step, text)
	}
}
