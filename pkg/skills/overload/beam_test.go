package overload_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/overload"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
)

// A beamTarget is a node, and the skill that looks at it.
type beamTarget struct {
	*beamtest.Node
	t     *testing.T
	skill skills.Skill
	skills.Source
}

func onBeam(t *testing.T, o beamtest.Options, modules ...string) *beamTarget {
	t.Helper()
	of := beamtest.Start(t, o)
	for _, m := range modules {
		if err := of.Load(m); err != nil {
			t.Fatal(err)
		}
	}
	machine := host.New(host.Config{})
	s, src := overload.Skill(machine), overload.BeamSource(map[string]*beam.Node{nodetest.Target: nodetest.Client(t, of)}, machine)
	s.Sources = []skills.Source{src}
	return &beamTarget{of, t, s, src.Open(nodetest.Target)}
}

// until takes snapshots until one is as it should be.
func (b *beamTarget) until(what string, is func(skills.Data) bool) skills.Data {
	b.t.Helper()
	return nodetest.SnapshotUntil(b.t, b.Source, what, is)
}

func (b *beamTarget) says(d skills.Data) string {
	var out []string
	for _, x := range skills.Evaluate(b.Checks, d) {
		out = append(out, x.Check.Metric+": "+x.Says)
	}
	return strings.Join(out, "\n")
}

func (b *beamTarget) ask(call string) map[string]any {
	b.t.Helper()
	return skilltest.Object(b.t, b.Source, call)
}

func first(t *testing.T, a map[string]any, name string) map[string]any {
	t.Helper()
	list, ok := a[name].([]any)
	if !ok || len(list) == 0 {
		t.Fatalf("there is no %s in %v", name, a)
	}
	return list[0].(map[string]any)
}

func num(d map[string]any, name string) float64 { v, _ := d[name].(float64); return v }

// shopOrders is a server that calls another one, which never answers.
const shopOrders = `-module(shop_orders).
-behaviour(gen_server).
-export([start/0, init/1, handle_call/3, handle_cast/2, flood/1]).
start() -> {ok, _} = gen_server:start({local, shop_orders}, shop_orders, [], []), {ok, _} = gen_server:start({local, shop_payments}, shop_payments, [], []), ok.
init(A) -> {ok, A}.
handle_call(_, _, S) -> {reply, ok, S}.
handle_cast({order, Card}, S) -> pay(Card), {noreply, S}.
pay(Card) -> gen_server:call(shop_payments, {charge, Card}, infinity).
flood(N) -> [gen_server:cast(shop_orders, {order, <<"4111-secret">>}) || _ <- lists:seq(1, N)], ok.
`

const shopPayments = `-module(shop_payments).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2]).
init(A) -> {ok, A}.
handle_call({charge, _}, _, S) -> {reply, charge(), S}.
handle_cast(_, S) -> {noreply, S}.
charge() -> {ok, L} = gen_tcp:listen(0, [{ip, {127,0,0,1}}, {active, false}]), {ok, P} = inet:port(L), {ok, C} = gen_tcp:connect({127,0,0,1}, P, [{active, false}]), gen_tcp:recv(C, 1), ok.
`

func TestAnIdleNodeOfErlangOrElixirKeepsThePromisesOfOverload(t *testing.T) {
	for _, elixir := range []bool{false, true} {
		t.Run(fmt.Sprintf("elixir %v", elixir), func(t *testing.T) {
			t.Parallel()
			b := onBeam(t, beamtest.Options{Elixir: elixir})
			skilltest.RunTarget(t, b.skill, skills.Target{Name: nodetest.Target, Kind: skills.Beam})
			d := b.until("a snapshot", func(skills.Data) bool { return true })
			if b.says(d) != "" || d["overload_severity"] != "none" || d["recommended_action"] != "monitor" || d["time_to_crash_estimate_seconds"] != nil {
				t.Errorf("an idle node is %v and crosses %q", d, b.says(d))
			}
			if a := b.ask("overload_state()"); a["severity"] != "none" || a["time_to_crash_estimate_seconds"] != nil || a["note"] == nil || a["bottleneck_type"] != "none" {
				t.Errorf("its state is %v", a)
			}
		})
	}
}

// Behaviour: 157, defect 27.
func TestTwentyThousandMessagesBehindABlockingCall(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{}, shopOrders, shopPayments)
	b.Do("shop_orders:start(), shop_orders:flood(20001), ok")

	d := b.until("the backlog lasts", func(d skills.Data) bool { return num(d, "backlog") == 20000 })
	if d["overload_severity"] != "sustained" || d["overload_type"] != "queue_overflow" || d["bottleneck_type"] != "downstream_blocking" || d["recommended_action"] != "apply_backpressure" ||
		num(d, "max_queue") != 20000 || num(d, "total_queue_depth") < 20000 || num(d, "processes_over_10000") != 1 || num(d, "affected_processes") != 1 {
		t.Errorf("the snapshot is %v", d)
	}
	says := b.says(d)
	for _, part := range []string{"20000 messages wait for shop_orders <0.", "gen:do_call/4, called by shop_orders:handle_cast/2", "downstream_blocking at shop_payments <0.", "called by shop_payments:charge/0"} {
		if !strings.Contains(says, part) {
			t.Errorf("the checks do not say %q: %s", part, says)
		}
	}
	if a := b.ask("overload_state()"); a["severity"] != "sustained" || a["recommended_action"] != "apply_backpressure" || a["bottleneck_type"] != "downstream_blocking" {
		t.Errorf("the state is %v", a)
	}
	a := b.ask("overload_bottleneck()")
	end := first(t, a, "processes")
	if a["bottleneck_type"] != "downstream_blocking" || a["confidence_level"] != "high" || end["name"] != "shop_payments" || end["holds"] != true || !strings.Contains(fmt.Sprint(end["function"]), "shop_payments:charge/0") {
		t.Errorf("the bottleneck is %v", a)
	}
	if e := fmt.Sprint(a["evidence"]); !strings.Contains(e, "shop_orders <0.") || !strings.Contains(e, "it waits for shop_payments") || strings.Contains(e, "secret") {
		t.Errorf("the evidence is %s", e)
	}
	plan := b.ask("overload_remediation_plan()")
	if plan["recommended_action"] != "apply_backpressure" || plan["priority"] != "high" || len(plan["implementation_steps"].([]any)) != 3 || !strings.Contains(fmt.Sprint(plan["where"]), "shop_orders") {
		t.Errorf("the plan is %v", plan)
	}
	q := b.ask("overload_queue_analysis()")
	p := q["queue_percentiles"].(map[string]any)
	class := q["overload_classification"].(map[string]any)
	if p["p100"] != 20000.0 || num(q, "total_queued_messages") < 20000 || class["classification"] != "sustained" || class["growth_pattern"] != "stable" {
		t.Errorf("the queues are %v", q)
	}
	links := b.ask("overload_cascade_detection()")
	if l := first(t, links, "failure_relationships"); !strings.HasPrefix(fmt.Sprint(l["from"]), "shop_payments") || !strings.HasPrefix(fmt.Sprint(l["to"]), "shop_orders") || l["type"] != "call_blocking" {
		t.Errorf("the cascade is %v", links)
	}
	if o := b.ask("overload_processes(5)"); o["total"] != 1.0 || first(t, o, "processes")["name"] != "shop_orders" {
		t.Errorf("overloaded are %v", o)
	}

	b.Do("shop_orders:flood(500), ok")
	until := time.Now().Add(20 * time.Second)
	var growing map[string]any
	for rows := []any{}; len(rows) == 0; {
		if time.Now().After(until) {
			t.Fatalf("it does not grow: %v", growing)
		}
		b.Do("shop_orders:flood(200), ok")
		growing = b.ask("overload_predict_growth()")
		rows = growing["processes"].([]any)
	}
	row := first(t, growing, "processes")
	if row["name"] != "shop_orders" || num(row, "growth_per_sec") <= 0 || row["saturation_threshold_messages"] != 50000.0 || num(row, "seconds_until_saturation") <= 0 || growing["time_to_crash_estimate_seconds"] != nil {
		t.Errorf("it grows %v", growing)
	}
}

func TestAnElixirServerThatSleepsIsNamedAsElixirDoes(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{Elixir: true}, `
defmodule Shop.Mailer do
  use GenServer
  def init(s), do: {:ok, s}
  def handle_cast({:mail, _to}, s) do
    deliver()
    {:noreply, s}
  end
  def deliver do
    Process.sleep(:infinity)
    :ok
  end
end
`)
	b.Do(`{:ok, m} = GenServer.start(Shop.Mailer, [], name: Shop.Mailer); for _ <- 1..5001, do: GenServer.cast(m, {:mail, "ann@example.com"}); :ok`)
	d := b.until("the backlog lasts", func(d skills.Data) bool { return num(d, "backlog") == 5000 })
	if says := b.says(d); !strings.Contains(says, "Shop.Mailer <0.") || !strings.Contains(says, "called by Shop.Mailer.deliver/0") || strings.Contains(says, "example.com") {
		t.Errorf("the checks say %q", says)
	}
	if d["overload_severity"] != "transient" || d["bottleneck_type"] != "downstream_blocking" {
		t.Errorf("the snapshot is %v", d)
	}
}

func TestWhatComputesIsCPUBoundAndWhatDrainsIsNoBacklog(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{}, `-module(shop_stock).
-export([start/0, spin/1, sip/0]).
start() -> register(shop_stock, spawn(shop_stock, spin, [0])), register(shop_sip, spawn(shop_stock, sip, [])), ok.
spin(N) -> spin(lists:sum(lists:seq(1, 1000)) + N rem 7).
sip() -> receive go -> drain() end.
drain() -> receive _ -> receive after 1 -> ok end, drain() end.
`)
	b.Do("shop_stock:start(), [shop_stock ! count || _ <- lists:seq(1, 30000)], ok")
	d := b.until("it lasts", func(d skills.Data) bool { return num(d, "backlog") == 30000 })
	if d["overload_severity"] != "sustained" || d["bottleneck_type"] != "cpu_bound" || d["recommended_action"] != "scale_horizontally" || !strings.Contains(fmt.Sprint(d["bottleneck_location"]), "shop_stock:spin/1") {
		t.Errorf("the snapshot is %v", d)
	}
	b.Do("exit(whereis(shop_stock), kill), [shop_sip ! count || _ <- lists:seq(1, 15000)], shop_sip ! go, ok")
	d = b.until("it drains", func(d skills.Data) bool {
		return num(d, "max_queue") > 1000 && num(d, "backlog") == 0 && d["overload_severity"] == "transient"
	})
	if says := b.says(d); says != "" || d["recommended_action"] != "add_buffering" {
		t.Errorf("what drains is %v and crosses %q", d, says)
	}
	if c := b.ask("overload_queue_analysis()")["overload_classification"].(map[string]any); c["growth_pattern"] != "burst" {
		t.Errorf("it is classified as %v", c)
	}
}

func TestManyProcessesBehindOneAreACascade(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{}, `-module(shop_carts).
-export([start/1, cart/0, busy/0]).
start(N) -> register(shop_db, spawn(shop_carts, busy, [])), [begin P = spawn(shop_carts, cart, []), [P ! add || _ <- lists:seq(1, 1500)] end || _ <- lists:seq(1, N)], ok.
cart() -> ask().
ask() -> gen_server:call(shop_db, query, infinity), cart().
busy() -> receive never -> ok end.
`)
	b.Do("shop_carts:start(25), ok")
	d := b.until("it lasts", func(d skills.Data) bool { return num(d, "backlog") >= 1500 })
	if says := b.says(d); !strings.Contains(says, "25 processes have more than 1000 messages") || !strings.Contains(says, "shop_db <0.") {
		t.Errorf("the checks say %q", says)
	}
	a := b.ask("overload_cascade_detection()")
	systems := fmt.Sprint(a["affected_subsystems"])
	if a["cascading"] != true || a["severity"] != "critical" || !strings.Contains(systems, "gen_servers") || !strings.HasPrefix(fmt.Sprint(first(t, a, "failure_relationships")["from"]), "shop_db") {
		t.Errorf("the cascade is %v", a)
	}
	if rows := b.ask("overload_bottleneck()")["processes"].([]any); rows[0].(map[string]any)["name"] != "shop_db" || !slices.ContainsFunc(rows, func(r any) bool { return r.(map[string]any)["name"] == "shop_carts:cart/0" }) {
		t.Errorf("the bottleneck is %v", rows)
	}
}

func TestProcessesBeforeAFullPortArePortSaturation(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{}, `-module(shop_feed).
-export([start/0, run/1]).
start() -> {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {recbuf, 4096}, {ip, {127,0,0,1}}]), {ok, P} = inet:port(L), {ok, C} = gen_tcp:connect({127,0,0,1}, P, [binary, {active, false}, {sndbuf, 4096}]),
  {ok, S} = gen_tcp:accept(L), F = spawn(shop_feed, run, [C]), register(shop_feed, F), gen_tcp:controlling_process(C, F), [F ! price || _ <- lists:seq(1, 12000)], {L, S}.
run(C) -> publish(C), run(C).
publish(C) -> ok = gen_tcp:send(C, binary:copy(<<0>>, 1000000)).
`)
	b.Do("Sockets = shop_feed:start(), ok")
	d := b.until("it lasts", func(d skills.Data) bool { return num(d, "backlog") == 12000 })
	if d["overload_type"] != "port_saturation" || d["bottleneck_type"] != "port_blocking" || d["recommended_action"] != "apply_backpressure" || !strings.Contains(fmt.Sprint(d["bottleneck_location"]), "shop_feed:publish/1") {
		t.Errorf("the snapshot is %v", d)
	}
	if e := fmt.Sprint(b.ask("overload_bottleneck()")["evidence"]); !strings.Contains(e, "wait in its port #Port<") {
		t.Errorf("the evidence is %s", e)
	}
}

func TestMemoryThatQueuesTakeIsForeseen(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{}, `-module(shop_log).
-export([start/0, wait/0]).
start() -> register(shop_log, spawn(shop_log, wait, [])), ok.
wait() -> receive never -> ok end.
`)
	b.Do("shop_log:start(), Text = lists:seq(1, 500), ok")
	d := b.until("a crash is foreseen", func(d skills.Data) bool {
		b.Do("[shop_log ! Text || _ <- lists:seq(1, 300)], ok")
		return d["time_to_crash_estimate_seconds"] != nil
	})
	if s := num(d, "time_to_crash_estimate_seconds"); s <= 0 {
		t.Errorf("the snapshot is %v", d)
	}
	if a := b.ask("overload_state()"); a["time_to_crash_estimate_seconds"] == nil || a["note"] != nil {
		t.Errorf("the state is %v", a)
	}
}
