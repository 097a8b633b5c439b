package agent_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func calls(p *probes, nodes ...string) *agent.FleetCalls {
	return &agent.FleetCalls{Targets: hosts(nodes...), Docs: words().Calls, Probes: p}
}

func TestFleetAsksAllAndTellsWhyOneFailed(t *testing.T) {
	p := &probes{silent: map[string]string{"web-2": "it is broken"}, answer: func(t protocol.TargetRef, _ string, _ []any) (any, error) {
		return map[string]any{"node": t.Node}, nil
	}}
	got, err := calls(p, "web-1", "web-2", "web-3").Call(t.Context(), "fleet", []any{"system_top", 3.0})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"web-1/host": map[string]any{"node": "web-1"}, "web-2/host": map[string]any{"error": "it is broken"}, "web-3/host": map[string]any{"node": "web-3"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fleet (-want +got):\n%s", diff)
	}
}

func TestTargetsAreListed(t *testing.T) {
	got, err := calls(&probes{}, "web-1", "web-2").Call(t.Context(), "targets", nil)
	if diff := cmp.Diff([]string{"web-1/host", "web-2/host"}, got); diff != "" || err != nil {
		t.Errorf("targets, %v:\n%s", err, diff)
	}
}

func TestTheOnlyTargetNeedsNoName(t *testing.T) {
	p := &probes{answer: func(protocol.TargetRef, string, []any) (any, error) { return 1.0, nil }}
	if got, err := calls(p, "web-1").Call(t.Context(), "system_top", nil); err != nil || got != 1.0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAScriptMayCallACallbackByItsAlias(t *testing.T) {
	p := &probes{answer: func(_ protocol.TargetRef, callback string, _ []any) (any, error) { return callback, nil }}
	f := calls(p, "web-1")
	f.Docs = []protocol.CallDoc{{Name: "ecto_locks", Aliases: []string{"pg_locks"}, Example: "ecto_locks()"}}
	for _, name := range []string{"ecto_locks", "pg_locks"} {
		if !slices.Contains(f.Names(), name) {
			t.Errorf("a script does not know %s", name)
		}
		for how, args := range map[string][]any{name: nil, "on": {"web-1/host", name}} {
			if got, err := f.Call(t.Context(), how, args); err != nil || got != name {
				t.Errorf("%s%v: %v, %v", how, args, got, err)
			}
		}
	}
}

// TestASilentTargetIsAskedOnce has one that hangs, and one whose callback fails:
// only the first says nothing of the next question.
func TestASilentTargetIsAskedOnce(t *testing.T) {
	p := &probes{answer: func(t protocol.TargetRef, _ string, _ []any) (any, error) {
		if t.Node == "web-1" {
			return nil, fmt.Errorf("the probe hangs: %w", agent.ErrNoAnswer)
		}
		return nil, errors.New("no such file")
	}}
	f := calls(p, "web-1", "web-2")
	for range 3 {
		if _, err := f.Call(t.Context(), "fleet", []any{"system_top"}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Call(t.Context(), "on", []any{"web-1", "system_top"}); !errors.Is(err, agent.ErrNoAnswer) {
			t.Errorf("the silent one: %v", err)
		}
	}
	want := []string{"system_top[] of web-1/host", "system_top[] of web-2/host", "system_top[] of web-2/host", "system_top[] of web-2/host"}
	if diff := cmp.Diff(want, p.questions()); diff != "" {
		t.Errorf("the probes were asked (-want +got):\n%s", diff)
	}
}
