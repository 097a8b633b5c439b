package skills_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Behaviour: 70, 72, defect 19.
func TestOverrideChangesLevels(t *testing.T) {
	level := skills.Level
	for _, tt := range []struct {
		name           string
		set            skills.Threshold
		warn, critical *float64
	}{
		{"both levels", skills.Threshold{Warn: level(70), Critical: level(80)}, level(70), level(80)},
		{"the level that is not given stays", skills.Threshold{Warn: level(90)}, level(90), level(95)},
		{"equal levels are allowed", skills.Threshold{Warn: level(95)}, level(95), level(95)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := pantry()
			got, err := skills.Override(before, map[string]skills.Threshold{"pantry.used_pct": tt.set, "other.used_pct": {Off: true}})
			if err != nil {
				t.Fatal(err)
			}
			c := got.Sources[0].Checks[0]
			if diff := cmp.Diff([]*float64{tt.warn, tt.critical}, []*float64{c.Warn, c.Critical}); diff != "" {
				t.Errorf("levels (-want +got):\n%s", diff)
			}
			if _, err := skills.NewRegistry(got); err != nil {
				t.Errorf("the registry refuses the result: %v", err)
			}
			if diff := cmp.Diff(pantry().Sources[0].Checks, before.Sources[0].Checks); diff != "" {
				t.Errorf("the skill given was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestOverrideTurnsACheckOff(t *testing.T) {
	got, err := skills.Override(pantry(), map[string]skills.Threshold{"pantry.used_pct": {Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	if crossed := skills.Evaluate(got.Sources[0].Checks, map[string]any{"used_pct": 99.0}); len(crossed) != 0 {
		t.Errorf("the check is still made: %v", crossed)
	}
	if len(got.Sources[0].Checks) != len(pantry().Sources[0].Checks)-1 {
		t.Errorf("other checks went with it: %d are left", len(got.Sources[0].Checks))
	}
}

// Behaviour: defect 19.
func TestOverrideRefuses(t *testing.T) {
	level := skills.Level
	for _, tt := range []struct {
		name string
		key  string
		set  skills.Threshold
		want []string
	}{
		{"an unknown metric, naming the nearest and all", "pantry.used_pc", skills.Threshold{Warn: level(1)}, []string{`unknown metric "used_pc"`, `did you mean "used_pct"?`, "checks used_pct, shelves_free"}},
		{"a name near to none without a guess", "pantry.temperature", skills.Threshold{Warn: level(1)}, []string{`unknown metric "temperature" (`}},
		{"a metric that has no check", "pantry.fullest", skills.Threshold{Warn: level(1)}, []string{`no check is made of the metric "fullest"`}},
		{"a key without a skill", "used_pct", skills.Threshold{Warn: level(1)}, []string{"write skill.metric"}},
		{"critical before warn", "pantry.used_pct", skills.Threshold{Warn: level(97)}, []string{"critical (95) must not come before warn (97)", "above"}},
		{"critical before warn where low is bad", "pantry.shelves_free", skills.Threshold{Critical: level(9)}, []string{"critical (9) must not come before warn (3)", "below"}},
		{"what is no number", "pantry.used_pct", skills.Threshold{Warn: level(math.NaN())}, []string{"NaN is no threshold"}},
		{"nothing at all", "pantry.used_pct", skills.Threshold{}, []string{"needs warn, critical, or off"}},
		{"off with levels", "pantry.used_pct", skills.Threshold{Off: true, Warn: level(1)}, []string{"choose one"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := skills.Override(pantry(), map[string]skills.Threshold{tt.key: tt.set})
			if err == nil {
				t.Fatal("it is accepted")
			}
			for _, want := range append(tt.want, tt.key) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the refusal %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestOverrideAllNamesEveryFault(t *testing.T) {
	list := []skills.Skill{pantry()}
	_, err := skills.OverrideAll(list, map[string]skills.Threshold{
		"pantri.used_pct": {Off: true},
		"pantry.usd_pct":  {Off: true},
		"plain":           {Off: true},
	})
	if err == nil {
		t.Fatal("it is accepted")
	}
	for _, want := range []string{`unknown skill "pantri": did you mean "pantry"? (have pantry)`, `did you mean "used_pct"?`, `"plain": write skill.metric`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal %q does not say %q", err, want)
		}
	}
	got, err := skills.OverrideAll(list, map[string]skills.Threshold{"pantry.used_pct": {Warn: skills.Level(10)}})
	if err != nil {
		t.Fatal(err)
	}
	x := skills.Evaluate(got[0].Sources[0].Checks, map[string]any{"used_pct": 12.0})
	if len(x) != 1 || x[0].Severity != protocol.SeverityWarning || x[0].Threshold != 10 {
		t.Errorf("12 %% against a threshold of 10 gives %+v", x)
	}
}
