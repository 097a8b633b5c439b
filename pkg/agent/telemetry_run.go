package agent

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// A watch is what a loop's telemetry remembers between its hooks.
type watch struct {
	*Telemetry
	agent, skill attribute.KeyValue // as labels

	turn int // the iteration whose span is open; 0: none
	span trace.Span

	instead bool // it was told that another decider decides
}

// observed runs the loop within a span of its own, and counts it.
func (l *loop) observed(ctx context.Context) (protocol.Finish, error) {
	l.watch = watch{
		Telemetry: l.spec.Telemetry,
		agent:     signals.LabelAgent.String(l.spec.Start.Agent), skill: signals.LabelSkill.String(l.spec.Skill),
	}
	if l.watch.Telemetry == nil {
		l.watch.Telemetry = nobody()
	}
	name := l.spec.Skill
	if name == "" {
		name = l.spec.Start.Agent
	}
	attempt := attempt(l.spec.Journal.Records())
	first, _ := began(l.spec.Journal.Records())
	opts := []trace.SpanStartOption{trace.WithAttributes(
		signals.AttrOperation.String("invoke_agent"), signals.Text(signals.AttrAgentName, name), signals.Text(signals.AttrConversation, l.spec.RunID),
		signals.AttrAgent.String(l.spec.Start.Agent), signals.Text(signals.AttrRun, l.spec.RunID), signals.AttrAttempt.Int(attempt),
		signals.Text(signals.AttrRequestModel, l.spec.Start.Settings.Model),
	)}
	if before := trace.SpanContextFromContext(signals.WithTraceParent(context.WithoutCancel(signals.Outside(ctx)), first)); attempt > 1 && before.IsValid() {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: before}))
	}
	ctx, span := signals.Start(context.WithValue(ctx, telemetryKey{}, l.watch.Telemetry), l.watch.tracer, signals.InvokeAgent, name, opts...)
	defer span.End()
	if l.spec.Start.TraceParent == "" {
		l.spec.Start.TraceParent = signals.TraceParent(ctx)
	}
	if l.spec.Start.TraceID == "" {
		l.spec.Start.TraceID = signals.TraceID(ctx)
	}
	if l.spec.Log != nil {
		l.spec.Log = signals.Logger(ctx, l.spec.Log)
	}
	l.watch.inFlight.Add(ctx, 1, labels(l.watch.agent))
	defer l.watch.inFlight.Add(ctx, -1, labels(l.watch.agent))
	if attempt > 1 {
		l.watch.takeovers.Add(ctx, 1, labels(l.watch.agent, l.watch.skill))
	}
	f, err := l.run(ctx)
	l.endTurn()
	if l.finished == nil { // else it had ended before
		l.ending(ctx, span, f, err)
	}
	return f, err
}

// attempt returns which worker's turn it is, from 1.
func attempt(records []protocol.Record) int {
	n := 0
	for _, r := range records {
		if r.Kind == protocol.RecordClaim {
			n++
		}
	}
	return max(n, 1)
}

// began returns the trace that a run began in; empty: it has not begun, or
// outside of every trace.
func began(records []protocol.Record) (traceParent, traceID string) {
	for _, r := range records {
		if r.Kind != protocol.RecordStart {
			continue
		}
		var s struct {
			TraceParent string `json:"traceparent"`
			TraceID     string `json:"trace_id"`
		}
		if json.Unmarshal(r.Data, &s) == nil {
			return s.TraceParent, s.TraceID
		}
	}
	return "", ""
}

// Continue returns ctx within the trace that a run began in, whoever began it, as
// its journal tells. It returns ctx as it is when it is within that trace already,
// or when the journal tells of none.
func Continue(ctx context.Context, run string, records []protocol.Record) context.Context {
	parent, id := began(records)
	then := signals.WithTraceParent(signals.Outside(ctx), parent)
	if parent == "" {
		then = signals.InTrace(signals.Outside(ctx), id, run)
	}
	if was := signals.TraceID(then); was == "" || was == signals.TraceID(ctx) {
		return ctx
	}
	return then
}

// ending tells how the run ended, or that it goes on elsewhere.
func (l *loop) ending(ctx context.Context, span trace.Span, f protocol.Finish, err error) {
	switch {
	case errors.Is(err, ErrSuperseded):
		signals.Emit(ctx, signals.Superseded)
		return
	case err != nil:
		signals.Emit(ctx, signals.HandedBack, signals.Text(signals.AttrReason, err.Error()))
		return
	}
	outcome := signals.LabelOutcome.String(string(f.Outcome))
	l.watch.runs.Add(ctx, 1, labels(l.watch.agent, l.watch.skill, outcome))
	l.watch.runDuration.Record(ctx, time.Since(l.start.StartedAt).Seconds(), labels(l.watch.agent, l.watch.skill, outcome))
	l.watch.runSteps.Record(ctx, float64(f.Steps), labels(l.watch.agent, l.watch.skill))
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(signals.AttrOutcome.String(string(f.Outcome)), signals.AttrSteps.Int(f.Steps), signals.Text(signals.AttrInvestigation, l.investigation()))
	if f.Usage.LLMCalls > 0 {
		span.SetAttributes(signals.AttrInputTokens.Int(f.Usage.InputTokens), signals.AttrOutputTokens.Int(f.Usage.OutputTokens), signals.AttrCachedTokens.Int(f.Usage.CachedTokens))
	}
	steps := signals.AttrSteps.Int(f.Steps)
	switch f.Outcome {
	case protocol.OutcomeDone:
		var unread []attribute.KeyValue
		if s, ok := l.spec.Tools.State().(*CoordinatorState); ok {
			unread = append(unread, signals.AttrUnread.Int(s.unread()))
		}
		signals.Emit(ctx, signals.AgentDone, unread...)
		return
	case protocol.OutcomeMaxIterations:
		signals.Emit(ctx, signals.MaxIterations, steps)
	case protocol.OutcomeDeadline:
		signals.Emit(ctx, signals.DeadlineExceeded, steps)
	case protocol.OutcomeCancelled:
		signals.Emit(ctx, signals.Cancelled, steps)
		return // nothing went wrong
	default:
		signals.Emit(ctx, signals.AgentFailed, signals.Text(signals.AttrReason, f.Error))
	}
	signals.Error(span, string(f.Outcome), f.Error)
}

// investigation returns the id of the investigation that the run belongs to.
func (l *loop) investigation() string {
	switch s := l.spec.Tools.State().(type) {
	case *OperatorState:
		return s.Subject.Task.InvestigationID
	case *CoordinatorState:
		return s.Subject.InvestigationID
	}
	return ""
}

func (s *CoordinatorState) unread() int {
	n := 0
	for _, r := range s.Notifications {
		if r.Status == Unread {
			n++
		}
	}
	return n
}

// turn returns ctx within the span of an iteration. It is open from before the
// decision until the next one begins.
func (l *loop) turn(ctx context.Context, n int) context.Context {
	w := &l.watch
	if w.turn == n {
		return trace.ContextWithSpan(ctx, w.span)
	}
	l.endTurn()
	attrs := []attribute.KeyValue{signals.AttrIteration.Int(n)}
	if s, ok := l.spec.Tools.State().(*OperatorState); ok {
		attrs = append(attrs, signals.AttrState.String(string(s.Health)))
	}
	ctx, w.span = signals.Start(ctx, w.tracer, signals.Iteration, "", trace.WithAttributes(attrs...))
	w.turn = n
	return ctx
}

func (l *loop) endTurn() {
	if l.watch.turn != 0 {
		l.watch.span.End()
		l.watch.turn = 0
	}
}

// decision asks the decider for the n-th time in this step, and tells how it went.
func (l *loop) decision(ctx context.Context, view View, n int) (protocol.Answer, error) {
	if l.instead != "" && !l.watch.instead {
		l.watch.instead = true
		signals.Emit(ctx, signals.Instead, signals.Text(signals.AttrDecider, l.decider().Name()), signals.Text(signals.AttrReason, l.instead))
	}
	began := time.Now()
	a, err := l.ask(ctx, view)
	decider := signals.LabelDecider.String(l.decider().Name())
	l.watch.decisionDuration.Record(ctx, time.Since(began).Seconds(), labels(l.watch.agent, decider))
	l.cost(ctx, a.Usage)
	if err == nil || context.Cause(ctx) != nil {
		return a, err
	}
	again := n < attempts && !errors.Is(err, ErrFinal)
	l.watch.decisionsFailed.Add(ctx, 1, labels(l.watch.agent, decider, signals.LabelWillRetry.Bool(again)))
	signals.Emit(ctx, signals.DecisionFailed, signals.AttrIteration.Int(view.Step), signals.AttrAttempt.Int(n), signals.AttrWillRetry.Bool(again),
		signals.Text(signals.AttrReason, err.Error()))
	return a, err
}

// cost counts what an answer cost, where its price is known.
func (l *loop) cost(ctx context.Context, u protocol.Usage) {
	if u.CostUSD != nil && *u.CostUSD > 0 {
		l.watch.cost.Add(ctx, *u.CostUSD, labels(l.watch.agent, signals.LabelDecider.String(l.decider().Name())))
	}
}

// heard tells what operators reported.
func (l *loop) heard(ctx context.Context, in protocol.Input) {
	var f findings
	if !trace.SpanFromContext(ctx).IsRecording() || json.Unmarshal(in.Effect, &f) != nil {
		return
	}
	for _, n := range f.Notifications {
		signals.Emit(ctx, signals.NotificationReceived, signals.Text(signals.AttrNotification, n.ID), signals.Text(signals.AttrSkill, n.Operator),
			signals.AttrSeverity.String(string(n.Severity)))
	}
	for _, c := range f.Completions {
		skill, run := signals.Text(signals.AttrSkill, c.Skill), signals.Text(signals.AttrRun, c.RunID)
		if c.Outcome == protocol.OutcomeFailed {
			signals.Emit(ctx, signals.OperatorCrashed, skill, run, signals.Text(signals.AttrReason, c.Error))
			continue
		}
		signals.Emit(ctx, signals.OperatorComplete, skill, run, signals.AttrOutcome.String(string(c.Outcome)), signals.AttrState.String(string(c.State)))
	}
}

// compacted counts a conversation that was summarised, or could not be.
func (l *loop) compacted(ctx context.Context, step int, err error) {
	result := "ok"
	if err != nil {
		result = "failed"
		signals.Emit(ctx, signals.CompactionFailed, signals.AttrIteration.Int(step), signals.Text(signals.AttrReason, err.Error()))
	}
	l.watch.compactions.Add(ctx, 1, labels(l.watch.agent, signals.LabelResult.String(result)))
}
