package skills_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func TestEvaluate(t *testing.T) {
	type crossing struct {
		Metric    string
		Severity  protocol.Severity
		Threshold float64
		Says      string
	}
	checks := pantry().Sources[0].Checks
	for _, tt := range []struct {
		name string
		data map[string]any
		want []crossing
	}{
		{"nothing crossed", map[string]any{"used_pct": 84.9, "shelves_free": 3.1}, nil},
		{"the threshold itself crosses", map[string]any{"used_pct": 85.0, "fullest": "top"}, []crossing{{"used_pct", "warning", 85, "top is 85 % full"}}},
		{"critical goes before warn", map[string]any{"used_pct": 97.25, "fullest": "top"}, []crossing{{"used_pct", "critical", 95, "top is 97.25 % full"}}},
		{"a low value crosses downwards", map[string]any{"shelves_free": 1.0}, []crossing{{"shelves_free", "critical", 1, "1 shelves are free"}}},
		{"both, in the order of the checks", map[string]any{"shelves_free": 2.0, "used_pct": 90.0, "fullest": "top"},
			[]crossing{{"used_pct", "warning", 85, "top is 90 % full"}, {"shelves_free", "warning", 3, "2 shelves are free"}}},
		{"an absent field reads unknown", map[string]any{"used_pct": 90.0}, []crossing{{"used_pct", "warning", 85, "unknown is 90 % full"}}},
		{"absent, text, and what is no number cross nothing", map[string]any{"used_pct": "99", "shelves_free": math.NaN()}, nil},
		{"infinite crosses nothing", map[string]any{"used_pct": math.Inf(1)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []crossing
			for _, x := range skills.Evaluate(checks, tt.data) {
				got = append(got, crossing{x.Check.Metric, x.Severity, x.Threshold, x.Says})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("crossings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAClauseOfWhichNothingIsKnownIsLeftOut(t *testing.T) {
	const says = "{value} tasks wait; {who} uses {pct} %; that is all"
	for _, tt := range []struct {
		name string
		data map[string]any
		want string
	}{
		{"all is known", map[string]any{"x": 9.0, "who": "java", "pct": 80.0}, "9 tasks wait; java uses 80 %; that is all"},
		{"a part is not", map[string]any{"x": 9.0, "who": "java"}, "9 tasks wait; java uses unknown %; that is all"},
		{"nothing of a clause is", map[string]any{"x": 9.0}, "9 tasks wait; that is all"},
		{"the first clause stays", nil, "unknown tasks wait; that is all"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := skills.Fill(says, "x", tt.data); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEvaluateWithOneLevelOnly(t *testing.T) {
	only := func(c skills.Check) []skills.Crossing {
		return skills.Evaluate([]skills.Check{c}, map[string]any{"x": 10.0})
	}
	if got := only(skills.Check{Metric: "x", Op: protocol.Above, Warn: skills.Level(5)}); len(got) != 1 || got[0].Severity != protocol.SeverityWarning {
		t.Errorf("a check without critical gives %+v", got)
	}
	if got := only(skills.Check{Metric: "x", Op: protocol.Above, Critical: skills.Level(5)}); len(got) != 1 || got[0].Severity != protocol.SeverityCritical {
		t.Errorf("a check without warn gives %+v", got)
	}
	if got := only(skills.Check{Metric: "x", Op: protocol.Above, Critical: skills.Level(50)}); len(got) != 0 {
		t.Errorf("a check that is not crossed gives %+v", got)
	}
}

func TestFill(t *testing.T) {
	data := map[string]any{"x": 1234567.0, "small": 0.25, "name": "a {x} b", "ok": true}
	for _, tt := range []struct{ name, says, want string }{
		{"the metric's value", "{value}", "1234567"},
		{"another number", "{small}", "0.25"},
		{"a text is not filled again", "{name}", "a {x} b"},
		{"true", "{ok}", "true"},
		{"what is no field name stays", "{A} {} {a b}", "{A} {} {a b}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := skills.Fill(tt.says, "x", data); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
