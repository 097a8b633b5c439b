package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/signals/signalstest"
)

// names returns the names of what was told on spans of a record, in the order in
// which the spans ended.
func names(r *signalstest.Record) []string {
	var out []string
	for _, s := range r.Spans("") {
		out = append(out, s.Name())
		for _, e := range s.Events() {
			out = append(out, "- "+strings.TrimPrefix(e.Name, "fleetlens."))
		}
	}
	return out
}

// spanOf returns the only span of a name.
func spanOf(t *testing.T, r *signalstest.Record, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	found := r.Spans(name)
	if len(found) != 1 {
		t.Fatalf("%d spans %q in %v", len(found), name, names(r))
	}
	return found[0]
}

// wantAttrs wants attributes to have these values among others.
func wantAttrs(t *testing.T, got, want map[string]any) {
	t.Helper()
	for key, value := range want {
		if diff := cmp.Diff(value, got[key]); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", key, diff)
		}
	}
}

func told(nodes ...string) *operatorRun {
	r := newOperatorRun(nodes...)
	r.tells = signalstest.New()
	for _, n := range nodes {
		r.probes.snaps[n] = snapshot("s-"+n, n, map[string]any{"memory_used_pct": 91.0})
	}
	return r
}

// Behaviour: 110, 111.
func TestWhatAnOperatorDoesIsTold(t *testing.T) {
	r := told("web-1")
	f := r.play(t,
		agenttest.Calls(take),
		agenttest.Calls(agenttest.Call("set_state", map[string]any{"state": "warning", "reason": "memory"}), notify("memory is 91 % used", "s-web-1")),
		agenttest.Calls(notify("memory is 99 % used", "s-web-1"), wrong),
		agenttest.Calls(over))
	if f.Outcome != protocol.OutcomeDone {
		t.Fatalf("%+v", f)
	}
	r.tells.Conforms(t)
	want := []string{
		"execute_tool take_snapshot", "iteration",
		"execute_tool set_state", "execute_tool send_notification", "iteration", "- operator.state_change", "- operator.notification_sent",
		"execute_tool send_notification", "execute_tool unknown", "iteration", "- operator.notification_failed", "- agent.tool_refused",
		"execute_tool done", "iteration", "invoke_agent os", "- agent.done",
	}
	if diff := cmp.Diff(want, names(r.tells)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	run := spanOf(t, r.tells, "invoke_agent os")
	wantAttrs(t, signalstest.Attrs(run.Attributes()), map[string]any{
		"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "os", "gen_ai.conversation.id": "run-1", "fleetlens.agent": "operator",
		"fleetlens.investigation": "inv-1", "fleetlens.attempt": int64(1), "fleetlens.outcome": "done", "fleetlens.steps": int64(4),
	})
	turns := r.tells.Spans("iteration")
	for _, s := range r.tells.Spans("") {
		if s.SpanContext().TraceID() != run.SpanContext().TraceID() {
			t.Errorf("%s is in another trace", s.Name())
		}
		if strings.HasPrefix(s.Name(), "execute_tool") && !s.Parent().IsValid() || s.Name() == "iteration" && s.Parent().SpanID() != run.SpanContext().SpanID() {
			t.Errorf("%s is below %v", s.Name(), s.Parent())
		}
	}
	if taken := spanOf(t, r.tells, "execute_tool take_snapshot"); taken.Parent().SpanID() != turns[0].SpanContext().SpanID() {
		t.Error("a tool's span is not below its iteration's")
	}
	unknown := spanOf(t, r.tells, "execute_tool unknown")
	if unknown.Status().Code != codes.Error || !strings.Contains(unknown.Status().Description, "unknown tool") || unknown.EndTime().Before(unknown.StartTime()) {
		t.Errorf("a call that failed: %+v", unknown.Status())
	}
	wantAttrs(t, signalstest.Attrs(unknown.Attributes()), map[string]any{"error.type": "invalid", "gen_ai.tool.name": wrong.Tool})
	wantAttrs(t, r.tells.Events(signals.StateChange)[0], map[string]any{"fleetlens.from": "healthy", "fleetlens.to": "warning", "fleetlens.reason": "memory"})
	for name, want := range map[string]float64{
		"ok": 4, "failed": 1, "invalid": 1,
	} {
		if got := r.tells.Sum(t, signals.ToolCalls, "agent=operator", "result="+name); got != want {
			t.Errorf("%v calls were %s, want %v", got, name, want)
		}
	}
	for _, tt := range []struct {
		metric signals.Metric
		attrs  []string
		want   float64
	}{
		{signals.Runs, []string{"agent=operator", "skill=os", "outcome=done"}, 1},
		{signals.RunDuration, nil, 1},
		{signals.RunSteps, nil, 1},
		{signals.RunsInFlight, nil, 0},
		{signals.Takeovers, nil, 0},
		{signals.DecisionDuration, []string{"decider=script"}, 4},
		{signals.Notifications, []string{"skill=os", "severity=warning", "verified=true"}, 1},
		{signals.NotificationsFailed, []string{"skill=os"}, 1},
	} {
		if got := r.tells.Sum(t, tt.metric, tt.attrs...); got != tt.want {
			t.Errorf("%s %v is %v, want %v", tt.metric, tt.attrs, got, tt.want)
		}
	}
}

// priced is a decider whose answers cost something.
type priced struct {
	agent.Decider
	usd float64
}

func (p priced) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	a, err := p.Decider.Decide(ctx, v)
	a.Usage.CostUSD = &p.usd
	return a, err
}

func TestWhatAnswersCostIsCounted(t *testing.T) {
	r := told("web-1")
	end, err := r.run(t, t.Context(), priced{agent.NewModelDecider("main", thinker(3, 10), agent.Served("anthropic", "claude-x")), 0.25})
	if err != nil {
		t.Fatal(err)
	}
	r.tells.Conforms(t)
	if got, want := r.tells.Sum(t, signals.Cost, "agent=operator", "decider=main"), *end.Usage.CostUSD; got != want || got < 0.75 {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// Behaviour: 112.
func TestACallOfAModelIsTold(t *testing.T) {
	r := told("web-1")
	m := thinker(3, 10)
	asked := 0
	inner := m.answer
	m.answer = func(messages []*schema.Message) []protocol.ToolCall { asked++; return inner(messages) }
	if _, err := r.run(t, t.Context(), agent.NewModelDecider("main", m, agent.Served("anthropic", "claude-x"))); err != nil {
		t.Fatal(err)
	}
	r.tells.Conforms(t)
	chats := r.tells.Spans("chat claude-x")
	if len(chats) != asked || asked != 4 {
		t.Fatalf("%d spans of %d requests", len(chats), asked)
	}
	got := signalstest.Attrs(chats[2].Attributes())
	wantAttrs(t, got, map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-x", "gen_ai.conversation.id": "run-1",
		"gen_ai.usage.input_tokens": int64(100), "gen_ai.usage.output_tokens": int64(10), "fleetlens.iteration": int64(3), "fleetlens.context_size": int64(6),
		"fleetlens.tool_selected": "think", "fleetlens.response": "",
	})
	if intent, _ := got["fleetlens.intent"].(string); !strings.HasPrefix(intent, `think {"thought":"thought 3`) {
		t.Errorf("intent %q", intent)
	}
	if chats[2].Parent().SpanID() != r.tells.Spans("iteration")[2].SpanContext().SpanID() {
		t.Error("the request is not below its iteration")
	}
	if in := r.tells.Sum(t, signals.TokenUsage, "gen_ai.token.type=input", "gen_ai.request.model=claude-x"); in != 4 {
		t.Errorf("the tokens of %v requests are counted", in)
	}
	if n := r.tells.Sum(t, signals.OperationDuration, "gen_ai.provider.name=anthropic"); n != 4 {
		t.Errorf("%v requests are counted", n)
	}
}

// broken is a model that fails.
type broken struct {
	chat
	err error
}

func (b broken) WithTools([]*schema.ToolInfo) (model.ToolCallingChatModel, error) { return b, nil }

func (b broken) Generate(context.Context, []*schema.Message, ...model.Option) (*schema.Message, error) {
	if b.err == nil {
		panic("no error")
	}
	return nil, b.err
}

// Behaviour: 112.
func TestAFailureOfAModelIsToldWithItsReason(t *testing.T) {
	busy := agent.RetryAfter(errors.New("busy"), time.Nanosecond)
	for _, tt := range []struct {
		name   string
		err    error
		class  string
		reason string
		again  []any
	}{
		{"for good", errors.Join(errors.New("no such model"), agent.ErrFinal), "final", "no such model", []any{false}},
		{"for now", busy, "failed", "busy", []any{true, true, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := told("web-1")
			f, err := r.run(t, t.Context(), agent.NewModelDecider("main", broken{err: tt.err}, agent.Served("openai", "gpt-x")))
			if err != nil || f.Outcome != protocol.OutcomeFailed {
				t.Fatalf("%+v, %v", f, err)
			}
			r.tells.Conforms(t)
			var again []any
			for n, e := range r.tells.Events(signals.DecisionFailed) {
				again = append(again, e["fleetlens.will_retry"])
				wantAttrs(t, e, map[string]any{"fleetlens.iteration": int64(1), "fleetlens.attempt": int64(n + 1)})
				wantIn(t, e["fleetlens.reason"].(string), tt.reason)
			}
			if diff := cmp.Diff(tt.again, again); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			for _, s := range r.tells.Spans("chat gpt-x") {
				wantAttrs(t, signalstest.Attrs(s.Attributes()), map[string]any{"error.type": tt.class})
				wantIn(t, s.Status().Description, tt.reason)
			}
			if n := r.tells.Sum(t, signals.OperationDuration, "error.type="+tt.class); int(n) != len(tt.again) {
				t.Errorf("%v failed requests are counted", n)
			}
			if n := r.tells.Sum(t, signals.DecisionsFailed, "decider=main", "will_retry=false"); n != 1 {
				t.Errorf("%v decisions failed for good", n)
			}
			run := spanOf(t, r.tells, "invoke_agent os")
			if run.Status().Code != codes.Error || len(r.tells.Events(signals.AgentFailed)) != 1 {
				t.Errorf("the run's status is %+v", run.Status())
			}
		})
	}
}

func TestAPanicOfAModelEndsItsSpan(t *testing.T) {
	r := told("web-1")
	if f, err := r.run(t, t.Context(), agent.NewModelDecider("main", broken{}, agent.Served("openai", "gpt-x"))); err != nil || f.Outcome != protocol.OutcomeFailed {
		t.Fatalf("%+v, %v", f, err)
	}
	if n := r.tells.Sum(t, signals.OperationDuration, "error.type=panic"); n != 3 || len(r.tells.Spans("chat gpt-x")) != 3 {
		t.Errorf("%v requests are counted, %d told", n, len(r.tells.Spans("chat gpt-x")))
	}
}

// Behaviour: 113.
func TestACompactionIsToldWithWhatItMade(t *testing.T) {
	r, m := compacting(2000, 4), thinker(12, 400)
	r.tells = signalstest.New()
	if _, err := r.run(t, t.Context(), agent.NewModelDecider("m", m)); err != nil {
		t.Fatal(err)
	}
	r.tells.Conforms(t)
	began, ended := r.tells.Events(signals.CompactionStart), r.tells.Events(signals.CompactionStop)
	if len(began) == 0 || len(began) != len(ended) || len(began) != len(m.log.summaries) {
		t.Fatalf("%d began, %d ended, %d summaries", len(began), len(ended), len(m.log.summaries))
	}
	wantAttrs(t, began[0], map[string]any{"fleetlens.strategy": "summarise", "fleetlens.compaction_max_tokens": int64(2000), "fleetlens.compaction_keep_last": int64(4)})
	step := began[0]["fleetlens.iteration"].(int64)
	before, after := began[0]["fleetlens.messages"].(int64), ended[0]["fleetlens.messages"].(int64)
	// Two of the prompt, and an answer and a result of each step; then the decision reads the rest.
	if before != 2+2*(step-1) || after != int64(len(m.log.decisions[step-1])) || after >= before {
		t.Errorf("before step %d: %d messages, then %d; the decision reads %d", step, before, after, len(m.log.decisions[step-1]))
	}
	if n := r.tells.Sum(t, signals.Compactions, "agent=operator", "result=ok"); int(n) != len(began) {
		t.Errorf("%v are counted", n)
	}
}

// Behaviour: 113.
func TestACompactionThatFailsIsTold(t *testing.T) {
	r, m := compacting(2000, 4), thinker(8, 400)
	r.tells = signalstest.New()
	m.summarise = func([]*schema.Message) (string, error) { return "", errors.New("no words") }
	if _, err := r.run(t, t.Context(), agent.NewModelDecider("m", m)); err != nil {
		t.Fatal(err)
	}
	r.tells.Conforms(t)
	got := r.tells.Events(signals.CompactionFailed)
	if len(got) == 0 || len(r.tells.Events(signals.CompactionStop)) != 0 {
		t.Fatalf("%v", names(r.tells))
	}
	wantIn(t, got[0]["fleetlens.reason"].(string), "no words")
	if n := r.tells.Sum(t, signals.Compactions, "result=failed"); int(n) != len(got) {
		t.Errorf("%v are counted", n)
	}
}

// asks answers nothing.
type asks struct{}

func (asks) Ask(context.Context, agent.OperatorRun, string) (agent.Reply, protocol.Usage, error) {
	return agent.Reply{Summary: "fine"}, protocol.Usage{}, nil
}

// later is where requests are left.
type later struct{}

func (later) Schedule(context.Context, string, time.Time, protocol.Request) error { return nil }

func toldCoordinator(list ...protocol.Notification) *coordinatorRun {
	r := found(list...)
	r.tells, r.asks, r.schedules = signalstest.New(), asks{}, later{}
	return r
}

// Behaviour: 115.
func TestWhatACoordinatorDoesIsTold(t *testing.T) {
	r := toldCoordinator(finding("n1", "r1", "os", "web-1", "memory is short"))
	r.operators.hold = true
	message := agenttest.Call("message_operator", map[string]any{"skill": "gc", "message": "hello?"})
	schedule := agenttest.Call("schedule", map[string]any{"ms": 60000, "reason": "is it still so?"})
	f := r.play(t, agenttest.Calls(message), agenttest.Calls(invoke("os", "tarot")), agenttest.Calls(over, schedule), func(agent.View) (protocol.Answer, error) {
		r.operators.hold = false
		return say(think), nil
	}, agenttest.Calls(insight(nil)), agenttest.Calls(schedule))
	if f.Outcome != protocol.OutcomeDone {
		t.Fatalf("%+v", f)
	}
	r.tells.Conforms(t)
	var events []string
	for _, name := range names(r.tells) {
		if event, ok := strings.CutPrefix(name, "- "); ok {
			events = append(events, event)
		}
	}
	want := []string{
		"coordinator.operator_not_found", "coordinator.not_checked", "coordinator.done_rejected", "coordinator.schedule_rejected",
		"coordinator.operator_notification_received", "coordinator.operator_complete", "coordinator.insight_produced", "coordinator.schedule", "agent.done",
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	wantAttrs(t, r.tells.Events(signals.OperatorNotFound)[0], map[string]any{"fleetlens.skill": "gc"})
	wantAttrs(t, r.tells.Events(signals.DoneRejected)[0], map[string]any{"fleetlens.running_operators": int64(1)})
	wantAttrs(t, r.tells.Events(signals.NotificationReceived)[0], map[string]any{"fleetlens.notification": "n1", "fleetlens.skill": "os", "fleetlens.severity": "warning"})
	wantAttrs(t, r.tells.Events(signals.InsightProduced)[0], map[string]any{
		"fleetlens.insight": r.conclusions.list[0].ID, "fleetlens.severity": "warning", "fleetlens.correlation_type": "temporal", "fleetlens.summary": "memory is short",
	})
	wantAttrs(t, signalstest.Attrs(spanOf(t, r.tells, "execute_tool invoke_operators").Attributes()), map[string]any{"fleetlens.skills": []string{"os", "tarot"}, "fleetlens.count": int64(1)})
	if n := r.tells.Sum(t, signals.Insights, "severity=warning", "correlation_type=temporal"); n != 1 {
		t.Errorf("%v insights are counted", n)
	}
}

func TestAnOperatorThatFailedIsToldAsOne(t *testing.T) {
	r := toldCoordinator()
	r.operators.report = func(task protocol.Task) ([]protocol.Notification, protocol.Completion) {
		c := done(task)
		c.Outcome, c.Error = protocol.OutcomeFailed, "it died"
		return nil, c
	}
	r.play(t, steps(invoke("os"), think, over)...)
	got := r.tells.Events(signals.OperatorCrashed)
	if len(got) != 1 || got[0]["fleetlens.reason"] != "it died" || len(r.tells.Events(signals.OperatorComplete)) != 0 {
		t.Errorf("%v in %v", got, names(r.tells))
	}
}

func TestThatAnotherDeciderDecidesIsTold(t *testing.T) {
	r := toldCoordinator()
	r.instead = agenttest.NewScript(steps(over)...)
	if _, err := r.run(t, agenttest.NewScript(agenttest.Fail(errors.Join(errors.New("no such model"), agent.ErrFinal)))); err != nil {
		t.Fatal(err)
	}
	r.tells.Conforms(t)
	got := r.tells.Events(signals.Instead)
	if len(got) != 1 || len(r.tells.Events(signals.DecisionFailed)) != 1 || len(r.tells.Events(signals.AgentDone)) != 1 {
		t.Fatalf("%v", names(r.tells))
	}
	wantIn(t, got[0]["fleetlens.reason"].(string), "no such model")
}

func TestThePipelinesStagesAreTold(t *testing.T) {
	r := toldCoordinator(finding("n1", "r1", "os", "web-1", "memory is short"))
	answers := agenttest.NewScript() // by what is asked, not by the step
	stage := func(v agent.View) (protocol.Answer, error) {
		if v.Tools[0].Name == "classify" {
			return say(agenttest.Call("classify", map[string]any{"intent": "question", "skills": []string{"os"}, "operator_context": "memory"})), nil
		}
		return say(agenttest.Call("synthesize", map[string]any{"answer": "memory is short"})), nil
	}
	for range 10 {
		answers.Steps = append(answers.Steps, stage)
	}
	if _, err := r.run(t, agent.Pipeline{}.Decider(answers)); err != nil {
		t.Fatal(err)
	}
	r.tells.Conforms(t)
	for event, want := range map[signals.Event]map[string]any{
		signals.ClassifyStart: nil, signals.ClassifyComplete: {"fleetlens.intent": "question", "fleetlens.skills": []string{"os"}},
		signals.SynthesizeStart: {"fleetlens.count": int64(1)}, signals.SynthesizeComplete: nil,
	} {
		got := r.tells.Events(event)
		if len(got) != 1 {
			t.Errorf("%d events %s", len(got), event)
			continue
		}
		wantAttrs(t, got[0], want)
	}
}

func TestHowARunEndedIsTold(t *testing.T) {
	for _, tt := range []struct {
		name  string
		play  func(t *testing.T, r *operatorRun)
		event signals.Event
		fails bool
	}{
		{"by its agent", func(t *testing.T, r *operatorRun) { r.play(t, steps(over)...) }, signals.AgentDone, false},
		{"by its number of steps", func(t *testing.T, r *operatorRun) { r.settings.MaxIterations = 1; r.play(t, steps(think, over)...) }, signals.MaxIterations, true},
		{"by its deadline", func(t *testing.T, r *operatorRun) {
			r.settings.Deadline = time.Now().Add(-time.Second)
			r.play(t, steps(over)...)
		}, signals.DeadlineExceeded, true},
		{"by somebody", func(t *testing.T, r *operatorRun) {
			r.aborted = make(chan struct{})
			close(r.aborted)
			r.play(t, steps(agenttest.Call("wait", map[string]any{"ms": 60000}))...)
		}, signals.Cancelled, false},
		{"elsewhere", func(t *testing.T, r *operatorRun) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := r.run(t, ctx, agenttest.NewScript()); err == nil {
				t.Error("it ended")
			}
		}, signals.HandedBack, false},
		{"by another worker", func(t *testing.T, r *operatorRun) {
			r.journal.Refuse = func(protocol.RecordKind) error { return agent.ErrSuperseded }
			if _, err := r.run(t, t.Context(), agenttest.NewScript()); !errors.Is(err, agent.ErrSuperseded) {
				t.Error(err)
			}
		}, signals.Superseded, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := told("web-1")
			tt.play(t, r)
			r.tells.Conforms(t)
			run := spanOf(t, r.tells, "invoke_agent os")
			if len(r.tells.Events(tt.event)) != 1 || (run.Status().Code == codes.Error) != tt.fails {
				t.Errorf("%v with status %+v", names(r.tells), run.Status())
			}
			if open := r.tells.Sum(t, signals.RunsInFlight); open != 0 {
				t.Errorf("%v runs are in flight", open)
			}
		})
	}
}

func TestAWorkerThatTakesOverGoesOnWithTheTrace(t *testing.T) {
	r := told("web-1")
	claim := func() {
		if _, err := r.journal.Append(t.Context(), protocol.RecordClaim, protocol.Claim{Worker: "w", Attempt: 1}); err != nil {
			t.Fatal(err)
		}
	}
	model := agenttest.NewScript(steps(take, think, over)...)
	claim()
	crashAt(r.journal, 5)
	if _, err := r.run(t, t.Context(), model); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	r.journal.Refuse = nil
	claim()
	if _, err := r.run(t, agent.Continue(t.Context(), "run-1", r.journal.Log), model); err != nil {
		t.Fatal(err)
	}
	runs := r.tells.Spans("invoke_agent os")
	if len(runs) != 2 || runs[0].SpanContext().TraceID() != runs[1].SpanContext().TraceID() {
		t.Fatalf("the runs are %v", runs)
	}
	wantAttrs(t, signalstest.Attrs(runs[1].Attributes()), map[string]any{"fleetlens.attempt": int64(2)})
	if links := runs[1].Links(); len(links) != 1 || links[0].SpanContext.SpanID() != runs[0].SpanContext().SpanID() {
		t.Errorf("links %+v", links)
	}
	if n := r.tells.Sum(t, signals.Takeovers, "agent=operator", "skill=os"); n != 1 {
		t.Errorf("%v takeovers are counted", n)
	}
	var start protocol.Start
	if err := json.Unmarshal(r.journal.Log[1].Data, &start); err != nil || !strings.Contains(start.TraceParent, runs[0].SpanContext().SpanID().String()) {
		t.Errorf("the journal holds the trace context %q, %v", start.TraceParent, err)
	}
}

func TestContinue(t *testing.T) {
	const mine, other = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-11111111111111111111111111111111-2222222222222222-01"
	journal := func(s protocol.Start) []protocol.Record {
		j := &agent.MemoryJournal{}
		if _, err := j.Append(t.Context(), protocol.RecordStart, s); err != nil {
			t.Fatal(err)
		}
		return j.Log
	}
	for _, tt := range []struct {
		name    string
		in      string
		records []protocol.Record
		want    string
	}{
		{"a run that has not begun is in its message's trace", mine, nil, mine},
		{"a run goes on in the trace that it began in", "", journal(protocol.Start{TraceParent: mine}), mine},
		{"whatever its message says", other, journal(protocol.Start{TraceParent: mine}), mine},
		{"below its message where that is of the same trace", "00-4bf92f3577b34da6a3ce929d0e0e4736-3333333333333333-01", journal(protocol.Start{TraceParent: mine}), "00-4bf92f3577b34da6a3ce929d0e0e4736-3333333333333333-01"},
		{"a journal of an earlier version tells the trace only", "", journal(protocol.Start{TraceID: "4bf92f3577b34da6a3ce929d0e0e4736"}), "00-4bf92f3577b34da6a3ce929d0e0e4736-5be0c2a47f19d3e8-01"},
		{"a journal that tells nothing changes nothing", other, journal(protocol.Start{}), other},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := agent.Continue(signals.WithTraceParent(t.Context(), tt.in), "5be0c2a47f19d3e8", tt.records)
			if got := signals.TraceParent(ctx); got != tt.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestTheTraceOfATaskStandsInItsNotifications(t *testing.T) {
	r := told("web-1")
	r.traceless = true
	r.play(t, agenttest.Calls(take), agenttest.Calls(notify("memory is 91 % used", "s-web-1")))
	if want := spanOf(t, r.tells, "invoke_agent os").SpanContext().TraceID().String(); len(r.findings.sent) != 1 || r.findings.sent[0].TraceID != want {
		t.Errorf("sent %+v, the trace is %s", r.findings.sent, want)
	}
}

func TestARunWithoutTelemetryKeepsTheTraceOfItsMessage(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	r := newOperatorRun("web-1")
	if _, err := r.run(t, signals.WithTraceParent(t.Context(), parent), agenttest.NewScript(steps(over)...)); err != nil {
		t.Fatal(err)
	}
	if got := data[protocol.Start](t, r.journal.Log[0]); got.TraceParent != parent {
		t.Errorf("the journal holds %q", got.TraceParent)
	}
}
