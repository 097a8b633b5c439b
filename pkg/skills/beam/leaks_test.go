package beam_test

import (
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest/nodetest"
)

// atoms makes so many new atoms on the node.
func (tg *target) atoms(from, n int) {
	tg.t.Helper()
	tg.of.Do(fmt.Sprintf("begin [list_to_atom(\"leak_\" ++ integer_to_list(N)) || N <- lists:seq(%d, %d)], ok end", from, from+n-1))
}

func TestALeakOfAtomsTellsItsRateAndTheTimeLeft(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{Args: []string{"+t", "200000"}})
	n := 0
	d := nodetest.Rounds(t, tg.Source, 5, func() { tg.atoms(n, 1000); n += 1000 })
	says := nodetest.Crossed(tg.Source, d, nil)["atom_hours_left"]
	tells(t, says, "atoms leak: ", " of 200000 are used", "there is no room in")
	perMinute, hours := d["atoms_per_min"].(float64), d["atom_hours_left"].(float64)
	if left := 200_000 - d["atom_count"].(float64); perMinute < 500 || hours > 24 || math.Abs(hours-left/perMinute/60) > 0.06 {
		t.Errorf("with %g left and %g a minute there are %g hours", left, perMinute, hours)
	}
	a := tg.ask("beam_atom_leak_detected()")
	if a["suspected_leak"] != true || a["growth_rate"].(float64) < 500 || a["hours_until_full"].(float64) > 24 || !strings.Contains(a["recommendation"].(string), "within a day") {
		t.Errorf("the leak is %v", a)
	}
}

// Behaviour: 153, 154.
func TestHowFastAtomsGrow(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{Args: []string{"+t", "200000"}})
	a := tg.ask("beam_atom_growth_rate(5)")
	if a["urgency"] != "insufficient_history" || a["atoms_per_minute"] != nil || a["atoms_per_hour"] != nil || a["hours_until_exhausted"] != nil || a["time_window_minutes"] != 0.0 || a["samples_count"] != 1.0 {
		t.Errorf("after one reading it is %v", a)
	}
	nodetest.Rounds(t, tg.Source, 2, func() { tg.atoms(0, 5000) })
	<-time.After(skills.ShortestRate)
	a = tg.ask("beam_atom_growth_rate(5)")
	system := tg.ask("beam_get_atoms()")
	if a["current_count"].(float64) > system["atom_count"].(float64) || a["limit"] != system["atom_limit"] || a["samples_count"].(float64) < 3 || a["atoms_per_minute"].(float64) < 1000 ||
		a["urgency"] != "critical" {
		t.Errorf("it grows %v, of %v", a, system)
	}
	if v := tg.ask("beam_atom_leak_detected()"); v["suspected_leak"] != false || v["recommendation"] == "" {
		t.Errorf("what came once is a leak: %v", v)
	}
	if d := nodetest.Snapshot(t, tg.Source); d["atom_hours_left"] != nil {
		t.Errorf("what came once fills the table in %v hours", d["atom_hours_left"])
	}
}

// hold has a process keep so many more binaries.
func (tg *target) hold(name string, count, size int) {
	tg.t.Helper()
	tg.of.Do(fmt.Sprintf("begin %s ! {more, self(), %d, %d}, receive {kept, _} -> ok end end", name, count, size))
}

func TestALeakOfBinariesNamesWhoHoldsThem(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do("begin register(cache, shop:start(keep, [[]])), register(other, shop:start(keep, [[]])), ok end")
	tg.hold("other", 50, 200_000)
	tg.hold("cache", 2000, 16_000)
	d := nodetest.Rounds(t, tg.Source, 4, func() { tg.hold("cache", 500, 16_000) })
	says := nodetest.Crossed(tg.Source, d, map[string]float64{"binary_growing_mb": 25})
	tells(t, says["binary_growing_mb"], "cache (<0.", "shop:keep/1")
	if v := d["binary_growing_mb"].(float64); v < 29 || v > 33 {
		t.Errorf("30.5 MiB more are %g", v)
	}
	a := tg.ask("beam_binary_top_memory(2)")
	list := nodetest.Rows(a, "processes")
	if len(list) != 2 || list[0]["name"] != "cache" || list[0]["binary_count"].(float64) < 4000 || list[0]["binary_memory_kb"].(float64) < 62_500 || list[1]["name"] != "other" {
		t.Errorf("who holds most is %v", a)
	}
	a = tg.ask("beam_binary_leak(5)")
	list = nodetest.Rows(a, "processes")
	if len(list) != 1 || list[0]["name"] != "cache" || list[0]["binary_delta"].(float64) < 1500 || list[0]["binary_memory_delta_kb"].(float64) < 23_000 || a["over_seconds"].(float64) < 4 {
		t.Errorf("what leaks is %v", a)
	}
	pid := list[0]["pid"].(string)
	info := tg.ask(fmt.Sprintf("beam_binary_info(%q)", pid))
	if b := nodetest.Rows(info, "binaries"); len(b) != 200 || b[0]["size_bytes"] != 16_000.0 || b[0]["refcount"].(float64) < 1 || info["binary_count"].(float64) < 4000 || info["truncated"] != true {
		t.Errorf("it holds %v of %v", info["binary_count"], len(b))
	}
}

// Behaviour: 152, defect 28.
func TestLeaksOfBinariesAreLookedForOnceAMinute(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do("begin register(cache, shop:start(keep, [[]])), spawn(fun F() -> cache ! {more, self(), 10, 8000}, receive {kept, _} -> ok end, timer:sleep(20), F() end), ok end")
	a := tg.ask("beam_binary_leak(5)")
	if list := nodetest.Rows(a, "processes"); len(list) != 1 || list[0]["name"] != "cache" || a["error"] != nil {
		t.Errorf("without a reading of before it is %v", a)
	}
	a = tg.ask("beam_binary_leak(5)")
	if a["error"] != "rate_limited" || len(nodetest.Rows(a, "processes")) != 0 || a["message"] == "" {
		t.Errorf("at once again it is %v", a)
	}
}

// The collector of others is not run by the probe.
func TestNoProcessIsCollectedForTheProbe(t *testing.T) {
	t.Parallel()
	tg := start(t, beamtest.Options{})
	tg.of.Do("begin register(cache, shop:start(keep, [[]])), ok end")
	tg.hold("cache", 5000, 8000)
	gcs := func() string { return tg.of.Do("erlang:process_info(whereis(cache), garbage_collection)") }
	before := gcs()
	nodetest.Rounds(t, tg.Source, 1, func() {})
	tg.ask("beam_binary_leak(5)")
	tg.ask("beam_binary_top_memory(5)")
	if after := gcs(); after != before {
		t.Errorf("its collections were %s and are %s", before, after)
	}
}

// A node that began anew is compared with nothing of before.
func TestANodeThatBeginsAnewIsCountedAndForgotten(t *testing.T) {
	t.Parallel()
	o := beamtest.Options{Name: "phoenix", Cookie: "ash"}
	of := beamtest.Start(t, o)
	address, move := relay(t, of.Address)
	tg := open(t, &beamtest.Node{Name: of.Name, Cookie: of.Cookie, Address: address})
	if d := nodetest.Rounds(t, tg.Source, 3, func() {}); d["restarts_per_hour"] != 0.0 || d["atoms_per_min"] == nil {
		t.Errorf("it never began anew, and its atoms are watched: %v", d)
	}
	of.Kill()
	move(beamtest.Start(t, o).Address)
	var d skills.Data
	nodetest.Until(t, "the node to answer again", func() bool {
		var err error
		d, err = tg.Snapshot(t.Context())
		return err == nil
	})
	if d["restarts_per_hour"] != 1.0 || d["atoms_per_min"] != nil {
		t.Errorf("it began anew once, and is compared with nothing: %v", d)
	}
}

// relay listens at an address of its own for who wants to go to another, which may move.
func relay(t *testing.T, to string) (address string, move func(to string)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var at atomic.Value
	at.Store(to)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", at.Load().(string))
			if err != nil {
				_ = in.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					_ = pair[0].Close()
				}()
			}
		}
	}()
	return l.Addr().String(), func(to string) { at.Store(to) }
}
