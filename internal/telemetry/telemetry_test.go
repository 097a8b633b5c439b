package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/telemetry"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// A collector takes what is sent by OTLP.
type collector struct {
	*httptest.Server
	mu   sync.Mutex
	got  map[string][]byte // by path
	fail bool
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{got: map[string][]byte{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil || c.fail {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		c.got[r.URL.Path] = append(c.got[r.URL.Path], body...)
		w.Header().Set("Content-Type", "application/json")
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) at(path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.got[path])
}

// environment sets the variables, and clears all others of OpenTelemetry.
func environment(t *testing.T, vars map[string]string) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
	for name, value := range vars {
		t.Setenv(name, value)
	}
}

func setup(t *testing.T, log io.Writer, metrics bool) *telemetry.Telemetry {
	t.Helper()
	tel, err := telemetry.Setup(t.Context(), telemetry.Config{Service: "fleetlens-test", Version: "v1", Metrics: metrics}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

// tell tells one of each.
func tell(t *testing.T, tel *telemetry.Telemetry, log io.Writer) {
	t.Helper()
	ctx, span := signals.Start(t.Context(), tel.Tracer(), signals.Investigation, "")
	signals.Counter(tel.Meter(), signals.Investigations).Add(ctx, 1)
	logger := tel.Logger(slog.New(slog.NewTextHandler(log, nil)))
	logger.DebugContext(ctx, "too small to tell")
	logger.With("run", "run-1").WarnContext(ctx, "something happened")
	span.End()
}

func TestACollectorGetsWhatTheEnvironmentAsksFor(t *testing.T) {
	const traces, metrics, logs = "/v1/traces", "/v1/metrics", "/v1/logs"
	for _, tt := range []struct {
		name string
		env  map[string]string // URL stands for the collector's
		want []string
		says string
	}{
		{"all of it", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL"}, []string{traces, metrics, logs}, ""},
		{"nothing unless it is asked for", nil, nil, ""},
		{"traces alone", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "URL/v1/traces"}, []string{traces}, ""},
		{"all but what is to go nowhere", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}, []string{traces}, ""},
		{"nothing when all is disabled", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_SDK_DISABLED": "true"}, nil, ""},
		{"nothing by a protocol that is not spoken, which is said", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, nil, "only the protocol http/json is spoken"},
		{"JSON where protobuf is asked for, which is said", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, []string{traces, metrics, logs}, "sent in JSON"},
		{"nothing by an exporter that there is not, which is said", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_EXPORTER": "zipkin"}, []string{metrics, logs}, "there is no such exporter"},
		{"no traces when none are sampled", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_SAMPLER": "always_off"}, []string{metrics, logs}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCollector(t)
			env := map[string]string{}
			for name, value := range tt.env {
				env[name] = strings.ReplaceAll(value, "URL", c.URL)
			}
			environment(t, env)
			var said bytes.Buffer
			tel := setup(t, &said, false)
			tell(t, tel, &said)
			tel.Stop()
			for path, holds := range map[string]string{traces: "investigation", metrics: "fleetlens.coordinator.investigations", logs: "something happened"} {
				wanted := false
				for _, w := range tt.want {
					wanted = wanted || w == path
				}
				switch got := c.at(path); {
				case wanted && (!strings.Contains(got, holds) || !strings.Contains(got, "fleetlens-test")):
					t.Errorf("%s got %q", path, got)
				case !wanted && got != "":
					t.Errorf("%s got %q, nobody asked for it", path, got)
				case strings.Contains(got, "too small"):
					t.Errorf("%s got what the log's level leaves out", path)
				}
			}
			if !strings.Contains(said.String(), tt.says) || !strings.Contains(said.String(), "something happened") {
				t.Errorf("the log has %s", said.String())
			}
		})
	}
}

func TestTheEnvironmentNamesTheService(t *testing.T) {
	c := newCollector(t)
	environment(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL, "OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"})
	tel := setup(t, io.Discard, false)
	tell(t, tel, io.Discard)
	tel.Stop()
	if got := c.at("/v1/traces"); !strings.Contains(got, "mine") || !strings.Contains(got, "deployment.environment.name") || strings.Contains(got, "fleetlens-test") {
		t.Errorf("got %q", got)
	}
}

func TestACollectorThatIsDownCostsNothing(t *testing.T) {
	c := newCollector(t)
	c.Close()
	environment(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL})
	var said bytes.Buffer
	begin := time.Now()
	tel := setup(t, &said, false)
	for range 5000 { // more than the queue holds
		tell(t, tel, io.Discard)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took %s", d)
	}
	begin = time.Now()
	tel.Stop()
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("the end took %s", d)
	}
	if n := strings.Count(said.String(), "telemetry is not sent; the work goes on"); n != 1 {
		t.Errorf("it is said %d times: %s", n, said.String())
	}
}

func TestACollectorThatHangsDoesNotHoldUpTheEnd(t *testing.T) {
	release := make(chan struct{})
	c := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer c.Close()
	defer close(release)
	environment(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL})
	tel := setup(t, io.Discard, true)
	tell(t, tel, io.Discard)
	begin := time.Now()
	tel.Stop()
	if d := time.Since(begin); d > 8*time.Second {
		t.Errorf("the end took %s", d)
	}
}

// Behaviour: 114.
func TestLogsGoWhereTheyDidAndToTheCollectorAtTheSameLevel(t *testing.T) {
	for _, tt := range []struct {
		name  string
		level slog.Level
		want  []string
		not   []string
	}{
		{"info", slog.LevelInfo, []string{"an info", "an error"}, []string{"a debug"}},
		{"debug", slog.LevelDebug, []string{"a debug", "an info", "an error"}, nil},
		{"error", slog.LevelError, []string{"an error"}, []string{"a debug", "an info"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCollector(t)
			environment(t, map[string]string{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": c.URL + "/v1/logs"})
			tel := setup(t, io.Discard, false)
			var stderr bytes.Buffer
			log := tel.Logger(slog.New(slog.NewTextHandler(&stderr, &slog.HandlerOptions{Level: tt.level}))).WithGroup("g").With("k", "v")
			log.Debug("a debug")
			log.Info("an info")
			log.Error("an error")
			tel.Stop()
			for where, got := range map[string]string{"standard error": stderr.String(), "the collector": c.at("/v1/logs")} {
				for _, text := range tt.want {
					if !strings.Contains(got, text) {
						t.Errorf("%s lacks %q: %q", where, text, got)
					}
				}
				for _, text := range tt.not {
					if strings.Contains(got, text) {
						t.Errorf("%s has %q", where, text)
					}
				}
			}
		})
	}
	t.Run("without a collector the logger is the same", func(t *testing.T) {
		environment(t, nil)
		log := slog.New(slog.DiscardHandler)
		if setup(t, io.Discard, true).Logger(log) != log {
			t.Error("it is another")
		}
	})
}

func get(t *testing.T, h http.Handler, path, token string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestPrometheusReadsEveryMetricByItsName(t *testing.T) {
	environment(t, nil)
	tel := setup(t, io.Discard, true)
	defer tel.Stop()
	m := tel.Meter()
	for _, s := range signals.Table() {
		switch s.Kind {
		case signals.KindCounter:
			signals.Counter(m, signals.Metric(s.Name)).Add(t.Context(), 1)
		case signals.KindGauge:
			signals.UpDown(m, signals.Metric(s.Name)).Add(t.Context(), 1)
		case signals.KindHistogram:
			signals.Histogram(m, signals.Metric(s.Name)).Record(t.Context(), 1)
		}
	}
	code, body := get(t, tel.Handler(&telemetry.Health{}, ""), "/metrics", "")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if code != 200 || err != nil {
		t.Fatalf("%d, %v", code, err)
	}
	for _, name := range []string{
		"fleetlens_agent_runs_total", "fleetlens_agent_run_duration_seconds", "fleetlens_agent_run_steps", "fleetlens_agent_runs_in_flight",
		"fleetlens_probe_collections_total", "fleetlens_bus_connected", "gen_ai_client_token_usage", "gen_ai_client_operation_duration_seconds",
		"go_goroutines", "process_resident_memory_bytes", "target_info",
	} {
		if families[name] == nil {
			t.Errorf("no %s", name)
		}
	}
	for _, s := range signals.Table() {
		if s.Kind == signals.KindSpan || s.Kind == signals.KindEvent {
			continue
		}
		if families[telemetry.PrometheusName(s)] == nil {
			t.Errorf("%s is not there as %s", s.Name, telemetry.PrometheusName(s))
		}
	}
}

func TestMetricsAskForTheToken(t *testing.T) {
	environment(t, nil)
	tel := setup(t, io.Discard, true)
	defer tel.Stop()
	h := tel.Handler(&telemetry.Health{}, "0123456789abcdef")
	for _, tt := range []struct {
		name, path, token string
		want              int
	}{
		{"nothing without it", "/metrics", "", 401},
		{"nothing for another", "/metrics", "0123456789abcdeX", 401},
		{"all for it", "/metrics", "0123456789abcdef", 200},
		{"life is no secret", "/healthz", "", 200},
		{"readiness is no secret", "/readyz", "", 503},
		{"there is nothing else", "/", "", 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if code, body := get(t, h, tt.path, tt.token); code != tt.want || code != 200 && tt.path == "/metrics" && strings.Contains(body, "go_goroutines") {
				t.Errorf("%d %s", code, body)
			}
		})
	}
}

func TestReadiness(t *testing.T) {
	environment(t, nil)
	tel := setup(t, io.Discard, false)
	var health telemetry.Health
	var down error
	h := tel.Handler(&health, "")
	want := func(when string, code int, text string) {
		t.Helper()
		got, body := get(t, h, "/readyz", "")
		if got != code || !strings.Contains(body, text) {
			t.Errorf("%s: %d %s", when, got, body)
		}
		if got, body := get(t, h, "/healthz", ""); got != 200 || body != "ok\n" {
			t.Errorf("%s: it does not live: %d %s", when, got, body)
		}
	}
	want("at first", 503, "it is starting")
	down = errors.New("it is not connected yet")
	health.Need("NATS", func() error { return down })
	want("before the connection", 503, "NATS: it is not connected yet")
	down = nil
	want("before it takes work", 503, "it takes no work yet")
	health.Begun()
	want("when it takes work", 200, "ok")
	down = errors.New("the connection is down")
	want("while NATS is away", 503, "NATS: the connection is down")
	down = nil
	want("when NATS is back", 200, "ok")
	health.Stopping()
	want("at the end", 503, "it is stopping")
	if code, _ := get(t, h, "/metrics", ""); code != 404 {
		t.Errorf("metrics that are not made: %d", code)
	}
}

func TestAnAddressThatOthersReachNeedsAToken(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, short := file("good", "0123456789abcdef\n"), file("short", "secret\n")
	for _, tt := range []struct{ name, addr, token, want string }{
		{"none", "", "", ""},
		{"this machine's", "127.0.0.1:4231", "", ""},
		{"this machine's by name", "localhost:4231", "", ""},
		{"this machine's of version 6", "[::1]:4231", "", ""},
		{"every one", ":4231", "", "can be reached from other machines"},
		{"every one, written out", "0.0.0.0:4231", "", "can be reached from other machines"},
		{"another's", "10.1.2.3:4231", "", "can be reached from other machines"},
		{"every one, with a token", ":4231", good, ""},
		{"a token that is too short", "127.0.0.1:4231", short, "the token has 6 characters"},
		{"a token that is not there", "127.0.0.1:4231", filepath.Join(dir, "none"), "no such file"},
		{"no port", "127.0.0.1", "", "it is host:port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := telemetry.HTTP{Addr: tt.addr, TokenFile: tt.token}
			err := h.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnAddressThatIsTaken(t *testing.T) {
	environment(t, nil)
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	addr := strings.TrimPrefix(taken.URL, "http://")
	for _, tt := range []struct {
		name  string
		args  []string
		fails bool
	}{
		{"the default's is told", nil, false},
		{"one that was asked for is an error", []string{"--http", addr}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var h telemetry.HTTP
			fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
			h.Flags(fs, addr)
			if err := fs.Parse(tt.args); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			stop, err := h.Serve(t.Context(), setup(t, io.Discard, true), &telemetry.Health{}, slog.New(slog.NewTextHandler(&said, nil)))
			if (err != nil) != tt.fails {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				stop()
				if !strings.Contains(said.String(), "the address is taken") {
					t.Errorf("it says %s", said.String())
				}
			}
		})
	}
}

func TestItServes(t *testing.T) {
	environment(t, nil)
	h := telemetry.HTTP{Addr: "127.0.0.1:0"}
	var said bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stop, err := h.Serve(ctx, setup(t, io.Discard, true), &telemetry.Health{}, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, addr, _ := strings.Cut(strings.TrimSpace(said.String()), "addr=")
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", strings.NewReader(strings.Repeat("x", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || !strings.Contains(string(body), "go_goroutines") {
		t.Errorf("%d, %v", res.StatusCode, err)
	}
	stop()
	if _, err := http.DefaultClient.Do(r); err == nil {
		t.Error("it serves on")
	}
}
