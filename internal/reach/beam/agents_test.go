package beam

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/internal/reach/stacktrace"
)

// compileErlang binds Compile to a function that loads a module from its text.
const compileErlang = `Compile = fun(Text) ->
  Forms = (fun Each(T, Acc) -> case erl_scan:tokens([], T, 1) of
    {done, {ok, Ts, _}, Rest} -> {ok, F} = erl_parse:parse_form(Ts), Each(Rest, [F | Acc]);
    _ -> lists:reverse(Acc) end end)(Text, []),
  {ok, M, B} = compile:forms(Forms, [debug_info]), {module, M} = code:load_binary(M, atom_to_list(M) ++ ".erl", B), M end, ok`

// shopErlang is a server that fails in many ways.
const shopErlang = `Compile("-module(shop_cart). -export([init/1,handle_call/3,handle_cast/2,price/2,start_link/1]).
start_link(S) -> gen_server:start_link({local, shop_cart}, shop_cart, S, []).
init(S) -> put(customer, S), {ok, S}.
handle_call({match, X}, _, S) -> {ok, _} = X, {reply, ok, S};
handle_call(clause, _, S) -> {reply, price(S, 1), S};
handle_call(exit, _, S) -> exit({no_stock, S});
handle_call(error, _, S) -> error({missing, S});
handle_call(slow, _, S) -> timer:sleep(60000), {reply, ok, S};
handle_call({ask, P}, _, S) -> {reply, gen_server:call(P, slow, 50), S};
handle_call(_, _, S) -> {reply, ok, S}.
handle_cast(_, S) -> {noreply, S}.
price(a, _) -> 1. ")`

// remember binds Before to the processes there are.
const remember = `{module, calendar} = code:ensure_loaded(calendar), Before = erlang:processes(), ok`

// traces says what of ours is on the node: all are empty when nothing is.
const tracesOf = `{[H || H <- logger:get_handler_ids(), lists:prefix("fleetlens", atom_to_list(H))], erlang:system_monitor(),
  erlang:trace_info(new_processes, flags), [P || P <- erlang:processes(), case erlang:trace_info(P, flags) of {flags, [_ | _]} -> true; _ -> false end],
  erlang:trace_info({calendar, valid_date, 1}, all), erlang:trace_info({lists, seq, 2}, all), [P || P <- erlang:processes() -- Before, erlang:is_process_alive(P)]}`

const nothing = `{[],undefined,{flags,[]},[],{all,false},{all,false},[]}`

// clean waits until nothing of ours is on the node.
func clean(t *testing.T, of *beamtest.Node) {
	t.Helper()
	var got string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		if got = strings.Join(strings.Fields(of.Do(tracesOf)), ""); got == nothing {
			return
		}
	}
	t.Errorf("left on the node: %s", got)
}

// granted returns a client with a level.
func granted(t *testing.T, of *beamtest.Node, l Level) *Node {
	t.Helper()
	return with(t, of, func(c *Config) { c.Level = l })
}

// events starts the monitor and returns the newest of a type, once there is one.
func oneEvent(t *testing.T, n *Node, typ string, ready func(Event) bool) Event {
	t.Helper()
	var found Event
	until(t, "an event "+typ, func() bool {
		list, err := n.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if e.Type == typ && ready(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

func TestWithoutTheLevelNothingIsDoneAndTheErrorSaysWhereToGrantIt(t *testing.T) {
	t.Parallel()
	n := New(Config{Node: "shop@127.0.0.1", Address: "127.0.0.1:1"})
	t.Cleanup(n.Close)
	_, err := n.Events(t.Context())
	_, err2 := n.StartTrace(t.Context(), "lists", "seq", 2)
	_, err3 := n.StopTrace(t.Context())
	for _, tt := range []struct {
		err   error
		level string
	}{{err, "events"}, {n.Watch(t.Context()), "events"}, {err2, "trace"}, {err3, "trace"}} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), "level: "+tt.level) || !strings.Contains(tt.err.Error(), "targets.beam") {
			t.Errorf("%v, want the level %s and where to grant it", tt.err, tt.level)
		}
	}
}

// Behaviour: 145.
func TestTheSystemMonitorNamesWhoRanLongAndWhere(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(remember)
	n := granted(t, of, Events)
	if _, err := n.Events(t.Context()); err != nil {
		t.Fatal(err)
	}
	of.Do(compileErlang)
	// A function of the program that holds a scheduler: long comparisons of terms are not divided.
	of.Do(`Compile("-module(shop_hash). -export([run/0, deep/1]). run() -> register(hasher, self()), T = deep(29), T2 = deep(29), true = (T =:= T2), receive stop -> ok end.
deep(0) -> []; deep(N) -> X = deep(N - 1), [X | X]. ")`)
	of.Do(`spawn(shop_hash, run, []), ok`)
	e := oneEvent(t, n, LongSchedule, func(e Event) bool { return e.Process != "" })
	if e.Process != "hasher" || e.Duration < 500*time.Millisecond || e.PID == "" || !strings.Contains(e.In+e.Out+e.Function, "shop_hash") || time.Since(e.At) > time.Minute || time.Until(e.At) > time.Second {
		t.Errorf("%+v", e)
	}
	of.Do(`exit(whereis(hasher), kill), ok`)
	n.Close()
	clean(t, of)
}

func TestBusyPortsAreSeen(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := granted(t, of, Events)
	if _, err := n.Events(t.Context()); err != nil {
		t.Fatal(err)
	}
	of.Do(`spawn(fun() -> register(sender, self()), P = open_port({spawn, "sleep 20 2>/dev/null"}, [binary]), (fun Send() -> port_command(P, binary:copy(<<0>>, 100000)), Send() end)() end), ok`)
	e := oneEvent(t, n, BusyPort, func(e Event) bool { return e.Process != "" })
	if e.Process != "sender" || !strings.HasPrefix(e.Port, "#Port<") || e.PortName != "sleep" {
		t.Errorf("%+v", e)
	}
}

func TestOfAFloodOfEventsTwentyASecondAreToldAndTheRestIsCounted(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := granted(t, of, Events)
	if _, err := n.Events(t.Context()); err != nil {
		t.Fatal(err)
	}
	of.Do(`spawn(fun() -> register(owner, self()), P = open_port({spawn, "sleep 20 2>/dev/null"}, [binary]),
		[spawn(fun() -> (fun Send() -> port_command(P, binary:copy(<<0>>, 100000)), Send() end)() end) || _ <- lists:seq(1, 300)], receive stop -> ok end end), ok`)
	until(t, "the first of them", func() bool { list, err := n.Events(t.Context()); return err == nil && len(list) >= 20 })
	until(t, "the count of the rest", func() bool {
		_, err := n.Events(t.Context())
		dropped, _ := n.EventLosses()
		return err == nil && dropped >= 200
	})
	list, err := n.Events(t.Context())
	if err != nil || len(list) < 20 || len(list) > 100 {
		t.Errorf("%d events, %v", len(list), err)
	}
}

func TestWhereAnotherProbeHasItsHandlersNothingIsDone(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(`logger:add_handler(fleetlens_logs, logger_std_h, #{level => none})`)
	n := granted(t, of, Events)
	if err := n.Watch(t.Context()); err == nil || !strings.Contains(err.Error(), "another probe") {
		t.Errorf("%v", err)
	}
	if got := of.Do(`lists:member(fleetlens_logs, logger:get_handler_ids())`); got != "true" {
		t.Error("the other's handler is gone")
	}
}

func TestLongCollectionsAndLargeHeapsAreSeen(t *testing.T) {
	t.Parallel()
	l := newEventLog()
	of := beamtest.Start(t, beamtest.Options{})
	n := granted(t, of, Events)
	n.events = l
	if err := l.watch.hold(t.Context(), n, args{"LongGC": 1, "LongSchedule": 500, "LargeHeap": 100000}); err != nil {
		t.Fatal(err)
	}
	of.Do(`spawn(fun() -> register(hoarder, self()), L = lists:seq(1, 2000000), erlang:garbage_collect(), receive stop -> length(L) end end), ok`)
	until(t, "both events", func() bool {
		gc, heap := false, false
		for _, e := range l.newest() {
			gc = gc || e.Type == LongGC && e.Process == "hoarder" && e.Duration > 0 && e.HeapBlock > 0
			heap = heap || e.Type == LargeHeap && e.Process == "hoarder" && e.Heap+e.OldHeap+e.HeapBlock > 800000
		}
		return gc && heap
	})
}

func TestWhereAnotherIsTheSystemMonitorItStaysIt(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(`P = spawn(fun() -> register(app_monitor, self()), erlang:system_monitor(self(), [busy_port]), receive stop -> ok end end), ok`)
	until(t, "the other monitor", func() bool { return strings.Contains(of.Do(`erlang:system_monitor()`), "busy_port") })
	of.Do(remember)
	n := granted(t, of, Events)
	_, err := n.Events(t.Context())
	if err == nil || !strings.Contains(err.Error(), "app_monitor") {
		t.Errorf("%v, want who it is", err)
	}
	if got := of.Do(`erlang:system_monitor() =:= {P, [busy_port]}`); got != "true" {
		t.Error("the other is none any more")
	}
	of.Do(`exit(P, kill), ok`)
	until(t, "the monitor to be ours", func() bool { _, err := n.Events(t.Context()); return err == nil })
	// Somebody takes it from us: that is noticed, and left so.
	of.Do(`P2 = spawn(fun() -> erlang:system_monitor(self(), [busy_port]), receive stop -> ok end end), ok`)
	until(t, "the loss to be noticed", func() bool {
		_, err := n.Events(t.Context())
		_, s := n.EventLosses()
		return err != nil && strings.Contains(s.LastEnd, "another process")
	})
	if got := of.Do(`element(1, erlang:system_monitor()) =:= P2`); got != "true" {
		t.Error("it was taken back")
	}
}

// logged waits until the book has an entry with the words.
func logged(t *testing.T, n *Node, words string) logs.Entry {
	t.Helper()
	var found logs.Entry
	until(t, "the entry "+words, func() bool {
		if err := n.Watch(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, e := range n.Book().Entries(1000, func(e *logs.Entry) bool { return strings.Contains(e.Message, words) }) {
			found = e
			return true
		}
		return false
	})
	return found
}

// crashed waits until there are so many exceptions, and returns them, the oldest first.
func crashedTraces(t *testing.T, n *Node, most int) []stacktrace.Trace {
	t.Helper()
	var list []stacktrace.Trace
	until(t, fmt.Sprintf("%d exceptions", most), func() bool {
		if err := n.Watch(t.Context()); err != nil {
			t.Fatal(err)
		}
		list = n.Exceptions().Traces(500, func(*stacktrace.Trace) bool { return true })
		return len(list) >= most
	})
	return list
}

const secret = "tok-Zq81-secret"

// nowhere fails when a secret is in anything that is kept.
func nowhere(t *testing.T, n *Node) {
	t.Helper()
	all := fmt.Sprintf("%+v\n%+v\n%+v", n.Book().Entries(1000, func(*logs.Entry) bool { return true }), n.Book().Templates(), n.Exceptions().Traces(500, func(*stacktrace.Trace) bool { return true }))
	all += fmt.Sprintf("%+v", n.Exceptions().Groups(time.Now()))
	if i := strings.Index(all, secret); i >= 0 {
		t.Errorf("the secret is kept: …%s…", all[max(0, i-300):min(len(all), i+100)])
	}
}

func TestACrashOfErlangIsToldWithoutWhatTheServerHeld(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(compileErlang)
	of.Do(shopErlang)
	of.Do(remember)
	n := granted(t, of, Events)
	if err := n.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	of.Do(`State = #{token => <<"` + secret + `">>, text => "` + secret + `"}, Start = fun() -> {ok, P} = gen_server:start({local, shop_cart}, shop_cart, State, []), P end,
		Crash = fun(M) -> P = Start(), catch gen_server:call(P, M), ok end, ok`)
	for i, tt := range []struct{ call, kind, name, function string }{
		{`{match, {error, State}}`, KindError, "badmatch", "shop_cart:handle_call/3"},
		{`clause`, KindError, "function_clause", "shop_cart:price/2"},
		{`exit`, KindExit, "no_stock", "shop_cart:handle_call/3"},
		{`error`, KindError, "missing", "shop_cart:handle_call/3"},
	} {
		of.Do("Crash(" + tt.call + ")")
		got := crashedTraces(t, n, i+1)[0]
		if got.Kind != tt.kind || got.Type != tt.name || got.Module != "shop_cart" || got.Top().Function != tt.function || got.Language != stacktrace.Erlang || got.Level != "error" {
			t.Errorf("%s: %+v", tt.call, got)
		}
	}
	of.Do(`proc_lib:spawn(fun() -> throw({oops, State}) end), spawn(fun() -> error({badmatch, State}) end), ok`)
	got := crashedTraces(t, n, 6)
	for _, kind := range []string{KindThrow, KindError} {
		found := false
		for _, x := range got[:2] {
			found = found || x.Kind == kind
		}
		if !found {
			t.Errorf("no %s among %+v", kind, got[:2])
		}
	}
	of.Do(`logger:error("it failed with ~p", [{{badmatch, State}, [{shop_cart, price, [State, 1], [{file, "shop_cart.erl"}, {line, 3}]}]}]), ok`)
	if e := logged(t, n, "it failed with"); !strings.Contains(e.Message, "shop_cart:price/2") {
		t.Errorf("%+v", e)
	}
	crashedTraces(t, n, 7)
	nowhere(t, n)
	if len(crashedTraces(t, n, 7)) != 7 {
		t.Errorf("%d exceptions, want one for each crash", len(crashedTraces(t, n, 7)))
	}
	n.Close()
	clean(t, of)
}

func TestACallThatIsNotAnsweredNamesWhoDidNotAnswer(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(compileErlang)
	of.Do(shopErlang)
	n := granted(t, of, Events)
	if err := n.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	of.Do(`{ok, Db} = gen_server:start({local, db_pool}, shop_cart, x, []), {ok, C} = gen_server:start(shop_cart, x, []), catch gen_server:call(C, {ask, db_pool}), ok`)
	got := crashedTraces(t, n, 1)[0]
	if got.Kind != KindExit || got.Type != "timeout" || got.Message != "in a call of db_pool" || got.Top().Function != "shop_cart:handle_call/3" {
		t.Errorf("%+v", got)
	}
}

func TestASupervisorThatGivesUpIsNamed(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(compileErlang)
	of.Do(shopErlang)
	of.Do(`Compile("-module(shop_sup). -behaviour(supervisor). -export([init/1]). init(S) -> {ok, {#{intensity => 1, period => 5}, [#{id => cart, start => {shop_cart, start_link, [S]}}]}}. ")`)
	n := granted(t, of, Events)
	if err := n.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	of.Do(`process_flag(trap_exit, true), {ok, Sup} = supervisor:start_link({local, shop_sup}, shop_sup, #{token => "` + secret + `"}),
		[begin (fun Wait() -> case whereis(shop_cart) of undefined -> case is_process_alive(Sup) of true -> timer:sleep(1), Wait(); false -> ok end; P -> catch gen_server:call(P, error) end end)() end || _ <- [1, 2]], ok`)
	until(t, "the supervisor's end", func() bool {
		if err := n.Watch(t.Context()); err != nil {
			t.Fatal(err)
		}
		gaveUp, under := false, false
		for _, x := range n.Exceptions().Traces(500, func(*stacktrace.Trace) bool { return true }) {
			gaveUp = gaveUp || x.Kind == KindMessage && x.Module == "shop_sup" && strings.Contains(x.Message, "gave up")
			under = under || x.Module == "shop_cart" && x.Under == "shop_sup" && x.Type == "missing"
		}
		return gaveUp && under
	})
	nowhere(t, n)
}

func TestACrashOfElixirIsToldWithoutWhatTheServerHeld(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{Elixir: true})
	of.Do(`defmodule Shop.Cart do
		use GenServer;
		def init(s), do: {:ok, s};
		def handle_call({:match, x}, _, s) do {:ok, _} = x; {:reply, :ok, s} end;
		def handle_call(:key, _, s), do: {:reply, Map.fetch!(s, :price), s};
		def handle_call(:case, _, s) do case s do :a -> {:reply, :ok, s} end end;
		def handle_call(:clause, _, s), do: {:reply, price(s, 1), s};
		def handle_call(:raise, _, s), do: raise("no price for " <> inspect(s));
		def handle_call(:argument, _, s), do: {:reply, String.to_integer(s.token), s};
		def price(:a, _), do: 1;
		def lost(s), do: raise(KeyError, key: :price, term: s)
	end`)
	n := granted(t, of, Events)
	if err := n.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	of.Do(`state = %{token: "` + secret + `"}`)
	of.Do(`crash = fn m -> {:ok, p} = GenServer.start(Shop.Cart, state, name: Shop.Cart); try do GenServer.call(p, m) catch :exit, _ -> :ok end end`)
	for i, tt := range []struct{ call, name, function string }{
		{`{:match, {:error, state}}`, "MatchError", "Shop.Cart.handle_call/3"},
		{`:key`, "KeyError", "Shop.Cart.handle_call/3"},
		{`:case`, "CaseClauseError", "Shop.Cart.handle_call/3"},
		{`:clause`, "FunctionClauseError", "Shop.Cart.price/2"},
		{`:raise`, "RuntimeError", "Shop.Cart.handle_call/3"},
		{`:argument`, "ArgumentError", "Shop.Cart.handle_call/3"},
	} {
		of.Do("crash.(" + tt.call + ")")
		got := crashedTraces(t, n, i+1)[0]
		if got.Kind != KindError || got.Type != tt.name || got.Module != "Shop.Cart" || got.Top().Function != tt.function || got.Language != stacktrace.Elixir {
			t.Errorf("%s: %+v", tt.call, got)
		}
	}
	of.Do(`Task.start(Shop.Cart, :lost, [state])`)
	if got := crashedTraces(t, n, 7)[0]; got.Type != "KeyError" || got.Message != "key price not found" || got.Top().Function != "Shop.Cart.lost/1" {
		t.Errorf("%+v", got)
	}
	of.Do(`require Logger; try do Shop.Cart.lost(state) rescue e -> Logger.error(Exception.format(:error, e, __STACKTRACE__)) end`)
	if got := crashedTraces(t, n, 8)[0]; got.Type != "KeyError" || got.Top().Function != "Shop.Cart.lost/1" {
		t.Errorf("%+v", got)
	}
	// What Elixir 1.15 and later give every handler in the place of a report.
	of.Do(`{:ok, text, _} = Logger.Translator.translate(:debug, :error, :report, {:logger, %{label: {:gen_server, :terminate}, name: Shop.Cart, last_message: {:match, state}, state: state, log: [],
		reason: {%KeyError{key: :price, term: state}, [{Shop.Cart, :price, [:x, state], [file: 'cart.ex', line: 3]}, {Shop.Cart, :handle_call, 3, [file: 'cart.ex', line: 2]}]},
		client_info: {self(), {self(), [{Shop.Web, :index, [state], [file: 'web.ex', line: 9]}]}}}}); :logger.error('~ts', [text])`)
	if got := crashedTraces(t, n, 9)[0]; got.Type != "KeyError" || got.Module != "Shop.Cart" || got.Top().Function != "Shop.Cart.price/2" || got.Message != "key :price not found in: …" {
		t.Errorf("%+v", got)
	}
	nowhere(t, n)
}

// Behaviour: 142.
func TestAnEntryTellsWhoLoggedItAndWhere(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{Elixir: true})
	n := granted(t, of, Events)
	if err := n.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	of.Do(`defmodule Shop.Web do require Logger; def index(n) do Logger.warning("stock is low: #{n}") end end`)
	of.Do(`Shop.Web.index(3)`)
	e := logged(t, n, "stock is low: 3")
	if e.Level != logs.Warning || e.Module != "Shop.Web" || e.Func != "index/1" || e.Line == 0 || e.Domain != "elixir" || !strings.HasPrefix(e.Process, "<0.") || time.Since(e.Time) > time.Minute {
		t.Errorf("%+v", e)
	}
	of.Do(`:error_logger.error_msg('old ~p of ~s~n', [:kind, 'mine']); :logger.info(%{what: :sale, state: "` + secret + `"})`)
	logged(t, n, "old kind of mine")
	logged(t, n, "what: sale")
	nowhere(t, n)
}

func TestAFloodOfLogsLosesNoError(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{Args: []string{"-kernel", "logger_level", "info"}})
	of.Do(remember)
	flood := `element(1, timer:tc(fun() -> [logger:info("request ~p", [I]) || I <- lists:seq(1, 5000)], logger:error("the one that matters") end)) div 1000`
	without := of.Do(flood)
	n := granted(t, of, Events)
	if err := n.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("5,000 entries and one error took the node %s ms without the handlers and %s ms with them", without, of.Do(flood))
	logged(t, n, "the one that matters")
	if total := n.Book().Totals(time.Minute); total.Total > 400 || total.Errors != 1 || total.Infos < 20 {
		t.Errorf("%+v, want some fifty of the flood and the error", total)
	}
	if got := of.Do(`[H || H <- logger:get_handler_ids(), lists:prefix("fleetlens", atom_to_list(H))]`); !strings.Contains(got, "fleetlens_logs") {
		t.Errorf("handlers %s", got)
	}
	n.Close()
	clean(t, of)
}

func TestAProbeThatDiesOrHangsLeavesTheNodeClean(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(*testing.T, *Node)
	}{
		{"its connection is gone, as by kill -9", func(_ *testing.T, n *Node) {
			n.conn.Close()
		}},
		{"it asks for nothing any more", func(t *testing.T, n *Node) {
			for _, w := range []*agent{n.events.watch.agent, n.logs.watch.agent, n.calls.agent} {
				if err := w.renew(t.Context(), 50*time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
			for _, w := range []*agent{n.events.watch.agent, n.logs.watch.agent, n.calls.agent} {
				<-w.done()
			}
			n.Close() // the connection's own processes are not the agents'
		}},
		{"its agents are killed there", func(_ *testing.T, n *Node) {
			for _, w := range []*agent{n.events.watch.agent, n.logs.watch.agent, n.calls.agent} {
				w.stop()
				<-w.done()
			}
			n.Close()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			of := beamtest.Start(t, beamtest.Options{})
			of.Do(`{module, calendar} = code:ensure_loaded(calendar), [code:ensure_loaded(M) || M <- [logger_std_h, logger_h_common, logger_olp]], ok`)
			of.Do(remember)
			n := granted(t, of, Trace)
			if _, err := n.Events(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := n.Watch(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := n.StartTrace(t.Context(), "calendar", "valid_date", 1); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(strings.Fields(of.Do(tracesOf)), ""); got == nothing {
				t.Fatal("nothing of ours is there to begin with")
			}
			began := time.Now()
			tt.end(t, n)
			clean(t, of)
			t.Logf("clean after %s", time.Since(began).Round(time.Millisecond))
		})
	}
}

// ownProcess starts a probe that is a process of its own, with every agent on the node.
func ownProcess(t *testing.T, of *beamtest.Node) *os.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(file, []byte(of.Cookie), 0o600); err != nil {
		t.Fatal(err)
	}
	probe := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAProbeThatIsAnotherProcess$") //nolint:gosec // it is this program
	probe.Env = append(os.Environ(), otherProbe+"="+of.Name+" "+of.Address+" "+file)
	out, err := probe.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := probe.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = probe.Process.Kill() // it may be gone already
		_ = probe.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the probe says %q: %v", line, err)
	}
	return probe.Process
}

func TestAProbeThatIsKilledLeavesTheNodeClean(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(remember)
	probe := ownProcess(t, of)
	began := time.Now()
	if err := probe.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	clean(t, of)
	t.Logf("clean after %s", time.Since(began).Round(time.Millisecond))
}

// A probe that is frozen reads nothing and renews nothing.
func TestAFrozenProbeIsLeftBehind(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{Args: []string{"-kernel", "logger_level", "info"}})
	of.Do(remember)
	flood := `element(1, timer:tc(fun() -> [logger:error("line ~p ~s", [I, lists:duplicate(500, $x)]) || I <- lists:seq(1, 5000)] end)) div 1000`
	without := of.Do(flood)
	probe := ownProcess(t, of)
	if err := probe.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Logf("5,000 errors took the node %s ms without a probe and %s ms with one that is frozen", without, of.Do(flood))
	began := time.Now()
	until(t, "what is ours to be gone while the probe is frozen", func() bool {
		return strings.Join(strings.Fields(of.Do(`{[H || H <- logger:get_handler_ids(), lists:prefix("fleetlens", atom_to_list(H))], erlang:system_monitor(), erlang:trace_info({calendar, valid_date, 1}, all)}`)), "") ==
			`{[],undefined,{all,false}}`
	})
	t.Logf("gone after %s", time.Since(began).Round(time.Millisecond))
	of.Do(`[erlang:disconnect_node(N) || N <- nodes(hidden)], ok`) // else only its net tick ends the connection
	clean(t, of)
}

// otherProbe is set for the process that is the probe of the tests above.
const otherProbe = "FLEETLENS_TEST_PROBE"

// TestAProbeThatIsAnotherProcess is that probe: it starts every agent with a short
// lease, says so, and waits for its end. By itself it tests nothing.
func TestAProbeThatIsAnotherProcess(t *testing.T) {
	where := strings.Fields(os.Getenv(otherProbe))
	if len(where) != 3 {
		return
	}
	n := New(Config{Node: where[0], Address: where[1], CookieFile: where[2], Level: Trace, Timeout: 20 * time.Second})
	if _, err := n.Events(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.StartTrace(t.Context(), "calendar", "valid_date", 1); err != nil {
		t.Fatal(err)
	}
	for _, ag := range []*agent{n.events.watch.agent, n.logs.watch.agent, n.calls.agent} {
		if err := ag.renew(t.Context(), 2*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		t.Fatal(err)
	}
	select {}
}

func TestAnAgentThatEndedIsStartedAgainAndWhyIsKept(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := granted(t, of, Events)
	var said strings.Builder
	n.Log = slog.New(slog.NewTextHandler(&said, nil))
	if err := n.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	of.Do(`logger:remove_handler(fleetlens_logs), ok`)
	until(t, "the second one", func() bool { return n.Watch(t.Context()) == nil && n.Watching().Starts == 2 })
	if s := n.Watching(); s.Since.IsZero() || !strings.Contains(s.LastEnd, "took the log handler off") {
		t.Errorf("%+v", s)
	}
	of.Do(`logger:error("still there"), ok`)
	logged(t, n, "still there")
	if got := said.String(); strings.Count(got, "level=events") != 2 || !strings.Contains(got, of.Name) {
		t.Errorf("the audit says %s", got)
	}
}
