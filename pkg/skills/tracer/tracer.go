// Package tracer is the skill that takes one bounded profile of a Go service and
// tells which functions it came to.
//
// It is the one skill that makes a service do something: a profile costs it some
// percent of its processors while it lasts. So it needs the level trace, takes one
// profile of a service at a time, for a minute at most, and none of a busy one.
package tracer

import (
	"context"
	_ "embed"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed golang.md
var prompt string

// Skill returns the tracer skill; services are the Go services of this node by the
// names of their targets.
func Skill(services map[string]*gopprof.Service) skills.Skill {
	return skills.Skill{
		Name:    "tracer",
		Title:   "Tracer",
		Summary: "Which functions of a Go service use processor time, allocate, stand or hold each other up: one bounded profile at a time.",
		Prefix:  "trace_",
		Sources: []skills.Source{skills.PerTarget(services, golang)},
	}
}

func golang(s *gopprof.Service) skills.Source {
	return skills.Source{
		Kind: skills.Go, Prompt: prompt, Metrics: metrics, Calls: calls(s),
		Snapshot: func(context.Context) (skills.Data, error) { return snapshot(s), nil },
	}
}

var metrics = []skills.Metric{
	skills.Gauge("trace_active", protocol.Count, "1 while a profile is being taken, else 0."),
	skills.Counter("trace_count", protocol.Count, "Profiles begun since the probe started."),
	skills.Info("trace_kind", protocol.Text, "Kind of the one that is being taken, or the last that was."),
	skills.Gauge("trace_elapsed_seconds", protocol.Seconds, "How long it took, or has taken so far."),
	skills.Info("trace_top_function", protocol.Text, "The function with most of its own in the last finished one."),
}

// snapshot asks the service nothing.
func snapshot(s *gopprof.Service) skills.Data {
	t, count := s.Trace()
	d := skills.Data{}
	active := 0.0
	if t.Active() {
		active = 1
	}
	d.Set("trace_active", active, 0)
	d.Set("trace_count", float64(count), 0)
	if count > 0 {
		d.Text("trace_kind", t.Kind)
		d.Set("trace_elapsed_seconds", elapsed(t).Seconds(), 1)
	}
	if t.Top != nil && len(t.Top.Functions) > 0 {
		d.Text("trace_top_function", t.Top.Functions[0].Name)
	}
	return d
}

func elapsed(t gopprof.Trace) time.Duration {
	if t.Active() {
		return time.Since(t.Began)
	}
	return t.Ended.Sub(t.Began)
}
