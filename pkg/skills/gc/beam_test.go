package gc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/gc"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
)

func beamSkill(n *beam.Node) skills.Skill {
	return skills.Skill{
		Name: "gc", Title: "Garbage collection", Summary: "as in the list of all", Prefix: "gc_",
		Sources: []skills.Source{gc.BeamSource(map[string]*beam.Node{nodetest.Target: n})},
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

// ledger remembers what it is told.
const ledger = `-module(ledger).
-export([start/0, loop/1]).
start() -> register(ledger, spawn(?MODULE, loop, [[]])), ok.
loop(L) -> receive {more, From, N} -> New = lists:seq(1, N) ++ L, From ! done, loop(New) end.
`

func startLedger(t *testing.T) (*beamtest.Node, skills.Source) {
	t.Helper()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(`begin file:write_file("ledger.erl", "` + strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(ledger) + `"), {ok, ledger} = compile:file("ledger.erl"), {module, ledger} = code:load_file(ledger), ledger:start() end`)
	return of, beamSkill(nodetest.Client(t, of)).Sources[0].Open(nodetest.Target)
}

func remember(of *beamtest.Node, n int) {
	of.Do(fmt.Sprintf("begin ledger ! {more, self(), %d}, receive done -> ok end end", n))
}

func TestAHealthyNodeCrossesNothing(t *testing.T) {
	t.Parallel()
	src := beamSkill(nodetest.Client(t, beamtest.Start(t, beamtest.Options{Elixir: true}))).Sources[0].Open(nodetest.Target)
	d := nodetest.Rounds(t, src, 2, func() {})
	if got := skills.Evaluate(src.Checks, d); len(got) > 0 {
		t.Errorf("it crosses %v", got)
	}
	if d["gcs_per_sec"] == nil || d["total_gcs"].(float64) <= 0 || d["words_reclaimed"].(float64)*8/(1<<20)-d["bytes_reclaimed_mb"].(float64) > 0.01 {
		t.Errorf("it tells %v", d)
	}
}

func TestCollectionsAreCountedAsTheNodeCountsThem(t *testing.T) {
	t.Parallel()
	of, src := startLedger(t)
	total := func() float64 { return skilltest.Object(t, src, "gc_stats()")["total_gcs"].(float64) }
	before := total()
	of.Do("begin [erlang:garbage_collect(whereis(ledger)) || _ <- lists:seq(1, 1000)], ok end")
	if n := total() - before; n < 1000 || n > 2000 {
		t.Errorf("after 1,000 collections it counts %g more", n)
	}
	nodetest.Rounds(t, src, 1, func() { remember(of, 100_000) })
	if a := skilltest.Object(t, src, "gc_stats()"); a["gcs_per_sec"].(float64) <= 0 || a["words_reclaimed"].(float64) <= 0 || a["reclaimed_mb_per_sec"] == nil {
		t.Errorf("it tells %v", a)
	}
}

func TestAHeapThatGrowsNamesItsProcess(t *testing.T) {
	t.Parallel()
	of, src := startLedger(t)
	remember(of, 1_000_000)
	d := nodetest.Rounds(t, src, 14, func() { remember(of, 1_500_000) })
	checks := append([]skills.Check{}, src.Checks...)
	checks[0].Warn = skills.Level(60)
	says := skills.Evaluate(checks, d)
	if len(says) != 1 || !strings.Contains(says[0].Says, "the heap of ledger (<0.") || !strings.Contains(says[0].Says, "ledger:loop/1") {
		t.Errorf("the checks say %v of %v", says, d)
	}
	if d["largest_heap_process"] == nil || !strings.HasPrefix(d["largest_heap_process"].(string), "ledger (<0.") {
		t.Errorf("the largest is %v", d["largest_heap_process"])
	}
}

// Behaviour: 156.
func TestListsOfHeapsHaveTheirCapsAndOrder(t *testing.T) {
	t.Parallel()
	of, src := startLedger(t)
	remember(of, 1_000_000)
	of.Do("erlang:garbage_collect(whereis(ledger))")
	top := nodetest.Rows(skilltest.Object(t, src, "gc_top_processes(50)"), "processes")
	if len(top) < 10 || len(top) > 50 || top[0]["name"] != "ledger" || top[0]["total_heap_size_kb"].(float64) < 15_000 || top[0]["fullsweep_after"].(float64) < 1 {
		t.Errorf("the largest heaps are %v", top)
	}
	for i := 1; i < len(top); i++ {
		if top[i]["total_heap_size_kb"].(float64) > top[i-1]["total_heap_size_kb"].(float64) {
			t.Fatalf("row %d is out of order", i)
		}
	}
	if _, err := skilltest.Call(t, src, "gc_top_processes(51)"); err == nil {
		t.Error("51 are taken")
	}
	before := 1 << 30
	for _, threshold := range []string{"0", "0.01", "1", "1000"} {
		list := nodetest.Rows(skilltest.Object(t, src, "gc_find_spiky_processes("+threshold+")"), "processes")
		if len(list) > before {
			t.Errorf("above %s MiB there are %d, more than with a lower threshold", threshold, len(list))
		}
		before = len(list)
		for i := 1; i < len(list); i++ {
			if list[i]["variance_mb"].(float64) > list[i-1]["variance_mb"].(float64) {
				t.Fatalf("above %s: row %d is out of order", threshold, i)
			}
		}
	}
	list := nodetest.Rows(skilltest.Object(t, src, "gc_recommend_hibernation()"), "processes")
	if len(list) == 0 || list[0]["name"] != "ledger" || list[0]["estimated_savings_mb"].(float64) < 13 {
		t.Errorf("who should hibernate is %v", list)
	}
	for _, p := range list {
		if p["message_queue_len"] != 0.0 || p["name"] == "" || p["heap_size_mb"].(float64) < 1 {
			t.Errorf("it should not hibernate: %v", p)
		}
	}
}

// Behaviour: defect 29.
func TestWhoHasNotCollectedIsSeenByTheProbe(t *testing.T) {
	t.Parallel()
	of, src := startLedger(t)
	remember(of, 1_000_000)
	if a := skilltest.Object(t, src, "gc_find_lazy_gc_processes(1, 0.01)"); len(nodetest.Rows(a, "processes")) != 0 || a["note"] == nil {
		t.Errorf("at first sight it is %v", a)
	}
	<-time.After(700 * time.Millisecond)
	lazy := func() (ago float64) {
		for _, p := range nodetest.Rows(skilltest.Object(t, src, "gc_find_lazy_gc_processes(1, 0.01)"), "processes") {
			if p["name"] == "ledger" {
				ago = p["last_gc_minutes_ago"].(float64)
			}
		}
		return ago
	}
	if ago := lazy(); ago < 0.01 {
		t.Errorf("it collected %g minutes ago", ago)
	}
	remember(of, 1_000_000)
	if ago := lazy(); ago != 0 {
		t.Errorf("it collected just now, and is told as %g minutes ago", ago)
	}
	if a := skilltest.Object(t, src, "gc_find_lazy_gc_processes(100000, 0)"); len(nodetest.Rows(a, "processes")) != 0 {
		t.Errorf("none has 100,000 MiB: %v", a)
	}
}

// Behaviour: defect 29.
func TestWhatOneProcessFreedIsSaidToBeUnknown(t *testing.T) {
	t.Parallel()
	of, src := startLedger(t)
	pid := strings.Trim(of.Do("erlang:pid_to_list(whereis(ledger))"), `"`)
	for _, text := range []string{pid, "#PID" + pid} {
		a := skilltest.Object(t, src, fmt.Sprintf("gc_calculate_efficiency(%q)", text))
		if a["pid"] != pid || a["name"] != "ledger" || a["efficiency_ratio"] != nil || a["note"] == nil || a["minor_gcs"] == nil || a["node_reclaimed_mb_per_gc"] == nil {
			t.Errorf("%s: %v", text, a)
		}
	}
	if a := skilltest.Object(t, src, `gc_calculate_efficiency("<0.999999.0>")`); a["error"] != "process_not_found" {
		t.Errorf("nobody is %v", a)
	}
}

func TestLongCollectionsAreToldWhereTheLevelIsGranted(t *testing.T) {
	t.Parallel()
	of, src := startLedger(t)
	if a := skilltest.Object(t, src, "gc_get_long_gcs(5)"); len(nodetest.Rows(a, "events")) != 0 || !strings.Contains(a["note"].(string), "grants the level observe") {
		t.Errorf("without the level it is %v", a)
	}
	src = beamSkill(nodetest.Client(t, of, beam.Events)).Sources[0].Open(nodetest.Target)
	if a := skilltest.Object(t, src, "gc_get_long_gcs(5)"); len(nodetest.Rows(a, "events")) != 0 || a["note"] != nil {
		t.Errorf("with it, and none, it is %v", a)
	}
	var list []map[string]any
	for end := time.Now().Add(60 * time.Second); len(list) == 0; list = nodetest.Rows(skilltest.Object(t, src, "gc_get_long_gcs(1)"), "events") {
		if time.Now().After(end) {
			t.Fatal("waited in vain for a long collection")
		}
		remember(of, 4_000_000) // a collection that copies 64 MiB more each time
		of.Do("erlang:garbage_collect(whereis(ledger))")
	}
	if list[0]["name"] != "ledger" || list[0]["duration_ms"].(float64) < 500 || list[0]["heap_size"].(float64)+list[0]["old_heap_size"].(float64) < 1<<20 {
		t.Errorf("the collection is %v", list)
	}
}
