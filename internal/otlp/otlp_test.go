package otlp_test

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/fleetlens/fleetlens/internal/otlp"
)

// A collector keeps what it is sent and answers what it is told.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	bodies  [][]byte
	headers []http.Header
	answers []func(http.ResponseWriter) // one a request; then 200
}

func newCollector(t *testing.T, env map[string]string) *collector {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			zip, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = zip
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bodies, c.headers = append(c.bodies, b), append(c.headers, r.Header)
		if len(c.answers) > 0 {
			c.answers[0](w)
			c.answers = c.answers[1:]
		}
	}))
	t.Cleanup(c.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	for k, v := range env {
		t.Setenv(k, v)
	}
	return c
}

// decode reads what was sent with the protocol's own messages. Fields that they do
// not have are faults. Ids are hexadecimal in this encoding, base64 in theirs.
func decode[M proto.Message](t *testing.T, body []byte, m M) M {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case []any:
			for _, e := range x {
				walk(e)
			}
		case map[string]any:
			for k, e := range x {
				if s, ok := e.(string); ok && (k == "traceId" || k == "spanId" || k == "parentSpanId") {
					raw, err := hex.DecodeString(s)
					if err != nil {
						t.Errorf("%s is %q, which is not hexadecimal", k, s)
					}
					x[k] = base64.StdEncoding.EncodeToString(raw)
				}
				walk(e)
			}
		}
	}
	walk(v)
	again, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(again, m); err != nil {
		t.Fatalf("it is not what the protocol says: %v\n%s", err, body)
	}
	return m
}

var res = resource.NewSchemaless(attribute.String("service.name", "test"))

func TestSpansAreWhatTheProtocolSays(t *testing.T) {
	c := newCollector(t, nil)
	exporter, err := otlp.NewTraces()
	if err != nil {
		t.Fatal(err)
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(exporter))
	ctx, parent := p.Tracer("one", trace.WithInstrumentationVersion("v1")).Start(t.Context(), "parent", trace.WithSpanKind(trace.SpanKindServer))
	_, child := p.Tracer("two").Start(ctx, "child", trace.WithLinks(trace.Link{SpanContext: parent.SpanContext(), Attributes: []attribute.KeyValue{attribute.Bool("linked", true)}}))
	child.SetAttributes(
		attribute.String("text", `a "quoted" line`+"\n"), attribute.Int64("large", math.MaxInt64), attribute.Float64("nan", math.NaN()),
		attribute.Float64("half", 0.5), attribute.Bool("no", false), attribute.StringSlice("list", []string{"a", "b"}),
		attribute.Int64Slice("numbers", []int64{1, -2}), attribute.Float64Slice("parts", []float64{math.Inf(1)}), attribute.BoolSlice("truths", []bool{true}),
	)
	child.AddEvent("happened", trace.WithAttributes(attribute.Int("n", 0)))
	child.SetStatus(codes.Error, "it broke")
	child.End()
	parent.SetStatus(codes.Ok, "")
	parent.End()
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.bodies) != 1 {
		t.Fatalf("%d requests", len(c.bodies))
	}
	got := decode(t, c.bodies[0], &tracepb.TracesData{})
	if len(got.ResourceSpans) != 1 || len(got.ResourceSpans[0].ScopeSpans) != 2 {
		t.Fatalf("got %v", got)
	}
	spans := map[string]*tracepb.Span{}
	for _, s := range got.ResourceSpans[0].ScopeSpans {
		for _, span := range s.Spans {
			spans[span.Name] = span
		}
	}
	up, down := spans["parent"], spans["child"]
	id := child.SpanContext().SpanID()
	if string(down.SpanId) != string(id[:]) || string(down.ParentSpanId) != string(up.SpanId) || string(down.TraceId) != string(up.TraceId) || len(up.ParentSpanId) != 0 {
		t.Errorf("the child is %x of %x, the parent %x of %x", down.SpanId, down.ParentSpanId, up.SpanId, up.ParentSpanId)
	}
	if up.Kind != tracepb.Span_SPAN_KIND_SERVER || down.Kind != tracepb.Span_SPAN_KIND_INTERNAL || up.Status.Code != tracepb.Status_STATUS_CODE_OK ||
		down.Status.Code != tracepb.Status_STATUS_CODE_ERROR || down.Status.Message != "it broke" {
		t.Errorf("kinds and states: %v %v", up, down)
	}
	if down.StartTimeUnixNano == 0 || down.EndTimeUnixNano < down.StartTimeUnixNano || len(down.Events) != 1 || down.Events[0].Name != "happened" || len(down.Links) != 1 {
		t.Errorf("the child is %v", down)
	}
	values := map[string]string{}
	for _, kv := range down.Attributes {
		values[kv.Key] = strings.ReplaceAll(kv.Value.String(), "  ", " ")
	}
	for key, want := range map[string]string{
		"text": `string_value:"a \"quoted\" line\n"`, "large": "int_value:9223372036854775807", "nan": "double_value:nan", "half": "double_value:0.5", "no": "bool_value:false",
		"list": `array_value:{values:{string_value:"a"} values:{string_value:"b"}}`, "numbers": `array_value:{values:{int_value:1} values:{int_value:-2}}`,
		"parts": `array_value:{values:{double_value:inf}}`, "truths": `array_value:{values:{bool_value:true}}`,
	} {
		if values[key] != want {
			t.Errorf("%s is %s, want %s", key, values[key], want)
		}
	}
}

func TestMetricsAreWhatTheProtocolSays(t *testing.T) {
	c := newCollector(t, map[string]string{"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})
	exporter, err := otlp.NewMetrics()
	if err != nil {
		t.Fatal(err)
	}
	p := sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	m := p.Meter("one")
	counter, err1 := m.Int64Counter("served", metric.WithUnit("{request}"), metric.WithDescription("Requests."))
	level, err2 := m.Float64Gauge("level")
	took, err3 := m.Float64Histogram("took", metric.WithExplicitBucketBoundaries(1, 10))
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	counter.Add(t.Context(), 3, metric.WithAttributes(attribute.String("path", "/")))
	level.Record(t.Context(), math.Inf(-1))
	for _, v := range []float64{0.5, 5, 50} {
		took.Record(t.Context(), v)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := decode(t, c.bodies[0], &metricspb.MetricsData{})
	of := map[string]*metricspb.Metric{}
	for _, m := range got.ResourceMetrics[0].ScopeMetrics[0].Metrics {
		of[m.Name] = m
	}
	if s := of["served"].GetSum(); s == nil || !s.IsMonotonic || s.AggregationTemporality != metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE ||
		s.DataPoints[0].GetAsInt() != 3 || s.DataPoints[0].Attributes[0].Key != "path" || of["served"].Unit != "{request}" {
		t.Errorf("served is %v", of["served"])
	}
	if g := of["level"].GetGauge(); g == nil || !math.IsInf(g.DataPoints[0].GetAsDouble(), -1) {
		t.Errorf("level is %v", of["level"])
	}
	h := of["took"].GetHistogram()
	if h == nil || h.DataPoints[0].Count != 3 || h.DataPoints[0].GetSum() != 55.5 || h.DataPoints[0].GetMin() != 0.5 || h.DataPoints[0].GetMax() != 50 ||
		!cmp.Equal(h.DataPoints[0].BucketCounts, []uint64{1, 1, 1}) || !cmp.Equal(h.DataPoints[0].ExplicitBounds, []float64{1, 10}) {
		t.Errorf("took is %v", of["took"])
	}
	err = exporter.Export(t.Context(), &metricdata.ResourceMetrics{Resource: res, ScopeMetrics: []metricdata.ScopeMetrics{{Metrics: []metricdata.Metrics{{Name: "odd", Data: metricdata.Summary{}}}}}})
	if err == nil || !strings.Contains(err.Error(), "odd") {
		t.Errorf("what cannot be sent gives %v", err)
	}
}

func TestLogRecordsAreWhatTheProtocolSays(t *testing.T) {
	c := newCollector(t, nil)
	exporter, err := otlp.NewLogs()
	if err != nil {
		t.Fatal(err)
	}
	p := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	var r log.Record
	r.SetTimestamp(time.Unix(1, 2))
	r.SetSeverity(log.SeverityWarn)
	r.SetSeverityText("WARN")
	r.SetBody(attribute.StringValue("said"))
	r.AddAttributes(attribute.Int("n", 7), attribute.String("s", "v"))
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled}))
	p.Logger("one").Emit(ctx, r)
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := decode(t, c.bodies[0], &logspb.LogsData{}).ResourceLogs[0].ScopeLogs[0].LogRecords[0]
	if got.TimeUnixNano != 1e9+2 || got.SeverityNumber != logspb.SeverityNumber_SEVERITY_NUMBER_WARN || got.SeverityText != "WARN" || got.Body.GetStringValue() != "said" ||
		len(got.Attributes) != 2 || got.Attributes[0].Value.GetIntValue() != 7 || got.TraceId[0] != 1 || got.SpanId[0] != 2 || got.Flags != 1 {
		t.Errorf("got %v", got)
	}
}

func export(t *testing.T) error {
	t.Helper()
	exporter, err := otlp.NewTraces()
	if err != nil {
		return err
	}
	return exporter.ExportSpans(t.Context(), spans(t))
}

func spans(t *testing.T) []sdktrace.ReadOnlySpan {
	t.Helper()
	kept := &keeper{}
	p := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	_, s := p.Tracer("one").Start(t.Context(), "span")
	s.End()
	return kept.spans
}

type keeper struct{ spans []sdktrace.ReadOnlySpan }

func (k *keeper) ExportSpans(_ context.Context, s []sdktrace.ReadOnlySpan) error {
	k.spans = append(k.spans, s...)
	return nil
}
func (k *keeper) Shutdown(context.Context) error { return nil }

func answer(status int, body string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestAnExportIsRepeatedOnlyWhereThatHelps(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answers  []func(http.ResponseWriter)
		requests int
		says     string
	}{
		{"a collector that restarts", []func(http.ResponseWriter){answer(503, ""), answer(502, "")}, 3, ""},
		{"one that asks for time", []func(http.ResponseWriter){answer(429, "", "Retry-After", "1")}, 2, ""},
		{"one that cannot read it", []func(http.ResponseWriter){answer(400, "bad span")}, 1, "bad span"},
		{"one that takes a part", []func(http.ResponseWriter){answer(200, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}`)}, 1, "the collector did not take 1 spans: too old"},
		{"one that never can", []func(http.ResponseWriter){answer(503, ""), answer(503, ""), answer(503, ""), answer(503, ""), answer(503, "")}, 5, "503"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCollector(t, nil)
			c.answers = tt.answers
			err := export(t)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
			if len(c.bodies) != tt.requests {
				t.Errorf("%d requests, want %d", len(c.bodies), tt.requests)
			}
		})
	}
}

func TestTheEnvironmentIsObeyed(t *testing.T) {
	t.Run("headers", func(t *testing.T) {
		c := newCollector(t, map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20abc,x-team = a"})
		if err := export(t); err != nil {
			t.Fatal(err)
		}
		if h := c.headers[0]; h.Get("Authorization") != "Basic abc" || h.Get("X-Team") != "a" || h.Get("Content-Type") != "application/json" {
			t.Errorf("got %v", h)
		}
	})
	for name, tt := range map[string]struct{ env, value, says string }{
		"an address without a scheme":   {"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT"},
		"a time that is none":           {"OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "a number of milliseconds"},
		"a compression there is not":    {"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd", "gzip or none"},
		"headers that are none":         {"OTEL_EXPORTER_OTLP_HEADERS", "secret", "a list of key=value"},
		"a certificate that is missing": {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent", "/nonexistent"},
	} {
		t.Run(name, func(t *testing.T) {
			newCollector(t, map[string]string{tt.env: tt.value})
			err := export(t)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}
