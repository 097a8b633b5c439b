package probe

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// tells is what a probe tells of its work.
type tells struct {
	stop func() // of what is read when metrics are collected

	tracer                           trace.Tracer
	collections, calls               metric.Int64Counter
	odd, anomalies, escalations      metric.Int64Counter
	baselines                        metric.Int64Counter
	collectionDuration, callDuration metric.Float64Histogram
}

func newTells(p signals.Providers, o *outbox, d *Detector) tells {
	m := p.Meter()
	stopBuffered := signals.ObserveGauge(m, signals.Buffered, func() int64 {
		n, _ := o.stats()
		return int64(n)
	})
	stopDropped := signals.ObserveCounter(m, signals.Dropped, func() int64 {
		_, n := o.stats()
		return int64(n)
	})
	stop := []func(){stopBuffered, stopDropped}
	if d != nil {
		for _, s := range []detect.State{detect.Learning, detect.Active, detect.Cooldown} {
			stop = append(stop, signals.ObserveGauge(m, signals.DetectorState, func() int64 { return d.is(s) }, signals.LabelState.String(string(s))))
		}
	}
	return tells{
		stop: func() {
			for _, s := range stop {
				s()
			}
		},
		tracer: p.Tracer(), collections: signals.Counter(m, signals.Collections), calls: signals.Counter(m, signals.Calls),
		odd: signals.Counter(m, signals.OddSamples), anomalies: signals.Counter(m, signals.Anomalies),
		escalations: signals.Counter(m, signals.Escalations), baselines: signals.Counter(m, signals.Baselines),
		collectionDuration: signals.Histogram(m, signals.CollectionDuration), callDuration: signals.Histogram(m, signals.CallDuration),
	}
}

// take takes one snapshot, and counts it.
func (p *probe) take(ctx context.Context, src *source) (protocol.Snapshot, error) {
	began := time.Now()
	snap, err := p.collect(ctx, src)
	p.clean(&snap)
	err = p.cleanError(err) // it goes to who asks, and to logs
	result := "ok"
	switch {
	case err != nil:
		result = "failed"
	case len(snap.Errors) > 0:
		result = "partial"
	}
	skill := signals.LabelSkill.String(src.skill)
	p.tells.collections.Add(ctx, 1, metric.WithAttributes(skill, signals.LabelResult.String(result)))
	p.tells.collectionDuration.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(skill))
	return snap, err
}

// observed answers a question within a span, where the question belongs to a
// trace. A question that belongs to none would make one that nobody looks for.
func (p *probe) observed(ctx context.Context, verb string, c protocol.Call, answer func(context.Context, protocol.Call) (any, error)) (any, error) {
	callback := ""
	if verb == "call" {
		callback = "unknown" // who asks may write anything; there are so many names only as there are callbacks
		if t, err := p.target(c.Target); err == nil {
			if _, err := t.callback(c.Callback, p.base); err == nil {
				callback = c.Callback
			}
		}
	}
	of := callback
	if of == "" {
		of = verb
	}
	if trace.SpanContextFromContext(ctx).IsValid() {
		var span trace.Span
		ctx, span = signals.Start(ctx, p.tells.tracer, signals.ProbeCall, of, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			signals.AttrVerb.String(verb), signals.Text(signals.AttrCallback, c.Callback), signals.Text(signals.AttrSkill, c.Skill)))
		defer span.End()
	}
	began := time.Now()
	v, err := answer(ctx, c)
	err = p.cleanError(err) // it goes to who asks, and to traces
	result := "ok"
	if err != nil {
		code := 500
		if r, ok := errors.AsType[bus.Refusal](err); ok {
			code = r.Code
		}
		result = strconv.Itoa(code)
		span := trace.SpanFromContext(ctx)
		span.SetAttributes(signals.AttrRefusal.Int(code))
		signals.Error(span, result, err.Error())
	}
	if verb == "call" {
		name := signals.LabelCallback.String(callback)
		p.tells.calls.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(name, signals.LabelResult.String(result))))
		p.tells.callDuration.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(name))
	}
	return v, err
}
