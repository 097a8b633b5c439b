package web_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/web"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// host publishes that a node lives, with the skill runtime on its target app, and what
// it waits for connections.
func (s *site) host(name, kind string, labels map[string]string, wait float64) {
	s.t.Helper()
	s.beat(name, kind, labels, time.Hour)
	s.publish(protocol.SnapshotSubject(name, "app", "runtime"), protocol.Snapshot{
		ID: "snap-" + name, Node: name, Target: "app", Kind: kind, Skill: "runtime", CapturedAt: now, Data: map[string]any{"pool_wait_ms": wait, "version": "go1.26"},
	})
}

func (s *site) beat(name, kind string, labels map[string]string, every time.Duration) {
	s.t.Helper()
	s.publish(protocol.NodeSubject(name), protocol.Heartbeat{
		Node: name, MachineID: "m", SentAt: now, IntervalMS: every.Milliseconds(), Labels: labels,
		Targets: []protocol.HeartbeatTarget{{Name: "app", Kind: kind, Skills: []string{"runtime"}}}, Skills: []protocol.HeartbeatSkill{},
	})
}

func (s *site) anomaly(node, kind, metric string, value, score float64, severity protocol.Severity) {
	s.t.Helper()
	s.publish(protocol.AnomalySubject(node, "app", "runtime"), protocol.Anomaly{
		ID: fmt.Sprint(node, metric, score), Node: node, Target: "app", Kind: kind, Skill: "runtime", Metric: metric, Value: value, Unit: protocol.Milliseconds, Baseline: 3,
		Score: score, Severity: severity, Since: now, DetectedAt: now,
	})
}

// fleet publishes 8 nodes of one role with 0 to 7 ms, 3 of another with 100 ms, which 3
// more share the app with, one of another kind, and one that has no labels.
func (s *site) fleet() {
	for k := range 5 { // they waited for long, and are silent now
		s.host(fmt.Sprint("gone-", k), "go", map[string]string{"role": "web"}, 9000)
		s.beat(fmt.Sprint("gone-", k), "go", map[string]string{"role": "web"}, time.Millisecond)
	}
	for k := range 8 {
		s.host(fmt.Sprint("web-", k), "go", map[string]string{"role": "web", "app": "shop"}, float64(k))
	}
	for k := range 3 {
		s.host(fmt.Sprint("job-", k), "go", map[string]string{"role": "job", "app": "mill"}, 100)
		s.host(fmt.Sprint("lab-", k), "go", map[string]string{"role": "lab", "app": "mill"}, 200)
	}
	s.host("erl-0", "beam", map[string]string{"role": "web"}, 7)
	s.host("odd-0", "go", nil, 50)
	for silent := 0; silent < 5; {
		silent = 0
		for _, n := range get[web.Page[web.Node]](s, "/nodes").Items {
			if n.State == "silent" {
				silent++
			}
		}
	}
}

func TestWhatANodeStandsOutBy(t *testing.T) {
	s := newSite(t)
	s.fleet()
	s.anomaly("web-7", "go", "pool_wait_ms", 3902, 9, "critical")
	s.anomaly("web-7", "go", "threads", 50, 90, "warning") // less severe
	s.anomaly("web-7", "go", "goroutines", 50, 3, "critical")
	s.anomaly("job-0", "go", "pool_wait_ms", 150, 8, "critical")
	s.anomaly("odd-0", "go", "pool_wait_ms", 50, 7, "critical")
	s.anomaly("erl-0", "beam", "pool_wait_ms", 7, 6, "critical")
	s.anomaly("web-0", "go", "version", 1, 5, "warning")

	got := get[web.Outliers](s, "/outliers")
	for k, tt := range []struct {
		name, node, metric string
		median             float64
		peers              int
		among              string
	}{
		{"the others of its role, without itself and without those that are silent", "web-7", "pool_wait_ms", 3, 7, "role=web"},
		{"a role of three makes no group, the app of six does", "job-0", "pool_wait_ms", 200, 5, "app=mill"},
		{"without labels all that have the skill", "odd-0", "pool_wait_ms", 6.5, 14, ""},
		{"nobody else is of its kind", "erl-0", "pool_wait_ms", 0, 0, ""},
		{"what peers have is no number", "web-0", "version", 0, 0, "role=web"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if k >= len(got.Items) {
				t.Fatalf("%d stand out", len(got.Items))
			}
			o := got.Items[k]
			if o.Node != tt.node || o.Metric != tt.metric || o.Peers != tt.peers || o.Among != tt.among || o.Unit != protocol.Milliseconds || o.Baseline != 3 {
				t.Errorf("%+v", o)
			}
			if (o.PeersMedian == nil) != (tt.peers == 0) || o.PeersMedian != nil && *o.PeersMedian != tt.median {
				t.Errorf("median %v, want %v", o.PeersMedian, tt.median)
			}
		})
	}
	if len(got.Items) != 5 || got.Uncompared != 0 {
		t.Errorf("%d stand out, %d without a comparison", len(got.Items), got.Uncompared)
	}
}

func TestNothingStandsOut(t *testing.T) {
	if got := get[web.Outliers](newSite(t), "/outliers"); got.Items == nil || len(got.Items) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAtMostTwentyGroupsOfPeersAreRead(t *testing.T) {
	s := newSite(t)
	for k := range 22 {
		kind := fmt.Sprint("kind-", k)
		s.host(fmt.Sprint("a-", k), kind, nil, 5)
		s.host(fmt.Sprint("b-", k), kind, nil, 1)
		s.anomaly(fmt.Sprint("a-", k), kind, "pool_wait_ms", 5, float64(100-k), "warning")
	}
	s.anomaly("b-0", "kind-0", "pool_wait_ms", 1, 1, "info") // of a group that was read
	got := get[web.Outliers](s, "/outliers")
	if len(got.Items) != 23 || got.Uncompared != 2 {
		t.Fatalf("%d stand out, %d without a comparison", len(got.Items), got.Uncompared)
	}
	for k, o := range got.Items {
		if compared := k < 20 || o.Node == "b-0"; compared != (o.PeersMedian != nil) {
			t.Errorf("%d: %+v", k, o)
		}
	}
}

func TestTheMediansOfPeers(t *testing.T) {
	s := newSite(t)
	s.fleet()
	for path, want := range map[string]web.Peers{
		"/nodes/web-7/app/runtime/peers": {Among: "role=web", Targets: 7, Read: 7, Medians: map[string]float64{"pool_wait_ms": 3}},
		"/nodes/erl-0/app/runtime/peers": {Medians: map[string]float64{}},
		"/nodes/odd-0/app/runtime/peers": {Targets: 14, Read: 14, Medians: map[string]float64{"pool_wait_ms": 6.5}},
	} {
		if diff := cmp.Diff(want, get[web.Peers](s, path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	for k := range 400 {
		s.host(fmt.Sprintf("many-%03d", k), "go", map[string]string{"role": "many"}, float64(k))
	}
	if got := get[web.Peers](s, "/nodes/many-000/app/runtime/peers"); got.Targets != 399 || got.Read != 199 || got.Medians["pool_wait_ms"] < 195 || got.Medians["pool_wait_ms"] > 205 {
		t.Errorf("of many: %+v", got)
	}
	for _, path := range []string{"/nodes/none/app/runtime/peers", "/nodes/web-1/app/os/peers", "/nodes/web-1/host/runtime/peers"} {
		if resp, b := s.do("GET", path, nil); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s %s", path, resp.Status, b)
		}
	}
}
