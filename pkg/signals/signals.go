// Package signals names all that Fleetlens tells of itself, in one table: spans,
// events on spans, and metrics. Whoever emits one uses a name of this package, and
// docs/reference/telemetry.md is made from the table, so that the two cannot drift.
//
// It knows the interfaces of OpenTelemetry and nothing that sends: where signals go
// is said by [Providers].
package signals

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	nometric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	notrace "go.opentelemetry.io/otel/trace/noop"
)

// Scope is the name of the instrumentation scope of every signal.
const Scope = "github.com/fleetlens/fleetlens"

// Names of signals. That they are types of their own keeps text that is not in
// the table from being emitted.
type (
	// A Span is the name of a span, or how it begins: "chat" of "chat claude-haiku".
	Span string
	// An Event is the name of an event on a span.
	Event string
	// A Metric is the name of a metric. Prometheus writes its dots as underscores,
	// and adds the unit, and _total to counters.
	Metric string
)

// A Kind says what a signal is.
type Kind string

// Kinds of signal.
const (
	KindSpan      Kind = "span"
	KindEvent     Kind = "event"
	KindCounter   Kind = "counter"   // only grows
	KindGauge     Kind = "gauge"     // goes up and down
	KindHistogram Kind = "histogram" // how values are spread
)

// A Signal is a row of the table.
type Signal struct {
	Name  string
	Kind  Kind
	Unit  string // of a metric, in UCUM; empty for a plain number of things
	Attrs []attribute.Key
	Doc   string
	// For names the events of the reference that it stands for, see
	// docs/reference/telemetry.md.
	For []string
	// Buckets are the bounds of a histogram's buckets.
	Buckets []float64
}

// Providers is where signals go. The zero value is nowhere.
type Providers struct {
	Traces  trace.TracerProvider // nil: nowhere
	Metrics metric.MeterProvider // nil: nowhere
}

// Tracer returns what makes spans.
func (p Providers) Tracer() trace.Tracer {
	if p.Traces == nil {
		return notrace.NewTracerProvider().Tracer(Scope)
	}
	return p.Traces.Tracer(Scope)
}

// Meter returns what makes instruments.
func (p Providers) Meter() metric.Meter {
	if p.Metrics == nil {
		return nometric.NewMeterProvider().Meter(Scope)
	}
	return p.Metrics.Meter(Scope)
}

// Start begins a span. of is what its name ends in, such as the tool's; it may be empty.
func Start(ctx context.Context, t trace.Tracer, name Span, of string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	full := string(name)
	if of != "" {
		full += " " + of
	}
	return t.Start(ctx, full, opts...)
}

// Emit adds an event to the span of ctx, if it is recorded.
func Emit(ctx context.Context, name Event, attrs ...attribute.KeyValue) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.AddEvent(string(name), trace.WithAttributes(attrs...))
	}
}

// MaxText is how many bytes a text may have that becomes an attribute: what a
// model or a host wrote is shown in part only.
const MaxText = 256

// Text returns an attribute of a text, cut to MaxText bytes.
func Text(key attribute.Key, text string) attribute.KeyValue {
	if len(text) > MaxText {
		n := MaxText - len("…")
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n] + "…"
	}
	return key.String(strings.ToValidUTF8(text, "?"))
}

// Error marks a span as failed. class is a short word that tells one sort of
// failure from another.
func Error(span trace.Span, class, text string) {
	if !span.IsRecording() {
		return
	}
	short := Text("", text).Value.AsString()
	span.SetAttributes(AttrErrorType.String(class))
	span.SetStatus(codeError, short)
}

// Counter returns the counter of a row of the table.
func Counter(m metric.Meter, name Metric) metric.Int64Counter {
	row := row(name, KindCounter)
	c, err := m.Int64Counter(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Doc))
	return must(c, err, name)
}

// Amount returns the counter of a row of the table, as one of what has fractions.
func Amount(m metric.Meter, name Metric) metric.Float64Counter {
	row := row(name, KindCounter)
	c, err := m.Float64Counter(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Doc))
	return must(c, err, name)
}

// UpDown returns the gauge of a row of the table, as one that is added to and
// subtracted from.
func UpDown(m metric.Meter, name Metric) metric.Int64UpDownCounter {
	row := row(name, KindGauge)
	c, err := m.Int64UpDownCounter(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Doc))
	return must(c, err, name)
}

// Histogram returns the histogram of a row of the table.
func Histogram(m metric.Meter, name Metric) metric.Float64Histogram {
	row := row(name, KindHistogram)
	h, err := m.Float64Histogram(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Doc), metric.WithExplicitBucketBoundaries(row.Buckets...))
	return must(h, err, name)
}

// ObserveCounter reads the counter of a row by read whenever metrics are collected,
// until stop is called. Several may be read for one row, with attributes that differ.
func ObserveCounter(m metric.Meter, name Metric, read func() int64, attrs ...attribute.KeyValue) (stop func()) {
	row := row(name, KindCounter)
	c, err := m.Int64ObservableCounter(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Doc))
	return observe(m, name, must(c, err, name), read, attrs)
}

// ObserveGauge does the same for the gauge of a row.
func ObserveGauge(m metric.Meter, name Metric, read func() int64, attrs ...attribute.KeyValue) (stop func()) {
	row := row(name, KindGauge)
	g, err := m.Int64ObservableGauge(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Doc))
	return observe(m, name, must(g, err, name), read, attrs)
}

// observe registers the callback apart from the instrument: of two instruments of
// one name, OpenTelemetry keeps the first with its callbacks only.
func observe(m metric.Meter, name Metric, i metric.Int64Observable, read func() int64, attrs []attribute.KeyValue) func() {
	of := metric.WithAttributeSet(attribute.NewSet(attrs...))
	r, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(i, read(), of)
		return nil
	}, i)
	must(r, err, name)
	return func() { _ = r.Unregister() } // it fails only for what is not registered
}

func row(name Metric, kind Kind) Signal {
	for _, s := range Table() {
		if s.Name == string(name) && s.Kind == kind {
			return s
		}
	}
	panic(fmt.Sprintf("signals: no %s %q in the table", kind, name)) // a fault of this program
}

func must[T any](v T, err error, name Metric) T {
	if err != nil {
		panic(fmt.Sprintf("signals: %s: %v", name, err)) // a name or unit that OpenTelemetry does not take
	}
	return v
}
