package stacktrace_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/stacktrace"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// find gives a collector the lines of a text and returns what it found, the oldest
// first, and how many lines were no part of a trace.
func find(text string) (traces []stacktrace.Trace, free int) {
	c := stacktrace.New()
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if line != "" && !c.Add(stacktrace.Line{Text: line, Source: "app.log", Time: noon, Arrived: noon}) {
			free++
		}
	}
	c.Settle(noon.Add(time.Minute))
	traces = c.Traces(100, func(*stacktrace.Trace) bool { return true })
	slices.Reverse(traces)
	return traces, free
}

func functions(t stacktrace.Trace) []string {
	var out []string
	for _, f := range t.Frames {
		out = append(out, f.Function)
	}
	return out
}

func TestTracesInFixtures(t *testing.T) {
	for _, tt := range []struct {
		file, language, kind, name, message string
		causes, functions                   []string
		where                               stacktrace.Frame
		free                                int // lines that are none of the trace, with the one it began in
	}{
		{
			"elixir.log", stacktrace.Elixir, stacktrace.Exception, "RuntimeError", "no price for item 17", nil,
			[]string{"Shop.Cart.price/1", "Shop.Cart.handle_call/3", ":gen_server.try_handle_call/4", ":proc_lib.init_p_do_apply/3"},
			stacktrace.Frame{Function: "Shop.Cart.price/1", File: "lib/shop/cart.ex", Line: 21}, 3,
		},
		{
			"erlang.log", stacktrace.Erlang, stacktrace.Exception, "badmatch", "{badmatch,{error,enoent}}", nil,
			[]string{"shop_cart:load/1", "shop_cart:handle_call/3", "gen_server:try_handle_call/4"},
			stacktrace.Frame{Function: "shop_cart:load/1", File: "src/shop_cart.erl", Line: 21}, 6,
		},
		{
			"dotnet.log", stacktrace.DotNet, stacktrace.Exception, "System.InvalidOperationException", "cannot price the order",
			[]string{"System.Collections.Generic.KeyNotFoundException: The given key '17' was not present in the dictionary."},
			[]string{"Shop.Prices.Of", "Shop.Orders.Total", "Program.<Main>$"},
			stacktrace.Frame{Function: "Shop.Prices.Of", File: "/src/Shop/Prices.cs", Line: 12}, 2,
		},
		{
			"core.log", stacktrace.Native, stacktrace.CoreDump, "core dump of checkout", "Process 4711 (checkout) of user 1001 dumped core.", nil,
			[]string{"__pthread_kill_implementation", "raise", "price_of", "main"},
			stacktrace.Frame{Function: "__pthread_kill_implementation", File: "libc.so.6"}, 1,
		},
		{
			"suppressed.log", stacktrace.Java, stacktrace.Exception, "java.io.IOException", "disk is full",
			[]string{"java.nio.file.FileSystemException: no space left"}, []string{"shop.Store.write", "shop.Store.close"},
			stacktrace.Frame{Function: "shop.Store.write", File: "Store.java", Line: 41}, 2,
		},
		{
			"http.log", stacktrace.Go, stacktrace.Panic, "runtime error: index out of range", "runtime error: index out of range [5] with length 3", nil,
			[]string{"net/http.(*conn).serve.func1", "panic", "main.(*shop).price", "main.main.func1"},
			stacktrace.Frame{Function: "net/http.(*conn).serve.func1", File: "/usr/local/go/src/net/http/server.go", Line: 1947}, 2,
		},
	} {
		t.Run(tt.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			list, free := find(string(text))
			if len(list) != 1 {
				t.Fatalf("%d traces: %+v", len(list), list)
			}
			got := list[0]
			if got.Language != tt.language || got.Kind != tt.kind || got.Type != tt.name || got.Message != tt.message || !slices.Equal(got.Causes, tt.causes) {
				t.Errorf("trace of %s %s: %q %q caused by %q", got.Language, got.Kind, got.Type, got.Message, got.Causes)
			}
			if !slices.Equal(functions(got), tt.functions) || got.Frames[0] != tt.where {
				t.Errorf("frames %+v", got.Frames)
			}
			if free != tt.free {
				t.Errorf("%d lines are none of it, want %d", free, tt.free)
			}
		})
	}
}

func TestOrdinaryLinesAreNoTraces(t *testing.T) {
	list, free := find("at 10:00 the job ended\nat org.app the wind blows\nError: disk is full\n  with a line below\nthe exception is gone\npanic is not here\nmain.go:12: at once (x.y)\n")
	if len(list) != 0 || free != 7 {
		t.Errorf("%d traces in ordinary lines, %d of 7 free: %+v", len(list), free, list)
	}
}

func TestTheSameFaultIsOneGroup(t *testing.T) {
	text, err := os.ReadFile("testdata/http.log")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := find(string(text))
	for _, tt := range []struct {
		name, old, new string
		same           bool
	}{
		{"at other lines, with other arguments", "price.go:31 +0x1d", "price.go:39 +0x2e", true},
		{"with another index", "[5] with length 3", "[17] with length 4", true},
		{"of another client", "10.0.0.9:4711", "10.0.0.77:80", true},
		{"in another function", "main.(*shop).price", "main.(*shop).stock", false},
		{"of another type", "index out of range [5] with length 3", "invalid memory address or nil pointer dereference", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			other, _ := find(strings.ReplaceAll(string(text), tt.old, tt.new))
			if len(other) != 1 || (other[0].Group == first[0].Group) != tt.same {
				t.Errorf("%+v is in group %s, the first in %s", other, other[0].Group, first[0].Group)
			}
		})
	}
}

func TestTracesOfTwoProcessesAreKeptApart(t *testing.T) {
	c := stacktrace.New()
	for _, l := range []struct {
		source, text string
	}{
		{"a", "panic: one"},
		{"b", "Traceback (most recent call last):"},
		{"a", "goroutine 1 [running]:"},
		{"b", `  File "b.py", line 2, in f`},
		{"a", "main.one()"},
		{"b", "    g()"},
		{"a", "\t/src/a.go:1 +0x1"},
		{"b", "ValueError: two"},
	} {
		c.Add(stacktrace.Line{Text: l.text, Source: l.source, Time: noon, Arrived: noon})
	}
	c.Settle(noon.Add(time.Minute))
	groups := c.Groups(noon)
	if len(groups) != 2 || groups[0].Recent != 1 || groups[1].Recent != 1 {
		t.Errorf("groups %+v", groups)
	}
	if later := c.Groups(noon.Add(6 * time.Minute)); later[0].Recent != 0 || later[0].Total != 1 {
		t.Errorf("six minutes later %+v", later[0])
	}
}

func FuzzAdd(f *testing.F) {
	files, err := filepath.Glob("testdata/*.log")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // of the folder testdata
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("x\nat (\nat a(:1:2)\nat  in :line\n** (\n** (exit\nexception error: \nin function \n#0 0x\nFile \", line \n")
	c := stacktrace.New()
	f.Fuzz(func(t *testing.T, text string) {
		for line := range strings.SplitSeq(text, "\n") {
			c.Add(stacktrace.Line{Text: line, Source: text[:min(len(text), 3)], Time: noon, Arrived: noon})
		}
		c.Add(stacktrace.Line{Text: text, Source: "whole", Time: noon, Arrived: noon})
		c.Settle(noon.Add(time.Minute))
		if n := len(c.Traces(1000, func(*stacktrace.Trace) bool { return true })); n > 120 {
			t.Errorf("%d traces", n)
		}
	})
}
