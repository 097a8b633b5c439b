package beam

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
)

// shop is a module with processes as applications have them.
const shop = `-module(shop). -export([start/2, init/1, wait/0, spin/0, idle/1, keep/1]).
start(F, As) -> proc_lib:spawn(?MODULE, F, As).
init(_) -> {ok, none}.
wait() -> receive {go, _} -> wait() end.
idle(_) -> receive stop -> ok end.
spin() -> spin().
keep(L) -> receive {more, N} -> keep([crypto_free(N) | L]) end.
crypto_free(N) -> binary:copy(<<7>>, N).
`

// load compiles a module of Erlang on a node.
func load(of *beamtest.Node, source string) {
	of.Do("begin file:write_file(\"shop.erl\", " + quote(source) + "), {ok, shop} = compile:file(\"shop.erl\"), {module, shop} = code:load_file(shop), ok end")
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func TestTheLongestQueueIsNamedWithWhatItSitsIn(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	load(of, shop)
	of.Do("begin P = shop:start(wait, []), register(till, P), [P ! X || X <- lists:seq(1, 20000)], Q = shop:start(wait, []), [Q ! X || X <- lists:seq(1, 300)], ok end")
	q, err := with(t, of).Queues(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if q.Total < 20_300 || q.Over100 != 2 || q.Over1k != 1 || q.Over10k != 1 || q.P100 != 20_000 || q.P50 != 0 || q.Seen != q.Processes || q.Truncated || q.NonEmpty < 2 {
		t.Errorf("the queues are %+v", q)
	}
	if len(q.Top) < 2 || q.Top[0].Value != 20_000 || q.Top[0].Name() != "till" || q.Top[0].Function() != "shop:wait/0" || q.Top[0].Memory != nil {
		t.Fatalf("the longest is %+v", q.Top[0])
	}
	if p := q.Top[1]; p.Value != 300 || p.Name() != "shop:wait/0" || p.Memory == nil || p.Status != "waiting" {
		t.Errorf("the next is %+v", p)
	}
}

func TestProcessesAreDescribedWhateverTheyCallThemselves(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	load(of, shop)
	of.Do(`begin Me = self(), As = fun(L) -> P = spawn(fun() -> put('$process_label', L), put(secret, "password"), Me ! ready, shop:wait() end), receive ready -> P end end, ok end`)
	n := with(t, of)
	for label, want := range map[string]string{
		`<<"cart 7">>`: "cart 7", `cart`: "cart", `'Elixir.Shop.Cart'`: "Shop.Cart", `{cart, 7}`: "{cart,7}", `"cart"`: `"cart"`, `<<255>>`: "", // no text: it is named otherwise
		`lists:duplicate(1000, $a)`: `"` + strings.Repeat("a", 99), `[a | b]`: "[a|b]", `{some, {deep, {label, {with, {much, {in, it}}}}}}`: "{some,{deep,{label,{with,{much,{in,...}}}}}}",
	} {
		pid := strings.Trim(of.Do("erlang:pid_to_list(As("+label+"))"), `"`)
		p, err := n.Named(t.Context(), pid)
		if err != nil {
			t.Errorf("%s: %v", label, err)
			continue
		}
		if name := p.Name(); name == "" || want != "" && name != want {
			t.Errorf("%s: got %q, want %q", label, name, want)
		}
	}
}

func TestAHundredThousandProcessesAreLookedThroughWithinABound(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes 100,000 processes")
	}
	of := beamtest.Start(t, beamtest.Options{Args: []string{"+P", "300000"}})
	load(of, shop)
	of.Do("begin [shop:start(idle, [X]) || X <- lists:seq(1, 100000)], ok end")
	n := with(t, of)
	for name, look := range map[string]func() (seen, all int, cut bool, err error){
		"queues": func() (int, int, bool, error) {
			q, err := n.Queues(t.Context())
			if err != nil {
				return 0, 0, false, err
			}
			return q.Seen, q.Processes, q.Truncated, nil
		},
		"reductions": func() (int, int, bool, error) {
			q, err := n.Top(t.Context(), ByReductions, 10)
			if err != nil {
				return 0, 0, false, err
			}
			return q.Processes, q.Processes, q.Truncated, nil
		},
		"memory": func() (int, int, bool, error) {
			q, err := n.Top(t.Context(), ByMemory, 10)
			if err != nil {
				return 0, 0, false, err
			}
			return q.Processes, q.Processes, q.Truncated, nil
		},
		"binaries": func() (int, int, bool, error) {
			q, err := n.Binaries(t.Context(), 5)
			if err != nil {
				return 0, 0, false, err
			}
			return q.Processes, q.Processes, q.Truncated, nil
		},
		"origins": func() (int, int, bool, error) {
			q, err := n.Origins(t.Context())
			if err != nil {
				return 0, 0, false, err
			}
			if list := q.List(); q.Seen < 20_000 || len(list) == 0 || list[0].Function != "shop:idle/1" || list[0].Count < 95_000 {
				t.Errorf("of %d processes that were seen: %+v", q.Seen, list)
			}
			return q.Processes, q.Processes, q.Truncated, nil
		},
		"reducers": func() (int, int, bool, error) {
			q, err := n.Reducers(t.Context(), 100*time.Millisecond, 100*time.Millisecond)
			if err != nil {
				return 0, 0, false, err
			}
			return q.Processes, q.Processes, q.Truncated, nil
		},
	} {
		seen, all, cut, err := look()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if all < 100_000 || seen != all && !cut {
			t.Errorf("%s: %d of %d processes, cut %v", name, seen, all, cut)
		}
	}
}

// The one thing that is turned on is the measurement of schedulers, which ends with the
// process that asked for it.
func TestTheOnlyFlagOfTheSystemIsTheMeasurementOfSchedulers(t *testing.T) {
	for i := range table {
		text, err := scripts.ReadFile("scripts/" + table[i].name + ".erl")
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "system_flag("); n != strings.Count(string(text), "erlang:system_flag(scheduler_wall_time, true)") {
			t.Errorf("%s sets another flag", table[i].name)
		}
	}
	of := beamtest.Start(t, beamtest.Options{})
	n := with(t, of)
	if _, err := n.Schedulers(t.Context(), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	until(t, "the measurement to be off again", func() bool { return of.Do("erlang:statistics(scheduler_wall_time)") == "undefined" })
}
