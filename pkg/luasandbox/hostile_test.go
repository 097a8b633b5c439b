package luasandbox_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

// backtracking keeps one library function busy for years.
const backtracking = `return string.find(("a"):rep(40), ("a*"):rep(40) .. "b")`

// none stands for a run that ends without an error.
const none = ""

// Behaviour: defect 5.
func TestHostileScriptsAreContained(t *testing.T) {
	const (
		wall    = luasandbox.LimitWall
		memory  = luasandbox.LimitMemory
		steps   = luasandbox.LimitInstructions
		stack   = luasandbox.LimitStack
		nesting = luasandbox.LimitNesting
		script  = "script error"
	)
	limits := luasandbox.Limits{
		Wall:         1500 * time.Millisecond,
		CallbackTime: 2 * time.Second,
		Instructions: 200_000,
		Callbacks:    20,
	}
	box := luasandbox.New(limits)
	calls := []luasandbox.Func{
		add,
		echo,
		{Name: "huge", Call: func(context.Context, []any) (any, error) { return strings.Repeat("x", 50<<20), nil }},
		{Name: "deep", Call: func(context.Context, []any) (any, error) {
			var v any
			for range 100 {
				v = []any{v}
			}
			return v, nil
		}},
		{Name: "hang", Call: func(ctx context.Context, _ []any) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}},
	}

	for _, tt := range []struct {
		name   string
		script string
		want   []string // one of these ends it: which of several limits comes first may depend on the machine
	}{
		{"infinite loop", `while true do end`, []string{steps}},
		{"infinite loop by goto", `::top:: goto top`, []string{steps}},
		{"pcall around an infinite loop", `while true do pcall(function() while true do end end) end`, []string{steps}},
		{"xpcall whose handler loops", `xpcall(function() error("x") end, function() while true do end end)`, []string{steps}},
		{"pcall of pcall of pcall", `local function f() return pcall(f) end while true do f() end`, []string{steps, memory, wall, script}},
		{"endless tail calls", `local function f() return f() end f()`, []string{steps}},
		{"endless recursion", `local function f() return 1 + f() end f()`, []string{script}},
		{"a traceback of many tail calls", `local n = 0 local function f() n = n + 1 if n > 2e4 then error("x") end return f() end f()`, []string{script, steps}},
		{"__index that calls itself", `local t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.x`, []string{script, steps}},
		{"__tostring loop in print", `print(setmetatable({}, {__tostring = function() while true do end end}))`, []string{steps}},
		{"sort that never agrees", `local t = {} for i = 1, 1e4 do t[i] = i end table.sort(t, function() return true end)`, []string{steps, none, script}},
		{"string.find that backtracks", backtracking, []string{wall}},
		{"string.match on megabytes", `return string.match(("a"):rep(3e6), ".-.-.-.-b")`, []string{wall, memory, stack}},
		{"string.gsub that backtracks", `return string.gsub(("a"):rep(40), ("a*"):rep(40) .. "b", "")`, []string{wall}},
		{"string.gsub that amplifies", `local big = ("x"):rep(1e6) return #string.gsub(big, "x", big)`, []string{memory, wall}},
		{"string.gsub with millions of matches", `return #string.gsub(("x"):rep(2e7), "x", "y")`, []string{memory, wall, none}},
		{"string.rep of a gigabyte", `return #string.rep("x", 2^30)`, []string{memory}},
		{"doubling a string", `local s = "x" for i = 1, 40 do s = s .. s end return #s`, []string{memory}},
		{"keeping megabytes", `local t = {} for i = 1, 1e4 do t[i] = ("x"):rep(2^20) .. i end`, []string{memory, wall}},
		{"a gap of millions in a table", `local t = {} t[67108863] = 1 return t[67108863]`, []string{none}},
		{"table.insert far out", `local t = {} table.insert(t, 6e7, 1) return #t`, []string{none}},
		{"table.concat of a big string", `local s, t = ("x"):rep(1e6), {} for i = 1, 2000 do t[i] = s end return #table.concat(t)`, []string{memory, script}},
		{"unpack of millions", `return unpack({}, 1, 1e8)`, []string{script}},
		{"byte of millions", `return ("x"):rep(1e7):byte(1, -1)`, []string{script, memory}},
		{"source of nested parentheses", "return " + strings.Repeat("(", 30000) + "1" + strings.Repeat(")", 30000), []string{none, stack, memory, wall}},
		{"source of nested tables", "return " + strings.Repeat("{", 30000) + strings.Repeat("}", 30000), []string{nesting, stack, memory, wall, script}},
		{"source of nots", "return " + strings.Repeat("not ", 16000) + "1", []string{none, stack, memory, wall}},
		{"source of concatenations", "return " + strings.Repeat("1 ..", 15000) + "1", []string{none, stack, memory, wall, script}},
		{"source too long", "--" + strings.Repeat("x", 64<<10), []string{luasandbox.LimitSource}},
		{"source that is no text", "\x1bLua\x00\xff", []string{script}},
		{"string.format of Go's own verbs", `return #string.format("%#v %v %T", _G, print, "")`, []string{none}},
		{"string.format with a width of millions", `return string.format("%999999999d", 1)`, []string{none}},
		{"flood of callbacks", `while true do add(1) end`, []string{luasandbox.LimitCallbacks}},
		{"flood of callbacks that fail, caught", `while true do pcall(add, "x") end`, []string{luasandbox.LimitCallbacks}},
		{"callback result of 50 MB", `return #huge()`, []string{luasandbox.LimitReply}},
		{"callback result nested deep", `return deep()`, []string{nesting}},
		{"callback argument of a megabyte", `echo(("x"):rep(2^20))`, []string{luasandbox.LimitArguments}},
		{"callback argument nested deep", `local t = {} for i = 1, 40 do t = {t} end pcall(echo, t)`, []string{nesting}},
		{"callback that never returns", `pcall(hang) while true do pcall(hang) end`, []string{luasandbox.LimitCallbackTime}},
		{"result of a megabyte", `return ("x"):rep(2^20)`, []string{luasandbox.LimitResult}},
		{"result that doubles at each level", `local t = {1} for i = 1, 30 do t = {t, t} end return t`, []string{luasandbox.LimitResult}},
		{"result nested deep", `local t = {} for i = 1, 40 do t = {t} end return t`, []string{nesting}},
		{"flood of output", `while true do print(("x"):rep(1e5)) end`, []string{steps, wall}},
		{"poisoned library", `string.rep = nil table.insert = nil string.__index = nil return 1`, []string{none}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := box.Run(t.Context(), tt.script, calls)
			how := none
			if reached, ok := errors.AsType[*luasandbox.LimitError](err); ok {
				how = reached.Limit
			} else if _, ok := errors.AsType[*luasandbox.ScriptError](err); ok {
				how = script
			} else if err != nil {
				t.Fatalf("got %v", err)
			}
			if !slices.Contains(tt.want, how) {
				t.Errorf("ended by %q (%v), want one of %q", how, err, tt.want)
			}
			// The parent stops reading at 250 ms past the wall time; the rest is for a busy machine to notice.
			if most := limits.Wall + 250*time.Millisecond + time.Second; got.Usage.Wall > most {
				t.Errorf("script ran for %s, want at most %s", got.Usage.Wall, most)
			}
			if len(got.Output) > luasandbox.DefaultLimits().Output {
				t.Errorf("output of %d bytes", len(got.Output))
			}
			next, err := box.Run(t.Context(), `return ("x"):rep(add(1, 2))`, calls)
			if err != nil || next.Value != "xxx" {
				t.Errorf("the next run got %v and %v, want xxx", next.Value, err)
			}
		})
	}
}

func TestCallbackThatIgnoresItsContextIsLeftBehind(t *testing.T) {
	release, returned := make(chan struct{}), make(chan struct{})
	deaf := luasandbox.Func{Name: "deaf", Call: func(context.Context, []any) (any, error) {
		defer close(returned)
		<-release
		return nil, nil
	}}
	box := luasandbox.New(luasandbox.Limits{CallbackTime: 10 * time.Millisecond})
	_, err := box.Run(t.Context(), `deaf()`, []luasandbox.Func{deaf})
	if reached, ok := errors.AsType[*luasandbox.LimitError](err); !ok || reached.Limit != luasandbox.LimitCallbackTime {
		t.Errorf("got %v, want the limit of callback time", err)
	}
	close(release)
	<-returned
}

func TestCallbackThatEndsItsGoroutineFails(t *testing.T) {
	quit := luasandbox.Func{Name: "quit", Call: func(context.Context, []any) (any, error) {
		runtime.Goexit()
		return nil, nil
	}}
	got, err := luasandbox.New(luasandbox.Limits{}).Run(t.Context(), `return select(2, pcall(quit))`, []luasandbox.Func{quit})
	if err != nil || got.Value != "script:1: quit: callback ended without returning" {
		t.Errorf("got %v and %v", got.Value, err)
	}
}
