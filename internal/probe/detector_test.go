package probe_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/anomaly"
)

// furnace is a skill with a temperature that can be raised, and a counter.
func furnace(heat *atomic.Int64) skills.Skill {
	var burnt atomic.Int64
	return skills.Skill{
		Name: "furnace", Title: "Furnace", Summary: "Heat.", Prefix: "furnace_",
		Sources: []skills.Source{{
			Kind: skills.Host, Prompt: "Hot is bad.",
			Metrics: []skills.Metric{
				skills.Gauge("degrees", protocol.Count, "How hot it is."), skills.Gauge("draught", protocol.Count, "How much air it draws."),
				skills.Gauge("smoke", protocol.Count, "How much smoke it makes."), skills.Counter("logs_burnt", protocol.Count, "Logs burnt."),
				skills.Info("brand", protocol.Text, "Who made it."),
			},
			Snapshot: func(context.Context) (skills.Data, error) {
				h := float64(heat.Load())
				return skills.Data{
					"degrees": 200 + 5*rand.NormFloat64() + h, "draught": 50 + rand.NormFloat64() + h/10, "smoke": 20 + rand.NormFloat64() + h/20,
					"logs_burnt": float64(burnt.Add(1)), "brand": "x",
				}, nil
			},
		}},
	}
}

// short is a detector that learns in a second.
func short(t *testing.T) *probe.Detector {
	t.Helper()
	o := detect.DefaultOptions()
	o.CollectionInterval, o.LearningDuration, o.AutoSaveInterval = 10*time.Millisecond, time.Second, 50*time.Millisecond
	d, err := probe.NewDetector(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatLeavesItsCourseIsPublishedAndABaselineOutlastsARestart(t *testing.T) {
	server := natstest.Run(t)
	conn := natstest.Setup(t, server, "test")
	var heat atomic.Int64
	folder := t.TempDir()
	watch := func(d *probe.Detector) (stop func()) {
		cfg := probe.DefaultConfig()
		cfg.Node, cfg.Interval, cfg.State = "web-1", 10*time.Millisecond, folder
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- probe.Run(ctx, cfg, probe.Deps{
				Log: natstest.Log(t), Bus: natstest.Dial(t, server, "probe/web-1"), Skills: []skills.Skill{furnace(&heat), anomaly.Skill(d)}, Detector: d,
				Identity: probe.Identity{MachineID: "m"}, Version: "v1.0.0",
			})
		}()
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	first := short(t)
	if st := first.Status(); st.State != "learning" || st.ConsecutiveCount != 0 || !st.AutoTrigger || st.TriggersInLastHour != 0 || st.LearningStartTime == "" {
		t.Errorf("it begins as %+v", st)
	}
	stop := watch(first)
	until(t, "the end of learning", func() bool { return first.Status().State == "active" && first.Status().LearningElapsedMS > 3000 })
	heat.Store(400)
	found := map[string]protocol.Anomaly{}
	until(t, "three anomalies", func() bool {
		for m, err := range conn.Range(t.Context(), bus.Events, protocol.AnomalySubject("web-1", "host", "furnace"), 0) {
			if err != nil {
				t.Fatal(err)
			}
			a, err := protocol.Decode[protocol.Anomaly](m.Data)
			if err != nil {
				t.Fatal(err)
			}
			found[a.Metric] = a
		}
		return len(found) >= 3
	})
	a := found["degrees"]
	if a.Value < 500 || a.Baseline < 180 || a.Baseline > 220 || a.Score < 10 || a.Deviations < 10 || a.Since.After(a.DetectedAt) || len(a.Series) == 0 {
		t.Errorf("anomaly %+v", a)
	}
	asked := 0
	for _, a := range found {
		if !a.Quiet {
			asked++
		}
	}
	if asked == 0 {
		t.Errorf("no anomaly asks for an investigation: %+v", found)
	}
	if _, ok := found["logs_burnt"]; ok {
		t.Error("a counter that grows steadily is an anomaly")
	}
	stop()
	if files, err := filepath.Glob(filepath.Join(folder, "*")); err != nil || len(files) == 0 {
		t.Fatalf("nothing is kept: %v, %v", files, err)
	}
	heat.Store(0)
	second := short(t)
	stop = watch(second)
	defer stop()
	until(t, "baselines of before", func() bool { return len(second.Baselines()) >= 4 })
	if st := second.Status(); st.State == "learning" || st.LearningElapsedMS < 1000 {
		t.Errorf("after the restart it is %+v", st)
	}
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begin := time.Now(); !is(); {
		if time.Since(begin) > 60*time.Second {
			t.Fatalf("waited in vain for %s", what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the test ended")
		case <-time.After(5 * time.Millisecond):
		}
	}
}
