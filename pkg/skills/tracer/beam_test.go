package tracer_test

import (
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
	"github.com/fleetlens/fleetlens/pkg/skills/tracer"
)

// Behaviour: 160.
func TestATraceOfANode(t *testing.T) {
	t.Parallel()
	of, _, src := nodetest.Open(t, beamtest.Options{}, beam.Trace, "tracer", "trace_", tracer.BeamSource)
	of.Do(`{module, calendar} = code:ensure_loaded(calendar), ok`)
	if v := skilltest.Object(t, src, "trace_stop()"); v["status"] != "idle" || v["trace_count"] != 0.0 {
		t.Errorf("to stop without a trace: %v", v)
	}
	if v := skilltest.Object(t, src, "trace_get()"); len(v["traces"].([]any)) != 0 {
		t.Errorf("without a trace: %v", v)
	}
	for call, want := range map[string]string{
		`trace_start("_", "seq", 2)`: "wildcard_module_not_allowed", `trace_start("lists", "_", 2)`: "wildcard_function_not_allowed",
		`trace_start("lists", "seq")`: "arity", `trace_start("lists", "seq", -1)`: "arity", `trace_start("lists", "seq", 256)`: "arity", `trace_start("lists", "seq", "0")`: "arity",
		`trace_start("GenServer", "call", 3)`: "blocked_function", `trace_start(["ets", "lookup", 2])`: "blocked_function",
	} {
		if _, err := skilltest.Call(t, src, call); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", call, err, want)
		}
	}
	if d, err := src.Snapshot(t.Context()); err != nil || d["active"] != 0.0 {
		t.Errorf("%v, %v", d, err)
	}
	// The tuple of those who write trace_start({module, function, arity}).
	if v := skilltest.Object(t, src, `trace_start(["calendar", "valid_date", 1])`); v["status"] != "started" || v["matches"] != 1.0 || v["function"] != "calendar:valid_date/1" {
		t.Errorf("%v", v)
	}
	if d, err := src.Snapshot(t.Context()); err != nil || d["active"] != 1.0 || d["trace_spec"] != "calendar:valid_date/1" {
		t.Errorf("%v, %v", d, err)
	}
	if _, err := skilltest.Call(t, src, `trace_start("lists", "seq", 2)`); err == nil || !strings.Contains(err.Error(), "trace_already_active") {
		t.Errorf("a second one: %v", err)
	}
	of.Do(`spawn(fun() -> register(web, self()), calendar:valid_date({2026, 11, 22}), calendar:valid_date({2026, 11, 23}), receive stop -> ok end end), ok`)
	nodetest.Until(t, "two calls", func() bool { return skilltest.Object(t, src, "trace_get()")["trace_count"] == 2.0 })
	v := skilltest.Object(t, src, "trace_get(1)")
	row := v["traces"].([]any)[0].(map[string]any)
	if row["process"] != "web" || row["caller"] != "erl_eval:do_apply/7" || v["truncated"] != true || v["status"] != "active" {
		t.Errorf("%v", v)
	}
	if v := skilltest.Object(t, src, "trace_stop()"); v["status"] != "stopped" || v["trace_count"] != 2.0 || v["ended_by"] != "stop" {
		t.Errorf("%v", v)
	}
	if d, err := src.Snapshot(t.Context()); err != nil || d["active"] != 0.0 || d["trace_count"] != 2.0 || d["elapsed_ms"] == nil {
		t.Errorf("%v, %v", d, err)
	}
}
