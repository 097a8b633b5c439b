package luasandbox

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// maxArray bounds a table's array, which t[n] = 1 fills with nils up to n: from
// there on a key is hashed.
const maxArray = 1 << 16

// unpacked is how many values one call may return or take apart.
const unpacked = 8000

// A machine is one script's Lua state with the libraries of this package. What
// they do draws on its meter.
type machine struct {
	*lua.LState
	meter *meter
	nest  int                  // how deep json may go
	json  int                  // bytes of JSON that json takes and gives
	began func() time.Duration // how long ago the script began
}

// fromGopher lists the functions that are gopher-lua's own: those whose work is
// bounded by their arguments. All others are ours.
var fromGopher = map[string][]string{
	"": {"_G", "_VERSION", "error", "getmetatable", "next", "pairs", "pcall",
		"rawequal", "rawget", "select", "setmetatable", "type", "xpcall"},
	"math": {"abs", "acos", "asin", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod", "frexp", "ldexp",
		"log10", "max", "min", "mod", "modf", "pi", "pow", "rad", "sin", "sinh", "sqrt", "tan", "tanh"},
}

type functions map[string]func(m *machine) int

// ours are the functions of this package.
func ours() map[string]functions {
	return map[string]functions{
		"":       baseLibrary,
		"string": stringLibrary,
		"table":  tableLibrary,
		"math":   mathLibrary,
		"json":   jsonLibrary,
		"os":     osLibrary,
		"utf8":   utf8Library,
		"bit32":  bit32Library,
	}
}

// known returns the names that a script finds, such as "print" and "string.rep".
// It is not to be changed.
var known = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{"math.huge": true, "math.maxinteger": true, "math.mininteger": true, "utf8.charpattern": true}
	add := func(library, name string) {
		if library != "" {
			names[library] = true
			name = library + "." + name
		}
		names[name] = true
	}
	for library, list := range fromGopher {
		for _, name := range list {
			add(library, name)
		}
	}
	for library, list := range ours() {
		for name := range list {
			add(library, name)
		}
	}
	return names
})

// newMachine returns a machine with nothing in it but the libraries.
func newMachine(l Limits, m *meter) *machine {
	lua.MaxArrayIndex = maxArray
	L := lua.NewState(lua.Options{
		CallStackSize:    1000,
		RegistrySize:     1024,
		RegistryMaxSize:  128 << 10,
		RegistryGrowStep: 1024,
		SkipOpenLibs:     true,
	})
	vm := &machine{LState: L, meter: m, nest: l.Nesting, json: l.Reply}
	for name, open := range map[string]lua.LGFunction{"": lua.OpenBase, lua.MathLibName: lua.OpenMath} {
		L.Push(L.NewFunction(open))
		L.Push(lua.LString(name))
		L.Call(1, 0)
	}
	globals := L.G.Global
	prune(globals, append([]string{"math"}, fromGopher[""]...))
	prune(globals.RawGetString("math").(*lua.LTable), fromGopher["math"])
	for name, list := range ours() {
		t := globals
		if name != "" {
			if t, _ = globals.RawGetString(name).(*lua.LTable); t == nil {
				t = L.NewTable()
				globals.RawSetString(name, t)
			}
		}
		for name, f := range list {
			t.RawSetString(name, vm.function(f))
		}
	}
	constants := globals.RawGetString("math").(*lua.LTable)
	constants.RawSetString("huge", lua.LNumber(math.Inf(1)))
	constants.RawSetString("maxinteger", lua.LNumber(maxInteger))
	constants.RawSetString("mininteger", lua.LNumber(-maxInteger))
	globals.RawGetString("utf8").(*lua.LTable).RawSetString("charpattern", lua.LString("[%z\x01-\x7F\xC2-\xFD][\x80-\xBF]*"))
	methods := L.NewTable() // in place of the library's, which is the table of functions itself
	methods.RawSetString("__index", globals.RawGetString("string"))
	methods.RawSetString("__metatable", lua.LFalse)
	L.SetMetatable(lua.LString(""), methods)
	L.SetContext(m)
	return vm
}

// function makes a Lua function of f.
func (vm *machine) function(f func(*machine) int) *lua.LFunction {
	return vm.NewFunction(func(*lua.LState) int { return f(vm) })
}

// prune removes from t every key that keep doesn't list.
func prune(t *lua.LTable, keep []string) {
	var drop []lua.LValue
	t.ForEach(func(k, _ lua.LValue) {
		if !slices.Contains(keep, k.String()) {
			drop = append(drop, k)
		}
	})
	for _, k := range drop {
		t.RawSet(k, lua.LNil)
	}
}

// str returns argument n as text, which a number is too.
func (vm *machine) str(n int) string {
	s, ok := text(vm.Get(n))
	if !ok {
		vm.TypeError(n, lua.LTString)
	}
	return s
}

func (vm *machine) optStr(n int, otherwise string) string {
	if vm.Get(n) == lua.LNil {
		return otherwise
	}
	return vm.str(n)
}

// num returns argument n as a number, which a text may be too.
func (vm *machine) num(n int) float64 {
	v, ok := number(vm.Get(n))
	if !ok {
		vm.TypeError(n, lua.LTNumber)
	}
	return v
}

// int returns argument n as a whole number, cut toward zero. One that is beyond
// any table or text is cut to where that begins.
func (vm *machine) int(n int) int {
	const most = 1 << 53
	v := vm.num(n)
	if math.IsNaN(v) {
		vm.ArgError(n, "number has no integer representation")
	}
	return int(max(-most, min(most, v)))
}

func (vm *machine) optInt(n, otherwise int) int {
	if vm.Get(n) == lua.LNil {
		return otherwise
	}
	return vm.int(n)
}

func (vm *machine) give(values ...lua.LValue) int {
	for _, v := range values {
		vm.Push(v)
	}
	return len(values)
}

// shown returns a value as print shows it.
func (vm *machine) shown(v lua.LValue) string {
	if s, ok := text(v); ok {
		return s
	}
	if t, ok := v.(*lua.LTable); ok && t.Metatable != lua.LNil {
		s, ok := text(vm.ToStringMeta(v))
		if !ok {
			vm.RaiseError("'__tostring' must return a string")
		}
		return s
	}
	return v.String()
}

// length returns the border of a table's array. Past what an array holds it
// would be wrong in silence.
func (vm *machine) length(t *lua.LTable) int {
	n := t.Len()
	if n == maxArray-1 && t.RawGet(lua.LNumber(maxArray)) != lua.LNil {
		vm.RaiseError("a table with more than %s values has no length here: keep counts instead, or use several tables", commas(maxArray-1))
	}
	return n
}

var baseLibrary = functions{
	"print": func(*machine) int { return 0 }, // the child puts its own in place
	"assert": func(vm *machine) int {
		if lua.LVAsBool(vm.CheckAny(1)) {
			return vm.GetTop()
		}
		if vm.GetTop() == 1 {
			vm.RaiseError("assertion failed!")
		}
		vm.Error(vm.Get(2), 0) // with no position before it, as Lua does
		return 0
	},
	"tostring": func(vm *machine) int {
		return vm.give(lua.LString(vm.shown(vm.CheckAny(1))))
	},
	"tonumber": toNumber,
	"ipairs": func(vm *machine) int {
		return vm.give(vm.function(nextIndex), vm.CheckTable(1), lua.LNumber(0))
	},
	"rawset": func(vm *machine) int {
		vm.RawSet(vm.CheckTable(1), vm.CheckAny(2), vm.CheckAny(3))
		return vm.give(vm.Get(1))
	},
	"rawlen": func(vm *machine) int {
		if s, ok := vm.Get(1).(lua.LString); ok {
			return vm.give(lua.LNumber(len(s)))
		}
		return vm.give(lua.LNumber(vm.length(vm.CheckTable(1))))
	},
	"unpack": unpack,
}

func nextIndex(vm *machine) int {
	i := vm.int(2) + 1
	v := vm.GetTable(vm.CheckTable(1), lua.LNumber(i))
	if v == lua.LNil {
		return vm.give(lua.LNil)
	}
	return vm.give(lua.LNumber(i), v)
}

func toNumber(vm *machine) int {
	if vm.Get(2) == lua.LNil {
		n, ok := number(vm.CheckAny(1))
		if !ok {
			return vm.give(lua.LNil)
		}
		return vm.give(lua.LNumber(n))
	}
	base := vm.int(2)
	if base < 2 || base > 36 {
		vm.ArgError(2, "base out of range")
	}
	digits, found := strings.ToLower(strings.TrimSpace(vm.str(1))), false
	negative := strings.HasPrefix(digits, "-")
	n := 0.0
	for _, c := range []byte(strings.TrimPrefix(digits, "-")) {
		d := strings.IndexByte("0123456789abcdefghijklmnopqrstuvwxyz", c)
		if d < 0 || d >= base || len(digits) > 400 {
			return vm.give(lua.LNil)
		}
		n, found = n*float64(base)+float64(d), true
	}
	if !found {
		return vm.give(lua.LNil)
	}
	if negative {
		n = -n
	}
	return vm.give(lua.LNumber(n))
}

// concat is the operator .. on two or more values.
func concat(vm *machine) int {
	total, plain := 0, true
	parts := make([]string, vm.GetTop())
	for i := range parts {
		s, ok := text(vm.Get(i + 1))
		parts[i], plain = s, plain && ok
		total += len(s)
	}
	if plain {
		vm.meter.reserve(total)
		return vm.give(lua.LString(strings.Join(parts, "")))
	}
	right := vm.Get(len(parts))
	for i := len(parts) - 1; i >= 1; i-- { // from the right, as metamethods expect it
		right = vm.concat2(vm.Get(i), right)
	}
	return vm.give(right)
}

func (vm *machine) concat2(a, b lua.LValue) lua.LValue {
	left, okL := text(a)
	right, okR := text(b)
	if okL && okR {
		vm.meter.reserve(len(left) + len(right))
		return lua.LString(left + right)
	}
	for _, v := range []lua.LValue{a, b} {
		if f := vm.GetMetaField(v, "__concat"); f != lua.LNil {
			vm.Push(f)
			vm.Push(a)
			vm.Push(b)
			vm.Call(2, 1)
			result := vm.Get(-1)
			vm.Pop(1)
			return result
		}
	}
	wrong := a
	if okL {
		wrong = b
	}
	vm.RaiseError("attempt to concatenate a %s value", wrong.Type())
	return lua.LNil
}

// length is the operator #.
func length(vm *machine) int {
	switch v := vm.Get(1).(type) {
	case lua.LString:
		return vm.give(lua.LNumber(len(v)))
	case *lua.LTable:
		if f := vm.GetMetaField(v, "__len"); f != lua.LNil {
			vm.Push(f)
			vm.Push(v)
			vm.Call(1, 1)
			return 1
		}
		return vm.give(lua.LNumber(vm.length(v)))
	}
	vm.RaiseError("attempt to get length of a %s value", vm.Get(1).Type())
	return 0
}

// divide is the operator // of Lua 5.3.
func divide(vm *machine) int {
	a, okA := number(vm.Get(1))
	b, okB := number(vm.Get(2))
	if !okA || !okB {
		wrong := vm.Get(1)
		if okA {
			wrong = vm.Get(2)
		}
		vm.RaiseError("attempt to perform arithmetic on a %s value", wrong.Type())
	}
	return vm.give(lua.LNumber(math.Floor(a / b)))
}
