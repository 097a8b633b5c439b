package beam

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/beamtest"
)

// The table is walked as the node's own parser reads it: a script may call nothing but
// what is listed here for its level.
func TestScriptsCallOnlyWhatTheirLevelAllows(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(callsOf)
	for i := range table {
		q := &table[i]
		if strings.HasPrefix(q.name, "t_") {
			continue
		}
		t.Run(q.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(file, []byte(q.source()), 0o600); err != nil {
				t.Fatal(err)
			}
			var calls []string
			answer := of.Do(fmt.Sprintf("Calls(%q)", file))
			if err := json.Unmarshal([]byte(answer), &calls); err != nil {
				t.Fatalf("%v: %s", err, answer)
			}
			for _, c := range calls {
				if !slices.ContainsFunc(allowed, func(a allowance) bool { return q.level.Grants(a.level) && slices.Contains(a.calls, c) }) {
					t.Errorf("it calls %s, which is not allowed at the level %s", c, q.level)
				}
			}
		})
	}
}

// What none may ever call, whatever its level.
func TestNothingThatChangesANodeIsAllowed(t *testing.T) {
	for _, a := range allowed {
		for _, c := range a.calls {
			module, function, _ := strings.Cut(strings.Split(c, "/")[0], ":")
			for _, never := range denied {
				m, f, _ := strings.Cut(never, ":")
				if a.level != Observe && slices.Contains(agents, never) {
					continue
				}
				if module == m && (f == "*" || f == function) {
					t.Errorf("%s is allowed at the level %s", c, a.level)
				}
			}
		}
	}
}

func TestNoScriptChangesUnseen(t *testing.T) {
	for i := range table {
		if q := &table[i]; !strings.HasPrefix(q.name, "t_") && q.sum != q.hash() {
			t.Errorf("%s: look through the script again, then write sum: %q", q.name, q.hash())
		}
	}
}

func TestEveryScriptStandsInTheTableOnce(t *testing.T) {
	files, err := embedded.ReadDir("scripts")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		n := 0
		for i := range table {
			if table[i].name+".erl" == f.Name() {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s stands in the table %d times", f.Name(), n)
		}
	}
}

// callsOf binds Calls to a function that returns all a file of expressions calls, as a
// list of texts module:function/arity. A call whose module or function is no constant
// is dynamic:call/0. A gen_server:call of an atom is told with it.
const callsOf = `Walk = fun
  W({call, _, {remote, _, {atom, _, erlang}, {atom, _, system_flag}}, [{atom, _, What}, V]}) -> [{erlang, list_to_atom("system_flag_" ++ atom_to_list(What)), 2} | W(V)];
  W({call, _, {remote, _, {atom, _, gen_server}, {atom, _, call}}, [P, {atom, _, R}, T]}) -> [{gen_server, list_to_atom("call " ++ atom_to_list(R)), 3} | W([P, T])];
  W({call, _, {remote, _, {atom, _, M}, {atom, _, F}}, As}) -> [{M, F, length(As)} | W(As)];
  W({call, _, {remote, _, M, F}, As}) -> [{dynamic, call, 0} | W([M, F, As])];
  W({call, _, {atom, _, F}, As}) -> [{erlang, F, length(As)} | W(As)];
  W({'fun', _, {function, {atom, _, M}, {atom, _, F}, {integer, _, A}}}) -> [{M, F, A}];
  W({'fun', _, {function, F, A}}) -> [{erlang, F, A}];
  W({'fun', _, {function, _, _, _}}) -> [{dynamic, call, 0}];
  W({op, _, '!', L, R}) -> [{erlang, send, 2} | W([L, R])];
  W(T) when is_tuple(T) -> W(tuple_to_list(T));
  W([H | T]) -> W(H) ++ W(T);
  W(_) -> [] end,
Calls = fun(File) -> {ok, Text} = file:read_file(File), {ok, Ts, _} = erl_scan:string(unicode:characters_to_list(Text)), {ok, Es} = erl_parse:parse_exprs(Ts),
  [lists:flatten(io_lib:format("~p:~p/~p", [M, F, A])) || {M, F, A} <- lists:usort(Walk(Es))] end, ok`
