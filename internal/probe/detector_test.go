package probe_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/signals/signalstest"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
	"github.com/fleetlens/fleetlens/pkg/skills/anomaly"
	"github.com/fleetlens/fleetlens/pkg/skills/tracer"
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
			Checks: []skills.Check{ // far off: they say which way does harm
				skills.Above("degrees", 1000, 2000, "heat", "it is hot", "", ""),
				skills.Above("draught", 100, 200, "heat", "it draws much", "", ""),
				skills.Above("smoke", 100, 200, "heat", "it smokes", "", ""),
			},
			Snapshot: func(context.Context) (skills.Data, error) {
				h := float64(heat.Load())
				return skills.Data{
					"degrees": 200 + 5*rand.NormFloat64() + h, "draught": 50 + rand.NormFloat64() + h/10, "smoke": 20 + rand.NormFloat64() + h/20,
					"logs_burnt": burnt.Add(1), "brand": "x",
				}, nil
			},
		}},
	}
}

// every is how often these tests take snapshots. A machine that is busy is late, and what
// comes late by five times this stands alone to a detector.
const every = 20 * time.Millisecond

// short is a detector that learns in a second.
func short(t *testing.T) *probe.Detector {
	t.Helper()
	o := detect.DefaultOptions()
	o.CollectionInterval, o.LearningDuration, o.AutoSaveInterval = every, time.Second, 50*time.Millisecond
	d, err := probe.NewDetector(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Behaviour: 137, defect 24.
func TestWhatLeavesItsCourseIsPublishedAndABaselineOutlastsARestart(t *testing.T) {
	server := natstest.Run(t)
	conn := natstest.Setup(t, server, "test")
	var heat atomic.Int64
	folder := t.TempDir()
	tells := signalstest.New()
	watch := func(d *probe.Detector) (stop func()) {
		return watching(t, server, folder, probe.Deps{Skills: []skills.Skill{furnace(&heat), anomaly.Skill(d)}, Detector: d, Telemetry: tells.Providers})
	}
	first := short(t)
	if st := first.Status(); st.State != "learning" || st.ConsecutiveCount != 0 || !st.AutoTrigger || st.TriggersInLastHour != 0 || st.LearningStartTime == "" {
		t.Errorf("it begins as %+v", st)
	}
	stop := watch(first)
	told := func(name signals.Metric, attrs ...string) float64 { t.Helper(); return tells.Sum(t, name, attrs...) }
	until(t, "it to tell that it learns", func() bool { return told(signals.DetectorState, "state=learning") == 1 })
	until(t, "the end of learning", func() bool {
		list := first.Baselines()
		return first.Status().State == "active" && len(list) == 4 && list[0].SampleCount > 200
	})
	heat.Store(400)
	found := map[string]protocol.Anomaly{}
	until(t, "an anomaly", func() bool {
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
		return len(found) > 0
	})
	asked := 0
	for _, a := range found {
		usual := map[string]float64{"degrees": 200, "draught": 50, "smoke": 20}[a.Metric]
		if a.Value < 1.5*usual || a.Baseline < 0.8*usual || a.Baseline > 1.2*usual || a.Score < 5 || a.Deviations < 10 || a.Since.After(a.DetectedAt) || len(a.Series) == 0 {
			t.Errorf("anomaly %+v", a)
		}
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
	if a, l, c := told(signals.DetectorState, "state=active"), told(signals.DetectorState, "state=learning"), told(signals.DetectorState, "state=cooldown"); a != 0 || l != 0 || c != 1 {
		t.Errorf("its state is told as active %v, learning %v, cooldown %v", a, l, c)
	}
	if n := told(signals.Anomalies, "skill=furnace"); n < float64(len(found)) {
		t.Errorf("%v anomalies are told of %d", n, len(found))
	}
	if n := told(signals.Escalations, "result=asked"); n != 1 {
		t.Errorf("%v escalations are told to have asked", n)
	}
	if n := told(signals.OddSamples, "skill=furnace"); n < 3 {
		t.Errorf("of a metric that was odd three times %v odd samples are told", n)
	}
	until(t, "baselines to be saved while it runs", func() bool { return told(signals.Baselines, "verb=save", "result=ok") >= 2 })
	if b, err := os.ReadFile(filepath.Join(folder, "baselines")); err != nil || len(b) == 0 {
		t.Fatalf("nothing is kept: %v, %v", b, err)
	}
	stop()
	if n := told(signals.Baselines, "verb=restore"); n != 0 {
		t.Errorf("%v baselines were restored where there were none", n)
	}
	heat.Store(0)
	second := short(t)
	stop = watch(second)
	defer stop()
	until(t, "baselines of before", func() bool { return len(second.Baselines()) >= 4 })
	if st := second.Status(); st.State == "learning" || st.LearningElapsedMS < 1000 {
		t.Errorf("after the restart it is %+v", st)
	}
	until(t, "that they were restored to be told", func() bool { return told(signals.Baselines, "verb=restore", "result=ok") == 1 })
	tells.Conforms(t)
}

// watching runs a probe of the node web-1 with a detector until stop is called.
func watching(t *testing.T, server *natsd.Server, folder string, d probe.Deps) (stop func()) {
	t.Helper()
	cfg := probe.DefaultConfig()
	cfg.Node, cfg.Interval, cfg.State = "web-1", every, folder
	if d.Log == nil {
		d.Log = natstest.Log(t)
	}
	d.Bus, d.Identity, d.Version = natstest.Dial(t, server, "probe/web-1"), probe.Identity{MachineID: "m"}, "v1.0.0"
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- probe.Run(ctx, cfg, d) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// Behaviour: 134, 136, defect 22, defect 23.
func TestSourcesThatFailAndValuesThatAreNoNumbersLeaveTheDetectorAlone(t *testing.T) {
	server := natstest.Run(t)
	natstest.Setup(t, server, "test")
	var heat atomic.Int64
	mixed := skill("mixed", func(context.Context) (skills.Data, error) {
		return skills.Data{"n": "many", "on": true, "none": nil, "list": []any{1.0}, "weight": 7.0}, nil
	})
	for _, name := range []string{"on", "none", "list", "weight"} {
		mixed.Sources[0].Metrics = append(mixed.Sources[0].Metrics, skills.Gauge(name, protocol.Count, "Something."))
	}
	d, tells := short(t), signalstest.New()
	stop := watching(t, server, "", probe.Deps{Detector: d, Telemetry: tells.Providers, Skills: []skills.Skill{
		skill("panics", func(context.Context) (skills.Data, error) { panic("boom") }),
		skill("fails", func(context.Context) (skills.Data, error) { return nil, errors.New("no") }),
		mixed, furnace(&heat),
	}})
	defer stop()
	until(t, "the end of learning", func() bool { return d.Status().State == "active" })
	var names []string
	for _, b := range d.Baselines() {
		if b.SampleCount == 0 {
			t.Errorf("%s has a baseline of nothing", b.Metric)
		}
		names = append(names, b.Skill+"."+b.Metric)
	}
	want := []string{"furnace.degrees", "furnace.draught", "furnace.logs_burnt", "furnace.smoke", "mixed.weight"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("baselines (-want +got):\n%s", diff)
	}
	for _, name := range []string{"panics", "fails"} {
		if tells.Sum(t, signals.Collections, "skill="+name, "result=failed") < 2 {
			t.Errorf("it is not told that %s has no snapshots", name)
		}
	}
	tells.Conforms(t)
}

// Behaviour: 127.
func TestAProbeWithoutAFolderSaysThatItKeepsNoBaselines(t *testing.T) {
	server := natstest.Run(t)
	natstest.Setup(t, server, "test")
	var heat atomic.Int64
	for _, tt := range []struct {
		name, folder string
		says         bool
	}{{"without", "", true}, {"with", t.TempDir(), false}} {
		t.Run(tt.name, func(t *testing.T) {
			var log lines
			d, tells := short(t), signalstest.New()
			stop := watching(t, server, tt.folder, probe.Deps{
				Log: slog.New(slog.NewTextHandler(&log, nil)), Detector: d, Telemetry: tells.Providers, Skills: []skills.Skill{furnace(&heat)},
			})
			until(t, "a baseline", func() bool { return len(d.Baselines()) > 0 })
			stop()
			if said := strings.Contains(log.String(), "baselines are not kept, a restart learns anew: name a folder with --state"); said != tt.says {
				t.Errorf("it said so: %v, in\n%s", said, log.String())
			}
			if saved := tells.Sum(t, signals.Baselines, "verb=save") > 0; saved == tt.says {
				t.Errorf("it saved: %v", saved)
			}
		})
	}
}

func TestBaselinesThatCannotBeReadOrSavedAreTold(t *testing.T) {
	server := natstest.Run(t)
	natstest.Setup(t, server, "test")
	var heat atomic.Int64
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "baselines"), []byte("no baselines"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log lines
	d, tells := short(t), signalstest.New()
	stop := watching(t, server, folder, probe.Deps{
		Log: slog.New(slog.NewTextHandler(&log, nil)), Detector: d, Telemetry: tells.Providers, Skills: []skills.Skill{furnace(&heat)},
	})
	defer stop()
	until(t, "a save", func() bool { return tells.Sum(t, signals.Baselines, "verb=save", "result=ok") > 0 })
	if n := tells.Sum(t, signals.Baselines, "verb=restore", "result=failed"); n != 1 || !strings.Contains(log.String(), "baselines are learned anew") {
		t.Errorf("told %v times that they cannot be read; the log says\n%s", n, log.String())
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	until(t, "a save that fails", func() bool {
		return tells.Sum(t, signals.Baselines, "verb=save", "result=failed") > 0 && strings.Contains(log.String(), "baselines were not saved")
	})
}

// lines are what a process wrote.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Behaviour: 71.
func TestTheTracerProfilesOnlyWhereTheHostGrantsIt(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	profiles := make(chan string, 100)
	shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { profiles <- r.URL.Path }))
	defer shop.Close()
	clients := all.Targets{Go: map[string]gopprof.Config{"shop": {URL: shop.URL}}}
	start := protocol.Call{Target: "shop", Callback: "trace_start", Args: []any{"heap", 1}}
	for _, level := range []string{"observe", "events", "trace"} {
		t.Run(level, func(t *testing.T) {
			cfg := config()
			cfg.Level = level
			stop := startWith(t, conn, cfg, clients.List(), skill("pantry", one), tracer.Skill(clients.Open().Go))
			_, err := ask[protocol.CallReply](t, conn, "call", start)
			if level != "trace" {
				refused(t, err, 403, `needs the level "trace"`)
				if len(profiles) > 0 {
					t.Errorf("the service was asked for %s", <-profiles)
				}
			} else if got := next(t, profiles); !strings.HasPrefix(got, "/debug/") && got != "/metrics" {
				t.Errorf("the service was asked for %s, answer %v", got, err)
			}
			if err := stop(); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
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
