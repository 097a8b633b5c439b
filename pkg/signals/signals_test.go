package signals_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"

	"github.com/fleetlens/fleetlens/pkg/signals"
)

// constants returns the values of the constants of names.go, by type.
func constants(t *testing.T) map[string][]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "names.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		kind := ""
		switch x := v.Type.(type) {
		case *ast.Ident:
			kind = x.Name
		case *ast.SelectorExpr:
			kind = x.Sel.Name
		}
		text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		out[kind] = append(out[kind], text)
		return true
	})
	return out
}

func TestEveryNameHasOneRowAndEveryRowAName(t *testing.T) {
	kinds := map[signals.Kind]string{
		signals.KindSpan: "Span", signals.KindEvent: "Event", signals.KindCounter: "Metric", signals.KindGauge: "Metric", signals.KindHistogram: "Metric",
	}
	rows := map[string]int{}
	attrs := map[string]bool{}
	for _, s := range signals.Table() {
		rows[kinds[s.Kind]+" "+s.Name]++
		for _, k := range s.Attrs {
			attrs[string(k)] = true
		}
		if s.Doc == "" {
			t.Errorf("%s says nothing", s.Name)
		}
		if s.Kind == signals.KindHistogram != (len(s.Buckets) > 0) && !strings.HasPrefix(s.Name, "gen_ai.") {
			t.Errorf("%s is a %s with %d buckets", s.Name, s.Kind, len(s.Buckets))
		}
	}
	for kind, names := range constants(t) {
		for _, name := range names {
			if kind == "Key" {
				if !attrs[name] {
					t.Errorf("no signal has the attribute %s", name)
				}
				continue
			}
			if rows[kind+" "+name] != 1 {
				t.Errorf("%s %q has %d rows", kind, name, rows[kind+" "+name])
			}
			delete(rows, kind+" "+name)
		}
	}
	for name := range rows {
		t.Errorf("the row %s has no constant", name)
	}
}

// Behaviour: 109.
func TestEventsAndMetricsBearTheProductsName(t *testing.T) {
	have := map[string]bool{}
	for _, s := range signals.Table() {
		for _, of := range s.For {
			have[of] = true
		}
		if s.Kind == signals.KindSpan || strings.HasPrefix(s.Name, "gen_ai.") { // as OpenTelemetry wants them
			continue
		}
		if !strings.HasPrefix(s.Name, "fleetlens.") {
			t.Errorf("%s", s.Name)
		}
	}
	for _, of := range []string{"llm.start", "llm.stop", "llm.exception", "tool.start", "tool.stop", "tool.exception", "operator.state_change", "coordinator.pipeline_classify_start", "coordinator.pipeline_synthesize_complete"} {
		if !have[of] {
			t.Errorf("nothing stands for %s", of)
		}
	}
}

func TestTextIsCutBetweenCharacters(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string
	}{
		{"a short one stays", "disk full", "disk full"},
		{"a long one ends in dots", strings.Repeat("x", 300), strings.Repeat("x", signals.MaxText-3) + "…"},
		{"a character is never cut in two", "x" + strings.Repeat("ü", 200), "x" + strings.Repeat("ü", 126) + "…"},
		{"what is no text becomes text", "a\xffb", "a?b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := signals.Text("k", tt.text).Value.AsString()
			if got != tt.want || len(got) > signals.MaxText || !utf8.ValidString(got) {
				t.Errorf("%d bytes: %q", len(got), got)
			}
		})
	}
}

func TestATraceIsContinued(t *testing.T) {
	const trc = "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, tt := range []struct {
		name       string
		ctx        func(context.Context) context.Context
		id, parent string
	}{
		{"from a message", func(c context.Context) context.Context {
			return signals.WithTraceParent(c, "00-"+trc+"-00f067aa0ba902b7-01")
		}, trc, "00-" + trc + "-00f067aa0ba902b7-01"},
		{"from nothing", func(c context.Context) context.Context { return c }, "", ""},
		{"not from nonsense", func(c context.Context) context.Context { return signals.WithTraceParent(c, "yes") }, "", ""},
		{"from a trace id, the same each time", func(c context.Context) context.Context { return signals.InTrace(c, trc, "00f067aa0ba902b7") }, trc, "00-" + trc + "-00f067aa0ba902b7-01"},
		{"from a trace id and a name that is no id", func(c context.Context) context.Context { return signals.InTrace(c, trc, "inv-1") }, trc, "00-" + trc + "-" + trc[:16] + "-01"},
		{"not from a short trace id", func(c context.Context) context.Context { return signals.InTrace(c, "abc", "inv-1") }, "", ""},
		{"not once left", func(c context.Context) context.Context {
			return signals.Outside(signals.InTrace(c, trc, "inv-1"))
		}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := tt.ctx(t.Context())
			if got := signals.TraceID(ctx); got != tt.id {
				t.Errorf("trace id %q", got)
			}
			if got := signals.TraceParent(ctx); got != tt.parent {
				t.Errorf("traceparent %q", got)
			}
		})
	}
}

func TestALoggersRecordsBelongToItsTrace(t *testing.T) {
	const mine, own = "4bf92f3577b34da6a3ce929d0e0e4736", "11111111111111111111111111111111"
	var got []string
	base := slog.New(seen{slog.DiscardHandler, &got})
	if signals.Logger(t.Context(), base) != base {
		t.Error("outside of every trace it is another logger")
	}
	log := signals.Logger(signals.InTrace(t.Context(), mine, "x"), base).With("a", 1).WithGroup("g")
	log.Info("without a context")
	log.InfoContext(t.Context(), "with a context outside of every trace")
	log.InfoContext(signals.InTrace(t.Context(), own, "x"), "with a trace of its own")
	if want := []string{mine, mine, own}; !slices.Equal(got, want) {
		t.Errorf("traces %q", got)
	}
}

// seen notes the traces of records.
type seen struct {
	slog.Handler
	got *[]string
}

func (seen) Enabled(context.Context, slog.Level) bool { return true }
func (s seen) WithAttrs([]slog.Attr) slog.Handler     { return s }
func (s seen) WithGroup(string) slog.Handler          { return s }
func (s seen) Handle(ctx context.Context, _ slog.Record) error {
	*s.got = append(*s.got, signals.TraceID(ctx))
	return nil
}

func TestNowhereTakesEverything(t *testing.T) {
	var p signals.Providers
	ctx, span := signals.Start(t.Context(), p.Tracer(), signals.Chat, "model")
	signals.Emit(ctx, signals.AgentDone)
	signals.Error(span, "failed", "x")
	span.End()
	if trace.SpanFromContext(ctx).IsRecording() {
		t.Error("it records")
	}
	for _, s := range signals.Table() {
		switch s.Kind {
		case signals.KindCounter:
			signals.Counter(p.Meter(), signals.Metric(s.Name)).Add(ctx, 1)
		case signals.KindGauge:
			signals.UpDown(p.Meter(), signals.Metric(s.Name)).Add(ctx, 1)
		case signals.KindHistogram:
			signals.Histogram(p.Meter(), signals.Metric(s.Name)).Record(ctx, 1)
		}
	}
}
