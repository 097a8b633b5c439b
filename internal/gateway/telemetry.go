package gateway

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// tells is what a gateway tells of its work.
type tells struct {
	meter          metric.Meter
	sent, failures metric.Int64Counter
}

func newTells(p signals.Providers) tells {
	return tells{p.Meter(), signals.Counter(p.Meter(), signals.SinkSent), signals.Counter(p.Meter(), signals.SinkFailures)}
}

// attempted counts an attempt by what became of it.
func (t tells) attempted(ctx context.Context, sink, state string) {
	of := signals.LabelSink.String(sink)
	result := "again"
	switch state {
	case stateSent:
		t.sent.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(of)))
		return
	case stateGivenUp:
		result = "given_up"
	}
	t.failures.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(of, signals.LabelResult.String(result))))
}

// pendingEvery is how often it is looked up what is still to be sent.
const pendingEvery = 5 * time.Second

// watch tells what is still to be sent to a sink, until ctx ends.
func (t tells) watch(ctx context.Context, conn *bus.Conn, sink string) {
	var pending atomic.Int64
	defer signals.ObserveGauge(t.meter, signals.SinkPending, pending.Load, signals.LabelSink.String(sink))()
	tick := time.NewTicker(pendingEvery)
	defer tick.Stop()
	for {
		if s, err := conn.ConsumerState(ctx, bus.Sink(sink)); err == nil {
			pending.Store(int64(s.Waiting + s.Working))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
