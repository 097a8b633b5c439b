package beam_test

import (
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/beam"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
)

// A target is a node, looked into by the skill.
type target struct {
	t    *testing.T
	of   *beamtest.Node
	node *reach.Node
	skills.Source
}

// start starts a node with a module shop, and opens the skill on it.
func start(t *testing.T, o beamtest.Options) *target {
	t.Helper()
	of := beamtest.Start(t, o)
	if o.Elixir {
		of.Do(shopElixir)
	} else {
		of.Do(`begin file:write_file("shop.erl", ` + quote(shopErlang) + `), {ok, shop} = compile:file("shop.erl"), {module, shop} = code:load_file(shop), ok end`)
	}
	return open(t, of)
}

// open opens the skill on a node.
func open(t *testing.T, of *beamtest.Node) *target {
	t.Helper()
	tg := &target{t: t, of: of, node: nodetest.Client(t, of)}
	tg.Source = beam.Skill(map[string]*reach.Node{nodetest.Target: tg.node}).Sources[0].Open(nodetest.Target)
	return tg
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// shop has processes as applications have them.
const shopErlang = `-module(shop).
-export([start/2, init/1, wait/0, idle/1, spin/0, keep/1, cart/0, stock/0, remember/1, many/1]).
start(F, As) -> proc_lib:spawn(?MODULE, F, As).
init(_) -> {ok, none}.
wait() -> receive go -> wait() end.
idle(_) -> receive stop -> ok end.
spin() -> spin().
many(N) -> [start(idle, [X]) || X <- lists:seq(1, N)], ok.
stock() -> receive never -> ok end.
cart() -> receive _ -> gen_server:call(stock, {take, 1}, infinity), cart() end.
remember(L) -> receive {more, N} -> remember(lists:seq(1, N) ++ L) end.
keep(L) -> receive {more, From, Count, Size} ->
    New = [binary:copy(<<X:32>>, Size div 4) || X <- lists:seq(1, Count)],
    From ! {kept, self()},
    keep(New ++ L)
  end.
`

// It is told on one line.
const shopElixir = `defmodule Shop.Cart do; use GenServer; ` +
	`def start(name), do: GenServer.start(__MODULE__, nil, name: name); ` +
	`def init(_), do: {:ok, nil}; ` +
	`def handle_info(_, s), do: (get(); {:noreply, s}); ` +
	`def get, do: (receive do :never -> :ok end; :done); end`

func (tg *target) ask(call string) map[string]any {
	tg.t.Helper()
	return skilltest.Object(tg.t, tg.Source, call)
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
