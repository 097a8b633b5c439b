package operator

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// tells is what an operator tells of its work.
type tells struct {
	agent    *agent.Telemetry
	requests metric.Float64Histogram
	seen     metric.Int64Counter
	crossed  metric.Int64Counter
}

func newTells(p signals.Providers) tells {
	return tells{agent: agent.NewTelemetry(p), requests: signals.Histogram(p.Meter(), signals.ProbeRequests),
		seen: signals.Counter(p.Meter(), signals.WatchSnapshots), crossed: signals.Counter(p.Meter(), signals.WatchNotifications)}
}

// watched counts the snapshots of a skill that were evaluated, and what they gave rise to.
func (t tells) watched(ctx context.Context, skill string, snapshots, notifications int) {
	if t.seen == nil { // outside of a worker
		return
	}
	of := metric.WithAttributeSet(attribute.NewSet(signals.LabelSkill.String(skill)))
	t.seen.Add(ctx, int64(snapshots), of)
	t.crossed.Add(ctx, int64(notifications), of)
}

// asked counts a question to a probe.
func (t tells) asked(ctx context.Context, verb string, at time.Time, err error) {
	if t.requests == nil { // outside of a worker
		return
	}
	result := "ok"
	_, refused := errors.AsType[bus.Refusal](err)
	switch {
	case err == nil:
	case refused:
		result = "refused"
	case errors.Is(err, bus.ErrNobody):
		result = "nobody"
	case errors.Is(err, context.DeadlineExceeded):
		result = "late"
	default:
		result = "failed"
	}
	t.requests.Record(ctx, time.Since(at).Seconds(), metric.WithAttributeSet(attribute.NewSet(signals.LabelVerb.String(verb), signals.LabelResult.String(result))))
}

// traced returns ctx within the trace of a task: that of its message, unless the
// run began in another one, else the one that the task names.
func traced(ctx context.Context, task protocol.Task, records []protocol.Record) context.Context {
	ctx = agent.Continue(ctx, task.RunID, records)
	if signals.TraceID(ctx) == "" {
		return signals.InTrace(ctx, task.TraceID, task.RunID)
	}
	return ctx
}
