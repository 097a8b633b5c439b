package beam

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
)

// Behaviour: 160.
func TestWhatMayNotBeTracedIsRefusedByName(t *testing.T) {
	t.Parallel()
	n := New(Config{Node: "shop@127.0.0.1", Level: Trace})
	t.Cleanup(n.Close)
	for _, tt := range []struct {
		name, module, function string
		arity                  int
		want                   error
	}{
		{"any module", "_", "get", 1, ErrWildcardModule},
		{"no module", "", "get", 1, ErrWildcardModule},
		{"any function", "shop_cart", "_", 1, ErrWildcardFunction},
		{"no function", "Shop.Cart", "", 1, ErrWildcardFunction},
		{"any arity", "shop_cart", "get", AnyArity, ErrArityRequired},
		{"an arity below 0", "shop_cart", "get", -1, ErrInvalidArity},
		{"an arity above 255", "shop_cart", "get", 256, ErrInvalidArity},
		{"sending", "erlang", "send", 2, ErrBlockedFunction},
		{"a call of a server", "gen_server", "call", 3, ErrBlockedFunction},
		{"a call of a server of Elixir", "GenServer", "call", 3, ErrBlockedFunction},
		{"a cast of Elixir", "Elixir.GenServer", "cast", 2, ErrBlockedFunction},
		{"sending of Elixir", "Process", "send", 3, ErrBlockedFunction},
		{"sending of Elixir's kernel", "Kernel", "send", 2, ErrBlockedFunction},
		{"a look into a table", "ets", "lookup", 2, ErrBlockedFunction},
		{"an insertion as Elixir writes it", ":ets", "insert", 2, ErrBlockedFunction},
		{"what is no name", "shop cart", "get", 1, ErrBadName},
		{"a function that is no name", "shop_cart", "get()", 1, ErrBadName},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := n.StartTrace(t.Context(), tt.module, tt.function, tt.arity); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	if s, err := n.StopTrace(t.Context()); err != nil || s.Active() || len(s.Calls) != 0 {
		t.Errorf("to stop without a trace gives %+v, %v", s, err)
	}
}

// untilTrace waits until the trace is as it should be.
func untilTrace(t *testing.T, n *Node, what string, holds func(CallTrace) bool) CallTrace {
	t.Helper()
	var got CallTrace
	until(t, what, func() bool { got, _ = n.CallTrace(); return holds(got) })
	return got
}

func TestATraceTellsWhoCallsFromWhereAndNeverWithWhat(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(compileErlang)
	of.Do(`Compile("-module(shop_price). -export([of_item/1, page/1]). of_item(X) -> {price, X}. page(X) -> {ok, of_item(X)}. ")`)
	of.Do(`Shop = spawn(fun() -> register(web, self()), (fun Serve() -> receive {get, X} -> shop_price:page(X), Serve() end end)() end), ok`)
	of.Do(remember)
	n := granted(t, of, Trace)
	var said strings.Builder
	n.Log = slog.New(slog.NewTextHandler(&said, nil))
	began, err := n.StartTrace(t.Context(), "shop_price", "of_item", 1)
	if err != nil || !began.Active() || began.Function != "shop_price:of_item/1" {
		t.Fatalf("%+v, %v", began, err)
	}
	if _, err := n.StartTrace(t.Context(), "lists", "seq", 2); !errors.Is(err, ErrTraceActive) {
		t.Errorf("a second one: %v", err)
	}
	of.Do(`Shop ! {get, <<"` + secret + `">>}, Shop ! {get, 2}, ok`)
	got := untilTrace(t, n, "two calls", func(c CallTrace) bool { return len(c.Calls) == 2 })
	c := got.Calls[0]
	if c.Process != "web" || c.Caller != "shop_price:page/1" || !strings.HasPrefix(c.PID, "<0.") || time.Since(c.At) > time.Minute {
		t.Errorf("%+v", c)
	}
	last, err := n.StopTrace(t.Context())
	if err != nil || last.Active() || last.Why != "stop" || len(last.Calls) != 2 {
		t.Errorf("%+v, %v", last, err)
	}
	if s := said.String(); !strings.Contains(s, "shop_price:of_item/1") || !strings.Contains(s, "level=trace") {
		t.Errorf("the audit says %s", s)
	}
	if got := of.Do(`erlang:trace_info({shop_price, of_item, 1}, all)`); got != "{all,false}" {
		t.Errorf("it is still traced: %s", got)
	}
	if again, err := n.StartTrace(t.Context(), "shop_price", "page", 1); err != nil || len(again.Calls) != 0 {
		t.Errorf("another one: %+v, %v", again, err)
	}
	n.Close()
	clean(t, of)
}

func TestATraceOfElixirTakesNamesAsElixirWritesThem(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{Elixir: true})
	of.Do(`defmodule Shop.Price do def of?(x), do: {:price, x}; def page(x), do: {:ok, of?(x)} end`)
	n := granted(t, of, Trace)
	if _, err := n.StartTrace(t.Context(), "Shop.Price", "of?", 1); err != nil {
		t.Fatal(err)
	}
	of.Do(`Shop.Price.page(1)`)
	got := untilTrace(t, n, "a call", func(c CallTrace) bool { return len(c.Calls) == 1 })
	if got.Function != "Shop.Price.of?/1" || got.Calls[0].Caller != "Shop.Price.page/1" {
		t.Errorf("%+v", got)
	}
}

func TestTheNodeItselfEndsATrace(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(`{module, calendar} = code:ensure_loaded(calendar), ok`)
	of.Do(remember)
	n := granted(t, of, Trace)
	start := func() {
		t.Helper()
		until(t, "a start", func() bool { _, err := n.StartTrace(t.Context(), "calendar", "valid_date", 1); return err == nil })
	}
	t.Run("when calls come too fast", func(t *testing.T) {
		start()
		of.Do(`[calendar:valid_date({2020, 1, I}) || I <- lists:seq(1, 20)], ok`)
		got := untilTrace(t, n, "the end", func(c CallTrace) bool { return !c.Active() })
		if got.Why != "rate" || len(got.Calls) != TracePerSecond {
			t.Errorf("%+v", got)
		}
	})
	t.Run("when a function that was quiet is called without end", func(t *testing.T) {
		start()
		of.Do(`Hot = spawn(fun() -> (fun Go() -> calendar:valid_date({2020, 1, 1}), Go() end)() end), ok`)
		began := time.Now()
		got := untilTrace(t, n, "the end", func(c CallTrace) bool { return !c.Active() })
		t.Logf("ended after %s by %s", time.Since(began).Round(time.Millisecond), got.Why)
		if got.Why != "rate" || len(got.Calls) != TracePerSecond {
			t.Errorf("%+v", got)
		}
	})
	t.Run("before it begins when the function is hot", func(t *testing.T) {
		_, err := n.StartTrace(t.Context(), "calendar", "valid_date", 1)
		if err == nil || !strings.Contains(err.Error(), "hot_function") {
			t.Errorf("%v", err)
		}
		of.Do(`exit(Hot, kill), ok`)
	})
	n.Close()
	clean(t, of)
}

func TestWhereSomebodyElseTracesNothingIsDone(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	of.Do(`{module, calendar} = code:ensure_loaded(calendar), Other = spawn(fun() -> receive stop -> ok end end), Traced = spawn(fun() -> receive stop -> ok end end), ok`)
	n := granted(t, of, Trace)
	for _, tt := range []struct{ name, plant, check, undo string }{
		{
			"the calls of a process", `erlang:trace(Traced, true, [call, {tracer, Other}])`,
			`erlang:trace_info(Traced, flags) =:= {flags, [call]} andalso erlang:trace_info(Traced, tracer) =:= {tracer, Other}`, `erlang:trace(Traced, false, [call])`,
		},
		{
			"processes to come", `erlang:trace(new_processes, true, [procs, {tracer, Other}])`,
			`erlang:trace_info(new_processes, flags) =:= {flags, [procs]}`, `erlang:trace(new_processes, false, [procs])`,
		},
		{
			"the function itself", `erlang:trace_pattern({calendar, valid_date, 1}, true, [call_count])`,
			`erlang:trace_info({calendar, valid_date, 1}, call_count) =:= {call_count, 0}`, `erlang:trace_pattern({calendar, valid_date, 1}, false, [call_count])`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			of.Do(tt.plant)
			_, err := n.StartTrace(t.Context(), "calendar", "valid_date", 1)
			if err == nil || !strings.Contains(err.Error(), "somebody else") {
				t.Errorf("%v", err)
			}
			if got := of.Do(tt.check); got != "true" {
				t.Error("the other's trace was touched")
			}
			of.Do(tt.undo)
		})
	}
	if _, err := n.StartTrace(t.Context(), "calendar", "valid_date", 1); err != nil {
		t.Errorf("when nobody else does: %v", err)
	}
}

func TestAFunctionThatIsNotThereIsNotTracedAndLeavesNoAtom(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := granted(t, of, Trace)
	if _, err := n.Vitals(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ module, function string }{{"no_such_module_here", "at_all"}, {"lists", "no_such_function_there"}, {"lists", "seq"}} {
		if _, err := n.StartTrace(t.Context(), tt.module, tt.function, 77); err == nil || !strings.Contains(err.Error(), "no_such_function") {
			t.Errorf("%s: %v", tt.module, err)
		}
	}
	if got := of.Do(`[catch list_to_existing_atom("no_such_" ++ X) || X <- ["module_here", "function_there"]]`); !strings.Contains(got, "badarg") {
		t.Errorf("atoms were made: %s", got)
	}
}
