package tracer

import (
	"context"
	_ "embed"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed beam.md
var beamPrompt string

// BeamSource returns the source of Erlang and Elixir nodes, by the names of their
// targets: the calls of one function, within limits that the node itself keeps. It needs
// the level trace of a node.
func BeamSource(nodes map[string]*beam.Node) skills.Source {
	return skills.PerTarget(nodes, func(n *beam.Node) skills.Source {
		b := beamTrace{n}
		return skills.Source{
			Kind: skills.Beam, Prompt: beamPrompt, Metrics: beamMetrics, Calls: b.calls(),
			Snapshot: func(context.Context) (skills.Data, error) { return b.snapshot(time.Now()), nil },
		}
	})
}

// beamTrace answers for one node.
type beamTrace struct{ node *beam.Node }

var beamMetrics = []skills.Metric{
	skills.Gauge("active", protocol.Count, "1 while a function is traced, else 0."),
	skills.Gauge("trace_count", protocol.Count, "Calls that the trace that runs, or the last one, has told."),
	skills.Info("trace_spec", protocol.Text, "The function that is traced, or was last; absent when none was."),
	skills.Info("elapsed_ms", protocol.Milliseconds, "How long the trace lasted, or has lasted so far; absent when there was none."),
	skills.Info("trace_ended_by", protocol.Text, "Why the last one ended: stop, count, rate, time, or what went wrong."),
}

// snapshot asks the node nothing.
func (b beamTrace) snapshot(now time.Time) skills.Data {
	t, count := b.node.CallTrace()
	d := skills.Data{}
	active := 0.0
	if t.Active() {
		active = 1
	}
	d.Set("active", active, 0)
	d.Set("trace_count", float64(len(t.Calls)), 0)
	if count > 0 {
		d.Text("trace_spec", t.Function)
		d.Set("elapsed_ms", float64(lasted(t, now).Milliseconds()), 0)
		d.Text("trace_ended_by", t.Why)
	}
	return d
}

func lasted(t beam.CallTrace, now time.Time) time.Duration {
	if t.Active() {
		return now.Sub(t.Began)
	}
	return t.Ended.Sub(t.Began)
}
