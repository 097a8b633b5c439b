package fleet

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestShippedScenariosFitTheirFleets(t *testing.T) {
	list, err := Load("all")
	if err != nil {
		t.Fatal(err)
	}
	families := map[string]bool{}
	for _, s := range list {
		families[s.Family] = true
		for _, nodes := range []int{60, 300} {
			for seed := range uint64(3) {
				p, err := NewPlan(s.On, nodes, seed)
				if err != nil {
					t.Fatal(err)
				}
				c, err := NewScript(s, p)
				if err != nil {
					t.Errorf("%s with %d nodes and seed %d: %v", s.Name, nodes, seed, err)
					continue
				}
				for _, f := range s.Truth.Faults {
					if len(c.faults[f]) == 0 {
						t.Errorf("%s: the fault %s has no nodes", s.Name, f)
					}
				}
			}
		}
	}
	for _, want := range []string{
		"same cause on many nodes", "one bad node among many", "shared dependency down", "cascade", "bad deploy on a canary group", "network partition",
		"clock skew", "slow leak", "noisy neighbour", "silent nodes", "red herrings", "nothing at all",
	} {
		if !families[want] {
			t.Errorf("no scenario is of the family %q", want)
		}
	}
}

func TestWrongScenariosAreRefusedWithWhereAndWhatWasMeant(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"an unknown key", "family: x\nfaults:\n- name: a\n  silnt: true\n", "f.yaml:4: scenario.faults[0].silnt: unknown key; the nearest is \"silent\""},
		{"a metric that nobody simulates", "family: x\nfaults:\n- {name: a, moves: {os.cpu_use_pct: {set: 1}}}\n", `no metric "os.cpu_use_pct" is simulated; the nearest is "os.cpu_used_pct"`},
		{"two ways to move", "family: x\nfaults:\n- {name: a, moves: {os.cpu_used_pct: {set: 1, add: 2}}}\n", "give one of set, times and add"},
		{"a truth without its fault", "family: x\nfaults:\n- {name: disk, silent: true}\ntruth: {faults: [disc]}\n", `there is no fault "disc"; the nearest is "disk"`},
		{"a fault without effect", "family: x\nfaults:\n- {name: a}\n", "nothing happens"},
		{"no family", "says: x\n", "family: it is missing"},
		{"a fault that is not there yet", "family: x\nfaults:\n- {name: a, silent: true, nodes: {fault: b}}\n", `no fault before it is called "b"`},
		{"no mapping", "- a\n", "f.yaml:1: it is no scenario"},
		{"a share above one", "family: x\ndelivery:\n- {late: 2}\n", "2 is no share from 0 to 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestScenariosFromOutsideUseShippedFleetsAndTheirOwn(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.yaml", "family: x\n")
	write("b.yaml", "family: x\nfleet: own\nfaults: [{name: f, silent: true, nodes: {labels: {role: x}}}]\n")
	write("fleets/own.yaml", "roles: {x: {share: 1}}\nmetrics: {os.cpu_used_pct: {level: 3}}\n")
	list, err := Load(dir)
	if err != nil || len(list) != 2 || list[0].Name != "a" || len(list[1].On.Roles) != 1 {
		t.Fatalf("loaded %+v, %v", list, err)
	}
	write("c.yaml", "family: x\nfaults: [{name: f, silent: true, nodes: {labels: {rolle: x}}}]\n")
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), `no node has a label "rolle"; the nearest is "role"`) {
		t.Errorf("a label that no node has: %v", err)
	}
	if _, err := Load("cascad"); err == nil || !strings.Contains(err.Error(), `the nearest is "cascade"`) {
		t.Errorf("a scenario that is not there: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("family: x\nfaults:\n- {name: a, silent: true}\n")
	f.Add("family: x\ndelivery: [{late: .nan}]\nlasts: 1e300\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("f.yaml", []byte(text))
		if err != nil {
			return
		}
		if s.Lasts <= 0 || s.Lasts > maxLasts || slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.Name == "" }) {
			t.Errorf("accepted %+v", s)
		}
	})
}
