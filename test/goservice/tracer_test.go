package goservice_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// start begins a trace, which may take a moment to measure the service.
func (w *watched) start(call string) map[string]any {
	w.t.Helper()
	return w.get("tracer", call)
}

// finished waits until no trace is active.
func (w *watched) finished() map[string]any {
	w.t.Helper()
	w.until("tracer", "the trace is over", func(d skills.Data) bool { return d["trace_active"] == 0. })
	return w.get("tracer", "trace_get(20)")
}

func TestAProfileNamesTheFunctionThatComputes(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{MaxCPU: 100})
	w.Plant("cpu", 1)
	began := w.start(`trace_start("cpu", 2)`)
	if began["status"] != "active" || began["service_cpu_pct"] == nil {
		t.Errorf("it began with %v", began)
	}
	if d := w.snapshot("tracer"); d["trace_active"] != 1. {
		t.Errorf("the snapshot meanwhile is %v", d)
	}
	a := w.finished()
	first := row(t, a, "functions", 0)
	if a["status"] != "done" || a["unit"] != "seconds" || first["function"] != "main.burn" || !strings.HasPrefix(first["line"].(string), "leaky/faults.go:") || !(first["flat_pct"].(float64) > 50 && first["cum_pct"].(float64) > 80) {
		t.Errorf("the profile is %s", plain(t, a))
	}
	if d := w.snapshot("tracer"); d["trace_top_function"] != "main.burn" || d["trace_count"] != 1. {
		t.Errorf("the snapshot after it is %v", d)
	}
	cum := w.get("tracer", `trace_get(1, "cum")`)
	if r := row(t, cum, "functions", 0); !(r["cum_pct"].(float64) >= first["cum_pct"].(float64)) || cum["truncated"] != true {
		t.Errorf("by cum it is %s", plain(t, cum))
	}
}

func TestEveryKindOfProfile(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{MaxCPU: 100})
	w.Plant("contention", 10)
	w.Plant("heap", 50)
	w.Plant("goroutines", 50)
	for _, tt := range []struct{ call, unit, names string }{
		{`trace_start("heap", 3)`, "MiB", "main.rememberOrder"},
		{`trace_start("goroutine", 1)`, "count", "main.waitForReply"},
		{`trace_start("mutex", 1)`, "seconds", "main.(*stock).count"},
		{`trace_start("block", 1)`, "seconds", "main.(*stock).count"},
	} {
		w.start(tt.call)
		a := w.finished()
		if a["status"] != "done" || a["unit"] != tt.unit || !strings.Contains(plain(t, a["functions"]), tt.names) {
			t.Errorf("%s: %s", tt.call, plain(t, a))
		}
	}
}

// Behaviour: 160.
func TestOneTraceAtATime(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{MaxCPU: 100})
	if s := w.get("tracer", "trace_stop()"); s["status"] != "idle" || s["trace_count"] != 0. {
		t.Errorf("stopped while idle: %v", s)
	}
	if a := w.get("tracer", "trace_get()"); plain(t, a["functions"]) != "[]" || a["status"] != "idle" {
		t.Errorf("without a trace there is %v", a)
	}
	w.start(`trace_start("cpu", 60)`)
	if _, err := w.ask("tracer", `trace_start("heap", 1)`); err == nil || !strings.Contains(err.Error(), "a trace is already active: cpu for 1m0s, begun ") {
		t.Errorf("a second trace: %v", err)
	}
	if s := w.get("tracer", "trace_stop()"); s["status"] != "stopped" || s["trace_count"] != 1. {
		t.Errorf("stopped: %v", s)
	}
	if a := w.get("tracer", "trace_get()"); plain(t, a["functions"]) != "[]" {
		t.Errorf("a trace that was stopped has %v", a)
	}
	w.start(`trace_start("goroutine", 1)`)
	if a := w.finished(); a["status"] != "done" || a["trace_count"] != 2. {
		t.Errorf("after it: %s", plain(t, a))
	}
}

func TestABusyServiceIsNotTraced(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{MaxCPU: 5})
	w.Plant("cpu", 2)
	w.until("tracer", "the trace is refused", func(skills.Data) bool {
		_, err := w.ask("tracer", `trace_start("cpu", 1)`)
		w.get("tracer", "trace_stop()")
		return err != nil && strings.Contains(err.Error(), "may be traced up to 5 % (max_cpu_pct in the configuration)")
	})
}

func TestAServiceThatDoesNotTellItsProcessorTimeIsTracedAndThatIsSaid(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{}, "-metrics=false")
	began := w.start(`trace_start("goroutine", 1)`)
	if note, _ := began["note"].(string); !strings.Contains(note, "is not known, and was not taken into account") || began["service_cpu_pct"] != nil {
		t.Errorf("it began with %v", began)
	}
}

func TestATraceGoesOnWhenItsCallIsOver(t *testing.T) {
	t.Parallel()
	w := watch(t, gopprof.Config{MaxCPU: 100})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	var start skills.Call
	for _, c := range w.source("tracer").Calls {
		if c.Name == "trace_start" {
			start = c
		}
	}
	if start.Level != "trace" {
		t.Errorf("to start one needs the level %q", start.Level)
	}
	a, err := skills.Bind(start.Words(), []any{"cpu", 1.})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := start.Run(ctx, a); err != nil {
		t.Fatal(err)
	}
	cancel()
	if a := w.finished(); a["status"] != "done" {
		t.Errorf("it ended %v", a)
	}
}
