package ports_test

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/ports"
)

// queues is a machine whose sockets have these bytes waiting, by inode.
func queues(t *testing.T, bytes map[int]int) (skills.Skill, func(map[int]int)) {
	t.Helper()
	m := machine{t, t.TempDir()}
	m.write("sys/net/ipv4/ip_local_port_range", "50000\t50009\n")
	m.write("net/udp", "")
	m.write("net/sockstat", "TCP: inuse 1 mem 75\nUDP: inuse 2\n")
	m.counters(0, 0, 0, 0, 0, 0, 0)
	m.process(812, "worker", 1000, "socket:[100]", "socket:[101]", "socket:[102]")
	set := func(bytes map[int]int) {
		t.Helper()
		var tcp strings.Builder
		for inode, n := range bytes {
			tcp.WriteString(socket("0100000A:C358", fmt.Sprintf("0900000A:%04X", inode%60000), opened, n, inode))
		}
		m.write("net/tcp", tcp.String())
	}
	set(bytes)
	return ports.Skill(host.New(host.Config{Proc: m.dir})), set
}

func take(t *testing.T, s skills.Skill) {
	t.Helper()
	if _, err := s.Sources[0].Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, s skills.Skill, call, field string) []map[string]any {
	t.Helper()
	v, err := answer(t.Context(), s, call)
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]any
	for _, row := range v.(map[string]any)[field].([]any) {
		out = append(out, row.(map[string]any))
	}
	return out
}

func TestQueuesHaveATrendOverTheSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, set := queues(t, map[int]int{100: 10_000, 101: 900_000, 102: 50_000})
		v, err := answer(t.Context(), s, "ports_queue_growth()")
		if err != nil {
			t.Fatal(err)
		}
		if got := plain(t, v); !strings.Contains(got, `"growing":0`) || !strings.Contains(got, `"unknown":3`) || !strings.Contains(got, "growth needs a snapshot") {
			t.Errorf("without a snapshot: %s", got)
		}
		take(t, s)
		<-time.After(100 * time.Second)
		// 100 grows by 3000 B/s, 101 shrinks by 2000, 102 by what is no trend, 103 is new.
		set(map[int]int{100: 310_000, 101: 700_000, 102: 40_000, 103: 200_000})
		grown := list(t, s, "ports_queue_growth(5)", "growing_ports")
		if len(grown) != 2 {
			t.Fatalf("growing: %v", grown)
		}
		for i, want := range []map[string]any{
			{"id": 100.0, "current_queue": 310_000.0, "historical_queue": 10_000.0, "growth_rate_bytes_per_sec": 3000.0, "trend": "growing", "name": "worker", "pid": 812.0, "seconds": 100.0},
			{"id": 103.0, "current_queue": 200_000.0, "historical_queue": 0.0, "growth_rate_bytes_per_sec": 2000.0, "trend": "growing"},
		} {
			for k, w := range want {
				if grown[i][k] != w {
					t.Errorf("%s of %d is %v, want %v", k, i, grown[i][k], w)
				}
			}
		}
		v, err = answer(t.Context(), s, "ports_queue_growth(5)")
		if err != nil {
			t.Fatal(err)
		}
		if got := plain(t, v); !strings.Contains(got, `"trends":{"growing":2,"shrinking":1,"stable":1,"unknown":0}`) || !strings.Contains(got, `"current_queues":{"100":310000,"101":700000,"102":40000,"103":200000}`) {
			t.Errorf("got %s", got)
		}
	})
}

func TestTheWindowChoosesTheSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, set := queues(t, map[int]int{100: 0})
		for i := range 30 { // ten minutes: the history is full after the twentieth
			set(map[int]int{100: 1000 + 60_000*i})
			take(t, s)
			<-time.After(20 * time.Second)
		}
		set(map[int]int{100: 1000 + 60_000*30})
		for call, seconds := range map[string]float64{"ports_queue_growth(1)": 60, "ports_queue_growth(5)": 300, "ports_queue_growth(60)": 400} {
			grown := list(t, s, call, "growing_ports")
			if len(grown) != 1 || grown[0]["seconds"] != seconds || grown[0]["growth_rate_bytes_per_sec"] != 3000.0 {
				t.Errorf("%s: %v, want %v seconds", call, grown, seconds)
			}
		}
		<-time.After(time.Hour)
		grown := list(t, s, "ports_queue_growth(1)", "growing_ports")
		v, err := answer(t.Context(), s, "ports_queue_growth(1)")
		if err != nil {
			t.Fatal(err)
		}
		if len(grown) != 0 || !strings.Contains(plain(t, v), `"stable":1`) {
			t.Errorf("against the newest snapshot, an hour ago: %v", v)
		}
	})
}

func TestAQueueThatWasTooShortToBeKeptHasNoTrend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		many := map[int]int{100: 5}
		for i := range 200 {
			many[1000+i] = 10_000 + i
		}
		s, set := queues(t, many)
		take(t, s)
		<-time.After(10 * time.Second)
		many[100] = 500_000
		set(many)
		v, err := answer(t.Context(), s, "ports_queue_growth()")
		if err != nil {
			t.Fatal(err)
		}
		if got := plain(t, v); !strings.Contains(got, `"growing":0,"shrinking":0,"stable":48,"unknown":153`) {
			t.Errorf("got %.300s", got)
		}
	})
}

// Behaviour: 158.
func TestPredictionsAreSortedAndReachTheThresholdOfOneMebibyte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const full = 1 << 20
		before := map[int]int{100: 0, 101: 0, 102: 0, 103: 0, 104: 0, 105: full + 1, 106: 5000}
		s, set := queues(t, before)
		take(t, s)
		<-time.After(100 * time.Second)
		// Each has grown from nothing in 100 s, so n bytes are 100 (full - n) / n seconds before it is full.
		set(map[int]int{100: full / 2, 101: full / 20, 102: full / 100, 103: full / 500, 104: full / 2000, 105: full + 1000, 106: 4000})
		got := list(t, s, "ports_saturation_prediction()", "predictions")
		var said []string
		for _, p := range got {
			if p["saturation_threshold_bytes"] != float64(full) || p["queue"] != "socket" {
				t.Errorf("got %v", p)
			}
			said = append(said, fmt.Sprint(p["id"], " ", p["risk_level"], " ", p["minutes_until_saturation"]))
		}
		want := "[105 critical 0 100 critical 1.7 101 high 31.7 102 medium 165 103 low 831.7]"
		if fmt.Sprint(said) != want {
			t.Errorf("got %v, want %s: 104 takes longer than a day, and 106 shrinks", said, want)
		}
		if !sort.SliceIsSorted(got, func(i, j int) bool {
			return got[i]["minutes_until_saturation"].(float64) < got[j]["minutes_until_saturation"].(float64)
		}) {
			t.Errorf("not sorted: %v", got)
		}
		if near := list(t, s, "ports_saturation_prediction(60)", "predictions"); len(near) != 3 {
			t.Errorf("within an hour: %v", near)
		}
		for _, row := range list(t, s, "ports_top_by_queue(50)", "sockets") {
			if pct := row["saturation_pct"].(float64); pct < 0 || pct > 100 {
				t.Errorf("saturation is %v", pct)
			}
		}
	})
}

// Behaviour: 158.
func TestAnUnknownSocketIsNotFound(t *testing.T) {
	s, _ := queues(t, map[int]int{100: 262_144})
	for call, want := range map[string]string{
		"ports_info(100)": `"pid":812,"queue_size":262144`,
		"ports_info(7)":   `{"error":"port_not_found","id":7}`,
	} {
		v, err := answer(t.Context(), s, call)
		if err != nil {
			t.Fatal(err)
		}
		if got := plain(t, v); !strings.Contains(got, want) {
			t.Errorf("%s lacks %s: %s", call, want, got)
		}
	}
}
