package ets_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/ets"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
)

// A target is a node, looked into by the skill.
type target struct {
	t  *testing.T
	of *beamtest.Node
	skills.Source
}

func start(t *testing.T, o beamtest.Options) *target {
	t.Helper()
	of := beamtest.Start(t, o)
	return &target{t, of, ets.Skill(map[string]*beam.Node{nodetest.Target: nodetest.Client(t, of)}).Sources[0].Open(nodetest.Target)}
}

func (tg *target) ask(call string) map[string]any {
	tg.t.Helper()
	return skilltest.Object(tg.t, tg.Source, call)
}

// owner has a process keep tables: Ets ! {do, Fun} runs Fun in it.
const owner = `begin register(till, spawn(fun F() -> receive {do, From, G} -> G(), From ! done, F() end end)), Own = fun(G) -> till ! {do, self(), G}, receive done -> ok end end, ok end`

func TestTheSkillKeepsItsPromises(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]beamtest.Options{"erlang": {}, "elixir": {Elixir: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := beamtest.Start(t, o)
			skilltest.RunTarget(t, ets.Skill(map[string]*beam.Node{nodetest.Target: nodetest.Client(t, of)}), skills.Target{Name: nodetest.Target, Kind: skills.Beam})
		})
	}
}

func TestAHealthyNodeCrossesNothing(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do("begin T = ets:new(cache, [public, named_table]), [ets:insert(T, {X, X}) || X <- lists:seq(1, 100000)], ok end")
	d := nodetest.Rounds(t, tg.Source, 5, func() {
		tg.of.Do("begin [ets:insert(cache, {rand:uniform(200000), X}) || X <- lists:seq(1, 1000)], ok end")
	})
	if got := nodetest.Crossed(tg.Source, d, nil); len(got) > 0 {
		t.Errorf("it crosses %q", got)
	}
}

// Behaviour: 155, defect 26, defect 36.
func TestATableThatGrowsIsToldAndOneThatShrinksIsNot(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do(owner)
	fill := func(table string, from, to int) {
		tg.of.Do(fmt.Sprintf("Own(fun() -> [ets:insert(%s, {X, X}) || X <- lists:seq(%d, %d)] end)", table, from, to))
	}
	tg.of.Do("Own(fun() -> ets:new(sessions, [named_table, public]), ets:new(orders, [named_table]), ets:new(steady, [named_table]), ets:new(twin, [public]), ets:new(twin, [public]) end)")
	fill("sessions", 1, 10)
	fill("orders", 1, 1000)
	fill("steady", 1, 500)
	if a := tg.ask("ets_growth_stats(10)"); len(nodetest.Rows(a, "fastest_growing_tables")) != 0 || a["note"] == nil {
		t.Errorf("after one reading it is %v", a)
	}
	<-time.After(skills.ShortestRate + 10*time.Millisecond)
	fill("sessions", 11, 5000)
	tg.of.Do("Own(fun() -> [ets:delete(orders, X) || X <- lists:seq(101, 1000)] end)")
	for _, call := range []string{"ets_growth_stats(10)", "ets_leak_candidates(50)"} {
		a := tg.ask(call)
		list := append(nodetest.Rows(a, "fastest_growing_tables"), nodetest.Rows(a, "suspected_leaks")...)
		if len(list) != 1 || list[0]["name"] != "sessions" || list[0]["size_delta"] != 4990.0 || list[0]["growth_pct"] != 49900.0 || list[0]["current_size"] != 5000.0 || a["over_seconds"].(float64) < 1 {
			t.Errorf("%s: what grows is %v", call, a)
		}
		if call == "ets_leak_candidates(50)" && (list[0]["only_grows"] != true || !strings.HasPrefix(list[0]["owner"].(string), "till (<0.")) {
			t.Errorf("the leak is %v", list[0])
		}
	}
	if a := tg.ask("ets_leak_candidates(50000)"); len(nodetest.Rows(a, "suspected_leaks")) != 0 {
		t.Errorf("it grew by less than 50000 %%: %v", a)
	}
	<-time.After(skills.ShortestRate + 10*time.Millisecond)
	tg.of.Do("Own(fun() -> ets:new(fresh, [named_table]), ets:insert(fresh, {1}), [ets:delete(sessions, X) || X <- lists:seq(3000, 5000)] end)")
	tg.ask("ets_list_tables(10)")
	a := tg.ask("ets_growth_stats(10)")
	if list := nodetest.Rows(a, "fastest_growing_tables"); len(list) != 2 || list[1]["name"] != "fresh" || list[1]["growth_pct"] != 100.0 || list[1]["new"] != true {
		t.Errorf("a new table is %v", list)
	}
	if list := nodetest.Rows(tg.ask("ets_leak_candidates(50)"), "suspected_leaks"); len(list) != 1 || list[0]["name"] != "fresh" {
		t.Errorf("a table that fell by much meanwhile leaks: %v", list)
	}
}

func TestALeakNamesTheTableAndItsOwner(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do(owner)
	tg.of.Do("Own(fun() -> ets:new(sessions, [named_table]), ets:new(prices, [named_table]), [ets:insert(prices, {X, X}) || X <- lists:seq(1, 50000)] end)")
	n := 0
	d := nodetest.Rounds(t, tg.Source, 5, func() {
		tg.of.Do(fmt.Sprintf("Own(fun() -> [ets:insert(sessions, {X, lists:seq(1, 50)}) || X <- lists:seq(%d, %d)] end)", n, n+4999))
		n += 5000
	})
	says := nodetest.Crossed(tg.Source, d, map[string]float64{"growing_mb": 10})
	tells(t, says["growing_mb"], "the ETS table sessions has 25000 rows", "till (<0.", "never less between")
	if d["largest_table"] != "sessions" {
		t.Errorf("the largest is %v", d["largest_table"])
	}
}

func TestTablesThatAreNeverDeletedAreToldByTheirName(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do(owner)
	d := nodetest.Rounds(t, tg.Source, 5, func() { tg.of.Do("Own(fun() -> [ets:new(basket, []) || _ <- lists:seq(1, 40)] end)") })
	tells(t, nodetest.Crossed(tg.Source, d, map[string]float64{"growing_tables": 100})["growing_tables"], "more ETS tables of the name basket")
}

// Behaviour: 155.
func TestTablesAreFoundByNameAndReference(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{Elixir: true})
	tg.of.Do(`(fn -> me = self(); spawn(fn -> Process.register(self(), Shop.Till); :ets.new(Shop.Cart, [:named_table, :public, read_concurrency: true]); for x <- 1..10, do: :ets.insert(Shop.Cart, {x}); :ets.new(:twin, []); t = :ets.new(:twin, []); :ets.insert(t, {List.duplicate(1, 1000)}); send(me, :done); Process.sleep(:infinity) end); receive do :done -> :ok end end).()`)
	a := tg.ask(`ets_table_info("Shop.Cart")`)
	if a["name"] != "Shop.Cart" || a["size"] != 10.0 || a["read_concurrency"] != true || a["protection"] != "public" || a["type"] != "set" || !strings.HasPrefix(a["owner"].(string), "Shop.Till (<0.") {
		t.Errorf("by name it is %v", a)
	}
	if b := tg.ask(fmt.Sprintf("ets_table_info(%q)", a["id"])); b["name"] != "Shop.Cart" {
		t.Errorf("by reference it is %v", b)
	}
	if b := tg.ask(`ets_table_info("Elixir.Shop.Cart")`); b["id"] != a["id"] {
		t.Errorf("by its whole name it is %v", b)
	}
	if b := tg.ask(`ets_table_info("twin")`); b["matches"] != 2.0 || b["size"] != 1.0 {
		t.Errorf("of two that are called alike it is %v", b)
	}
	for _, name := range []string{"nobody has heard of this", "#Ref<0.1.2.3>", "", "#Ref<0.1.2", strings.Repeat("é", 300)} {
		if b := tg.ask(fmt.Sprintf("ets_table_info(%q)", name)); b["error"] != "table_not_found" {
			t.Errorf("%q: %v", name, b)
		}
	}
}

// Behaviour: 155.
func TestListsOfTablesHaveTheirCapsAndOrder(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do(owner)
	tg.of.Do("Own(fun() -> [begin T = ets:new(basket, []), [ets:insert(T, {X}) || X <- lists:seq(1, N)] end || N <- lists:seq(1, 70)] end)")
	a := tg.ask(`ets_top_tables(50, "size")`)
	list := nodetest.Rows(a, "tables")
	if len(list) != 50 || a["showing"] != 50.0 {
		t.Errorf("of many it shows %d", len(list))
	}
	for i := 1; i < len(list); i++ {
		if list[i]["size"].(float64) > list[i-1]["size"].(float64) {
			t.Fatalf("row %d is out of order: %v", i, list[i])
		}
	}
	for _, call := range []string{`ets_top_tables(51, "size")`, `ets_top_tables(0, "size")`, `ets_top_tables(5, "colour")`} {
		if _, err := skilltest.Call(t, tg.Source, call); err == nil {
			t.Errorf("%s is taken", call)
		}
	}
	if a := tg.ask("ets_list_tables(5)"); len(nodetest.Rows(a, "tables")) != 5 || a["truncated"] != true || a["total_tables"].(float64) < 70 {
		t.Errorf("the list is %v", a)
	}
}

// tells fails unless a text has every part.
func tells(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("it does not tell %q: %s", p, text)
		}
	}
}
