package probe

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/anomaly"
)

// A Detector watches the numbers of a node's snapshots. It is safe for concurrent use.
type Detector struct {
	options detect.Options

	mu    sync.Mutex
	d     *detect.Detector
	state detect.State // as it was told last
}

var _ anomaly.Monitor = (*Detector)(nil)

// NewDetector returns a detector that begins to learn now.
func NewDetector(o detect.Options) (*Detector, error) {
	d, err := detect.New(o, time.Now())
	if err != nil {
		return nil, err
	}
	return &Detector{options: o, d: d, state: detect.Learning}, nil
}

// A sighting is what a detector made of a snapshot.
type sighting struct {
	odd   int              // metrics that were anomalous
	found []detect.Anomaly // those to be told, the strongest first
	// Where the state became another one: which, and which it was; else both are empty.
	state, before detect.State
	status        detect.Status // of the detector when its state became another one
}

// look takes a snapshot in.
func (w *Detector) look(s protocol.Snapshot, of []watched) (seen sighting) {
	samples := make([]detect.Sample, 0, len(of))
	for _, m := range of {
		if v, ok := number(s.Data[m.name]); ok {
			samples = append(samples, detect.Sample{Metric: m.name, Counter: m.counter, Floor: m.floor, Value: v, About: m.about, Harm: m.harm})
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.d.Watches(s.Skill) {
		return seen
	}
	seen.found, seen.odd = w.d.Snapshot(s.Target, s.Skill, s.CapturedAt, samples), w.d.Odd()
	if now := w.d.State(s.CapturedAt); now != w.state {
		seen.before, seen.state, seen.status = w.state, now, w.d.Status(s.CapturedAt)
		w.state = now
	}
	return seen
}

// is returns 1 while the detector is in a state, else 0.
func (w *Detector) is(s detect.State) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.d.State(time.Now()) != s {
		return 0
	}
	return 1
}

// number reads a value as a snapshot may hold it before it is JSON.
func number(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	}
	return 0, false
}

// watched is a metric of a source as the detector judges it.
type watched struct {
	name    string
	unit    protocol.Unit
	counter bool
	floor   float64
	about   string
	harm    detect.Direction
}

// watchedOf returns what the detector judges of a source.
func watchedOf(src skills.Source) []watched {
	var out []watched
	for _, m := range src.Metrics {
		if m.Kind == protocol.Info {
			continue
		}
		w := watched{name: m.Name, unit: m.Unit, counter: m.Kind == protocol.Counter}
		var levels []float64
		for _, c := range src.Checks {
			if c.Metric != m.Name {
				continue
			}
			if c.Warn != nil {
				levels = append(levels, *c.Warn)
			}
			harm := harmOf(c.Op)
			if w.about != "" && w.harm != harm { // it may be too much and too little
				harm = detect.Either
			}
			w.about, w.harm = cmp.Or(c.Resource, m.Name), harm
		}
		w.floor = detect.Floor(string(m.Unit), levels...)
		if w.about == "" { // metrics of one matter begin alike: cpu_used_pct, cpu_steal_pct
			w.about, _, _ = strings.Cut(m.Name, "_")
		}
		if w.harm == "" && m.Unit == protocol.Load {
			w.harm = detect.Up
		}
		out = append(out, w)
	}
	return out
}

// harmOf returns the direction in which a check is crossed.
func harmOf(op protocol.Op) detect.Direction {
	if op == protocol.Below {
		return detect.Down
	}
	return detect.Up
}

// toProtocol says an anomaly to the fleet. A counter is said as its rate.
func toProtocol(a detect.Anomaly, s protocol.Snapshot, of []watched) protocol.Anomaly {
	out := protocol.Anomaly{
		ID:   protocol.EffectID("anomaly", s.Node, s.Target, s.Skill, a.Metric, a.Since.UTC().Format(time.RFC3339Nano)),
		Node: s.Node, Target: s.Target, Kind: s.Kind, Skill: s.Skill, Metric: a.Metric, Value: skills.Round(a.Value, 4),
		Baseline: skills.Round(a.Baseline, 4), Score: skills.Round(a.Score, 2), Deviations: skills.Round(a.Distance, 2), Severity: protocol.Severity(a.Severity),
		Quiet: !a.Trigger, Since: a.Since, DetectedAt: a.At, Series: points(a.Recent),
	}
	for _, m := range of {
		if m.name != a.Metric {
			continue
		}
		out.Unit = m.unit
		if m.counter {
			out.Unit = rateOf(m.unit)
		}
	}
	return out
}

// rateOf returns the unit of a rate a second.
func rateOf(u protocol.Unit) protocol.Unit {
	if u == protocol.Bytes {
		return protocol.BytesPerSecond
	}
	return protocol.PerSecond
}

func points(list []detect.Point) []protocol.Point {
	out := make([]protocol.Point, len(list))
	for i, p := range list {
		out[i] = protocol.Point{At: p.At.UnixMilli(), Value: skills.Round(p.Value, 4)}
	}
	return out
}

// Status implements anomaly.Monitor.
func (w *Detector) Status() anomaly.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.d.Status(time.Now())
	out := anomaly.Status{
		State: string(st.State), LearningElapsedMS: st.LearningElapsed.Milliseconds(), ConsecutiveCount: st.ConsecutiveCount,
		LearningStartTime: st.LearningStart.UTC().Format(time.RFC3339), CollectionIntervalMS: st.CollectionInterval.Milliseconds(),
		AutoTrigger: st.AutoTrigger, TriggersInLastHour: st.TriggersInLastHour,
		LearningDurationMS: w.options.LearningDuration.Milliseconds(), ZThreshold: w.options.ZThreshold, ConsecutiveRequired: w.options.ConsecutiveRequired,
		CooldownMS: w.options.Cooldown.Milliseconds(), MaxTriggersPerHour: w.options.MaxTriggers,
		Metrics: st.Metrics, MetricsIgnored: st.Ignored, Anomalies: st.Anomalies, HostScore: st.HostScore,
	}
	if !st.CooldownStart.IsZero() {
		out.CooldownStartTime = st.CooldownStart.UTC().Format(time.RFC3339)
	}
	return out
}

// Baselines implements anomaly.Monitor.
func (w *Detector) Baselines() []anomaly.Baseline {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []anomaly.Baseline{}
	for _, b := range w.d.Baselines() {
		line := anomaly.Baseline{
			Target: b.Target, Skill: b.Skill, Metric: b.Metric, Mean: b.Mean, StdDev: b.StdDev, P50: b.P50, P95: b.P95, P99: b.P99,
			SampleCount: b.Count, Score: b.Score, LastUpdated: b.LastUpdated.UTC().Format(time.RFC3339),
		}
		if p, ok := w.d.Latest(b.Name); ok {
			line.Value = p.Value
		}
		out = append(out, line)
	}
	return out
}

// Anomalies implements anomaly.Monitor.
func (w *Detector) Anomalies() []anomaly.Anomaly {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []anomaly.Anomaly{}
	for _, a := range w.d.Anomalies(time.Now()) {
		out = append(out, anomaly.Anomaly{
			Target: a.Target, Skill: a.Skill, Metric: a.Metric, Value: a.Value, Baseline: a.Baseline, Deviations: a.Distance, Score: a.Score,
			Severity: protocol.Severity(a.Severity), Since: a.Since.UTC().Format(time.RFC3339), Told: a.Trigger, Why: a.Why, Series: points(a.Recent),
		})
	}
	return out
}

// Series implements anomaly.Monitor.
func (w *Detector) Series(target, skill, metric string) []protocol.Point {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.d.Recent(detect.Name{Target: target, Skill: skill, Metric: metric}, time.Now())
	if list == nil {
		return nil
	}
	return points(list)
}

// baselinesFile is where baselines are kept in the probe's state folder.
const baselinesFile = "baselines"

// restore takes up the baselines of before a restart, and says whether they are to be
// kept. What cannot be read is learned anew; a file of a later version stays for whoever
// wrote it.
func (w *Detector) restore(ctx context.Context, s state, log *slog.Logger, t tells) (keep bool) {
	if s == "" {
		log.Info("baselines are not kept, a restart learns anew: name a folder with --state")
		return false
	}
	saved, err := s.read(baselinesFile)
	if err == nil && saved != nil {
		w.mu.Lock()
		err = w.d.Restore(saved)
		w.state = w.d.State(time.Now())
		w.mu.Unlock()
	}
	if err != nil {
		log.Warn("baselines are learned anew", "err", err)
	}
	if err != nil || saved != nil {
		t.baselinesDone(ctx, "restore", err)
	}
	return !errors.Is(err, detect.ErrNewer)
}

// keep saves the baselines now and then until ctx ends, and once more then.
func (w *Detector) keep(ctx context.Context, s state, log *slog.Logger, t tells) {
	for ended := w.options.AutoSaveInterval == 0; !ended; {
		ended = !sleep(ctx, w.options.AutoSaveInterval)
		w.mu.Lock()
		raw := w.d.Marshal()
		w.mu.Unlock()
		err := s.write(baselinesFile, raw)
		if err != nil {
			log.Warn("baselines were not saved", "err", err)
		}
		t.baselinesDone(ctx, "save", err)
	}
}
