package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
