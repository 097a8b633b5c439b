package agent

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.41.0/genaiconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// Telemetry is where runs tell what they do, as spans and metrics. Make one for
// the whole process; a nil one tells nobody.
type Telemetry struct {
	tracer trace.Tracer

	runs, takeovers, decisionsFailed, toolCalls, compactions metric.Int64Counter
	notifications, notificationsFailed, insights             metric.Int64Counter
	inFlight                                                 metric.Int64UpDownCounter
	runDuration, runSteps, decisionDuration, toolDuration    metric.Float64Histogram

	cost      metric.Float64Counter
	tokens    genaiconv.ClientTokenUsage
	operation genaiconv.ClientOperationDuration
}

// NewTelemetry returns telemetry that goes where p says.
func NewTelemetry(p signals.Providers) *Telemetry {
	m := p.Meter()
	t := &Telemetry{
		tracer:              p.Tracer(),
		runs:                signals.Counter(m, signals.Runs),
		takeovers:           signals.Counter(m, signals.Takeovers),
		decisionsFailed:     signals.Counter(m, signals.DecisionsFailed),
		toolCalls:           signals.Counter(m, signals.ToolCalls),
		compactions:         signals.Counter(m, signals.Compactions),
		notifications:       signals.Counter(m, signals.Notifications),
		notificationsFailed: signals.Counter(m, signals.NotificationsFailed),
		insights:            signals.Counter(m, signals.Insights),
		inFlight:            signals.UpDown(m, signals.RunsInFlight),
		runDuration:         signals.Histogram(m, signals.RunDuration),
		runSteps:            signals.Histogram(m, signals.RunSteps),
		cost:                signals.Amount(m, signals.Cost),
		decisionDuration:    signals.Histogram(m, signals.DecisionDuration),
		toolDuration:        signals.Histogram(m, signals.ToolDuration),
	}
	var err error
	if t.tokens, err = genaiconv.NewClientTokenUsage(m, metric.WithExplicitBucketBoundaries(tokenBuckets...)); err != nil {
		panic("agent: " + err.Error()) // a fault of the conventions' package
	}
	if t.operation, err = genaiconv.NewClientOperationDuration(m, metric.WithExplicitBucketBoundaries(operationBuckets...)); err != nil {
		panic("agent: " + err.Error())
	}
	return t
}

// Bounds that the conventions for generative AI advise.
var (
	tokenBuckets     = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
	operationBuckets = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
)

// nobody is told when a run has no telemetry.
var nobody = sync.OnceValue(func() *Telemetry { return NewTelemetry(signals.Providers{}) })

type telemetryKey struct{}

// telemetryOf returns the telemetry of the run that ctx is part of: deciders are
// shared by runs, and are asked outside of runs too.
func telemetryOf(ctx context.Context) *Telemetry {
	if t, ok := ctx.Value(telemetryKey{}).(*Telemetry); ok {
		return t
	}
	return nobody()
}

// GaveUp counts a run that ended without a step: it could not be run.
func (t *Telemetry) GaveUp(ctx context.Context, agent, skill string, outcome protocol.Outcome) {
	t.runs.Add(ctx, 1, labels(signals.LabelAgent.String(agent), signals.LabelSkill.String(skill), signals.LabelOutcome.String(string(outcome))))
}

func labels(kv ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(kv...))
}
