package skills_test

import (
	"fmt"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A check is data: the words of a finding are made from the snapshot it was
// found in.
func ExampleEvaluate() {
	checks := []skills.Check{{
		Metric: "memory_used_pct", Op: protocol.Above, Warn: skills.Level(85), Critical: skills.Level(95),
		Says: "memory is {value} % used; the largest process is {top_memory_process}",
	}}
	for _, x := range skills.Evaluate(checks, map[string]any{"memory_used_pct": 91.5, "top_memory_process": "java (4711)"}) {
		fmt.Printf("%s: %s\n", x.Severity, x.Says)
	}
	// Output: warning: memory is 91.5 % used; the largest process is java (4711)
}

// Arguments are checked before a callback sees them.
func ExampleBind() {
	call := protocol.CallDoc{
		Name: "system_top_processes", Example: `system_top_processes(5, "memory")`,
		Params: []protocol.Param{{Name: "limit", Type: "integer", Default: 10.0, Min: skills.Level(1), Max: skills.Level(50)}},
	}
	a, _ := skills.Bind(call, nil)
	fmt.Println(a.Int("limit"))
	_, err := skills.Bind(call, []any{500.0})
	fmt.Println(err)
	// Output:
	// 10
	// system_top_processes: limit must be a whole number from 1 to 50, got 500
}

// Thresholds come with the skill; a configuration changes them by name.
func ExampleOverride() {
	_, err := skills.Override(pantry(), map[string]skills.Threshold{"pantry.used_pc": {Warn: skills.Level(70)}})
	fmt.Println(err)
	// Output: threshold "pantry.used_pc": unknown metric "used_pc": did you mean "used_pct"? (skill pantry checks used_pct, shelves_free)
}

func TestParseCall(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   string
		call string
		args int
	}{
		{"no arguments", "pantry_all()", "pantry_all", 0},
		{"blanks around", "  pantry_all( )  ", "pantry_all", 0},
		{"a number and a string", `pantry_top(5, "memory")`, "pantry_top", 2},
		{"a parenthesis and a comma in a string", `pantry_find("a) b, (c")`, "pantry_find", 1},
		{"null, true and a negative number", "pantry_find(null, true, -1.5)", "pantry_find", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name, args, err := skills.ParseCall(tt.in)
			if err != nil || name != tt.call || len(args) != tt.args {
				t.Errorf("got %q %v %v", name, args, err)
			}
		})
	}
	for _, in := range []string{"", "pantry_all", "pantry_all(", "Pantry()", "pantry.all()", "pantry_top(5,)", "pantry_top(5 6)", "pantry_top(memory)", "pantry_top('a')"} {
		if name, args, err := skills.ParseCall(in); err == nil {
			t.Errorf("%q is accepted as %s%v", in, name, args)
		}
	}
}

func FuzzParseCall(f *testing.F) {
	f.Add(`system_top_processes(5, "memory")`)
	f.Add("a()")
	f.Add(`a([1,{"b":2}])`)
	f.Fuzz(func(t *testing.T, s string) {
		name, args, err := skills.ParseCall(s)
		if err == nil && name == "" {
			t.Errorf("%q is accepted without a name: %v", s, args)
		}
	})
}
