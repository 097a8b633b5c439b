package logger_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills/logger"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
)

// Behaviour: 138, 139, 142, 146.
func TestTheLogOfANode(t *testing.T) {
	t.Parallel()
	of, _, src := nodetest.Open(t, beamtest.Options{Elixir: true}, beam.Events, "logger", "logger_", logger.BeamSource)
	if says := nodetest.Says(t, src); says != "" {
		t.Errorf("of an idle node the checks say %s", says)
	}
	if stats := skilltest.Object(t, src, "logger_stats()"); stats["total_count"] != 0.0 || stats["error_count"] != 0.0 {
		t.Errorf("before anything is logged: %v", stats)
	}
	of.Do(`defmodule Shop.Web do require Logger; def say(n) do Logger.debug("d"); Logger.info("page #{n}"); Logger.warning("slow #{n}"); Logger.error("no stock for #{n}"); Logger.critical("no database"); Logger.emergency("on fire") end end`)
	of.Do(`Shop.Web.say(7)`)
	nodetest.Until(t, "the entries", func() bool { return skilltest.Object(t, src, "logger_stats()")["total_count"] == 6.0 })
	stats := skilltest.Object(t, src, "logger_stats()")
	if stats["error_count"] != 3.0 || stats["warning_count"] != 1.0 || stats["info_count"] != 1.0 || stats["debug_count"] != 1.0 || stats["error_rate"] != 50.0 || stats["error_module_count"] != 1.0 {
		t.Errorf("%v", stats)
	}
	for call, want := range map[string]int{
		`logger_recent(3)`: 3, `logger_recent(20, "warning")`: 4, `logger_errors(10)`: 3, `logger_search("no (stock|database)", 10)`: 2, `logger_search("nothing")`: 0,
		`logger_by_module("shop.w", 10)`: 6, `logger_by_module("nobody")`: 0,
	} {
		if got := skilltest.Object(t, src, call)["entries"].([]any); len(got) != want {
			t.Errorf("%s lists %d, want %d: %v", call, len(got), want, got)
		}
	}
	newest := skilltest.Object(t, src, "logger_recent(1)")["entries"].([]any)[0].(map[string]any)
	if newest["module"] != "Shop.Web" || newest["func"] != "say/1" || newest["line"] == nil || newest["domain"] != "elixir" || newest["process"] == nil || newest["timestamp"] == nil {
		t.Errorf("%v", newest)
	}
	templates := skilltest.Object(t, src, `logger_templates(10, "error")`)["templates"].([]any)
	if len(templates) != 3 {
		t.Errorf("%v", templates)
	}
	fresh := skilltest.Object(t, src, "logger_new_templates(5, 10)")
	if len(nodetest.Rows(fresh, "templates")) != 6 || fresh["total"] != 6.0 {
		t.Errorf("new are %v", fresh)
	}
	for _, row := range nodetest.Rows(fresh, "templates") {
		one := skilltest.Object(t, src, fmt.Sprintf("logger_template(%v)", row["id"]))
		if one["template"] == nil || one["template"] != row["template"] || one["total"] != 1.0 || one["example"] == "" || len(one["per_minute"].([]any)) != 15 {
			t.Errorf("the template %v is %v", row, one)
		}
	}
	if d, err := src.Snapshot(t.Context()); err != nil || d["total_logs_1m"] != 6.0 || d["error_count_1m"] != 3.0 || d["unique_error_modules"] != 1.0 || !strings.HasPrefix(d["top_error_template"].(string), "Shop.Web: ") {
		t.Errorf("%v, %v", d, err)
	}
}

// Behaviour: 140, 141.
func TestOfAFloodTheNewestIsKeptAndTheCheckNamesTheMessage(t *testing.T) {
	t.Parallel()
	of, _, src := nodetest.Open(t, beamtest.Options{}, beam.Events, "logger", "logger_", logger.BeamSource)
	nodetest.Says(t, src)
	of.Do(`logger:error("long ~s", [lists:duplicate(3000, $x)]), ok`)
	nodetest.Until(t, "the long one", func() bool {
		list := skilltest.Object(t, src, "logger_errors(1)")["entries"].([]any)
		return len(list) == 1 && strings.HasSuffix(list[0].(map[string]any)["message"].(string), "…[truncated]")
	})
	of.Do(`spawn(fun() -> [begin [logger:error("no connection to ~p", [I * 100 + J]) || J <- lists:seq(1, 45)], timer:sleep(1001) end || I <- lists:seq(1, 5)] end), ok`)
	nodetest.Until(t, "the check", func() bool { return strings.Contains(nodetest.Says(t, src), "no connection to") })
}
