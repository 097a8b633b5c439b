//go:build linux

package beam

import "github.com/fleetlens/fleetlens/internal/beamtest"

var elixir = beamtest.Options{Elixir: true}

// quiet keeps a node from writing what it logs: reports of crashes are long.
const quiet = `logger:remove_handler(default), `

var incidents = []incident{
	{
		name: "messages behind a call that does not return", reason: "orders hang", modules: []string{orders, payments},
		begin: "shop_orders:start(), shop_orders:flood(20001), ok", skill: "overload", field: "backlog", least: 20_000,
		cause: []string{"shop_payments <", "messages wait for shop_orders <", "gen:do_call/4", "downstream_blocking at shop_payments <", "shop_payments:charge/0"}, secret: "4111-secret",
	},
	{
		name: "one process that computes for all", reason: "stock is slow", node: elixir, modules: []string{stock},
		begin: `{:ok, s} = GenServer.start(Shop.Stock, [], name: Shop.Stock); for _ <- 1..15_000, do: GenServer.cast(s, :count); :ok`, skill: "overload", field: "backlog", least: 10_000,
		cause: []string{"Shop.Stock <", "cpu_bound", "Shop.Stock."},
	},
	{
		name: "a table that only grows", reason: "the shop needs more memory every hour", modules: []string{sessions},
		begin: "shop_sessions:start(), ok", again: "shop_sessions:add(3000), ok", skill: "ets", field: "growing_mb", least: 40,
		cause: []string{"shop_sessions", "ETS table shop_sessions", "shop_session_owner"}, secret: "session-token",
	},
	{
		name: "atoms made of what clients send", reason: "is the shop well?", modules: []string{atoms},
		begin: "ok", again: "shop_import:rows(20), ok", skill: "beam", field: "atom_hours_left", least: 0,
		cause: []string{"atoms leak"},
	},
	{
		name: "binaries that one process keeps", reason: "the shop was killed for want of memory", modules: []string{images},
		begin: "shop_images:start(), ok", again: "shop_images:add(2), ok", skill: "beam", field: "binary_growing_mb", least: 70,
		cause: []string{"shop_images <", "MiB more in binaries"},
	},
	{
		name: "a child that crashes again and again", reason: "baskets are empty", modules: []string{supervisorModule, cart},
		begin: quiet + `shop_sup:start(shop_baskets, 1000, [#{id => basket, start => {shop_cart, start_link, []}}, #{id => wishes, start => {shop_cart, start_link, []}}]), ok`,
		again: "shop_cart:crash(shop_baskets, basket)", skill: "supervisor", field: "restarts_5m", least: 4,
		cause: []string{"basket", "basket (shop_cart:init/1", "supervisor shop_baskets <"},
	},
	{
		name: "a supervisor that waits for a child to begin", reason: "nothing restarts", modules: []string{supervisorModule, cart},
		begin: "shop_sup:start(shop_stuck, 3, []), spawn(fun() -> supervisor:start_child(shop_stuck, #{id => slow, start => {shop_cart, start_link, [slow]}}) end), ok", skill: "supervisor", field: "supervisors_unresponsive", least: 1,
		cause: []string{"shop_stuck <", "do not answer"},
	},
	{
		name: "a peer that does not read", reason: "prices do not arrive", modules: []string{feed},
		begin: "Sockets = shop_feed:start(), ok", skill: "ports", field: "suspended_processes", least: 5,
		cause: []string{"shop_feed", "wait in #Port<", "held up by a full port", "its peer does not read"},
	},
	{
		name: "sockets that nobody closes", reason: "the shop cannot connect", node: beamtest.Options{Args: []string{"+Q", "1024"}}, modules: []string{sockets},
		begin: "shop_lookup:start(850), ok", skill: "ports", field: "port_utilization_pct", least: 80,
		cause: []string{"shop_lookup <", "of 1024 ports are open", "by shop_lookup <"},
	},
	{
		name: "processes that nobody ends", reason: "the shop has ever more processes", modules: []string{jobs},
		begin: "shop_jobs:run(3000), ok", skill: "supervisor", field: "unlinked_processes", least: 2500,
		cause: []string{"shop_jobs:wait/1", "neither links nor monitors"},
	},
	{
		name: "processes left behind by one that died", reason: "deliveries are made twice", modules: []string{jobs},
		begin: "shop_jobs:leave(400), ok", skill: "supervisor", field: "orphans", least: 400,
		cause: []string{"shop_jobs:trap/1", "have lost the one that started them", "left by shop_boss"},
	},
	{
		name: "more processes than there may be, soon", reason: "logins fail", node: beamtest.Options{Args: []string{"+P", "4096"}}, modules: []string{jobs},
		begin: "shop_jobs:linked(3600), ok", skill: "beam", field: "process_utilization_pct", least: 80,
		cause: []string{"shop_jobs:wait/1", "of the most there may be", "began with shop_jobs:wait/1"},
	},
	{
		name: "a server that crashes with a secret in its state", reason: "payments fail", node: elixir, modules: []string{charge}, level: "events",
		begin: "Logger.remove_backend(:console); :ok", again: "Shop.Charge.once(); :ok", skill: "exception", field: "top_exception_count", least: 12,
		cause: []string{"Shop.Charge", "ArithmeticError"}, secret: "sk_live_1234",
	},
	{
		name: "errors in the log", reason: "mails are late", modules: []string{mailer}, level: "events",
		begin: quiet + "ok", again: "shop_mailer:fail(5), ok", skill: "logger", field: "error_count_1m", least: 250,
		cause: []string{"mail relay refused", "errors were logged in the last minute"},
	},
	{name: "an idle Erlang node", reason: "is the shop well?", level: "events", control: true, least: 8},
	{name: "an idle Elixir node", reason: "is the shop well?", node: elixir, level: "events", control: true, least: 8},
	{name: "a busy Erlang node that is well", reason: "is the shop well?", modules: []string{busy, supervisorModule, cart}, begin: "shop_busy:start(), ok", level: "events", control: true, least: 10},
}

const orders = `-module(shop_orders).
-behaviour(gen_server).
-export([start/0, init/1, handle_call/3, handle_cast/2, flood/1]).
start() -> {ok, _} = gen_server:start({local, shop_orders}, shop_orders, [], []), {ok, _} = gen_server:start({local, shop_payments}, shop_payments, [], []), ok.
init(A) -> {ok, A}.
handle_call(_, _, S) -> {reply, ok, S}.
handle_cast({order, Card}, S) -> ok = gen_server:call(shop_payments, {charge, Card}, infinity), {noreply, S}.
flood(N) -> [gen_server:cast(shop_orders, {order, <<"4111-secret">>}) || _ <- lists:seq(1, N)], ok.
`

const payments = `-module(shop_payments).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2]).
init(A) -> {ok, A}.
handle_call({charge, _}, _, S) -> {reply, charge(), S}.
handle_cast(_, S) -> {noreply, S}.
charge() -> {ok, L} = gen_tcp:listen(0, [{ip, {127,0,0,1}}, {active, false}]), {ok, P} = inet:port(L), {ok, C} = gen_tcp:connect({127,0,0,1}, P, [{active, false}]), gen_tcp:recv(C, 1), ok.
`

const stock = `defmodule Shop.Stock do
  use GenServer
  def init(s), do: {:ok, s}
  def handle_cast(:count, s) do
    count(3_000_000, 0)
    {:noreply, s}
  end
  def count(0, sum), do: sum
  def count(n, sum), do: count(n - 1, rem(sum + n, 9973))
end
`

const sessions = `-module(shop_sessions).
-export([start/0, own/1, add/1]).
start() -> register(shop_session_owner, spawn(shop_sessions, own, [self()])), receive ready -> ok end.
own(P) -> ets:new(shop_sessions, [named_table, public]), P ! ready, receive stop -> ok end.
add(N) -> [ets:insert(shop_sessions, {make_ref(), [session_token, binary:copy(<<"session-token">>, 4)]}) || _ <- lists:seq(1, N)], ok.
`

const atoms = `-module(shop_import).
-export([rows/1]).
rows(N) -> [list_to_atom("column_" ++ integer_to_list(erlang:unique_integer([positive]))) || _ <- lists:seq(1, N)], ok.
`

const images = `-module(shop_images).
-export([start/0, keep/1, add/1]).
start() -> register(shop_images, spawn(shop_images, keep, [[]])), ok.
keep(L) -> receive {image, B} -> keep([B | L]) end.
add(N) -> [shop_images ! {image, binary:copy(<<0>>, 1000000)} || _ <- lists:seq(1, N)], ok.
`

const supervisorModule = `-module(shop_sup).
-behaviour(supervisor).
-export([start/3, init/1]).
start(Name, Intensity, Children) -> {ok, P} = supervisor:start_link({local, Name}, shop_sup, {#{intensity => Intensity, period => 1}, Children}), unlink(P), ok.
init(Spec) -> {ok, Spec}.
`

const cart = `-module(shop_cart).
-behaviour(gen_server).
-export([start_link/0, start_link/1, init/1, handle_call/3, handle_cast/2, crash/2]).
start_link() -> start_link(ok).
start_link(A) -> gen_server:start_link(shop_cart, A, []).
init(slow) -> receive after 60000 -> ok end, {ok, slow}; init(A) -> {ok, A}.
handle_call(_, _, S) -> {reply, lists:sum(lists:seq(1, 100)), S}.
handle_cast(crash, S) -> exit({crashed, S}).
crash(Sup, Id) -> case lists:keyfind(Id, 1, supervisor:which_children(Sup)) of {_, P, _, _} when is_pid(P) -> gen_server:cast(P, crash); _ -> ok end.
`

const feed = `-module(shop_feed).
-export([start/0, run/1, publish/1]).
start() ->
  {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {recbuf, 4096}, {ip, {127,0,0,1}}]), {ok, P} = inet:port(L),
  {ok, C} = gen_tcp:connect({127,0,0,1}, P, [binary, {active, false}, {sndbuf, 4096}]), {ok, S} = gen_tcp:accept(L),
  F = spawn(shop_feed, run, [C]), register(shop_feed, F), ok = gen_tcp:controlling_process(C, F), [spawn(shop_feed, publish, [C]) || _ <- lists:seq(1, 8)], {L, S}.
run(C) -> publish(C), run(C).
publish(C) -> ok = gen_tcp:send(C, binary:copy(<<0>>, 2000000)).
`

const sockets = `-module(shop_lookup).
-export([start/1, run/1]).
start(N) -> register(shop_lookup, spawn(shop_lookup, run, [N])), ok.
run(N) -> [gen_udp:open(0) || _ <- lists:seq(1, N)], receive stop -> ok end.
`

const jobs = `-module(shop_jobs).
-export([run/1, linked/1, leave/1, boss/2, wait/1, trap/1]).
run(N) -> [spawn(shop_jobs, wait, [I]) || I <- lists:seq(1, N)], ok.
linked(N) -> spawn(fun() -> [spawn_link(shop_jobs, wait, [I]) || I <- lists:seq(1, N)], receive stop -> ok end end), ok.
leave(N) -> {_, R} = spawn_monitor(fun() -> proc_lib:init_p(self(), [], shop_jobs, boss, [N, self()]) end), receive {'DOWN', R, _, _, _} -> ok end.
boss(N, _) -> register(shop_boss, self()), [proc_lib:spawn_link(shop_jobs, trap, [self()]) || _ <- lists:seq(1, N)], [receive ready -> ok end || _ <- lists:seq(1, N)], exit(done).
trap(P) -> process_flag(trap_exit, true), P ! ready, wait(0).
wait(I) -> receive stop -> I end.
`

const charge = `defmodule Shop.Charge do
  use GenServer
  def init(s), do: {:ok, s}
  def handle_call({:charge, n}, _from, s), do: {:reply, div(100, n), s}
  def once do
    {:ok, p} = GenServer.start(Shop.Charge, %{key: "sk_live_1234"})
    try do
      GenServer.call(p, {:charge, 0})
    catch
      :exit, _ -> :ok
    end
  end
end
`

const mailer = `-module(shop_mailer).
-export([fail/1]).
fail(N) -> [logger:error("mail relay refused message ~b", [I]) || I <- lists:seq(1, N)], ok.
`

// busy is a shop with work: clients of a server over TCP, calls of supervised servers,
// short processes, sessions that come and go.
const busy = `-module(shop_busy).
-export([start/0, serve/1, client/1, handle/1, buyer/1, session/1, task/0]).
start() ->
  {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {packet, 4}, {ip, {127,0,0,1}}, {backlog, 100}]), {ok, Port} = inet:port(L),
  S = spawn(shop_busy, serve, [L]), gen_tcp:controlling_process(L, S), S ! go,
  [spawn(shop_busy, client, [Port]) || _ <- lists:seq(1, 8)],
  shop_sup:start(shop_carts, 3, [#{id => {cart, I}, start => {shop_cart, start_link, []}} || I <- lists:seq(1, 30)]),
  Carts = [P || {_, P, _, _} <- supervisor:which_children(shop_carts)],
  [spawn(shop_busy, buyer, [Carts]) || _ <- lists:seq(1, 10)],
  spawn(shop_busy, session, [undefined]), ok.
serve(L) -> receive go -> ok end, accept(L).
accept(L) -> {ok, S} = gen_tcp:accept(L), P = spawn(shop_busy, handle, [S]), gen_tcp:controlling_process(S, P), P ! go, accept(L).
handle(S) -> receive go -> ok after 5000 -> ok end, answer(S).
answer(S) -> case gen_tcp:recv(S, 0) of {ok, B} -> gen_tcp:send(S, [B, binary:copy(<<"x">>, 20000)]), answer(S); _ -> ok end.
client(Port) -> {ok, S} = gen_tcp:connect({127,0,0,1}, Port, [binary, {active, false}, {packet, 4}]), ask(S).
ask(S) -> ok = gen_tcp:send(S, <<"page">>), {ok, _} = gen_tcp:recv(S, 0), timer:sleep(5), ask(S).
buyer(Carts) -> [gen_server:call(C, buy) || C <- Carts], spawn(shop_busy, task, []), timer:sleep(5), buyer(Carts).
task() -> lists:sort([rand:uniform(1000) || _ <- lists:seq(1, 500)]), ok.
session(undefined) -> session(ets:new(shop_sessions, [public]));
session(T) -> [ets:insert(T, {I, binary:copy(<<0>>, 100)}) || I <- lists:seq(1, 500)], timer:sleep(20), ets:delete_all_objects(T), session(T).
`
