package goservice_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

func TestEverySourceKeepsItsPromises(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"of a service that exposes all", nil},
		{"of one with net/http/pprof alone", []string{"-metrics=false", "-vars=false"}},
		{"of one without expvar", []string{"-vars=false"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t, gopprof.Config{}, tt.args...)
			if n := len(w.skillsOfGo()); n != 8 {
				t.Errorf("%d skills look into Go services: %v", n, w.skillsOfGo())
			}
			for _, s := range w.list {
				for _, src := range s.Sources {
					if src.Kind == skills.Go {
						skilltest.RunTarget(t, s, skills.Target{Name: "checkout", Kind: skills.Go})
					}
				}
			}
		})
	}
}

// A service that is busy and well crosses no check of any skill.
func TestAHealthyBusyServiceIsLeftAlone(t *testing.T) {
	w := watch(t, gopprof.Config{})
	w.Plant("load", 8)
	for range 8 {
		for _, skill := range w.skillsOfGo() {
			for metric, says := range w.crossed(skill, w.snapshot(skill)) {
				if metric != "cpu_used_pct" && metric != "long_schedule_events_5m" { // other packages' tests have the processors too
					t.Errorf("%s: %s", skill, says)
				}
			}
		}
		w.until("runtime", "requests are answered", func(d skills.Data) bool { return d["http_in_flight"] != nil })
		pause(t, time.Second)
	}
}

// pause lets time go by that the subject of a test is about.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func TestAServiceThatIsNotThereFailsEverySkillWithOneClearError(t *testing.T) {
	t.Parallel()
	w := look(t, gopprof.Config{URL: "http://127.0.0.1:1"})
	for _, skill := range w.skillsOfGo() {
		d, err := w.source(skill).Snapshot(t.Context())
		if skill == "tracer" { // it asks nothing by itself
			if err != nil || d["trace_active"] != 0. {
				t.Errorf("the tracer's snapshot is %v, %v", d, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "nothing answers there, is the service up and the address right?") || len(d) != 0 {
			t.Errorf("%s: %v, %v", skill, d, err)
		}
		for _, c := range w.source(skill).Calls {
			_, args, err := skills.ParseCall(c.Example)
			if err != nil {
				t.Fatal(err)
			}
			a, err := skills.Bind(c.Words(), args)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Run(t.Context(), a); err == nil && c.Name != "sysmon_events" { // it lists what was seen
				t.Errorf("%s answers", c.Example)
			}
		}
	}
}

func TestWrongArgumentsAreNamed(t *testing.T) {
	t.Parallel()
	w := look(t, gopprof.Config{URL: "http://127.0.0.1:1"})
	for _, tt := range []struct{ skill, call, want string }{
		{"overload", "overload_goroutines(-1)", "limit must be a whole number from 1 to 50, got -1"},
		{"overload", "overload_contention(1e9)", "limit must be a whole number from 1 to 50, got 1e+09"},
		{"allocator", `allocator_growth("many")`, `limit must be a whole number from 1 to 50, got "many"`},
		{"allocator", "allocator_by_type()", "name must be one of"},
		{"gc", "gc_get_long_gcs(5, -0.5)", "threshold_ms must be a number from 0 to 60000, got -0.5"},
		{"vm_events", `sysmon_events("busy_port")`, `type must be one of "", "long_gc", "long_schedule", "restart", got "busy_port"`},
		{"ports", "ports_service_connections(0)", "limit must be a whole number from 1 to 50, got 0"},
		{"runtime", "go_summary(1)", "go_summary takes no arguments, got 1"},
		{"tracer", "trace_start()", `kind must be one of "cpu", "heap", "goroutine", "mutex", "block", got nothing`},
		{"tracer", `trace_start("everything")`, `got "everything"`},
		{"tracer", `trace_start("cpu", 0)`, "seconds must be a whole number from 1 to 60, got 0"},
		{"tracer", `trace_start("cpu", 61)`, "seconds must be a whole number from 1 to 60, got 61"},
		{"tracer", `trace_start("cpu", 1.5)`, "seconds must be a whole number from 1 to 60, got 1.5"},
		{"tracer", `trace_get(5, "name")`, `sort_by must be one of "flat", "cum", got "name"`},
	} {
		t.Run(tt.call, func(t *testing.T) {
			if _, err := w.ask(tt.skill, tt.call); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
