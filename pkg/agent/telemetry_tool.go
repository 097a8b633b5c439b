package agent

import (
	"context"
	"encoding/json"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// unknownTool stands for the name of a tool that does not exist: a model may
// make up any number of them.
const unknownTool = "unknown"

// used makes a call within a span of its own, and tells what came of it.
func (l *loop) used(parent, ctx context.Context, tc protocol.ToolCall, n int) (protocol.ToolResult, error) {
	name := tc.Tool
	if _, ok := l.tools[name]; !ok {
		name = unknownTool
	}
	turn := ctx
	ctx, span := signals.Start(ctx, l.watch.tracer, signals.ExecuteTool, name, trace.WithAttributes(
		signals.AttrOperation.String("execute_tool"), signals.Text(signals.AttrTool, tc.Tool), signals.Text(signals.AttrToolCall, tc.ID),
		signals.AttrToolType.String("function"), signals.AttrIteration.Int(l.step),
	))
	defer span.End()
	health := l.health()
	began := time.Now()
	res, err := l.call(parent, ctx, tc, n)
	tool, result := signals.LabelTool.String(name), "ok"
	switch {
	case err != nil:
		result = "left"
	case res.Invalid:
		result = "invalid"
		signals.Emit(turn, signals.ToolRefused, signals.Text(signals.AttrTool, tc.Tool), signals.Text(signals.AttrReason, res.Content))
		signals.Error(span, result, res.Content)
	case res.Failed:
		result = "failed"
		signals.Error(span, result, res.Content)
	}
	l.watch.toolDuration.Record(ctx, time.Since(began).Seconds(), labels(l.watch.agent, tool))
	l.watch.toolCalls.Add(ctx, 1, labels(l.watch.agent, tool, signals.LabelResult.String(result)))
	if err == nil && !res.Invalid {
		l.effects(turn, ctx, tc, res, health)
	}
	return res, err
}

func (l *loop) health() protocol.Health {
	if s, ok := l.spec.Tools.State().(*OperatorState); ok {
		return s.Health
	}
	return ""
}

// A toolArgs has the arguments of tools that spans show.
type toolArgs struct {
	State      protocol.Health `json:"state"`
	Reason     string          `json:"reason"`
	MS         int64           `json:"ms"`
	Thought    string          `json:"thought"`
	Code       string          `json:"code"`
	Callback   string          `json:"callback"`
	Skill      string          `json:"skill"`
	Skills     []string        `json:"skills"`
	Status     string          `json:"status"`
	ID         string          `json:"id"`
	NotifyIDs  []string        `json:"notification_ids"`
	Targets    []string        `json:"targets"`
	SnapshotID []string        `json:"snapshot_ids"`
}

// effects tells what a call that was made has changed: within its own span what it
// was about, within the iteration's what happened. Metrics count it whether or not
// anybody records spans.
func (l *loop) effects(turn, ctx context.Context, tc protocol.ToolCall, res protocol.ToolResult, health protocol.Health) {
	switch tc.Tool { // what is counted
	case "send_notification":
		l.notified(turn, res)
	case "produce_insight":
		l.concluded(turn, res)
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	var a toolArgs
	if json.Unmarshal([]byte(tc.Args), &a) != nil && !res.Failed {
		return // the tool took them all the same: it has an argument of another type by this name
	}
	running := func() attribute.KeyValue {
		s, ok := l.spec.Tools.State().(*CoordinatorState)
		if !ok {
			return signals.AttrRunning.Int(0)
		}
		return signals.AttrRunning.Int(len(s.Running()))
	}
	switch tc.Tool {
	case "set_state":
		if !res.Failed {
			signals.Emit(turn, signals.StateChange, signals.AttrFrom.String(string(health)), signals.AttrTo.String(string(a.State)), signals.Text(signals.AttrReason, a.Reason))
		}
	case "take_snapshot":
		var e taken
		if json.Unmarshal(res.Effect, &e) == nil && len(e.Snapshots) > 0 {
			span.SetAttributes(signals.AttrCount.Int(len(e.Snapshots)), signals.Text(signals.AttrSnapshot, e.Snapshots[0].ID))
		}
	case "get_snapshot":
		span.SetAttributes(signals.Text(signals.AttrSnapshot, a.ID))
	case "get_snapshots", "get_notifications", "get_operator_statuses":
		var list []json.RawMessage
		if json.Unmarshal([]byte(res.Content), &list) == nil {
			span.SetAttributes(signals.AttrCount.Int(len(list)))
		}
		if a.Status != "" {
			span.SetAttributes(signals.Text(signals.AttrStatus, a.Status))
		}
	case "update_notification_statuses":
		span.SetAttributes(signals.AttrCount.Int(len(a.NotifyIDs)), signals.Text(signals.AttrStatus, a.Status))
	case "call":
		span.SetAttributes(signals.Text(signals.AttrCallback, a.Callback), signals.AttrCount.Int(len(a.Targets)))
	case "execute":
		span.SetAttributes(signals.Text(signals.AttrCode, a.Code))
	case "wait":
		span.SetAttributes(signals.AttrMS.Int64(a.MS))
	case "think":
		span.SetAttributes(signals.Text(signals.AttrThought, a.Thought))
	case "invoke_operators":
		span.SetAttributes(texts(signals.AttrSkills, a.Skills))
		var e invoked
		if json.Unmarshal(res.Effect, &e) == nil {
			span.SetAttributes(signals.AttrCount.Int(len(e.Runs)))
			for _, why := range e.NotChecked[:min(len(e.NotChecked), maxListed)] {
				signals.Emit(turn, signals.NotChecked, signals.Text(signals.AttrReason, why))
			}
		}
	case "message_operator":
		span.SetAttributes(signals.Text(signals.AttrSkill, a.Skill))
		if s, ok := l.spec.Tools.State().(*CoordinatorState); ok && res.Failed && !s.invoked(a.Skill) {
			signals.Emit(turn, signals.OperatorNotFound, signals.Text(signals.AttrSkill, a.Skill))
		}
	case "schedule":
		if res.Failed {
			signals.Emit(turn, signals.ScheduleRejected, running())
			return
		}
		signals.Emit(turn, signals.Scheduled, signals.AttrMS.Int64(a.MS), signals.Text(signals.AttrReason, a.Reason))
	case "done":
		if res.Failed {
			signals.Emit(turn, signals.DoneRejected, running())
		}
	}
}

// maxListed is how many entries of a list become attributes or events.
const maxListed = 16

func texts(key attribute.Key, list []string) attribute.KeyValue {
	out := make([]string, 0, maxListed)
	for _, text := range list[:min(len(list), maxListed)] {
		out = append(out, signals.Text(key, text).Value.AsString())
	}
	return key.StringSlice(out)
}

func (s *CoordinatorState) invoked(skill string) bool {
	for _, r := range s.Runs {
		if r.Skill == skill {
			return true
		}
	}
	return false
}

func (l *loop) notified(turn context.Context, res protocol.ToolResult) {
	var e notified
	if len(res.Effect) > 0 && json.Unmarshal(res.Effect, &e) != nil {
		return
	}
	n := e.Notification
	if res.Failed || n == nil {
		l.watch.notificationsFailed.Add(turn, 1, labels(l.watch.skill))
		signals.Emit(turn, signals.NotificationFailed, signals.Text(signals.AttrReason, res.Content))
		return
	}
	l.watch.notifications.Add(turn, 1, labels(l.watch.skill, signals.LabelSeverity.String(string(n.Severity)), signals.LabelVerified.Bool(n.Verified)))
	signals.Emit(turn, signals.NotificationSent, signals.Text(signals.AttrNotification, n.ID), signals.AttrSeverity.String(string(n.Severity)), signals.AttrVerified.Bool(n.Verified))
}

func (l *loop) concluded(turn context.Context, res protocol.ToolResult) {
	var e concluded
	if res.Failed || json.Unmarshal(res.Effect, &e) != nil || e.Insight == nil {
		return
	}
	i := e.Insight
	l.watch.insights.Add(turn, 1, labels(signals.LabelSeverity.String(string(i.Severity)), signals.LabelCorrelation.String(string(i.CorrelationType))))
	signals.Emit(turn, signals.InsightProduced, signals.Text(signals.AttrInsight, i.ID), signals.AttrSeverity.String(string(i.Severity)),
		signals.AttrCorrelation.String(string(i.CorrelationType)), signals.AttrGrounded.Bool(i.HypothesisGrounded), signals.Text(signals.AttrSummary, i.Summary))
}
