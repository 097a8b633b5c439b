package bus

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// WithTrace returns ctx within the trace that a message belongs to. The headers of
// a message without one change nothing.
func WithTrace(ctx context.Context, header map[string][]string) context.Context {
	if v := header[protocol.HeaderTraceParent]; len(v) > 0 {
		return signals.WithTraceParent(ctx, v[0])
	}
	return ctx
}

// question is a request, which carries the trace it is part of.
func question(ctx context.Context, subject string, data []byte) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: data}
	if parent := signals.TraceParent(ctx); parent != "" {
		m.Header = nats.Header{protocol.HeaderTraceParent: {parent}}
	}
	return m
}

// tells counts what a connection carries.
type tells struct {
	stop                                  func() // of what is read when metrics are collected
	inFlight                              metric.Int64UpDownCounter
	deliveries, redeliveries, deadLetters metric.Int64Counter
}

func newTells(p signals.Providers, source string, nc *nats.Conn) tells {
	m := p.Meter()
	// Of "probe/web-1" only what kind of process it is: a node's name is no label.
	kind, _, _ := strings.Cut(source, "/")
	of := signals.LabelConnection.String(kind)
	stopUp := signals.ObserveGauge(m, signals.BusConnected, func() int64 {
		if nc.IsConnected() {
			return 1
		}
		return 0
	}, of)
	stopBack := signals.ObserveCounter(m, signals.BusReconnects, func() int64 {
		return int64(nc.Stats().Reconnects)
	}, of)
	return tells{
		stop:         func() { stopUp(); stopBack() },
		inFlight:     signals.UpDown(m, signals.BusInFlight),
		deliveries:   signals.Counter(m, signals.BusDeliveries),
		redeliveries: signals.Counter(m, signals.BusRedeliveries),
		deadLetters:  signals.Counter(m, signals.BusDeadLetters),
	}
}

func stream(name string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(signals.LabelStream.String(name)))
}

// working counts a message that a handler begins with; what it returns is called
// with the handler's error.
func (t tells) working(ctx context.Context, consumer string, deliveries int) (done func(error)) {
	of := signals.LabelConsumer.String(consumer)
	t.inFlight.Add(ctx, 1, metric.WithAttributes(of))
	if deliveries > 1 {
		t.redeliveries.Add(ctx, 1, metric.WithAttributes(of))
	}
	return func(err error) {
		t.inFlight.Add(ctx, -1, metric.WithAttributes(of))
		t.deliveries.Add(ctx, 1, metric.WithAttributes(of, signals.LabelVerdict.String(verdictOf(err))))
	}
}

// verdictOf names what a handler's error means, as [Handler] says.
func verdictOf(err error) string {
	_, permanent := errors.AsType[permanentError](err)
	switch {
	case err == nil:
		return "ack"
	case errors.Is(err, ErrNotMine):
		return "not_mine"
	case permanent:
		return "deadletter"
	case errors.Is(err, context.Canceled):
		return "handed_back"
	}
	return "again"
}
