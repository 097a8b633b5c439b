package probe_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// shelf has a source for the host and one for each of two services, which answer
// with their own name.
func shelf() skills.Skill {
	s := skill("shelf", one, callback("shelf_host", func(context.Context, skills.Args) (any, error) { return "the host", nil }))
	s.Sources = append(s.Sources, skills.PerTarget(map[string]string{"left": "I am left", "right": "I am right"}, func(says string) skills.Source {
		return skills.Source{
			Kind: skills.Go, Prompt: "Read it.", Metrics: s.Sources[0].Metrics, Snapshot: one,
			Calls: []skills.Call{callback("shelf_says", func(context.Context, skills.Args) (any, error) { return says, nil })},
		}
	}))
	return s
}

func TestEachTargetAnswersForItself(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	targets := []skills.Target{{Name: "left", Kind: skills.Go}, {Name: "right", Kind: skills.Go}}
	startWith(t, conn, config(), targets, shelf(), skill("floor", one))

	for target, want := range map[string]any{"left": "I am left", "right": "I am right"} {
		r, err := ask[protocol.CallReply](t, conn, "call", protocol.Call{Target: target, Callback: "shelf_says"})
		if err != nil || r.Value != want || r.Target != target {
			t.Errorf("%s answered %+v, %v", target, r, err)
		}
		snap, err := ask[protocol.Snapshot](t, conn, "snapshot", protocol.Call{Target: target, Skill: "shelf"})
		if err != nil || snap.Target != target || snap.Kind != "go" {
			t.Errorf("the snapshot of %s is %+v, %v", target, snap, err)
		}
		if _, err := ask[protocol.CallReply](t, conn, "call", protocol.Call{Target: target, Callback: "get_node_info"}); err != nil {
			t.Errorf("%s has no get_node_info: %v", target, err)
		}
	}
	for want, c := range map[string]protocol.Call{
		`unknown target "middle" (have host, left, right)`:                                            {Target: "middle", Callback: "shelf_says"},
		`unknown callback "shelf_host" (target left has shelf_says, get_current_time, get_node_info)`: {Target: "left", Callback: "shelf_host"},
		`unknown callback "shelf_says" (target host has shelf_host, get_current_time, get_node_info)`: {Callback: "shelf_says"},
	} {
		if _, err := ask[protocol.CallReply](t, conn, "call", c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}

	m, err := conn.Last(t.Context(), bus.Nodes, protocol.NodeSubject("web 1"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := protocol.Decode[protocol.Heartbeat](m.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]protocol.HeartbeatTarget{
		{Name: "host", Kind: "host", Skills: []string{"shelf", "floor"}},
		{Name: "left", Kind: "go", Skills: []string{"shelf"}},
		{Name: "right", Kind: "go", Skills: []string{"shelf"}},
	}, h.Targets); diff != "" {
		t.Errorf("the heartbeat's targets (-want +got):\n%s", diff)
	}
	kinds := []string{}
	for _, s := range h.Skills {
		kinds = append(kinds, s.Skill+"/"+s.Kind)
	}
	if want := []string{"shelf/host", "floor/host", "shelf/go"}; !slices.Equal(kinds, want) {
		t.Errorf("the heartbeat announces the words of %v, want %v: two targets of a kind share them", kinds, want)
	}
}

func TestACallbackAnswersToItsAliases(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	c := callback("shelf_fill", func(context.Context, skills.Args) (any, error) { return "half", nil })
	c.Aliases = []string{"rack_fill"}
	startWith(t, conn, config(), nil, skill("shelf", one, c))
	for _, name := range []string{"shelf_fill", "rack_fill"} {
		if r, err := ask[protocol.CallReply](t, conn, "call", protocol.Call{Callback: name}); err != nil || r.Value != "half" {
			t.Errorf("%s answered %+v, %v", name, r, err)
		}
	}
}

func TestATargetThatNoSkillLooksIntoIsRefused(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	err := probe.Run(t.Context(), config(), probe.Deps{
		Log: natstest.Log(t), Bus: conn, Identity: machine, Skills: []skills.Skill{skill("floor", one)},
		Targets: []skills.Target{{Name: "db", Kind: skills.Postgres}},
	})
	if err == nil || !strings.Contains(err.Error(), `target "db": no skill looks into the kind "postgres"`) {
		t.Errorf("got %v", err)
	}
}
