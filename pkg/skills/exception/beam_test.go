package exception_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills/exception"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
)

// Behaviour: 138, 139, 144, 146.
func TestACrashLoopOfElixirIsNamed(t *testing.T) {
	t.Parallel()
	of, _, src := nodetest.Open(t, beamtest.Options{Elixir: true}, beam.Events, "exception", "exception_", exception.BeamSource)
	if says := nodetest.Says(t, src); says != "" {
		t.Errorf("of an idle node the checks say %s", says)
	}
	if stats := skilltest.Object(t, src, "exception_stats()"); stats["total_count"] != 0.0 || stats["type_count"] != 0.0 {
		t.Errorf("before anything crashed: %v", stats)
	}
	if got := skilltest.Object(t, src, "exception_stacktrace(7)"); got["found"] != false {
		t.Errorf("%v", got)
	}
	of.Do(`defmodule Shop.Cart do
		use GenServer;
		def start_link(s), do: GenServer.start_link(__MODULE__, s, name: __MODULE__);
		def init(s), do: {:ok, s};
		def handle_cast(:sell, s), do: {:noreply, price(s)};
		def price(s), do: Map.fetch!(s, :price)
	end`)
	of.Do(`{:ok, _} = Supervisor.start_link([{Shop.Cart, %{token: "tok-Zq81-secret"}}], strategy: :one_for_one, name: Shop.Supervisor, max_restarts: 100)`)
	of.Do(`wait = fn wait, old -> case Process.whereis(Shop.Cart) do p when is_pid(p) and p != old -> p; _ -> Process.sleep(1); wait.(wait, old) end end`)
	of.Do(`Enum.reduce(1..12, nil, fn _, old -> p = wait.(wait, old); GenServer.cast(p, :sell); p end)`)
	nodetest.Until(t, "twelve crashes", func() bool { return skilltest.Object(t, src, "exception_stats()")["total_count"] == 12.0 })
	says := nodetest.Says(t, src)
	for _, part := range []string{"Shop.Cart ended 12 times", "KeyError", "Shop.Cart.price/1"} {
		if !strings.Contains(says, part) {
			t.Errorf("the checks do not say %q: %s", part, says)
		}
	}
	last := skilltest.Object(t, src, `exception_recent(1, "error")`)["exceptions"].([]any)[0].(map[string]any)
	if last["type"] != "KeyError" || last["supervisor"] != "Shop.Supervisor" || last["level"] != "error" || last["program"] != "Shop.Cart" || last["kind"] != "error" || last["language"] != "elixir" {
		t.Errorf("%v", last)
	}
	if at, err := time.Parse(time.RFC3339, last["datetime"].(string)); err != nil || time.Since(at) > time.Minute {
		t.Errorf("datetime %v", last["datetime"])
	}
	for call, want := range map[string]int{
		`exception_recent(50, "exit")`: 0, `exception_by_type("keyerr", 50)`: 12, `exception_by_type("Timeout")`: 0, `exception_search("Shop.Cart.price", 3)`: 3, `exception_search("nothing")`: 0,
	} {
		if got := skilltest.Object(t, src, call)["exceptions"].([]any); len(got) != want {
			t.Errorf("%s lists %d, want %d", call, len(got), want)
		}
	}
	groups := skilltest.Object(t, src, "exception_groups(5)")
	if groups["total"] != 1.0 {
		t.Errorf("%v", groups)
	}
	if _, err := skilltest.Call(t, src, `exception_recent(1, "loud")`); err == nil || !strings.Contains(err.Error(), "throw") {
		t.Errorf("an unknown kind: %v", err)
	}
	trace, err := skilltest.Call(t, src, "exception_stacktrace(1)")
	if err != nil || strings.Contains(show(trace), "secret") || !strings.Contains(show(trace), "Shop.Cart.price/1") || !strings.Contains(show(trace), "nofile") {
		t.Errorf("%v, %v", trace, err)
	}
	d, err := src.Snapshot(t.Context())
	if err != nil || d["by_kind_error"] != 12.0 || d["by_level_error"] != 12.0 || d["unique_exception_types"] != 1.0 || d["top_exception_types"] != "KeyError 12" || strings.Contains(show(d), "secret") {
		t.Errorf("%v, %v", d, err)
	}
}

func show(v any) string { return fmt.Sprintf("%+v", v) }
