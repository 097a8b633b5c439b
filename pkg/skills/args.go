package skills

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Args are the checked arguments of one callback. A getter panics when the
// callback declares no parameter of that name: that is a fault in its source.
type Args struct{ values map[string]any }

// Number returns a number.
func (a Args) Number(name string) float64 { return a.must(name).(float64) }

// Int returns a whole number.
func (a Args) Int(name string) int { return int(a.must(name).(float64)) }

// String returns a string.
func (a Args) String(name string) string { return a.must(name).(string) }

// Bool returns a boolean.
func (a Args) Bool(name string) bool { return a.must(name).(bool) }

func (a Args) must(name string) any {
	v, ok := a.values[name]
	if !ok {
		panic(fmt.Sprintf("skills: no parameter %q is declared", name))
	}
	return v
}

// Bind checks positional arguments against the callback's parameters and fills
// in defaults. Values are what JSON or Lua give: float64, string, bool, nil (an
// absent argument). No parameter is a list, so that one list alone stands for its
// elements: what is written as a tuple elsewhere, trace_start({module, function, arity}).
// The error names every fault and what would be right.
func Bind(c protocol.CallDoc, positional []any) (Args, error) {
	if len(positional) == 1 && len(c.Params) > 1 {
		if tuple, ok := positional[0].([]any); ok {
			positional = tuple
		}
	}
	if len(positional) > len(c.Params) {
		return Args{}, fmt.Errorf("%s takes %s, got %d: e.g. %s", c.Name, plural(len(c.Params), "argument"), len(positional), c.Example)
	}
	named := make(map[string]any, len(positional))
	for i, v := range positional {
		named[c.Params[i].Name] = v
	}
	return BindNamed(c, named)
}

// BindNamed is Bind for arguments by name.
func BindNamed(c protocol.CallDoc, named map[string]any) (Args, error) {
	a := Args{values: make(map[string]any, len(c.Params))}
	var faults []error
	known := make([]string, 0, len(c.Params))
	for _, p := range c.Params {
		known = append(known, p.Name)
		v := named[p.Name]
		if v == nil {
			v = p.Default
		}
		v, err := check(p, v)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", c.Name, err))
			continue
		}
		a.values[p.Name] = v
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !slices.Contains(known, name) {
			faults = append(faults, fmt.Errorf("%s has no argument %q (has %s)", c.Name, name, strings.Join(known, ", ")))
		}
	}
	return a, errors.Join(faults...)
}

func check(p Param, v any) (any, error) {
	switch p.Type {
	case "number", "integer":
		f, ok := number(v)
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) || p.Type == "integer" && f != math.Trunc(f) ||
			p.Min != nil && f < *p.Min || p.Max != nil && f > *p.Max {
			return nil, fmt.Errorf("%s must be %s, got %s", p.Name, wants(p), show(v))
		}
		return f, nil
	case "string":
		s, ok := v.(string)
		if !ok || len(p.Enum) > 0 && !slices.Contains(p.Enum, s) {
			return nil, fmt.Errorf("%s must be %s, got %s", p.Name, wants(p), show(v))
		}
		return s, nil
	case "boolean":
		b, ok := v.(bool)
		if !ok {
			return nil, fmt.Errorf("%s must be true or false, got %s", p.Name, show(v))
		}
		return b, nil
	}
	return nil, fmt.Errorf("parameter %s is declared with the unknown type %q", p.Name, p.Type)
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	}
	return 0, false
}

func wants(p Param) string {
	what := map[string]string{"number": "a number", "integer": "a whole number", "string": "a string"}[p.Type]
	switch {
	case len(p.Enum) > 0:
		return `one of "` + strings.Join(p.Enum, `", "`) + `"`
	case p.Min != nil && p.Max != nil:
		return fmt.Sprintf("%s from %g to %g", what, *p.Min, *p.Max)
	case p.Min != nil:
		return fmt.Sprintf("%s of at least %g", what, *p.Min)
	case p.Max != nil:
		return fmt.Sprintf("%s of at most %g", what, *p.Max)
	}
	return what
}

func show(v any) string {
	switch x := v.(type) {
	case nil:
		return "nothing"
	case string:
		if len(x) > 64 {
			x = x[:64] + "…"
		}
		return fmt.Sprintf("%q", x)
	case float64, int, bool:
		return fmt.Sprint(x)
	}
	return fmt.Sprintf("a %T", v)
}

func plural(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
