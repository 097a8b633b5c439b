package allinone_test

import (
	"slices"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/fleetlens/fleetlens/internal/allinone"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/signals/signalstest"
)

// whole is an investigation with a notification and an insight of it.
func whole() agent.Decider {
	return agenttest.By(
		agenttest.NewScript(
			agenttest.Calls(agenttest.Call("take_snapshot", nil), agenttest.Call("call", map[string]any{"callback": "get_current_time"})),
			agenttest.Notify("memory_used_pct", protocol.SeverityWarning, func(protocol.Snapshot) string { return "memory is as it is" }),
		),
		agenttest.NewScript(
			agenttest.Calls(agenttest.Call("invoke_operators", map[string]any{"skills": []string{"os"}})),
			agenttest.Calls(agenttest.Call("wait", map[string]any{"ms": 20000})),
			agenttest.Conclude(),
		),
	)
}

// stored returns the only message of a stream below a subject.
func stored(t *testing.T, conn *bus.Conn, stream, subject string) bus.Msg {
	t.Helper()
	var found []bus.Msg
	for m, err := range conn.Range(t.Context(), stream, subject, 0) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, m)
	}
	if len(found) != 1 {
		t.Fatalf("%d messages at %s", len(found), subject)
	}
	return found[0]
}

// traceOf returns the trace id that a message's header names.
func traceOf(t *testing.T, m bus.Msg) string {
	t.Helper()
	return signals.TraceID(bus.WithTrace(t.Context(), m.Header))
}

func TestOneTraceSpansTheRequestAndItsInsight(t *testing.T) {
	tells := signalstest.New()
	conn := up(t, whole(), func(o *allinone.Options) { o.Telemetry = tells.Providers })
	ctx, request := tells.Traces.Tracer("test").Start(t.Context(), "request")
	raw, err := conn.Request(ctx, protocol.RunSubject, protocol.Request{ID: "inv-1", Reason: "checkout is slow"})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := protocol.Decode[protocol.Result](raw); err != nil || len(r.Insights) != 1 || len(r.Insights[0].NotificationIDs) != 1 {
		t.Fatalf("result %+v, %v", r, err)
	}
	tells.Await(t, "investigation")
	id := request.SpanContext().TraceID()

	// From the deepest up: each is below the next.
	byID := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range tells.Spans("") {
		byID[s.SpanContext().SpanID().String()] = s
		if s.SpanContext().TraceID() != id {
			t.Errorf("%s is in another trace", s.Name())
		}
	}
	for _, deepest := range []string{"probe call snapshot", "probe call get_current_time"} {
		var path []string
		for s := tells.Await(t, deepest); s != nil; s = byID[s.Parent().SpanID().String()] {
			path = append(path, s.Name())
			if s.Name() == "investigation" && s.Parent().SpanID() != request.SpanContext().SpanID() {
				t.Error("the investigation is not below the request")
			}
		}
		tool := map[string]string{"probe call snapshot": "execute_tool take_snapshot", "probe call get_current_time": "execute_tool call"}[deepest]
		want := []string{deepest, tool, "iteration", "invoke_agent os", "execute_tool invoke_operators", "iteration", "invoke_agent coordinator", "investigation"}
		if !slices.Equal(path, want) {
			t.Errorf("the path is %q", path)
		}
	}
	for _, m := range []bus.Msg{
		stored(t, conn, bus.Insights, "insights.>"),
		stored(t, conn, bus.Findings, protocol.NotificationSubject(protocol.Any, protocol.Any, "inv-1")),
		stored(t, conn, bus.Findings, protocol.CompletionSubject(protocol.Any, "inv-1")),
		stored(t, conn, bus.Findings, protocol.InvestigationSubject("inv-1", protocol.PhaseFinished)),
	} {
		if got := traceOf(t, m); got != id.String() {
			t.Errorf("the message at %s is of the trace %q", m.Subject, got)
		}
		if n, err := protocol.Decode[protocol.Notification](m.Data); err == nil && n.TraceID != id.String() {
			t.Errorf("the notification is of the trace %q", n.TraceID)
		}
	}
	request.End()
}

func TestWhatAllProcessesTellStandsInTheTable(t *testing.T) {
	tells := signalstest.New()
	conn := up(t, whole(), func(o *allinone.Options) { o.Telemetry = tells.Providers })
	if r := ask(t, conn, protocol.Request{ID: "inv-1", Reason: "checkout is slow"}); len(r.Insights) != 1 {
		t.Fatalf("result %+v", r)
	}
	_, _ = conn.Request(t.Context(), protocol.ProbeSubject("here", "call"), protocol.Call{Callback: "make_" + protocol.NewID()})
	ask(t, conn, protocol.Request{ID: "inv-2", Reason: "x", Strategy: "oracle"})
	tells.AwaitAll(t, "investigation", 2)
	tells.Conforms(t)
	for _, tt := range []struct {
		metric signals.Metric
		attrs  []string
		least  float64
	}{
		{signals.Investigations, []string{"state=done"}, 1},
		{signals.Investigations, []string{"state=failed"}, 1},
		{signals.TimeToInsight, []string{"state=done"}, 1},
		{signals.Runs, []string{"agent=coordinator", "outcome=failed"}, 1},
		{signals.Runs, []string{"agent=coordinator", "outcome=done"}, 1},
		{signals.Runs, []string{"agent=operator", "skill=os", "outcome=done"}, 1},
		{signals.Notifications, []string{"skill=os", "severity=warning"}, 1},
		{signals.Insights, []string{"severity=warning", "correlation_type=temporal"}, 1},
		{signals.ProbeRequests, []string{"verb=snapshot", "result=ok"}, 1},
		{signals.ProbeRequests, []string{"verb=call", "result=ok"}, 1},
		{signals.Collections, []string{"skill=os"}, 2},
		{signals.CollectionDuration, []string{"skill=os"}, 2},
		{signals.Calls, []string{"callback=get_current_time", "result=ok"}, 1},
		{signals.Calls, []string{"callback=unknown", "result=404"}, 1},
		{signals.BusDeliveries, []string{"verdict=ack"}, 2},
		{signals.BusConnected, []string{"connection=probe"}, 1},
	} {
		if got := tells.Sum(t, tt.metric, tt.attrs...); got < tt.least {
			t.Errorf("%s %v is %v, want %v", tt.metric, tt.attrs, got, tt.least)
		}
	}
}

func TestTheTraceGoesThroughWhereNobodyTells(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, tt := range []struct {
		name, parent, want string
	}{
		{"that of the request", parent, "4bf92f3577b34da6a3ce929d0e0e4736"},
		{"one of its own", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := up(t, whole(), nil)
			out := bus.Outgoing{Subject: protocol.RequestSubject, Body: protocol.Request{ID: "inv-1", Reason: "checkout is slow"}, Trace: tt.parent}
			if _, err := conn.RequestQueued(t.Context(), out); err != nil {
				t.Fatal(err)
			}
			notification := stored(t, conn, bus.Findings, protocol.NotificationSubject(protocol.Any, protocol.Any, "inv-1"))
			n, err := protocol.Decode[protocol.Notification](notification.Data)
			if err != nil {
				t.Fatal(err)
			}
			got := traceOf(t, stored(t, conn, bus.Insights, "insights.>"))
			if len(got) != 32 || tt.want != "" && got != tt.want {
				t.Errorf("the insight is of the trace %q", got)
			}
			if n.TraceID != got || traceOf(t, notification) != got {
				t.Errorf("the insight is of the trace %s, the notification of %s, its header says %s", got, n.TraceID, traceOf(t, notification))
			}
		})
	}
}

func TestAScheduledInvestigationIsATraceOfItsOwn(t *testing.T) {
	tells := signalstest.New()
	schedule := func(v agent.View) (protocol.Answer, error) {
		s, _ := v.State.(*agent.CoordinatorState)
		if s.Subject.Request.Context["scheduled_by"] != nil {
			return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("done", nil)}}, nil
		}
		return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("schedule", map[string]any{"ms": 1000, "reason": "is it still so?"})}}, nil
	}
	conn := up(t, agenttest.By(looks, agenttest.NewScript(schedule)), func(o *allinone.Options) { o.Telemetry = tells.Providers })
	ask(t, conn, protocol.Request{ID: "inv-1", Reason: "is it slow?"})
	both := tells.AwaitAll(t, "investigation", 2)
	first, second := both[0], both[1]
	if second.SpanContext().TraceID() == first.SpanContext().TraceID() || second.Parent().IsValid() {
		t.Error("it is part of the first's trace")
	}
	if links := second.Links(); len(links) != 1 || links[0].SpanContext.TraceID() != first.SpanContext().TraceID() {
		t.Errorf("links %+v", links)
	}
	if got := tells.Events(signals.ScheduledReinvoke); len(got) != 1 || got[0]["fleetlens.reason"] != "is it still so?" {
		t.Errorf("events %v", got)
	}
	tells.Conforms(t)
}
