// Package signalstest records what a test's processes tell, and checks that all of
// it stands in the table of package signals.
package signalstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/fleetlens/fleetlens/pkg/signals"
)

// A Record is what was told.
type Record struct {
	signals.Providers
	reader *sdkmetric.ManualReader

	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
	more  chan struct{} // closed at the next span
}

var _ sdktrace.SpanProcessor = (*Record)(nil)

// New returns a record that is empty.
func New() *Record {
	r := &Record{reader: sdkmetric.NewManualReader(), more: make(chan struct{})}
	r.Traces = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r))
	r.Metrics = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	return r
}

// OnStart implements trace.SpanProcessor.
func (*Record) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements trace.SpanProcessor.
func (r *Record) OnEnd(s sdktrace.ReadOnlySpan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, s)
	close(r.more)
	r.more = make(chan struct{})
}

// Shutdown implements trace.SpanProcessor.
func (*Record) Shutdown(context.Context) error { return nil }

// ForceFlush implements trace.SpanProcessor.
func (*Record) ForceFlush(context.Context) error { return nil }

// Spans returns the spans of a name that have ended, in that order; all of them
// for "".
func (r *Record) Spans(name string) []sdktrace.ReadOnlySpan {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.named(name)
}

func (r *Record) named(name string) []sdktrace.ReadOnlySpan {
	var out []sdktrace.ReadOnlySpan
	for _, s := range r.spans {
		if name == "" || s.Name() == name {
			out = append(out, s)
		}
	}
	return out
}

// Await returns the first span of a name when it has ended.
func (r *Record) Await(t testing.TB, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	return r.AwaitAll(t, name, 1)[0]
}

// AwaitAll returns the spans of a name when so many have ended.
func (r *Record) AwaitAll(t testing.TB, name string, n int) []sdktrace.ReadOnlySpan {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		found, more := r.named(name), r.more
		r.mu.Unlock()
		if len(found) >= n {
			return found
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("%d spans %q have ended, want %d", len(found), name, n)
		}
	}
}

// Events returns the attributes of the events of a name, in the order in which
// their spans ended.
func (r *Record) Events(name signals.Event) []map[string]any {
	var out []map[string]any
	for _, s := range r.Spans("") {
		for _, e := range s.Events() {
			if e.Name == string(name) {
				out = append(out, Attrs(e.Attributes))
			}
		}
	}
	return out
}

// Attrs returns attributes as a map.
func Attrs(list []attribute.KeyValue) map[string]any {
	out := map[string]any{}
	for _, kv := range list {
		out[string(kv.Key)] = kv.Value.AsInterface()
	}
	return out
}

// A Point is one series of a metric.
type Point struct {
	Attrs map[string]any
	Value float64 // of a histogram, how many values it has
}

// Points returns the series of a metric.
func (r *Record) Points(t testing.TB, name signals.Metric) []Point {
	t.Helper()
	var out []Point
	r.each(t, func(m metricdata.Metrics) {
		if m.Name != string(name) {
			return
		}
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				out = append(out, Point{Attrs(p.Attributes.ToSlice()), float64(p.Value)})
			}
		case metricdata.Sum[float64]:
			for _, p := range d.DataPoints {
				out = append(out, Point{Attrs(p.Attributes.ToSlice()), p.Value})
			}
		case metricdata.Gauge[int64]:
			for _, p := range d.DataPoints {
				out = append(out, Point{Attrs(p.Attributes.ToSlice()), float64(p.Value)})
			}
		case metricdata.Histogram[float64]:
			for _, p := range d.DataPoints {
				out = append(out, Point{Attrs(p.Attributes.ToSlice()), float64(p.Count)})
			}
		case metricdata.Histogram[int64]:
			for _, p := range d.DataPoints {
				out = append(out, Point{Attrs(p.Attributes.ToSlice()), float64(p.Count)})
			}
		}
	})
	return out
}

// Sum adds up the series of a metric that have these attributes, written as
// "agent=operator".
func (r *Record) Sum(t testing.TB, name signals.Metric, attrs ...string) float64 {
	t.Helper()
	var sum float64
	for _, p := range r.Points(t, name) {
		has := func(want string) bool {
			key, value, _ := strings.Cut(want, "=")
			return fmt.Sprint(p.Attrs[key]) == value
		}
		if !slices.ContainsFunc(attrs, func(a string) bool { return !has(a) }) {
			sum += p.Value
		}
	}
	return sum
}

func (r *Record) each(t testing.TB, f func(metricdata.Metrics)) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			f(m)
		}
	}
}

// Conforms wants all that was told to stand in the table, with no attribute that
// the table does not name and no text that is longer than it may be.
func (r *Record) Conforms(t testing.TB) {
	t.Helper()
	for _, s := range r.Spans("") {
		row := find(s.Name(), signals.KindSpan)
		if row == nil {
			t.Errorf("span %q is not in the table", s.Name())
			continue
		}
		conform(t, *row, s.Attributes())
		for _, e := range s.Events() {
			row := find(e.Name, signals.KindEvent)
			if row == nil {
				t.Errorf("event %q is not in the table", e.Name)
				continue
			}
			conform(t, *row, e.Attributes)
		}
	}
	r.each(t, func(m metricdata.Metrics) {
		row := find(m.Name, signals.KindCounter, signals.KindGauge, signals.KindHistogram)
		if row == nil {
			t.Errorf("metric %q is not in the table", m.Name)
			return
		}
		for _, p := range r.Points(t, signals.Metric(m.Name)) {
			for key := range p.Attrs {
				if !slices.Contains(row.Attrs, attribute.Key(key)) {
					t.Errorf("the table does not name %s of %s", key, m.Name)
				}
			}
		}
	})
}

func find(name string, kinds ...signals.Kind) *signals.Signal {
	for _, s := range signals.Table() {
		if slices.Contains(kinds, s.Kind) && (name == s.Name || s.Kind == signals.KindSpan && strings.HasPrefix(name, s.Name+" ")) {
			return &s
		}
	}
	return nil
}

func conform(t testing.TB, row signals.Signal, attrs []attribute.KeyValue) {
	t.Helper()
	for _, kv := range attrs {
		if !slices.Contains(row.Attrs, kv.Key) {
			t.Errorf("the table does not name %s of %s", kv.Key, row.Name)
		}
		if text := kv.Value.String(); kv.Value.Type() == attribute.STRING && len(text) > signals.MaxText {
			t.Errorf("%s of %s has %d bytes", kv.Key, row.Name, len(text))
		}
	}
}
