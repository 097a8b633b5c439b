package beam_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/beam"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
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
	tg := &target{t: t, of: of, node: client(t, of)}
	tg.Source = beam.Skill(map[string]*reach.Node{"shop": tg.node}).Sources[0].Open("shop")
	return tg
}

// client returns a client of a node that keeps no answer for later.
func client(t *testing.T, of *beamtest.Node) *reach.Node {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(file, []byte(of.Cookie), 0o600); err != nil {
		t.Fatal(err)
	}
	n := reach.New(reach.Config{Node: of.Name, Address: of.Address, CookieFile: file, Timeout: 20 * time.Second, Cache: time.Millisecond, MaxCPU: 50})
	t.Cleanup(n.Close)
	return n
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

// snapshot takes a snapshot, all of which must be readable.
func (tg *target) snapshot() skills.Data {
	tg.t.Helper()
	d, err := tg.Snapshot(tg.t.Context())
	if err != nil {
		tg.t.Fatalf("snapshot: %v", err)
	}
	return d
}

// rounds takes snapshots a little more than a second apart, which is the least that
// growth is told over, and lets something happen before each.
func (tg *target) rounds(n int, happen func()) (d skills.Data) {
	tg.t.Helper()
	d = tg.snapshot()
	for range n {
		happen()
		<-time.After(skills.ShortestRate + 20*time.Millisecond)
		d = tg.snapshot()
	}
	return d
}

func (tg *target) ask(call string) map[string]any {
	tg.t.Helper()
	return skilltest.Object(tg.t, tg.Source, call)
}

// rows returns a list of an answer.
func rows(a map[string]any, name string) []map[string]any {
	var out []map[string]any
	list, _ := a[name].([]any)
	for _, v := range list {
		row, _ := v.(map[string]any)
		out = append(out, row)
	}
	return out
}

// crossed returns what the checks say of a snapshot, by metric, with lower levels where
// they are given: a test does not plant as much as a night does.
func (tg *target) crossed(d skills.Data, warn map[string]float64) map[string]string {
	tg.t.Helper()
	out := map[string]string{}
	for _, c := range tg.Checks {
		if v, ok := warn[c.Metric]; ok {
			c.Warn, c.Critical = skills.Level(v), nil
		}
		for _, x := range skills.Evaluate([]skills.Check{c}, d) {
			out[c.Metric] = x.Says
		}
	}
	return out
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

// until waits for something to hold.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}
