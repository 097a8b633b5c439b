package tracer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/tracer"
)

// open starts a node and opens the skill on it at a level.
func openBeam(t *testing.T, o beamtest.Options, level beam.Level) (*beamtest.Node, *beam.Node, skills.Source) {
	t.Helper()
	of := beamtest.Start(t, o)
	file := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(file, []byte(of.Cookie), 0o600); err != nil {
		t.Fatal(err)
	}
	n := beam.New(beam.Config{Node: of.Name, Address: of.Address, CookieFile: file, Level: level, Timeout: 20 * time.Second})
	t.Cleanup(n.Close)
	nodes := map[string]*beam.Node{"shop": n}
	s := skills.Skill{Name: "tracer", Title: "t", Summary: "s", Prefix: "trace_", Sources: []skills.Source{tracer.BeamSource(nodes)}}
	skilltest.RunTarget(t, s, skills.Target{Name: "shop", Kind: skills.Beam})
	return of, n, s.Sources[len(s.Sources)-1].Open("shop")
}

// untilBeam waits for something to hold.
func untilBeam(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Behaviour: 160.
func TestATraceOfANode(t *testing.T) {
	t.Parallel()
	of, _, src := openBeam(t, beamtest.Options{}, beam.Trace)
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
	untilBeam(t, "two calls", func() bool { return skilltest.Object(t, src, "trace_get()")["trace_count"] == 2.0 })
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
