package supervisor_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/systemd"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
	"github.com/fleetlens/fleetlens/pkg/skills/supervisor"
)

// A beamTarget is a node, and the skill that looks at it.
type beamTarget struct {
	*beamtest.Node
	t     *testing.T
	skill skills.Skill
	skills.Source
}

func onBeam(t *testing.T, o beamtest.Options) *beamTarget {
	t.Helper()
	of := beamtest.Start(t, o)
	s := supervisor.Skill(host.New(host.Config{}), systemd.New("/nowhere"))
	src := supervisor.BeamSource(map[string]*beam.Node{nodetest.Target: nodetest.Client(t, of)})
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

func (b *beamTarget) rows(call, name string) []map[string]any {
	b.t.Helper()
	a := b.ask(call)
	list, ok := a[name].([]any)
	if !ok {
		b.t.Fatalf("%s is no list of %v", name, a)
	}
	var out []map[string]any
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

func number(d map[string]any, name string) float64 { v, _ := d[name].(float64); return v }

// supervised starts a supervisor of a name in Erlang, with a child for each id that
// begins with a fun; it is of a module that is made on the node.
const supervised = `Compile = fun(Text) -> {_, Forms} = lists:foldl(fun(Line, {N, Fs}) -> {ok, Ts, _} = erl_scan:string(Line, N), {ok, F} = erl_parse:parse_form(Ts), {N + 1, Fs ++ [F]} end, {1, []}, Text),
    {ok, M, B} = compile:forms(Forms), {module, M} = code:load_binary(M, "none", B), M end,
  Compile(["-module(shop_sup).", "-behaviour(supervisor).", "-export([start_link/2, init/1]).",
    "start_link(Name, Spec) -> supervisor:start_link({local, Name}, shop_sup, Spec).", "init(Spec) -> {ok, Spec}."]),
  Compile(["-module(shop_cart).", "-behaviour(gen_server).", "-export([start_link/0, start_link/1, init/1, handle_call/3, handle_cast/2, handle_info/2]).",
    "start_link() -> start_link(ok).", "start_link(A) -> gen_server:start_link(shop_cart, A, []).",
    "init(slow) -> receive after 60000 -> ok end, {ok, slow}; init(A) -> {ok, A}.",
    "handle_call(_, _, S) -> {reply, S, S}.", "handle_cast(crash, S) -> exit({crashed, S}).", "handle_info(_, S) -> {noreply, S}."]),
  logger:set_primary_config(level, none),
  Sup = fun(Name, Spec) -> {ok, P} = shop_sup:start_link(Name, Spec), unlink(P), P end,
  Carts = fun(N) -> [#{id => {cart, I}, start => {shop_cart, start_link, []}} || I <- lists:seq(1, N)] end, `

func TestAnIdleNodeOfErlangOrElixirKeepsThePromisesOfSupervision(t *testing.T) {
	for _, elixir := range []bool{false, true} {
		t.Run(fmt.Sprintf("elixir %v", elixir), func(t *testing.T) {
			t.Parallel()
			b := onBeam(t, beamtest.Options{Elixir: elixir})
			skilltest.RunTarget(t, b.skill, skills.Target{Name: nodetest.Target, Kind: skills.Beam})
			d := b.until("two readings", func(d skills.Data) bool { return d["orphans"] != nil })
			if says := b.says(d); says != "" {
				t.Errorf("an idle node crosses %q", says)
			}
			if number(d, "supervisor_count") < 3 || number(d, "total_children") < 10 || d["restarts_5m"] != 0.0 || d["orphans"] != 0.0 || d["unlinked_processes"] != 0.0 {
				t.Errorf("the snapshot is %v", d)
			}
			names := map[any]bool{}
			for _, s := range b.rows("sup_list(100)", "supervisors") {
				names[s["name"]] = true
			}
			if !names["kernel_sup"] || elixir && !names["Logger.Supervisor"] {
				t.Errorf("the supervisors are %v", names)
			}
			if a := b.ask(`sup_tree_integrity("kernel_sup")`); a["status"] != "healthy" || number(a, "total_children") < 10 || len(a["anomalies"].([]any)) > 0 {
				t.Errorf("the kernel is %v", a)
			}
		})
	}
}

// Behaviour: 159, defect 31.
func TestFortyChildrenAreNotManyAndAHundredAndFortyAre(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{})
	b.Do(supervised + `Sup(shop_forty, {#{}, Carts(40)}), Sup(shop_many, {#{}, Carts(140)}),
		Sup(shop_idle, {#{}, [C#{id => {idle, I}, start => {erlang, hd, [[ignore]]}} || #{id := {_, I}} = C <- Carts(3)] ++ Carts(1)}), ok`)
	for name, want := range map[string]string{
		"shop_forty": "healthy 40 40 0 []", "shop_many": "degraded 140 140 0 [large_supervisor]", "shop_idle": "degraded 4 1 3 [high_undefined_ratio]",
	} {
		a := b.ask(fmt.Sprintf("sup_tree_integrity(%q)", name))
		if got := fmt.Sprint(a["status"], " ", a["total_children"], " ", a["active_children"], " ", a["undefined_children"], " ", a["anomalies"]); got != want {
			t.Errorf("%s is %s, want %s: %v", name, got, want, a)
		}
		if a["supervisor_name"] != name || !strings.HasPrefix(fmt.Sprint(a["supervisor_pid"]), "<0.") || a["restarting_children"] != 0.0 {
			t.Errorf("%s is %v", name, a)
		}
	}
	d := b.until("the largest is told", func(d skills.Data) bool { return d["largest_supervisor_children"] == 140.0 })
	if s, _ := d["largest_supervisor"].(string); !strings.HasPrefix(s, "shop_many <0.") || b.says(d) != "" {
		t.Errorf("the snapshot is %v, the checks say %q", d, b.says(d))
	}
	top := b.rows("sup_list(1)", "supervisors")[0]
	if top["name"] != "shop_many" || top["child_count"] != 140.0 || top["active_children"] != 140.0 || top["module"] != "shop_sup" || top["dynamic"] != false {
		t.Errorf("the largest is %v", top)
	}
	a := b.ask(`sup_children("shop_many")`)
	kids := a["children"].([]any)
	if len(kids) != 140 || a["total_children"] != 140.0 {
		t.Errorf("it has %d children: %v", len(kids), a["total_children"])
	}
	ids := map[any]bool{}
	for _, k := range kids {
		k := k.(map[string]any)
		ids[k["id"]] = true
		if k["type"] != "worker" || k["initial_call"] != "shop_cart:init/1" || !strings.HasPrefix(fmt.Sprint(k["pid"]), "<0.") {
			t.Fatalf("a child is %v", k)
		}
	}
	if !ids["{cart,1}"] || !ids["{cart,140}"] {
		t.Errorf("the ids are %v", ids)
	}
}

func TestATreeIsToldThreeLevelsDeep(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{})
	b.Do(supervised + `Level = fun L(0) -> {#{}, Carts(1)}; L(N) -> {#{}, [#{id => below, type => supervisor, start => {shop_sup, start_link, [list_to_atom("shop_" ++ integer_to_list(N)), L(N - 1)]}}]} end, Sup(shop_top, Level(4)), ok`)
	tree := b.ask(`sup_tree("shop_top")`)
	var path []string
	for tree != nil {
		path = append(path, fmt.Sprint(tree["name"]))
		if tree["truncated"] == true {
			path = append(path, fmt.Sprint("and ", tree["child_count"]))
		}
		kids, _ := tree["children"].([]any)
		if tree = nil; len(kids) == 1 {
			tree = kids[0].(map[string]any)
		}
	}
	if got := strings.Join(path, " "); got != "shop_top shop_4 shop_3 shop_2 and 1" {
		t.Errorf("the tree is %s", got)
	}
	pid := b.ask(`sup_tree_integrity("shop_1")`)["supervisor_pid"]
	if a := b.ask(fmt.Sprintf("sup_children(%q)", pid)); a["supervisor_name"] != "shop_1" {
		t.Errorf("by its pid %v it is %v", pid, a)
	}
}

func TestAChildThatCrashesAgainAndAgainIsNamedWithItsSupervisor(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{})
	b.Do(supervised + `Sup(shop_sup, {#{intensity => 100, period => 1}, [#{id => basket, restart => transient, start => {shop_cart, start_link, []}}, #{id => quiet, start => {shop_cart, start_link, []}}]}),
		Crash = fun() -> {_, P, _, _} = lists:keyfind(basket, 1, supervisor:which_children(shop_sup)), R = monitor(process, P), gen_server:cast(P, crash),
			receive {'DOWN', R, _, _, _} -> ok end, Wait = fun W() -> case lists:keyfind(basket, 1, supervisor:which_children(shop_sup)) of {_, Q, _, _} when is_pid(Q), Q =/= P -> ok; _ -> timer:sleep(1), W() end end, Wait() end, ok`)
	d := b.until("a reading", func(skills.Data) bool { return true })
	if d["restarts_5m"] != 0.0 || d["crash_loop_child"] != nil {
		t.Errorf("nothing crashed, but %v", d)
	}
	for range 3 {
		b.Do("Crash()")
		b.until("a reading", func(skills.Data) bool { return true })
	}
	d = b.until("three restarts", func(d skills.Data) bool { return d["restarts_5m"] == 3.0 })
	says := b.says(d)
	if !strings.Contains(says, "basket (shop_cart:init/1 <0.") || !strings.Contains(says, "under the supervisor shop_sup <0.") || !strings.Contains(says, "restarted 3 times") {
		t.Errorf("the checks say %q", says)
	}
	r := b.rows("sup_restarts(5)", "children")
	if len(r) != 1 || r[0]["name"] != "basket" || r[0]["restarts_5m"] != 3.0 || r[0]["function"] != "shop_cart:init/1" || !strings.HasPrefix(fmt.Sprint(r[0]["supervisor"]), "shop_sup <0.") {
		t.Errorf("the restarts are %v", r)
	}
	if a := b.ask(`sup_tree_integrity("shop_sup")`); a["status"] != "degraded" || fmt.Sprint(a["anomalies"]) != "[crash_loop]" || a["restarts_5m"] != 3.0 {
		t.Errorf("the supervisor is %v", a)
	}
}

func TestDynamicChildrenThatComeAndGoAreNoCrashLoop(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{Elixir: true})
	b.Do(`{:ok, s} = DynamicSupervisor.start_link(name: Shop.Sessions, strategy: :one_for_one); for _ <- 1..50, do: DynamicSupervisor.start_child(s, {Agent, fn -> 0 end}); {:ok, _} = Supervisor.start_link([{Task.Supervisor, name: Shop.Tasks}], strategy: :one_for_one, name: Shop.Supervisor); :ok`)
	for range 4 {
		b.until("a reading", func(skills.Data) bool { return true })
		b.Do(`for {_, p, _, _} <- DynamicSupervisor.which_children(s), do: DynamicSupervisor.terminate_child(s, p); for _ <- 1..50, do: DynamicSupervisor.start_child(s, {Agent, fn -> 0 end}); :ok`)
	}
	d := b.until("a reading", func(skills.Data) bool { return true })
	if d["restarts_5m"] != 0.0 || b.says(d) != "" {
		t.Errorf("the snapshot is %v", d)
	}
	var found bool
	for _, s := range b.rows("sup_list(50)", "supervisors") {
		if s["name"] == "Shop.Sessions" {
			found = true
			if s["child_count"] != 50.0 || s["dynamic"] != true || s["module"] != "Supervisor.Default" {
				t.Errorf("it is %v", s)
			}
		}
	}
	a := b.ask(`sup_children("Shop.Sessions")`)
	first := a["children"].([]any)[0].(map[string]any)
	if !found || len(a["children"].([]any)) != 50 || first["initial_call"] == "" {
		t.Errorf("the sessions are %v", a)
	}
	if tree := b.ask(`sup_tree("Shop.Supervisor")`); fmt.Sprint(tree["children"].([]any)[0].(map[string]any)["name"]) != "Shop.Tasks" {
		t.Errorf("the tree is %v", tree)
	}
}

func TestASupervisorThatDoesNotAnswerIsNamedAndWaitedForBriefly(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{})
	b.Do(supervised + `Sup(shop_stuck, {#{}, Carts(2)}), spawn(fun() -> supervisor:start_child(shop_stuck, #{id => slow, start => {shop_cart, start_link, [slow]}}) end), ok`)
	d := b.until("it does not answer", func(d skills.Data) bool { return d["supervisors_unresponsive"] == 1.0 })
	says := b.says(d)
	if !strings.Contains(says, "shop_stuck <0.") || !strings.Contains(says, "proc_lib:") {
		t.Errorf("the checks say %q", says)
	}
	if s := b.rows("sup_list(5)", "supervisors")[0]; s["name"] != "shop_stuck" || s["answers"] != false {
		t.Errorf("it comes as %v", s)
	}
	if a := b.ask(`sup_children("shop_stuck")`); a["error"] != "failed_to_get_children" || a["function"] == "" {
		t.Errorf("its children are %v", a)
	}
	if a := b.ask(`sup_tree_integrity("shop_stuck")`); fmt.Sprint(a["anomalies"]) != "[does_not_answer]" {
		t.Errorf("its integrity is %v", a)
	}
}

// Behaviour: defect 31.
func TestProcessesThatNobodyLooksAfterAreNamed(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{})
	b.Do(supervised + `Compile(["-module(shop_jobs).", "-export([run/1, wait/0, parent/1, trap/1]).", "run(N) -> [spawn(shop_jobs, wait, []) || _ <- lists:seq(1, N)], ok.", "wait() -> receive stop -> ok end.",
			"parent(N) -> register(shop_boss, self()), [proc_lib:spawn_link(shop_jobs, trap, [self()]) || _ <- lists:seq(1, N)], [receive ready -> ok end || _ <- lists:seq(1, N)], exit(done).",
			"trap(P) -> process_flag(trap_exit, true), P ! ready, wait()."]),
		shop_jobs:run(2500), {Boss, R} = spawn_monitor(fun() -> proc_lib:init_p(self(), [], shop_jobs, parent, [300]) end), receive {'DOWN', R, _, _, _} -> ok end, pid_to_list(Boss)`)
	d := b.until("they are counted", func(d skills.Data) bool {
		return number(d, "orphans") == 300 && number(d, "unlinked_processes") >= 2500
	})
	says := b.says(d)
	for _, part := range []string{"300 processes have lost", "most began as shop_jobs:trap/1", "left by shop_boss", "most began as shop_jobs:wait/0", "neither links nor monitors"} {
		if !strings.Contains(says, part) {
			t.Errorf("the checks do not say %q: %s", part, says)
		}
	}
	a := b.ask("sup_unlinked_processes(50)")
	row := a["processes"].([]any)[0].(map[string]any)
	if n := number(a, "total"); n < 2800 || n > 2805 || len(a["processes"].([]any)) != 50 || a["truncated"] != true || !strings.HasPrefix(fmt.Sprint(row["initial_call"]), "shop_jobs:") || number(row, "memory_mb") < 0 {
		t.Errorf("the unlinked are %v, %v", a["total"], row)
	}
	orphans := b.rows("sup_orphaned_processes(10)", "processes")
	if len(orphans) != 10 || orphans[0]["initial_call"] != "shop_jobs:trap/1" || !strings.HasPrefix(fmt.Sprint(orphans[0]["dead_ancestor_pids"]), "[shop_boss") || orphans[0]["current_function"] != "shop_jobs:wait/0" {
		t.Errorf("the orphans are %v", orphans)
	}
	left := b.ask(`sup_zombie_children("shop_boss")`)
	if left["status"] != "dead" || left["zombie_count"] != 300.0 || len(left["zombie_children"].([]any)) != 100 {
		t.Errorf("shop_boss left %v", left["zombie_count"])
	}
	if all := b.rows("sup_zombie_children()", "parents"); len(all) != 1 || all[0]["supervisor_name"] != "shop_boss" {
		t.Errorf("who left something: %v", all)
	}
	if alive := b.ask(`sup_zombie_children("kernel_sup")`); alive["status"] != "alive" || alive["zombie_count"] != 0.0 {
		t.Errorf("kernel_sup left %v", alive)
	}
}

// Behaviour: 159.
func TestWhoIsNoSupervisorOfANodeIsNotFoundAndNotAsked(t *testing.T) {
	t.Parallel()
	b := onBeam(t, beamtest.Options{})
	pid := strings.Trim(b.Do(supervised+`{ok, Cart} = shop_cart:start_link(), register(shop_cart, Cart), P = spawn(fun() -> register(shop_plain, self()), receive M -> exit({asked, M}) end end), unlink(Cart), pid_to_list(P)`), `"`)
	for _, call := range []string{"sup_children", "sup_tree", "sup_tree_integrity", "sup_zombie_children"} {
		for _, name := range []string{"nobody", "shop_cart", "shop_plain", "net_kernel", pid, "<0.99999.0>", "<nonsense>", strings.Repeat("x", 400)} {
			if a, err := skilltest.Call(t, b.Source, fmt.Sprintf("%s(%q)", call, name)); err == nil || !strings.Contains(err.Error(), "supervisor_not_found") {
				t.Errorf("%s of %.20q is %v, %v", call, name, a, err)
			}
		}
	}
	b.ask("sup_list(100)")
	if alive := b.Do("[is_process_alive(P), is_process_alive(Cart), element(2, process_info(P, message_queue_len))]"); alive != "[true,true,0]" {
		t.Errorf("somebody who is no supervisor was asked: %s", alive)
	}
	if names := b.Do(`length([N || N <- [list_to_binary("nobody"), <<"nonsense_of_a_model">>], try binary_to_existing_atom(N, utf8), true catch _:_ -> false end])`); names != "0" {
		t.Errorf("%s names became atoms of the node", names)
	}
}
