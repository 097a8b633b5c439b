package coordinator

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// tells is what a coordinator tells of its work.
type tells struct {
	agent          *agent.Telemetry
	tracer         trace.Tracer
	investigations metric.Int64Counter
	took           metric.Float64Histogram
	signals        metric.Int64Counter
	asked          metric.Int64Counter
	leading        metric.Int64UpDownCounter
	meter          metric.Meter
}

func newTells(p signals.Providers) tells {
	return tells{
		agent: agent.NewTelemetry(p), tracer: p.Tracer(), investigations: signals.Counter(p.Meter(), signals.Investigations),
		took:    signals.Histogram(p.Meter(), signals.TimeToInsight),
		signals: signals.Counter(p.Meter(), signals.TriageSignals), leading: signals.UpDown(p.Meter(), signals.TriageLeading),
		asked: signals.Counter(p.Meter(), signals.TriageRequests), meter: p.Meter(),
	}
}

// watchNodes tells how many nodes there are until stop is called.
func (t tells) watchNodes(f *fleet) (stop func()) {
	alive := signals.ObserveGauge(t.meter, signals.KnownNodes, func() int64 { n, _ := f.census(time.Now()); return n }, signals.LabelState.String("alive"))
	silent := signals.ObserveGauge(t.meter, signals.KnownNodes, func() int64 { _, n := f.census(time.Now()); return n }, signals.LabelState.String("silent"))
	return func() { alive(); silent() }
}

// triaged counts what became of a signal.
func (t tells) triaged(ctx context.Context, result string) {
	t.signals.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(signals.LabelResult.String(result))))
}

// triageAsked counts an investigation that triage asked for, or could not.
func (t tells) triageAsked(ctx context.Context, model bool, err error) {
	result := "model"
	switch {
	case err != nil:
		result = "failed"
	case !model:
		result = "rules"
	}
	t.asked.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(signals.LabelResult.String(result))))
}

// traced returns ctx within the span of the investigation. It is in a trace in any
// case, be it one that this process tells nobody of: its id stands in what is
// published, and others may tell.
//
// What was scheduled is a trace of its own, linked to that of whoever scheduled it:
// it may come a month later, or again and again.
func (inv *investigation) traced(ctx context.Context, d *bus.Delivery, records []protocol.Record) (context.Context, trace.Span) {
	opts := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		signals.Text(signals.AttrInvestigation, inv.id), signals.Text(signals.AttrReason, inv.req.Reason),
		signals.Text(signals.AttrStrategy, inv.req.Strategy), signals.AttrDeliveryNumber.Int(d.Deliveries),
	)}
	again := d.Subject == bus.ScheduledSubject
	if by := trace.SpanContextFromContext(ctx); again && by.IsValid() {
		ctx, opts = signals.Outside(ctx), append(opts, trace.WithLinks(trace.Link{SpanContext: by}))
	}
	ctx, span := signals.Start(agent.Continue(ctx, inv.id, records), inv.tells.tracer, signals.Investigation, "", opts...)
	if again {
		signals.Emit(ctx, signals.ScheduledReinvoke, signals.Text(signals.AttrReason, inv.req.Reason))
	}
	if signals.TraceID(ctx) == "" {
		ctx = signals.InTrace(ctx, protocol.NewTraceID(), inv.id)
	}
	inv.log = signals.Logger(ctx, inv.Log.With("investigation", inv.id))
	return ctx, span
}

// ended tells how the investigation ended; again says that it had ended before.
func (inv *investigation) ended(ctx context.Context, span trace.Span, r protocol.Result, again bool) {
	span.SetAttributes(signals.AttrOutcome.String(string(r.State)), signals.AttrInsightsCount.Int(len(r.Insights)))
	if r.State == protocol.ResultFailed || r.State == protocol.ResultDeadline {
		signals.Error(span, string(r.State), r.Error)
	}
	if !again {
		state := metric.WithAttributeSet(attribute.NewSet(signals.LabelState.String(string(r.State))))
		inv.tells.investigations.Add(ctx, 1, state)
		inv.tells.took.Record(ctx, r.EndedAt.Sub(r.StartedAt).Seconds(), state)
	}
}
