package allocator_test

import (
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/allocator"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
)

func beamSkill(n *beam.Node) skills.Skill {
	return skills.Skill{
		Name: "allocator", Title: "Memory allocators", Summary: "as in the list of all", Prefix: "allocator_",
		Sources: []skills.Source{allocator.BeamSource(map[string]*beam.Node{nodetest.Target: n})},
	}
}

func TestTheBeamSourceKeepsItsPromises(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]beamtest.Options{"erlang": {}, "elixir": {Elixir: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			skilltest.RunTarget(t, beamSkill(nodetest.Client(t, beamtest.Start(t, o))), skills.Target{Name: nodetest.Target, Kind: skills.Beam})
		})
	}
}

// keeper keeps little of a peak.
const keeper = `-module(keeper).
-export([peak/0]).
peak() -> Some = every([binary:copy(<<X:32>>, 3000) || X <- lists:seq(1, 20000)], 1), garbage_collect(), receive stop -> Some end.
every([], _) -> [];
every([B | Bs], 20) -> [B | every(Bs, 1)];
every([_ | Bs], N) -> every(Bs, N + 1).
`

// Behaviour: 161, defect 25.
func TestFragmentationOfANodeIsComputedFromItsCarriers(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := nodetest.Client(t, of)
	src := beamSkill(n).Sources[0].Open(nodetest.Target)
	problematic := func() []any {
		t.Helper()
		return skilltest.Object(t, src, "allocator_problematic()")["allocators"].([]any)
	}
	d := nodetest.Snapshot(t, src)
	if d["fragmented_allocators"] != 0.0 || len(problematic()) != 0 || d["fragmented_mb"] != 0.0 || len(skills.Evaluate(src.Checks, d)) != 0 {
		t.Errorf("a node that just began is fragmented: %v", d)
	}
	// Its own figures: what the allocators' blocks come to is what the node says it has.
	total := skilltest.Object(t, src, `allocator_by_type("binary_alloc")`)
	if r := total["usage_ratio"].(float64); r <= 0 || r > 1 || total["blocks"].(float64) < 1 || total["carriers"].(float64) < 1 {
		t.Errorf("the allocator of binaries is %v", total)
	}

	// 20,000 binaries of 12 KiB, of which one in twenty stays.
	of.Do("begin file:write_file(\"keeper.erl\", \"" + strings.NewReplacer("\n", `\n`).Replace(keeper) + "\"), {ok, keeper} = compile:file(\"keeper.erl\"), {module, keeper} = code:load_file(keeper), spawn(keeper, peak, []), ok end")
	d = nodetest.SnapshotUntil(t, src, "most of the peak's memory is fragmented", func(d skills.Data) bool {
		return d["fragmented_mb"].(float64) >= 128 && d["worst_usage_ratio"].(float64) < 0.3
	})
	worst, _ := d["worst_usage_ratio"].(float64)
	if d["worst_allocator"] != "binary_alloc" || d["fragmented_allocator"] != "binary_alloc" || worst <= 0 || worst >= 0.3 || d["fragmented_allocators"] != float64(len(problematic())) {
		t.Errorf("fragmented it is %v", d)
	}
	if says := skills.Evaluate(src.Checks, d); len(says) != 1 || !strings.Contains(says[0].Says, "most of that in binary_alloc") {
		t.Errorf("the checks say %v", says)
	}
	list := problematic()
	for i, v := range list {
		r := v.(map[string]any)["usage_ratio"].(float64)
		if r >= 0.5 || i > 0 && r < list[i-1].(map[string]any)["usage_ratio"].(float64) {
			t.Errorf("row %d of what is problematic is %v", i, v)
		}
	}
	f := skilltest.Object(t, src, "allocator_fragmentation()")
	if f["worst_allocator"] != "binary_alloc" || skills.Round(1-f["average_usage_ratio"].(float64), 3) != f["fragmentation_score"] {
		t.Errorf("the fragmentation is %v", f)
	}
	if v, err := skilltest.Call(t, src, `allocator_by_type("colour")`); err != nil || v != nil {
		t.Errorf("an unknown allocator is %v, %v", v, err)
	}
	if a := skilltest.Object(t, src, "allocator_get_binary()"); a["name"] != "binary_alloc" || a["usage_ratio"].(float64) >= 0.5 {
		t.Errorf("the allocator of binaries is %v", a)
	}
	if a := skilltest.Object(t, src, "allocator_get_mbuf()"); a["name"] != "eheap_alloc" || a["note"] == nil {
		t.Errorf("that of messages is %v", a)
	}
}
