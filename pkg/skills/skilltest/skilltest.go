// Package skilltest holds the promises that every source keeps, as one test
// suite that the author of a skill calls.
package skilltest

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Run checks every source of the skill against the real thing it reads: that
// it is well formed, that a snapshot holds declared metrics only and only flat
// JSON values, that every example runs, and that wrong arguments are refused
// with words. It takes each snapshot twice, so that rates have two readings.
func Run(t *testing.T, s skills.Skill) {
	t.Helper()
	if _, err := skills.NewRegistry(s); err != nil {
		t.Fatalf("the registry refuses the skill: %v", err)
	}
	for _, src := range s.Sources {
		t.Run(s.Name+"/"+string(src.Kind), func(t *testing.T) { promises(t, s, src) })
	}
}

// RunTarget is Run for the sources of one target alone, which it opens.
func RunTarget(t *testing.T, s skills.Skill, target skills.Target) {
	t.Helper()
	if _, err := skills.NewRegistry(s); err != nil {
		t.Fatalf("the registry refuses the skill: %v", err)
	}
	found := false
	for _, src := range s.Sources {
		if src.Kind != target.Kind {
			continue
		}
		found = true
		if src.Open != nil {
			src = src.Open(target.Name)
		}
		t.Run(s.Name+"/"+string(src.Kind), func(t *testing.T) { promises(t, s, src) })
	}
	if !found {
		t.Errorf("skill %s has no source of kind %s", s.Name, target.Kind)
	}
}

func promises(t *testing.T, s skills.Skill, src skills.Source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	snapshots(ctx, t, s.Words(src).Metric, src)
	for _, c := range src.Calls {
		t.Run(c.Name, func(t *testing.T) { call(ctx, t, c) })
	}
}

func snapshots(ctx context.Context, t *testing.T, metric func(string) (skills.Metric, bool), src skills.Source) {
	t.Helper()
	for range 2 {
		data, err := src.Snapshot(ctx)
		if err != nil {
			t.Errorf("snapshot: %v", err)
		}
		if len(data) == 0 {
			t.Error("the snapshot is empty")
		}
		for name, v := range data {
			m, ok := metric(name)
			if !ok {
				t.Errorf("the snapshot has %q, which is no declared metric", name)
			}
			switch v := v.(type) {
			case float64:
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Errorf("%s is %v", name, v)
				}
				if m.Unit == "text" {
					t.Errorf("%s is a number but declared as text", name)
				}
			case string:
				if m.Unit != "text" {
					t.Errorf("%s is the text %q but declared in %s", name, v, m.Unit)
				}
			case bool:
			default:
				t.Errorf("%s is a %T: a snapshot holds float64, string and bool", name, v)
			}
		}
	}
}

func call(ctx context.Context, t *testing.T, c skills.Call) {
	t.Helper()
	name, args, err := skills.ParseCall(c.Example)
	if err != nil {
		t.Fatal(err)
	}
	if name != c.Name {
		t.Errorf("its example calls %s", name)
	}
	a, err := skills.Bind(c.Words(), args)
	if err != nil {
		t.Fatalf("its example: %v", err)
	}
	if c.Level == "" {
		v, err := c.Run(ctx, a)
		if err != nil {
			t.Fatalf("%s: %v", c.Example, err)
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%s: the result is not JSON: %v", c.Example, err)
		}
	}
	wrong := make([]any, len(c.Params)+1)
	for i := range wrong {
		wrong[i] = map[string]any{}
	}
	if _, err := skills.Bind(c.Words(), wrong); err == nil {
		t.Error("it takes one argument too many")
	} else if !strings.Contains(err.Error(), c.Name) {
		t.Errorf("the refusal %q does not name the callback", err)
	}
}
