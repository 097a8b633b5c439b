package luasandbox_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

// backtracking keeps one library function busy for years.
const backtracking = `return string.find(("a"):rep(40), ("a*"):rep(40) .. "b")`

var (
	add = luasandbox.Func{Name: "add", Call: func(_ context.Context, args []any) (any, error) {
		sum := 0.0
		for _, a := range args {
			n, ok := a.(float64)
			if !ok {
				return nil, errors.New("want numbers")
			}
			sum += n
		}
		return sum, nil
	}}
	echo = luasandbox.Func{Name: "echo", Call: func(_ context.Context, args []any) (any, error) { return args, nil }}
)

// newBox returns a sandbox whose children end with the test: others look for any
// that are left.
func newBox(t *testing.T, limits luasandbox.Limits, options ...luasandbox.Option) *luasandbox.Sandbox {
	t.Helper()
	box := luasandbox.New(limits, options...)
	t.Cleanup(box.Close)
	return box
}

func TestRun(t *testing.T) {
	box := newBox(t, luasandbox.DefaultLimits())
	type object = map[string]any
	type array = []any

	for _, tt := range []struct {
		name   string
		script string
		want   any
		output string
	}{
		{"nothing is null", `local a = 1`, nil, ""},
		{"nil is null", `return nil`, nil, ""},
		{"one value stands alone", `return 1.5`, 1.5, ""},
		{"several values are an array", `return 1, nil, "x", false`, array{1.0, nil, "x", false}, ""},
		{"keys from 1 to n are an array", `return {1, {2}, "three"}`, array{1.0, array{2.0}, "three"}, ""},
		{"an empty table is an empty array", `return {a = {}}`, object{"a": array{}}, ""},
		{"other keys are an object", `return {a = 1, [7] = 2, [1.5] = 3}`, object{"a": 1.0, "7": 2.0, "1.5": 3.0}, ""},
		{"an array with a gap is an object", `return {[1] = "a", [3] = "b"}`, object{"1": "a", "3": "b"}, ""},
		{"the same table twice is no cycle", `local t = {1} return {t, t}`, array{array{1.0}, array{1.0}}, ""},
		{"text that is not UTF-8", `return "a\255b"`, "a\uFFFDb", ""},
		{"print separates by tabs", `print("a", 1, nil, true) print()`, nil, "a\t1\tnil\ttrue\n\n"},
		{"a callback gets and gives JSON values", `return echo(1, "x", {1, 2}, {k = true})`,
			array{1.0, "x", array{1.0, 2.0}, object{"k": true}}, ""},
		{"a callback's error can be caught", `local ok, err = pcall(add, "x") return ok, err`, array{false, "script:1: add: want numbers"}, ""},
		{"a function is no argument", `return pcall(echo, print)`, array{false, "script:1: echo: a function is not a JSON value"}, ""},
		{"pcall catches an error", `return pcall(function() error("no", 0) end)`, array{false, "no"}, ""},
		{"a caught error leaves the budget as it was", `for i = 1, 1000 do pcall(error, "x") end return "on"`, "on", ""},
		{"libraries that stay", `return math.floor(2.7), ("x"):rep(3), table.concat({1, 2}, "-"), #string.format("%5.1f", 2)`,
			array{2.0, "xxx", "1-2", 5.0}, ""},
		{"output between callbacks stays in order", `print(1) add(1) print(2) add(1) print(3)`, nil, "1\n2\n3\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := box.Run(t.Context(), tt.script, []luasandbox.Func{add, echo})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Value); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
			if got.Output != tt.output {
				t.Errorf("output %q, want %q", got.Output, tt.output)
			}
		})
	}
}

func TestRunReportsScriptErrors(t *testing.T) {
	box := newBox(t, luasandbox.DefaultLimits())

	for _, tt := range []struct {
		name    string
		script  string
		message string // a part of it
		line    int
	}{
		{"syntax", "local a = 1\nlocal = 2", "syntax error near '='", 2},
		{"syntax at the end", "return (", "at the end of the script", 0},
		{"compilation", "goto nowhere", "no visible label 'nowhere'", 0},
		{"an error raised", "\n\nerror('disk gone')", "disk gone", 3},
		{"an error raised without a position", "\nerror('disk gone', 0)", "disk gone", 2},
		{"a field of nil", "local t\nreturn t.x", "attempt to index a non-table object(nil)", 2},
		{"a callback's error", "\nadd('x')", "add: want numbers", 2},
		{"a table as error", "error({})", "with a table", 1},
		{"NaN", "return {0/0}", "NaN is not a JSON value", 0},
		{"infinity", "return 1/0", "+Inf is not a JSON value", 0},
		{"a function as result", "return print", "a function is not a JSON value", 0},
		{"a cycle", "local t = {} t.t = t return t", "contains itself", 0},
		{"a key there twice", "return {[1] = 'a', ['1'] = 'b'}", `key "1"`, 0},
		{"a table as key", "return {[{}] = 1}", "not a key", 0},
		{"unbounded recursion", "local function f() return 1 + f() end return f()", "stack overflow", 1},
		{"an error of a megabyte", "error(('x'):rep(1e6))", "xxx", 1},
		{"dofile is absent", "dofile('/etc/passwd')", "attempt to call a non-function", 1},
		{"loadstring is absent", "loadstring('return 1')()", "attempt to call a non-function", 1},
		{"coroutines are absent", "coroutine.wrap(print)", "attempt to index a non-table object(nil)", 1},
		{"io is absent", "io.open('/etc/passwd')", "attempt to index a non-table object(nil)", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := box.Run(t.Context(), "print('before')"+tt.script, []luasandbox.Func{add})
			fault, ok := errors.AsType[*luasandbox.ScriptError](err)
			if !ok {
				t.Fatalf("got %v and %v, want a ScriptError", got.Value, err)
			}
			if !strings.Contains(fault.Message, tt.message) || fault.Line != tt.line && tt.line > 0 {
				t.Errorf("got %q in line %d, want %q in line %d", fault.Message, fault.Line, tt.message, tt.line)
			}
			if len(err.Error()) > 5<<10 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestRemovedFunctionsAreAbsent(t *testing.T) {
	const script = `
		local found = {}
		for _, name in ipairs{"dofile", "loadfile", "load", "loadstring", "require", "module", "newproxy", "collectgarbage",
			"getfenv", "setfenv", "_printregs", "coroutine", "io", "debug", "package", "channel"} do
			if _G[name] ~= nil then found[#found + 1] = name end
		end
		for _, name in ipairs{"execute", "exit", "getenv", "remove", "rename", "tmpname", "setlocale", "setenv"} do
			if os[name] ~= nil then found[#found + 1] = "os." .. name end
		end
		if string.dump then found[#found + 1] = "string.dump" end
		if ("").dump then found[#found + 1] = "dump of strings" end
		return found`
	got, err := newBox(t, luasandbox.DefaultLimits()).Run(t.Context(), script, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{}, got.Value); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestOutputIsCut(t *testing.T) {
	box := newBox(t, luasandbox.Limits{Output: 10})
	got, err := box.Run(t.Context(), `print("1234567") add(1) print("89abc") return 1`, []luasandbox.Func{add})
	if err != nil {
		t.Fatal(err)
	}
	if got.Output != "1234567\n89" || !got.OutputCut || got.Value != 1.0 {
		t.Errorf("got %+v", got)
	}
}

func TestOutputSurvivesAnError(t *testing.T) {
	box := newBox(t, luasandbox.Limits{Instructions: 1000})
	got, err := box.Run(t.Context(), "print('so far')\nwhile true do end", nil)
	reached, ok := errors.AsType[*luasandbox.LimitError](err)
	if !ok || reached.Line != 2 {
		t.Errorf("got %v, want a LimitError in line 2", err)
	}
	if got.Output != "so far\n" || got.Usage.Instructions != 1000 {
		t.Errorf("got %+v", got)
	}
}

func TestLongArraysStayArrays(t *testing.T) {
	box := newBox(t, luasandbox.Limits{Result: 1 << 20})
	long := luasandbox.Func{Name: "long", Call: func(context.Context, []any) (any, error) { return make([]int, 40000), nil }}
	got, err := box.Run(t.Context(), `return long()`, []luasandbox.Func{long})
	if err != nil {
		t.Fatal(err)
	}
	if list, ok := got.Value.([]any); !ok || len(list) != 40000 {
		t.Errorf("got a %T, want an array of 40000", got.Value)
	}
}

func TestUsage(t *testing.T) {
	box := newBox(t, luasandbox.DefaultLimits())
	got, err := box.Run(t.Context(), `add(1) pcall(add, "x")`, []luasandbox.Func{add})
	if err != nil {
		t.Fatal(err)
	}
	u := got.Usage
	if u.Callbacks != 2 || u.Instructions == 0 || u.Instructions > 50 || u.Wall <= 0 || u.CallbackTime <= 0 {
		t.Errorf("got %+v", u)
	}
}

func TestCallbacksAreChecked(t *testing.T) {
	call := add.Call
	for _, tt := range []struct {
		name  string
		calls []luasandbox.Func
		want  string
	}{
		{"no name", []luasandbox.Func{{Call: call}}, "want a Lua name"},
		{"a name with a dot", []luasandbox.Func{{Name: "a.b", Call: call}}, "want a Lua name"},
		{"a keyword", []luasandbox.Func{{Name: "end", Call: call}}, "want a Lua name"},
		{"a function of Lua's", []luasandbox.Func{{Name: "pcall", Call: call}}, "Lua's own"},
		{"the same name twice", []luasandbox.Func{add, add}, "given twice"},
		{"no function", []luasandbox.Func{{Name: "f"}}, "Call is nil"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newBox(t, luasandbox.Limits{}).Run(t.Context(), "return 1", tt.calls)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestCallbackFaultsAreLuaErrors(t *testing.T) {
	calls := []luasandbox.Func{
		{Name: "panics", Call: func(context.Context, []any) (any, error) { panic("oh") }},
		{Name: "gives_nan", Call: func(context.Context, []any) (any, error) { return math.NaN(), nil }},
		{Name: "gives_struct", Call: func(context.Context, []any) (any, error) {
			return struct {
				Used int `json:"used"`
			}{3}, nil
		}},
	}
	got, err := newBox(t, luasandbox.Limits{}).Run(t.Context(),
		`return {select(2, pcall(panics)), (select(2, pcall(gives_nan))), gives_struct().used}`, calls)
	if err != nil {
		t.Fatal(err)
	}
	want := []any{"script:1: panics: callback panicked: oh", "script:1: gives_nan: result: json: unsupported value: NaN", 3.0}
	if diff := cmp.Diff(want, got.Value); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
}

// Behaviour: defect 5.
func TestCallbackTimeIsNotWallTime(t *testing.T) {
	pause := luasandbox.Func{Name: "pause", Call: func(ctx context.Context, _ []any) (any, error) {
		timer := time.NewTimer(2500 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return true, ctx.Err()
	}}
	got, err := newBox(t, luasandbox.Limits{Wall: time.Second}).Run(t.Context(), `return pause()`, []luasandbox.Func{pause})
	if err != nil || got.Value != true {
		t.Errorf("got %v and %v, want true", got.Value, err)
	}
}

func TestCancelKillsTheChildAtOnce(t *testing.T) {
	t.Run("in a callback", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stop := luasandbox.Func{Name: "stop", Call: func(ctx context.Context, _ []any) (any, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		_, err := newBox(t, luasandbox.Limits{}).Run(ctx, `stop()`, []luasandbox.Func{stop})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
	t.Run("in a library function", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err := newBox(t, luasandbox.Limits{Wall: time.Minute, Instructions: 1 << 40}).Run(ctx, backtracking, nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("took %s", took)
		}
	})
	t.Run("before the start", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("request withdrawn")
		cancel(why)
		if _, err := newBox(t, luasandbox.Limits{}).Run(ctx, `return 1`, nil); !errors.Is(err, why) {
			t.Errorf("got %v, want %v", err, why)
		}
	})
}

func TestRunIsSafeForConcurrentUse(t *testing.T) {
	box := newBox(t, luasandbox.DefaultLimits())
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			got, err := box.Run(t.Context(), `return add(n(), 1)`, []luasandbox.Func{add, {Name: "n", Call: func(context.Context, []any) (any, error) { return i, nil }}})
			if err != nil || got.Value != float64(i+1) {
				t.Errorf("got %v and %v, want %d", got.Value, err, i+1)
			}
		})
	}
	all.Wait()
}
