package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
)

// nabHost is what was told of this host.
type nabHost struct {
	Minutes         float64  `json:"minutes"`
	LearningMinutes float64  `json:"learning_minutes"` // of them; the product's default is 120
	IntervalSeconds float64  `json:"interval_s"`       // the product's default is 30
	Metrics         int      `json:"metrics"`
	Alarms          int      `json:"alarms"`
	PerHour         float64  `json:"alarms_per_hour"`
	Told            []string `json:"told"`
}

// watchHost reads the os skill of this host each second and gives it to the
// product's detector. Two settings are not the defaults, so that it need not take
// days: samples are judged each second, and learning takes a sixth of the time.
func watchHost(ctx context.Context, long time.Duration, w io.Writer) (*nabHost, error) {
	o := detect.DefaultOptions()
	o.CollectionInterval, o.LearningDuration = time.Second, long/6
	start := time.Now()
	d, err := detect.New(o, start)
	if err != nil {
		return nil, err
	}
	src := hostos.Skill(host.New(host.Config{})).Sources[0]
	spec := specs(src)
	r := &nabHost{Minutes: round(long.Minutes()), LearningMinutes: round(o.LearningDuration.Minutes()), IntervalSeconds: 1, Told: []string{}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for now := range untilDone(ctx, tick.C, start.Add(long)) {
		data, err := src.Snapshot(ctx)
		if data == nil {
			return nil, fmt.Errorf("read this host: %w", err)
		}
		for _, a := range d.Snapshot("host", "os", now, samplesOf(spec, data)) {
			text := fmt.Sprintf("%s %s went %s: %.4g, usually %.4g, score %.1f", a.At.Format(time.TimeOnly), a.Metric, a.Direction, a.Value, a.Baseline, a.Score)
			fmt.Fprintln(w, text)
			r.Told = append(r.Told, text)
		}
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	r.Metrics, r.Alarms = d.Status(time.Now()).Metrics, len(r.Told)
	r.PerHour = round(float64(r.Alarms) / (long - o.LearningDuration).Hours())
	return r, nil
}

// untilDone yields ticks up to end.
func untilDone(ctx context.Context, ticks <-chan time.Time, end time.Time) func(func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticks:
				if now.After(end) || !yield(now) {
					return
				}
			}
		}
	}
}

// specs are the metrics of a source that a detector watches, as samples without value.
func specs(src skills.Source) []detect.Sample {
	var out []detect.Sample
	for _, m := range src.Metrics {
		if m.Kind == protocol.Info {
			continue
		}
		var thresholds []float64
		for _, c := range src.Checks {
			if c.Metric == m.Name {
				for _, level := range []*float64{c.Warn, c.Critical} {
					if level != nil {
						thresholds = append(thresholds, *level)
					}
				}
			}
		}
		out = append(out, detect.Sample{Metric: m.Name, Counter: m.Kind == protocol.Counter, Floor: detect.Floor(string(m.Unit), thresholds...)})
	}
	return out
}

// samplesOf are the numbers of a snapshot; what is absent or no number is no sample.
func samplesOf(spec []detect.Sample, data skills.Data) []detect.Sample {
	var out []detect.Sample
	for _, s := range spec {
		v, err := number(data[s.Metric])
		if err == nil {
			s.Value = v
			out = append(out, s)
		}
	}
	return out
}

func number(v any) (float64, error) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case uint64:
		return float64(v), nil
	}
	return 0, errors.New("no number")
}
