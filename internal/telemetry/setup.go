package telemetry

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/fleetlens/fleetlens/internal/otlp"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// Config says what a process tells, and as whom.
type Config struct {
	Service string // "fleetlens-probe", unless OTEL_SERVICE_NAME says otherwise
	Version string
	Metrics bool // make metrics for /metrics; those for a collector do not depend on it
}

// A Telemetry is where the signals of a process go.
type Telemetry struct {
	signals.Providers
	registry *prometheus.Registry
	logs     slog.Handler
	stops    []func(context.Context) error
}

// Setup makes what the configuration and the standard environment variables ask
// for. What the environment asks for in vain is told to log, and does not keep the
// process from its work. Call Stop at the end.
func Setup(ctx context.Context, cfg Config, log *slog.Logger) (*Telemetry, error) {
	t := &Telemetry{}
	if cfg.Metrics {
		t.registry = prometheus.NewRegistry()
		t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return t, nil
	}
	traces, metrics, logs := wanted("TRACES", log), wanted("METRICS", log), wanted("LOGS", log)
	if !traces && !metrics && !logs && !cfg.Metrics {
		return t, nil
	}
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", cfg.Service), attribute.String("service.version", cfg.Version),
		attribute.String("service.instance.id", rand.Text()), // of two operators the metrics stay apart
	), resource.WithHost(), resource.WithFromEnv()) // the environment has the last word
	if err != nil && !errors.Is(err, resource.ErrPartialResource) && !errors.Is(err, resource.ErrSchemaURLConflict) {
		return nil, err
	}
	if traces || metrics || logs {
		otel.SetErrorHandler(&complaints{log: log})
	}
	return t, errors.Join(t.traces(traces, res), t.metrics(metrics, res), t.sendLogs(logs, res, cfg))
}

// exportTimeout is how long one export may take. Queues are bounded: what does not
// fit is dropped.
const exportTimeout = 10 * time.Second

func (t *Telemetry) traces(on bool, res *resource.Resource) error {
	if !on {
		return nil
	}
	exporter, err := otlp.NewTraces()
	if err != nil {
		return err
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(exporter, sdktrace.WithExportTimeout(exportTimeout)))
	t.Traces, t.stops = p, append(t.stops, p.Shutdown)
	return nil
}

func (t *Telemetry) metrics(send bool, res *resource.Resource) error {
	opts := []sdkmetric.Option{sdkmetric.WithResource(res)}
	if t.registry != nil {
		reader, err := promexporter.New(promexporter.WithRegisterer(t.registry), promexporter.WithoutScopeInfo())
		if err != nil {
			return err
		}
		opts = append(opts, sdkmetric.WithReader(reader))
	}
	if send {
		exporter, err := otlp.NewMetrics()
		if err != nil {
			return err
		}
		opts = append(opts, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}
	if len(opts) == 1 {
		return nil
	}
	p := sdkmetric.NewMeterProvider(opts...)
	t.Metrics, t.stops = p, append(t.stops, p.Shutdown)
	return nil
}

func (t *Telemetry) sendLogs(on bool, res *resource.Resource, cfg Config) error {
	if !on {
		return nil
	}
	exporter, err := otlp.NewLogs()
	if err != nil {
		return err
	}
	p := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter, sdklog.WithExportTimeout(exportTimeout))))
	t.logs = otelslog.NewHandler(signals.Scope, otelslog.WithLoggerProvider(p), otelslog.WithVersion(cfg.Version))
	t.stops = append(t.stops, p.Shutdown)
	return nil
}

// Logger returns a logger that writes where log does, and to the collector of logs
// when there is one.
func (t *Telemetry) Logger(log *slog.Logger) *slog.Logger {
	if t.logs == nil {
		return log
	}
	return slog.New(slog.NewMultiHandler(log.Handler(), alike{t.logs, log.Handler()}))
}

// alike takes records of the levels that another handler takes.
type alike struct {
	slog.Handler
	other slog.Handler
}

// Enabled implements slog.Handler.
func (a alike) Enabled(ctx context.Context, level slog.Level) bool {
	return a.other.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (a alike) WithAttrs(attrs []slog.Attr) slog.Handler {
	return alike{a.Handler.WithAttrs(attrs), a.other}
}

// WithGroup implements slog.Handler.
func (a alike) WithGroup(name string) slog.Handler { return alike{a.Handler.WithGroup(name), a.other} }

// stopWithin is how long the last export may take: a collector that is down must
// not hold up the end of a process.
const stopWithin = 3 * time.Second

// Stop sends what is queued, if that is soon done.
func (t *Telemetry) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	ended := make(chan struct{}, len(t.stops))
	for _, stop := range t.stops {
		go func() {
			_ = stop(ctx) // the error handler has said it
			ended <- struct{}{}
		}()
	}
	for range t.stops {
		<-ended
	}
}

// PrometheusName returns what /metrics calls a metric.
func PrometheusName(s signals.Signal) string {
	name := strings.ReplaceAll(s.Name, ".", "_")
	if s.Unit == "s" {
		name += "_seconds"
	}
	if s.Kind == signals.KindCounter {
		name += "_total"
	}
	return name
}
