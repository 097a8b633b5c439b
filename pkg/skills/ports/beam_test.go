package ports_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/ports"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
)

// beamSkill is the skill with the source of one node, and that source.
func beamSkill(t *testing.T, of *beamtest.Node, level ...beam.Level) (skills.Skill, skills.Source) {
	t.Helper()
	src := ports.BeamSource(map[string]*beam.Node{nodetest.Target: nodetest.Client(t, of, level...)})
	s := ports.Skill(host.New(host.Config{}))
	s.Sources = []skills.Source{src}
	return s, src.Open(nodetest.Target)
}

func number(d map[string]any, name string) float64 { v, _ := d[name].(float64); return v }

func beamCrossed(src skills.Source, d skills.Data) []string {
	var out []string
	for _, x := range skills.Evaluate(src.Checks, d) {
		out = append(out, x.Check.Metric+": "+x.Says)
	}
	return out
}

// rowsOf returns a list of an answer.
func rowsOf(t *testing.T, a map[string]any, name string) []map[string]any {
	t.Helper()
	list, ok := a[name].([]any)
	if !ok {
		t.Fatalf("%s is no list of %v", name, a)
	}
	var out []map[string]any
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

// connect binds C, a socket of IPv6 to a peer S that never reads, both of the node.
const connect = `{ok, L} = gen_tcp:listen(0, [inet6, binary, {active, false}, {recbuf, 4096}, {ip, {0,0,0,0,0,0,0,1}}]), {ok, {_, Port}} = inet:sockname(L),
  {ok, C} = gen_tcp:connect({0,0,0,0,0,0,0,1}, Port, [inet6, binary, {active, false}, {sndbuf, 4096}]), {ok, S} = gen_tcp:accept(L), `

// full fills that socket, and waits until two processes are suspended before it.
const full = `spawn(fun() -> gen_tcp:send(C, binary:copy(<<0>>, 2000000)) end),
  Blocked = fun Loop() -> case erlang:port_info(C, queue_size) of {queue_size, N} when N > 1000000 -> ok; _ -> timer:sleep(1), Loop() end end, Blocked(),
  Some = [spawn(fun() -> gen_tcp:send(C, <<"price">>) end) || _ <- [1, 2, 3]],
  Held = fun Loop() -> case [P || P <- Some, process_info(P, status) =:= {status, suspended}] of [_, _ | _] -> ok; _ -> timer:sleep(1), Loop() end end, Held(), `

func TestAnIdleNodeOfErlangOrElixirKeepsThePromisesOfPorts(t *testing.T) {
	for _, elixir := range []bool{false, true} {
		t.Run(fmt.Sprintf("elixir %v", elixir), func(t *testing.T) {
			t.Parallel()
			s, src := beamSkill(t, beamtest.Start(t, beamtest.Options{Elixir: elixir}))
			skilltest.RunTarget(t, s, skills.Target{Name: nodetest.Target, Kind: skills.Beam})
			d := nodetest.SnapshotUntil(t, src, "ports are counted", func(d skills.Data) bool { return number(d, "port_count") > 0 })
			if says := beamCrossed(src, d); len(says) > 0 {
				t.Errorf("an idle node crosses %q", says)
			}
			if d["port_limit"] != 65536.0 || number(d, "port_utilization_pct") <= 0 || d["suspended_processes"] != 0.0 || d["max_queue_port"] != nil {
				t.Errorf("the snapshot is %v", d)
			}
		})
	}
}

// Behaviour: 158, defect 30.
func TestAPortWhosePeerDoesNotReadIsNamedWithThoseItHoldsUp(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	_, src := beamSkill(t, of)
	id := strings.Trim(of.Do(connect+full+`register(shop_feed, spawn(fun() -> gen_tcp:send(C, <<"price">>) end)),
		[spawn(fun() -> gen_tcp:send(C, <<"price">>) end) || _ <- lists:seq(1, 3)], erlang:port_to_list(C)`), `"`)

	d := nodetest.SnapshotUntil(t, src, "the port is stuck and holds up six", func(d skills.Data) bool {
		return number(d, "stuck_queue_bytes") > 1<<20 && number(d, "suspended_processes") == 6
	})
	port, _ := d["stuck_port"].(string)
	if !strings.HasPrefix(port, id+" (tcp to [::1]:") || d["stuck_port"] != d["max_queue_port"] || d["stuck_ports"] != 1.0 {
		t.Errorf("the port %s is told as %v", id, d)
	}
	says := strings.Join(beamCrossed(src, d), "\n")
	if !strings.Contains(says, id) || !strings.Contains(says, "6 processes are held up") || !strings.Contains(says, "prim_inet") && !strings.Contains(says, "port_command") {
		t.Errorf("the checks say %s", says)
	}

	a := skilltest.Object(t, src, "ports_suspended_processes()")
	var feed, suspended int
	for _, p := range rowsOf(t, a, "processes") {
		if p["name"] == "shop_feed" && p["registered_name"] == "shop_feed" && p["pid"] != "" {
			feed++
		} else if p["status"] == "suspended" && strings.HasSuffix(fmt.Sprint(p["current_function"]), ":port_command/3") {
			suspended++
		}
	}
	full := rowsOf(t, a, "full_ports")
	if feed != 1 || suspended != 5 || len(full) != 1 || full[0]["id"] != id {
		t.Errorf("held up are %v", a)
	}
	row := rowsOf(t, skilltest.Object(t, src, "ports_top_by_queue(5)"), "ports")[0]
	addr, err := netip.ParseAddrPort(fmt.Sprint(row["remote_addr"]))
	if row["id"] != id || number(row, "queue_size") < 1e6 || row["saturation_pct"] != 100.0 || row["busy_from_bytes"] != 8192.0 || err != nil || addr.Addr() != netip.IPv6Loopback() {
		t.Errorf("the fullest port is %v (%v)", row, err)
	}
	info := skilltest.Object(t, src, fmt.Sprintf("ports_info(%q)", id))
	if info["name"] != "tcp_inet" || number(info, "queue_size") != number(row, "queue_size") || number(info, "output_bytes") < 2e6 || number(info, "memory_kb") <= 0 || info["connected_pid"] == "" {
		t.Errorf("the port is %v", info)
	}
	stats := skilltest.Object(t, src, fmt.Sprintf("ports_inet_stats(%q)", id))
	if stats["id"] != id || number(stats, "send_pend") < 1e6 || number(stats, "send_cnt") < 1 || stats["recv_oct"] != 0.0 {
		t.Errorf("its counters are %v", stats)
	}
	send := rowsOf(t, skilltest.Object(t, src, `ports_top_by_buffer(5, "send")`), "ports")[0]
	if send["id"] != id || number(send, "send_kb") < 1000 || send["recv_kb"] != nil {
		t.Errorf("the fullest buffer is %v", send)
	}
	recv := skilltest.Object(t, src, `ports_top_by_buffer(5, "recv")`)
	if r := rowsOf(t, recv, "ports"); len(r) != 5 || !strings.Contains(fmt.Sprint(recv["note"]), "null") {
		t.Errorf("the receive buffers are %v", recv)
	}
}

func TestAPortThatGrowsIsPredictedToBeFull(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	_, src := beamSkill(t, of)
	// A port that queues without suspending whoever writes: it may grow for long.
	of.Do(connect + `inet:setopts(C, [{high_watermark, 100000000}]), Write = fun(N) -> erlang:port_command(C, binary:copy(<<0>>, N)) end, Write(300000)`)
	nodetest.SnapshotUntil(t, src, "something waits", func(d skills.Data) bool { return number(d, "max_queue_bytes") > 0 })
	if a := skilltest.Object(t, src, "ports_saturation_prediction(240)"); len(rowsOf(t, a, "predictions")) > 0 {
		t.Errorf("after one snapshot there is %v", a)
	}
	var a, p map[string]any
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		of.Do("Write(20000)")
		a = skilltest.Object(t, src, "ports_queue_growth(5)")
		p = skilltest.Object(t, src, "ports_saturation_prediction(1440)")
		if len(rowsOf(t, a, "growing_ports")) > 0 && len(rowsOf(t, p, "predictions")) > 0 || time.Now().After(deadline) {
			break
		}
	}
	row := rowsOf(t, a, "growing_ports")
	if len(row) != 1 || row[0]["trend"] != "growing" || number(row[0], "growth_rate_bytes_per_sec") < 1024 || number(row[0], "current_queue") <= number(row[0], "historical_queue") {
		t.Fatalf("it grows: %v", a)
	}
	if trends, _ := a["trends"].(map[string]any); trends["growing"] != 1.0 || len(a["current_queues"].(map[string]any)) != 1 {
		t.Errorf("it grows: %v", a)
	}
	next := rowsOf(t, p, "predictions")[0]
	if next["id"] != row[0]["id"] || next["saturation_threshold_bytes"] != float64(1<<20) || next["risk_level"] != "critical" || number(next, "minutes_until_saturation") > 15 {
		t.Errorf("it will be full: %v", p)
	}
}

func TestPortsAreListedWithWhatTheyAre(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	_, src := beamSkill(t, of)
	tell := of.Do(connect + `{ok, U} = gen_udp:open(0, [{ip, {127,0,0,1}}]), {ok, F} = socket:open(inet, stream, tcp), ok = socket:bind(F, #{family => inet, addr => {127,0,0,1}, port => 0}),
		Cat = open_port({spawn, "cat -n -"}, []), {os_pid, OS} = erlang:port_info(Cat, os_pid), ok = gen_tcp:send(C, <<"12345">>), {ok, _} = gen_tcp:recv(S, 5),
		lists:flatten(io_lib:format("~s ~s ~s ~b", [erlang:port_to_list(U), erlang:port_to_list(S), erlang:port_to_list(Cat), OS]))`)
	want := strings.Fields(strings.Trim(tell, `"`))

	all := rowsOf(t, skilltest.Object(t, src, "ports_list(500)"), "ports")
	cat := all[slices.IndexFunc(all, func(r map[string]any) bool { return r["id"] == want[2] })]
	if cat["name"] != "cat" || fmt.Sprint(cat["os_pid"]) != want[3] {
		t.Errorf("a program is told as %v", cat) // and its arguments are not
	}
	inet := skilltest.Object(t, src, "ports_list_inet(50)")
	kinds := map[string]int{}
	for _, r := range rowsOf(t, inet, "ports") {
		kinds[fmt.Sprintf("%v/%v", r["name"], r["type"])]++
		switch r["id"] {
		case want[0]:
			if !strings.HasPrefix(fmt.Sprint(r["local_addr"]), "127.0.0.1:") || r["remote_addr"] != "not_connected" {
				t.Errorf("a socket of UDP is %v", r)
			}
		case want[1]:
			if !strings.HasPrefix(fmt.Sprint(r["local_addr"]), "[::1]:") || !strings.HasPrefix(fmt.Sprint(r["remote_addr"]), "[::1]:") {
				t.Errorf("a socket of IPv6 is %v", r)
			}
		}
	}
	if want := map[string]int{"tcp_inet/tcp": 5, "udp_inet/udp": 1, "socket/tcp": 1}; !maps.Equal(kinds, want) { // two are of the distribution
		t.Errorf("sockets are %v, want %v", kinds, want)
	}
	for _, sort := range []string{"input", "output", "memory"} {
		rows := rowsOf(t, skilltest.Object(t, src, fmt.Sprintf("ports_top(50, %q)", sort)), "ports")
		field := map[string]string{"input": "input_bytes", "output": "output_bytes", "memory": "memory_kb"}[sort]
		if !slices.IsSortedFunc(rows, func(a, b map[string]any) int { return int(number(b, field) - number(a, field)) }) || len(rows) != len(all) {
			t.Errorf("by %s they are %v", sort, rows)
		}
	}
	if _, err := skilltest.Call(t, src, `ports_top(5, "colour")`); err == nil {
		t.Error("ports are sorted by colour")
	}
	if d := nodetest.SnapshotUntil(t, src, "the socket is counted", func(d skills.Data) bool { return d["nif_sockets"] == 1.0 }); d["ports_udp"] != 1.0 || d["ports_tcp"] != 5.0 {
		t.Errorf("the snapshot is %v", d)
	}
}

// Behaviour: 158.
func TestAPortThatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	_, src := beamSkill(t, of)
	for _, id := range []string{"#Port<0.99999>", "0.99999", "nonsense", "", "#Port<1.2>", strings.Repeat("9", 500)} {
		for _, call := range []string{"ports_info", "ports_inet_stats"} {
			if a := skilltest.Object(t, src, fmt.Sprintf("%s(%q)", call, id)); a["error"] != "port_not_found" {
				t.Errorf("%s of %q is %v", call, id, a)
			}
		}
	}
	if a := skilltest.Object(t, src, `ports_inet_stats("#Port<0.0>")`); a["error"] != "port_info_unavailable" {
		t.Errorf("what is no socket has the counters %v", a)
	}
}

func TestWhoOpensPortsWithoutEndIsNamed(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{Args: []string{"+Q", "1024"}})
	_, src := beamSkill(t, of)
	of.Do(`register(shop_leak, spawn(fun() -> [gen_udp:open(0) || _ <- lists:seq(1, 800)], receive stop -> ok end end)),
		Open = fun Loop() -> case length(erlang:ports()) of N when N > 800 -> ok; _ -> timer:sleep(1), Loop() end end, Open()`)
	d := nodetest.SnapshotUntil(t, src, "most ports are one process's", func(d skills.Data) bool { return d["top_owner_ports"] == 800.0 })
	says := strings.Join(beamCrossed(src, d), "\n")
	if !strings.Contains(says, "of 1024 ports are open") || !strings.Contains(says, "800 of them by shop_leak <0.") {
		t.Errorf("the checks say %q", says)
	}
	row := rowsOf(t, skilltest.Object(t, src, "ports_by_owner(1)"), "processes")
	if len(row) != 1 || row[0]["name"] != "shop_leak" || row[0]["ports"] != 800.0 {
		t.Errorf("the owners are %v", row)
	}
}

func TestBusyPortsAreToldWithProcessAndPortWhereTheOwnerGrantsEvents(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	_, closed := beamSkill(t, of)
	if _, err := skilltest.Call(t, closed, "ports_busy_events()"); err == nil || !strings.Contains(err.Error(), "level: events") {
		t.Errorf("without the level it is told %v", err)
	}
	_, src := beamSkill(t, of, beam.Events)
	skilltest.Object(t, src, "ports_busy_events()") // from now on they are told
	id := strings.Trim(of.Do(connect+full+`register(shop_feed, spawn(fun() -> gen_tcp:send(C, <<"price">>) end)), erlang:port_to_list(C)`), `"`)
	var a map[string]any
	feed := -1
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		a = skilltest.Object(t, src, "ports_busy_events()")
		feed = slices.IndexFunc(rowsOf(t, a, "events"), func(e map[string]any) bool { return e["name"] == "shop_feed" })
		if feed >= 0 {
			break
		}
	}
	if feed < 0 {
		t.Fatalf("the events are %v", a)
	}
	if e := rowsOf(t, a, "events")[feed]; e["port"] != id || e["port_name"] != "tcp_inet" || e["type"] != "busy_port" {
		t.Errorf("the event is %v", e)
	}
	held := rowsOf(t, skilltest.Object(t, src, "ports_suspended_processes()"), "processes")
	if !slices.ContainsFunc(held, func(p map[string]any) bool { return p["name"] == "shop_feed" && p["busy_port"] == id }) {
		t.Errorf("held up are %v", held)
	}
	if d := skilltest.Object(t, src, "ports_busy_dist_events()"); d["total"] != 0.0 {
		t.Errorf("connections to other nodes are %v", d)
	}
}
