package luasandbox

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

const (
	chunkName = "script"
	maxArray  = 1 << 15 // t[n] = 1 fills an array up to n with nils; above this it is a hash key
)

// library lists what a script finds, "" being the globals. What is not here is removed.
var library = map[string][]string{
	"": {"_G", "_VERSION", "assert", "error", "getmetatable", "ipairs", "math", "next", "pairs", "pcall", "print",
		"rawequal", "rawget", "rawset", "select", "setmetatable", "string", "table", "tonumber", "tostring", "type", "unpack", "xpcall"},
	"math": {"abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod", "frexp", "huge", "ldexp",
		"log", "log10", "max", "min", "mod", "modf", "pi", "pow", "rad", "random", "sin", "sinh", "sqrt", "tan", "tanh"},
	"string": {"byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub", "upper"},
	"table":  {"concat", "getn", "insert", "maxn", "remove", "sort"},
}

// A meter is the context of a Lua state. The VM asks Done before each
// instruction, which makes of it an exact count; nil stands for "go on".
type meter struct {
	context.Context
	count    int64
	limit    int64
	told     atomic.Int64 // the count some time ago, for other goroutines
	exceeded func()       // called at the instruction over the limit; never returns
}

const tellEvery = 1 << 10

func (m *meter) Done() <-chan struct{} {
	m.count++
	if m.count%tellEvery == 0 {
		m.told.Store(m.count)
	}
	if m.count > m.limit {
		m.count = m.limit
		m.exceeded()
	}
	return nil
}

// newState returns a state with nothing in it but library.
func newState() *lua.LState {
	lua.MaxArrayIndex = maxArray
	L := lua.NewState(lua.Options{
		CallStackSize:    200,
		RegistrySize:     1024,
		RegistryMaxSize:  64 << 10,
		RegistryGrowStep: 1024,
		SkipOpenLibs:     true,
	})
	for name, open := range map[string]lua.LGFunction{
		"":                lua.OpenBase,
		lua.TabLibName:    lua.OpenTable,
		lua.StringLibName: lua.OpenString,
		lua.MathLibName:   lua.OpenMath,
	} {
		L.Push(L.NewFunction(open))
		L.Push(lua.LString(name))
		L.Call(1, 0)
	}
	globals := L.G.Global
	for name, keep := range library {
		t := globals
		if name != "" {
			t = globals.RawGetString(name).(*lua.LTable)
		}
		prune(t, keep)
	}
	methods := L.NewTable() // in place of the library's, which is the table of functions itself
	methods.RawSetString("__index", globals.RawGetString("string"))
	methods.RawSetString("__metatable", lua.LFalse)
	L.SetMetatable(lua.LString(""), methods)
	return L
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

// compile returns the function of a script.
func compile(L *lua.LState, source string) (*lua.LFunction, error) {
	chunk, err := parse.Parse(strings.NewReader(source), chunkName)
	if err != nil {
		return nil, scriptError(err)
	}
	proto, err := lua.Compile(chunk, chunkName)
	if err != nil {
		return nil, scriptError(err)
	}
	return L.NewFunctionFromProto(proto), nil
}

// execute runs the script's function and returns its value: of one result
// itself, of several a list.
func execute(L *lua.LState, fn *lua.LFunction) (any, error) {
	L.Push(fn)
	if err := L.PCall(0, lua.MultRet, nil); err != nil {
		return nil, scriptError(err)
	}
	switch n := L.GetTop(); n {
	case 0:
		return lua.LNil, nil
	case 1:
		return L.Get(1), nil
	default:
		results := make([]lua.LValue, n)
		for i := range results {
			results[i] = L.Get(i + 1)
		}
		return results, nil
	}
}

// position matches where gopher-lua says an error was: at the start of a
// message, or in a line of a traceback.
var position = regexp.MustCompile(`(?m)^\s*` + chunkName + `:(\d+): ?`)

// scriptError returns err, from parsing, compiling or running, as a *ScriptError.
func scriptError(err error) *ScriptError {
	if syntax, ok := errors.AsType[*parse.Error](err); ok {
		return syntaxError(syntax)
	}
	if bad, ok := errors.AsType[*lua.CompileError](err); ok {
		return &ScriptError{Message: clip(bad.Message), Line: bad.Line}
	}
	raised, ok := errors.AsType[*lua.ApiError](err)
	if !ok {
		return &ScriptError{Message: clip(err.Error())}
	}
	text := clip(raised.Object.String())
	if raised.Object.Type() == lua.LTTable {
		text = "error raised with a table; raise a string to have it shown here"
	}
	at := position.FindStringSubmatchIndex(text)
	if at != nil && at[0] == 0 {
		line, _ := strconv.Atoi(text[at[2]:at[3]])
		return &ScriptError{Message: text[at[1]:], Line: line}
	}
	found := &ScriptError{Message: text}
	if trace := position.FindStringSubmatch(raised.StackTrace); trace != nil {
		found.Line, _ = strconv.Atoi(trace[1])
	}
	return found
}

func syntaxError(err *parse.Error) *ScriptError {
	if err.Pos.Line == parse.EOF {
		return &ScriptError{Message: clip(err.Message + " at the end of the script")}
	}
	return &ScriptError{Message: clip(err.Message + " near '" + err.Token + "'"), Line: err.Pos.Line}
}

// currentLine returns the line of the script that is running, or 0.
func currentLine(L *lua.LState) int {
	for _, level := range []int{0, 1} { // in a Go function, the line that called it
		if at := position.FindStringSubmatch(L.Where(level)); at != nil {
			line, _ := strconv.Atoi(at[1])
			return line
		}
	}
	return 0
}
