package skills_test

import (
	"math"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

var everything = protocol.CallDoc{
	Name: "pantry_find", Example: `pantry_find("jam", 3)`,
	Params: []protocol.Param{
		{Name: "what", Type: "string"},
		{Name: "limit", Type: "integer", Default: 10.0, Min: skills.Level(1), Max: skills.Level(50)},
		{Name: "kind", Type: "string", Default: "jars", Enum: []string{"jars", "tins"}},
		{Name: "weight", Type: "number", Default: 0.5, Min: skills.Level(0)},
		{Name: "open", Type: "boolean", Default: false},
	},
}

func TestBind(t *testing.T) {
	for _, tt := range []struct {
		name       string
		positional []any
		limit      int
		kind       string
		weight     float64
		open       bool
	}{
		{"defaults stand for what is left out", []any{"jam"}, 10, "jars", 0.5, false},
		{"nil is what is left out", []any{"jam", nil, "tins"}, 10, "tins", 0.5, false},
		{"all given", []any{"jam", 3.0, "tins", 1.25, true}, 3, "tins", 1.25, true},
		{"a Go int is a number too", []any{"jam", 3, "jars", 2}, 3, "jars", 2, false},
		{"one list is a tuple of the arguments", []any{[]any{"jam", 3.0, "tins"}}, 3, "tins", 0.5, false},
		{"the bounds themselves", []any{"jam", 50.0, "jars", 0.0}, 50, "jars", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := skills.Bind(everything, tt.positional)
			if err != nil {
				t.Fatal(err)
			}
			if a.String("what") != "jam" || a.Int("limit") != tt.limit || a.String("kind") != tt.kind || a.Number("weight") != tt.weight || a.Bool("open") != tt.open {
				t.Errorf("got %q %d %q %g %v", a.String("what"), a.Int("limit"), a.String("kind"), a.Number("weight"), a.Bool("open"))
			}
		})
	}
}

func TestBindRefusesAndSaysWhatWouldBeRight(t *testing.T) {
	for _, tt := range []struct {
		name       string
		positional []any
		want       string
	}{
		{"a required argument left out", nil, "pantry_find: what must be a string, got nothing"},
		{"a number for a string", []any{5.0}, "what must be a string, got 5"},
		{"a string for a number", []any{"jam", "3"}, `limit must be a whole number from 1 to 50, got "3"`},
		{"half a piece", []any{"jam", 2.5}, "limit must be a whole number from 1 to 50, got 2.5"},
		{"below the least", []any{"jam", 0.0}, "from 1 to 50, got 0"},
		{"above the most", []any{"jam", 51.0}, "from 1 to 50, got 51"},
		{"no number", []any{"jam", math.NaN()}, "got NaN"},
		{"without end", []any{"jam", 3.0, "jars", math.Inf(1)}, "weight must be a number of at least 0, got +Inf"},
		{"a word that is not in the list", []any{"jam", 3.0, "pots"}, `kind must be one of "jars", "tins", got "pots"`},
		{"a string for true or false", []any{"jam", 3.0, "jars", 1.0, "yes"}, `open must be true or false, got "yes"`},
		{"a table", []any{map[string]any{}}, "what must be a string, got a map"},
		{"one too many", []any{"jam", 3.0, "jars", 1.0, true, 6.0}, `pantry_find takes 5 arguments, got 6: e.g. pantry_find("jam", 3)`},
		{"a long string is cut in the refusal", []any{"jam", strings.Repeat("x", 1000)}, strings.Repeat("x", 64) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := skills.Bind(everything, tt.positional)
			if err == nil {
				t.Fatal("it is accepted")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the refusal %q does not say %q", err, tt.want)
			}
			if len(err.Error()) > 300 {
				t.Errorf("the refusal has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestBindNamesEveryFaultAtOnce(t *testing.T) {
	_, err := skills.BindNamed(everything, map[string]any{"limit": 0.0, "kind": "pots", "colour": "red", "age": 3.0})
	if err == nil {
		t.Fatal("it is accepted")
	}
	for _, want := range []string{"what must be", "limit must be", "kind must be", `no argument "colour" (has what, limit, kind, weight, open)`, `no argument "age"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal %q does not say %q", err, want)
		}
	}
}

func TestBindRefusesAnUnknownTypeOfParameter(t *testing.T) {
	_, err := skills.Bind(protocol.CallDoc{Name: "f", Params: []protocol.Param{{Name: "x", Type: "float"}}}, []any{1.0})
	if err == nil || !strings.Contains(err.Error(), `unknown type "float"`) {
		t.Errorf("got %v", err)
	}
}

func TestArgsPanicOnWhatIsNotDeclared(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	a, err := skills.Bind(everything, []any{"jam"})
	if err != nil {
		t.Fatal(err)
	}
	a.Int("lmit")
}
