package web_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/web"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestWhatTheFieldsOfASkillMean(t *testing.T) {
	s := newSite(t)
	words := protocol.Words{
		Skill: "runtime", Kind: "go", Title: "Go", Metrics: []protocol.Metric{
			{Name: "requests", Unit: protocol.Count, Kind: protocol.Counter}, {Name: "restarted", Unit: protocol.Count, Kind: protocol.Counter},
			{Name: "late", Unit: protocol.Count, Kind: protocol.Counter}, {Name: "heap", Unit: protocol.Mebibytes, Kind: protocol.Gauge},
		},
	}
	take := func(node string, after time.Duration, data map[string]any) {
		s.publish(protocol.SnapshotSubject(node, "app", "runtime"), protocol.Snapshot{ID: fmt.Sprint(node, after), Node: node, Target: "app", Kind: "go", Skill: "runtime", CapturedAt: now.Add(after), Data: data})
	}
	take("web-1", 0, map[string]any{"requests": 1.0, "restarted": 1.0, "heap": 1.0})
	take("web-1", 10*time.Second, map[string]any{"requests": 1000.0, "restarted": 500.0, "heap": 30.0})
	take("web-1", 40*time.Second, map[string]any{"requests": 1600.0, "restarted": 5.0, "heap": 60.0, "late": 3.0})
	take("web-2", 0, map[string]any{"requests": 1.0})

	if got := get[web.SkillView](s, "/nodes/web-1/app/runtime"); got.Words != nil || got.Unknown != "the probe of web-1 does not answer what its fields mean" {
		t.Errorf("without a probe: %+v", got)
	}
	for _, node := range []string{"web-1", "web-2"} {
		stop, err := s.conn.Serve(t.Context(), bus.Service{Name: "probe-" + node, Version: "0.0.0", Timeout: time.Minute, Endpoints: []bus.Endpoint{{
			Name: "words", Subject: protocol.ProbeSubject(node, "words"), Handler: func(context.Context, bus.Req) (any, error) { return words, nil },
		}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	for node, rates := range map[string]map[string]float64{"web-1": {"requests": 20}, "web-2": {}} {
		if diff := cmp.Diff(web.SkillView{Words: &words, Rates: rates}, get[web.SkillView](s, "/nodes/"+node+"/app/runtime")); diff != "" {
			t.Errorf("%s: %s", node, diff)
		}
	}
}
