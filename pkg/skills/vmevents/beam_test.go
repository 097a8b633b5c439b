package vmevents_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
	"github.com/fleetlens/fleetlens/pkg/skills/vmevents"
)

func TestEventsOfANodeNameTheProcess(t *testing.T) {
	t.Parallel()
	of, _, src := nodetest.Open(t, beamtest.Options{}, beam.Events, "vm_events", "sysmon_", vmevents.BeamSource)
	if says := nodetest.Says(t, src); says != "" {
		t.Errorf("of an idle node the checks say %s", says)
	}
	of.Do(`D = fun Deep(0) -> []; Deep(N) -> X = Deep(N - 1), [X | X] end, ok`)
	of.Do(`spawn(fun() -> register(hasher, self()), A = D(28), B = D(28), [begin true = (A =:= B), timer:sleep(10) end || _ <- [1, 2, 3]], receive stop -> ok end end), ok`)
	of.Do(`spawn(fun() -> register(sender, self()), P = open_port({spawn, "sleep 20 2>/dev/null"}, [binary]), (fun Send() -> port_command(P, binary:copy(<<0>>, 100000)), Send() end)() end), ok`)
	nodetest.Until(t, "the check to name who kept the scheduler", func() bool {
		return strings.Contains(nodetest.Says(t, src), "was hasher")
	})
	list := skilltest.Object(t, src, `sysmon_events("long_schedule", 5)`)["events"].([]any)
	first := list[0].(map[string]any)
	if at, err := time.Parse(time.RFC3339Nano, first["datetime"].(string)); err != nil || time.Since(at) > time.Minute || first["process"] != "hasher" || first["duration_ms"].(float64) < 500 || first["in_mfa"] == nil {
		t.Errorf("%v", first)
	}
	busy := skilltest.Object(t, src, `sysmon_events("busy_port")`)["events"].([]any)
	if len(busy) == 0 || busy[0].(map[string]any)["process"] != "sender" || busy[0].(map[string]any)["port_name"] != "sleep" {
		t.Errorf("busy ports %v", busy)
	}
	stats := skilltest.Object(t, src, "sysmon_stats()")
	if stats["long_schedule_count_5m"].(float64) < 2 || stats["busy_port_count_5m"].(float64) < 1 || stats["max_schedule_duration_ms"].(float64) < 500 || stats["affected_process_count"].(float64) < 2 ||
		stats["affected_port_count"].(float64) < 1 || stats["long_gc_count_5m"] == nil || stats["busy_dist_port_count_5m"] == nil || stats["max_gc_duration_ms"] == nil || stats["kept"].(float64) < 3 {
		t.Errorf("%v", stats)
	}
	d, err := src.Snapshot(t.Context())
	if err != nil || d["long_schedule_process"] != "hasher" || d["busy_port_process"] != "sender" || d["busy_port_name"] != "sleep" {
		t.Errorf("%v, %v", d, err)
	}
	if _, err := skilltest.Call(t, src, `sysmon_events("fire")`); err == nil || !strings.Contains(err.Error(), "long_gc") {
		t.Errorf("an unknown type: %v", err)
	}
}

func TestWithoutTheLevelEventsTheErrorSaysSo(t *testing.T) {
	t.Parallel()
	n := beam.New(beam.Config{Node: "shop@127.0.0.1"})
	t.Cleanup(n.Close)
	src := vmevents.BeamSource(map[string]*beam.Node{"shop": n}).Open("shop")
	_, err := src.Snapshot(t.Context())
	_, err2 := skilltest.Call(t, src, "sysmon_stats()")
	for _, err := range []error{err, err2} {
		if err == nil || !strings.Contains(err.Error(), "level: events") {
			t.Errorf("%v", err)
		}
	}
}

func TestAConnectionToAnotherNodeThatTakesNoMoreNamesTheSender(t *testing.T) {
	t.Parallel()
	epmd := beamtest.EPMD(t)
	other := beamtest.Start(t, beamtest.Options{EPMD: epmd, Cookie: "walnut"})
	of := beamtest.Start(t, beamtest.Options{EPMD: epmd, Cookie: "walnut"})
	cookie := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(cookie, []byte("walnut"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := beam.New(beam.Config{Node: of.Name, EPMD: "127.0.0.1:" + strconv.Itoa(epmd), CookieFile: cookie, Level: beam.Events, Timeout: 20 * time.Second})
	t.Cleanup(n.Close)
	src := vmevents.BeamSource(map[string]*beam.Node{"shop": n}).Open("shop")
	if says := nodetest.Says(t, src); says != "" {
		t.Errorf("of an idle node the checks say %s", says)
	}
	other.Do(`spawn(fun Sink() -> catch register(sink, self()), receive _ -> Sink() end end), ok`)
	if got := of.Do(`net_kernel:connect_node('` + other.Name + `')`); got != "true" {
		t.Fatalf("the nodes are not connected: %s", got)
	}
	// More at once than a connection holds (+zdbbl, 1 MiB), again and again.
	of.Do(`spawn(fun() -> register(shipper, self()), B = binary:copy(<<0>>, 4000000), (fun Ship() -> {sink, '` + other.Name + `'} ! B, timer:sleep(20), Ship() end)() end), ok`)
	nodetest.Until(t, "the check to name who waits for the connection", func() bool {
		return strings.Contains(nodetest.Says(t, src), "because the connection to another node took no more, most often shipper")
	})
	busy := skilltest.Object(t, src, `sysmon_events("busy_dist_port", 5)`)["events"].([]any)
	if !slices.ContainsFunc(busy, func(e any) bool { return e.(map[string]any)["process"] == "shipper" }) {
		t.Errorf("events %v", busy)
	}
	if stats := skilltest.Object(t, src, "sysmon_stats()"); stats["busy_dist_port_count_5m"].(float64) < 10 {
		t.Errorf("%v", stats)
	}
}
