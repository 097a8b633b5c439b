package probe

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// judge has the detector look at a snapshot, tells of what it found, and returns what
// is to be published.
func (p *probe) judge(ctx context.Context, t taken) []bus.Outgoing {
	snap := t.snapshot
	seen := p.Detector.look(snap, t.of.watched)
	p.tells.sighted(ctx, snap.Skill, seen)
	if seen.state != "" {
		p.Log.Info("the detector's state changed", "from", string(seen.before), "to", string(seen.state), "metrics", seen.status.Metrics,
			"watching_for", seen.status.LearningElapsed.Round(time.Second))
	}
	var out []bus.Outgoing
	for _, a := range seen.found {
		said := toProtocol(a, snap, t.of.watched)
		p.Log.Info("a metric left its usual course", "target", snap.Target, "skill", snap.Skill, "metric", said.Metric,
			"value", said.Value, "usual", said.Baseline, "score", said.Score, "asks", a.Trigger, "why_not", a.Why)
		out = append(out, bus.Outgoing{Subject: protocol.AnomalySubject(snap.Node, snap.Target, snap.Skill), Body: said, ID: said.ID, At: said.DetectedAt, Dedupe: true})
	}
	return out
}

// escalations names what an escalation led to by the reason why it asked for nothing.
var escalations = map[string]string{
	"": "asked", detect.WhyOff: "off", detect.WhyJoins: "joined", detect.WhyLimited: "limited",
}

// sighted counts what a detector made of a snapshot: nothing of a usual one.
func (t tells) sighted(ctx context.Context, skill string, seen sighting) {
	of := signals.LabelSkill.String(skill)
	if seen.odd > 0 {
		t.odd.Add(ctx, int64(seen.odd), metric.WithAttributeSet(attribute.NewSet(of)))
	}
	for _, a := range seen.found {
		t.anomalies.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(of, signals.LabelSeverity.String(string(a.Severity)))))
	}
	if len(seen.found) > 0 {
		t.escalations.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(of, signals.LabelResult.String(escalations[seen.found[0].Why]))))
	}
}

// baselinesDone counts a save of baselines, or that they were restored.
func (t tells) baselinesDone(ctx context.Context, verb string, err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	t.baselines.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(signals.LabelVerb.String(verb), signals.LabelResult.String(result))))
}
