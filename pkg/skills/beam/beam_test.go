package beam_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/beam"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
)

func TestTheSkillKeepsItsPromises(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]beamtest.Options{"erlang": {}, "elixir": {Elixir: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := beamtest.Start(t, o)
			skilltest.RunTarget(t, beam.Skill(map[string]*reach.Node{nodetest.Target: nodetest.Client(t, of)}), skills.Target{Name: nodetest.Target, Kind: skills.Beam})
		})
	}
}

func TestAHealthyIdleNodeCrossesNothing(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]beamtest.Options{"erlang": {}, "elixir": {Elixir: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tg := start(t, o)
			if got := nodetest.Crossed(tg.Source, nodetest.Rounds(t, tg.Source, 3, func() {}), nil); len(got) > 0 {
				t.Errorf("it crosses %q", got)
			}
		})
	}
}

// Forty clients call twenty servers as fast as they can, for each request a
// process begins and ends, and atoms and code are loaded at first.
func TestAHealthyBusyNodeCrossesNothing(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do(`begin file:write_file("web.erl", ` + quote(`-module(web).
-export([run/0, serve/0, client/1]).
run() -> Ss = [spawn(?MODULE, serve, []) || _ <- lists:seq(1, 20)], [spawn(?MODULE, client, [lists:nth(N rem 20 + 1, Ss)]) || N <- lists:seq(1, 40)], ok.
serve() -> receive {From, Body} -> spawn(fun() -> From ! {ok, lists:sum(lists:seq(1, 200)), byte_size(Body)} end), serve() end.
client(S) -> S ! {self(), binary:copy(<<1>>, 1000)}, receive {ok, _, _} -> ok end, timer:sleep(5), client(S).
`) + `), {ok, web} = compile:file("web.erl"), {module, web} = code:load_file(web), web:run() end`)
	d := nodetest.Rounds(t, tg.Source, 6, func() {})
	if got := nodetest.Crossed(tg.Source, d, nil); len(got) > 0 {
		t.Errorf("it crosses %q", got)
	}
	before := tg.ask("beam_get_processes()")["process_count"].(float64)
	if before < 80 || before > 5000 {
		t.Errorf("it has %g processes", before)
	}
}

// Behaviour: 151, defect 28.
func TestWhatTheNodeTellsOfItself(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	d := nodetest.Snapshot(t, tg.Source)
	for _, name := range []string{"process_utilization_pct", "port_utilization_pct", "atom_utilization_pct"} {
		if v, ok := d[name].(float64); !ok || v <= 0 || v > 100 {
			t.Errorf("%s is %v", name, d[name])
		}
	}
	if v, ok := d["scheduler_run_queue"].(float64); !ok || v != float64(int(v)) {
		t.Errorf("the run queue is %v", d["scheduler_run_queue"])
	}
	if a := tg.ask("beam_get_memory()"); a["total_mb"].(float64) < a["processes_mb"].(float64)+a["binary_mb"].(float64) || a["atom_mb"].(float64) <= 0 {
		t.Errorf("the memory is %v", a)
	}
	if a := tg.ask("beam_get_system()"); a["node"] != tg.of.Name || a["elixir_version"] != nil || a["otp_release"] == "" {
		t.Errorf("the node is %v", a)
	}
	a := tg.ask(`beam_top_processes(3, "memory")`)
	list := nodetest.Rows(a, "processes")
	if len(list) != 3 || a["showing"] != 3.0 || a["offset"] != 0.0 || a["limit"] != 3.0 || a["sort_by"] != "memory_kb" || list[0]["memory_kb"].(float64) < list[1]["memory_kb"].(float64) {
		t.Errorf("the three largest are %v", a)
	}
	for _, by := range []string{"memory", "message_queue", "reductions"} {
		for _, p := range nodetest.Rows(tg.ask(fmt.Sprintf("beam_top_processes(50, %q)", by)), "processes") {
			if p["name"] == "" || p["name"] == "[]" || !strings.HasPrefix(p["pid"].(string), "<0.") {
				t.Errorf("by %s: %v has no name", by, p)
			}
		}
	}
	if _, err := skilltest.Call(t, tg.Source, `beam_top_processes(51, "memory")`); err == nil || !strings.Contains(err.Error(), "from 1 to 50") {
		t.Errorf("51 processes: %v", err)
	}
	for _, call := range []string{"beam_binary_info", "beam_process_info"} {
		for _, pid := range []string{"<0.999999.0>", "no process", "<7.1.0>"} {
			if a := tg.ask(fmt.Sprintf("%s(%q)", call, pid)); a["error"] != "process_not_found" || a["pid"] != pid {
				t.Errorf("%s(%s): %v", call, pid, a)
			}
		}
	}
	online := strings.Trim(tg.of.Do("erlang:system_info(schedulers_online)"), `"`)
	if a := tg.ask("beam_get_schedulers()"); fmt.Sprint(a["schedulers_online"]) != online || a["schedulers"].(float64) < a["schedulers_online"].(float64) || a["dirty_io_schedulers"] != 10.0 || a["run_queue"] == nil {
		t.Errorf("of %s schedulers it tells %v", online, a)
	}
	before := tg.ask("beam_get_persistent_terms()")
	tg.of.Do("begin [persistent_term:put({price, I}, lists:seq(1, 100000)) || I <- [1, 2]], ok end")
	if a := tg.ask("beam_get_persistent_terms()"); a["count"] != before["count"].(float64)+2 || a["memory_mb"].(float64) < before["memory_mb"].(float64)+3 {
		t.Errorf("with two terms more than %v it is %v", before, a)
	}
	till := strings.Trim(tg.of.Do("begin Till = shop:start(wait, []), register(till, Till), [Till ! x || _ <- lists:seq(1, 7)], pid_to_list(Till) end"), `"`)
	if a := tg.ask(fmt.Sprintf("beam_process_info(%q)", till)); a["pid"] != till || a["name"] != "till" || a["registered_name"] != "till" || a["message_queue"] != 7.0 || a["status"] != "waiting" ||
		a["current_function"] != "shop:wait/0" || !strings.Contains(fmt.Sprint(a["stack"]), "shop:wait/0") || a["memory_kb"].(float64) <= 0 || a["total_heap_kb"].(float64) <= 0 {
		t.Errorf("one process is %v", a)
	}
	if a := tg.ask(`beam_reduction_rate("#PID<0.0.0>", 100)`); a["pid"] != "<0.0.0>" || a["window_ms"].(float64) < 100 || a["trend"] != "idle" {
		t.Errorf("the rate of init is %v", a)
	}
	if a := tg.ask(`beam_reduction_rate("<0.999999.0>", 100)`); a["error"] != "process_not_found" {
		t.Errorf("the rate of nobody is %v", a)
	}
	if a := tg.ask("beam_scheduler_utilization(100)"); len(nodetest.Rows(a, "schedulers")) == 0 || a["sample_ms"] != 100.0 {
		t.Errorf("the schedulers are %v", a)
	}
	if _, err := skilltest.Call(t, tg.Source, "beam_scheduler_utilization(99)"); err == nil {
		t.Error("99 ms are enough")
	}
	if v, err := skilltest.Call(t, tg.Source, "beam_scheduler_capacity_available()"); err != nil || v != true {
		t.Errorf("an idle node has no capacity: %v %v", v, err)
	}
	if a := tg.ask("beam_scheduler_health()"); a["status"] != "healthy" || len(a["recommendations"].([]any)) == 0 {
		t.Errorf("the health of an idle node is %v", a)
	}
}

func TestTwentyThousandMessagesBehindACallThatBlocksNameTheProcessAndWhereItSits(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do("begin register(stock, shop:start(stock, [])), register(cart, shop:start(cart, [])), [cart ! X || X <- lists:seq(1, 20001)], ok end")
	nodetest.Until(t, "the cart to be blocked", func() bool { return tg.ask("beam_queue_stats()")["max_queue_size"] == 20000.0 })
	d := nodetest.Snapshot(t, tg.Source)
	tells(t, nodetest.Crossed(tg.Source, d, nil)["max_queue_size"], "20000 messages wait for cart (<0.", "gen:do_call/4, called by shop:cart/0")
	a := tg.ask("beam_queue_processes(1000)")
	if list := nodetest.Rows(a, "processes"); a["count"] != 1.0 || len(list) != 1 || list[0]["name"] != "cart" || list[0]["message_queue"] != 20000.0 {
		t.Errorf("the long queues are %v", a)
	}
	if a := tg.ask("beam_queue_processes(20000)"); a["count"] != 0.0 {
		t.Errorf("none has more than it has: %v", a)
	}
	a = tg.ask("beam_queue_stats()")
	if most := a["max_queue_process"].(map[string]any); most["name"] != "cart" || a["processes_with_large_queues"] != 1.0 || a["processes_with_critical_queues"] != 1.0 {
		t.Errorf("the queues are %v", a)
	}
	if p := nodetest.Rows(tg.ask(`beam_top_processes(1, "message_queue")`), "processes"); p[0]["name"] != "cart" || p[0]["memory_kb"] != nil {
		t.Errorf("its memory is asked, which goes through the queue: %v", p)
	}
}

func TestAnElixirProcessIsWrittenAsElixirDoes(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{Elixir: true})
	tg.of.Do(`(fn -> {:ok, p} = Shop.Cart.start(Shop.Till); for x <- 1..3000, do: send(p, x); {:ok, q} = Shop.Cart.start(nil); send(q, 1); send(q, 1); :ok end).()`)
	nodetest.Until(t, "the carts to be blocked", func() bool { return tg.ask("beam_queue_stats()")["total_queued_messages"] == 3000.0 })
	tells(t, nodetest.Crossed(tg.Source, nodetest.Snapshot(t, tg.Source), nil)["max_queue_size"], "2999 messages wait for Shop.Till (<0.", "Shop.Cart.get/0")
	list := nodetest.Rows(tg.ask(`beam_top_processes(2, "message_queue")`), "processes")
	if len(list) != 2 || list[1]["name"] != "Shop.Cart.init/1" || list[1]["current_function"] != "Shop.Cart.get/0" {
		t.Errorf("the processes are %v", list)
	}
}

func TestAQueueThatGrowsIsTold(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do("begin P = shop:start(wait, []), register(till, P), [P ! X || X <- lists:seq(1, 500)], spawn(fun F() -> [P ! more || _ <- lists:seq(1, 50)], timer:sleep(1), F() end), ok end")
	a := tg.ask("beam_queue_growth(300, 5)")
	list := nodetest.Rows(a, "processes")
	if len(list) != 1 || list[0]["name"] != "till" || list[0]["queue_growth"].(float64) < 10 || list[0]["final_queue"].(float64)-list[0]["initial_queue"].(float64) != list[0]["queue_growth"] {
		t.Errorf("what grows is %v", a)
	}
}

func TestALeakOfProcessesNamesWithWhatTheyBegan(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do("shop:many(200)")
	d := nodetest.Rounds(t, tg.Source, 5, func() { tg.of.Do("shop:many(400)") })
	says := nodetest.Crossed(tg.Source, d, map[string]float64{"growing_processes": 1000})
	tells(t, says["growing_processes"], "began with shop:idle/1", "their number never fell")
	if n := d["growing_origin_processes"].(float64); n < 2000 || n > 2300 { // it is an estimate
		t.Errorf("%g began with it", n)
	}
	a := tg.ask("beam_process_origins(3)")
	list := nodetest.Rows(a, "origins")
	if list[0]["function"] != "shop:idle/1" || list[0]["processes"].(float64) < 2000 || list[0]["steady"] != true || list[0]["example"].(map[string]any)["current_function"] != "shop:idle/1" {
		t.Errorf("the origins are %v", list)
	}
	if d["top_origin"] != "shop:idle/1" {
		t.Errorf("most began with %v", d["top_origin"])
	}
}

func TestABusySchedulerNamesTheProcessAndItsFunction(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{Args: []string{"+S", "1:1"}}) // of two the work would go from one to the other
	tg.of.Do("begin register(miner, shop:start(spin, [])), ok end")
	d := nodetest.Rounds(t, tg.Source, 2, func() {})
	says := nodetest.Crossed(tg.Source, d, map[string]float64{"spinning_for_seconds": 1})
	tells(t, says["spinning_for_seconds"], "miner (<0.", "shop:spin/0")
	a := tg.ask("beam_top_reducers_window(3, 200)")
	if list := nodetest.Rows(a, "processes"); len(list) == 0 || list[0]["name"] != "miner" || list[0]["share_pct"].(float64) < 50 || list[0]["rate_per_sec"].(float64) < 1e6 || a["window_ms"].(float64) < 200 {
		t.Errorf("who does most is %v", a)
	}
	if list := nodetest.Rows(tg.ask("beam_hot_functions(3, 200)"), "functions"); len(list) == 0 || list[0]["function"] != "shop:spin/0" || list[0]["process_count"] != 1.0 {
		t.Errorf("the hot functions are %v", list)
	}
	pid := strings.Trim(tg.of.Do("erlang:pid_to_list(whereis(miner))"), `"`)
	if a := tg.ask(fmt.Sprintf("beam_reduction_rate(%q, 200)", pid)); a["trend"] != "very_high" || a["pid"] != pid {
		t.Errorf("its rate is %v", a)
	}
	if a := tg.ask("beam_scheduler_utilization(300)"); a["max_utilization_pct"].(float64) < 80 {
		t.Errorf("no scheduler is busy: %v", a)
	}
}

func TestMoreWorkThanSchedulersIsToldWithTheFunction(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{Args: []string{"+S", "1:1"}})
	tg.of.Do("begin [shop:start(spin, []) || _ <- lists:seq(1, 30)], ok end")
	d := nodetest.Snapshot(t, tg.Source)
	tells(t, nodetest.Crossed(tg.Source, d, nil)["run_queue_per_scheduler"], "processes wait for each of 1 schedulers", "shop:spin/0")
	if a := tg.ask("beam_scheduler_health()"); a["status"] != "critical" {
		t.Errorf("its health is %v", a)
	}
	if v, err := skilltest.Call(t, tg.Source, "beam_scheduler_capacity_available()"); err != nil || v != false {
		t.Errorf("it has capacity: %v %v", v, err)
	}
	if f := nodetest.Rows(tg.ask("beam_hot_functions(1, 500)"), "functions"); len(f) != 1 || f[0]["function"] != "shop:spin/0" || f[0]["process_count"].(float64) < 10 {
		t.Errorf("the hot function is %v", f)
	}
}

// Of a node with more than 100 processes that wait little is asked: who does most is.
func TestAnOverloadedNodeStillNamesTheFunction(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{Args: []string{"+S", "1:1"}})
	tg.of.Do("begin [shop:start(spin, []) || _ <- lists:seq(1, 150)], ok end")
	for i := range 2 {
		d, err := tg.Snapshot(t.Context())
		if err == nil || !strings.Contains(err.Error(), "overloaded") || d["atom_count"] == nil {
			t.Errorf("snapshot %d: %v, %v", i, d, err)
		}
		tells(t, nodetest.Crossed(tg.Source, d, nil)["run_queue_per_scheduler"], "processes wait for each of 1 schedulers", "shop:spin/0")
	}
}

// What began long ago and works as ever has done much; what began to work hard now is
// the burst.
//
// Behaviour: 151, defect 28.
func TestABurstIsOfRatesNotOfLifetimes(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{Args: []string{"+S", "4:4"}})
	tg.of.Do("begin register(old, shop:start(spin, [])), ok end")
	tg.of.Do("begin spawn(fun F() -> timer:sleep(700), B = shop:start(spin, []), register(young, B), timer:sleep(700), exit(B, kill), F() end), ok end")
	nodetest.Until(t, "a burst to be seen", func() bool {
		for _, p := range nodetest.Rows(tg.ask("beam_burst_detection(300, 300)"), "processes") {
			if p["name"] == "young" {
				return p["current_rate"].(float64) > p["baseline_rate"].(float64) && p["burst_multiplier_pct"].(float64) >= 300
			}
		}
		return false
	})
}

func TestOneProcessWithMostMemoryIsNamed(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do("begin register(ledger, shop:start(remember, [[]])), ledger ! {more, 6000000}, ok end")
	var d skills.Data
	nodetest.Until(t, "the ledger to be large", func() bool {
		d = nodetest.Snapshot(t, tg.Source)
		v, _ := d["largest_process_mb"].(float64)
		return v > 90
	})
	tells(t, nodetest.Crossed(tg.Source, d, map[string]float64{"largest_process_mb": 90})["largest_process_mb"], "ledger (<0.", "shop:remember/1")
	if p := nodetest.Rows(tg.ask(`beam_top_processes(1, "memory")`), "processes"); p[0]["name"] != "ledger" {
		t.Errorf("most memory has %v", p)
	}
}

// down takes a snapshot of a node that does not work.
func (tg *target) down() (skills.Data, error) {
	tg.t.Helper()
	d, err := tg.Snapshot(tg.t.Context())
	if err == nil || d["reachable"] != 0.0 {
		tg.t.Fatalf("reachable %v, %v", d["reachable"], err)
	}
	return d, err
}

func TestANodeThatIsGoneOrStuckIsAFinding(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	if d := nodetest.Snapshot(t, tg.Source); d["reachable"] != 1.0 {
		t.Errorf("reachable %v", d["reachable"])
	}
	tg.of.Kill()
	nodetest.Until(t, "the connection to be gone", func() bool { _, err := tg.Snapshot(t.Context()); return err != nil })
	d, _ := tg.down()
	tells(t, nodetest.Crossed(tg.Source, d, nil)["reachable"], "nobody listens for "+tg.of.Name)
}

func TestAWrongCookieIsNoFaultOfTheNode(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	tg := open(t, &beamtest.Node{Name: of.Name, Address: of.Address, Cookie: "another"})
	d, err := tg.Snapshot(t.Context())
	if err == nil || len(d) > 0 {
		t.Fatalf("%v, %v", d, err)
	}
	tells(t, err.Error(), "has another cookie", "cookie_file")
}
