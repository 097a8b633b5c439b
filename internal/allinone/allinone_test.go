package allinone_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/allinone"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// up starts everything with one decider for both agents.
func up(t *testing.T, d agent.Decider, change func(*allinone.Options), started ...func(*allinone.Stack)) *bus.Conn {
	t.Helper()
	o := allinone.Options{
		DataDir: t.TempDir(), Probe: watch.New(), Operator: operator.DefaultConfig(), Coordinator: coordinator.DefaultConfig(),
		LLM: llm.DefaultConfig(), Log: natstest.Log(t), Deciders: func(string) (agent.Decider, error) { return d, nil },
	}
	o.Probe.Node = "here"
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stack, err := allinone.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Stop)
	for _, tell := range started {
		tell(stack)
	}
	return stack.Bus
}

func ask(t *testing.T, conn *bus.Conn, r protocol.Request) protocol.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	raw, err := conn.Request(ctx, protocol.RunSubject, r)
	if err != nil {
		t.Fatal(err)
	}
	result, err := protocol.Decode[protocol.Result](raw)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// looks is what the scripted operators do.
var looks = agenttest.NewScript(agenttest.Calls(agenttest.Call("take_snapshot", nil)))

// stages answers what the pipeline asks a model.
type stages struct{ agent.Decider }

func (s stages) Name() string { return "stages" }

func (s stages) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	a := protocol.Answer{Model: s.Name(), Usage: protocol.Usage{LLMCalls: 1, InputTokens: 100, OutputTokens: 10}}
	switch v.Tools[0].Name {
	case "classify":
		if !strings.Contains(v.Start.System, "os: System resources") {
			return a, agent.ErrFinal
		}
		a.Calls = []protocol.ToolCall{agenttest.Call("classify", map[string]any{"intent": "question", "skills": []string{"os", "tarot"}, "operator_context": "look at memory"})}
	case "synthesize":
		a.Calls = []protocol.ToolCall{agenttest.Call("synthesize", map[string]any{"answer": "All is well."})}
	default:
		return looks.Decide(ctx, v)
	}
	return a, nil
}

// Behaviour: 99, 105, 108, defect 9, defect 16.
func TestThePipelineAsksAModelTwice(t *testing.T) {
	conn := up(t, stages{}, nil)
	r := ask(t, conn, protocol.Request{Reason: "how is memory?", Strategy: protocol.Pipeline})
	if r.State != protocol.ResultDone || len(r.Insights) != 1 {
		t.Fatalf("result %+v", r)
	}
	if i := r.Insights[0]; i.Summary != "All is well." || i.Confidence != protocol.Medium || i.CorrelationType != protocol.None || i.Model != "stages" {
		t.Errorf("insight %+v", i)
	}
	if r.Usage.LLMCalls != 2 || r.Usage.InputTokens != 200 {
		t.Errorf("usage %+v, want two calls", r.Usage)
	}
	published := 0
	for _, err := range conn.Range(t.Context(), bus.Insights, "insights.>", 0) {
		if err != nil {
			t.Fatal(err)
		}
		published++
	}
	if published != 1 {
		t.Errorf("%d insights on the stream", published)
	}
	if r := ask(t, conn, protocol.Request{Reason: "x", Strategy: "oracle"}); r.State != protocol.ResultFailed || !strings.Contains(r.Error, "have agent_loop, pipeline") {
		t.Errorf("an unknown strategy: %+v", r)
	}
	if r := ask(t, conn, protocol.Request{Reason: "x"}); r.State == protocol.ResultDone && len(r.Insights) > 0 {
		t.Errorf("the strategy of one request held for the next: %+v", r)
	}
}

// asked answers the questions of coordinators, and decides the rest by script.
type asked struct{ agent.Decider }

func (a asked) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	q, ok := v.State.(*agent.Question)
	if !ok {
		return a.Decider.Decide(ctx, v)
	}
	if _, err := agent.Conversation(v); err != nil {
		return protocol.Answer{}, err
	}
	return protocol.Answer{Usage: protocol.Usage{LLMCalls: 1}, Calls: []protocol.ToolCall{agenttest.Call("answer", map[string]any{"summary": "asked: " + q.Text})}}, nil
}

// Behaviour: 53, 84, defect 13.
func TestACoordinatorAsksItsOperator(t *testing.T) {
	coordinators := agenttest.NewScript(
		agenttest.Calls(agenttest.Call("message_operator", map[string]any{"skill": "os", "message": "too early"})),
		agenttest.Calls(agenttest.Call("invoke_operators", map[string]any{"skills": []string{"os"}})),
		agenttest.Calls(agenttest.Call("wait", map[string]any{"ms": 20000})),
		agenttest.Calls(agenttest.Call("message_operator", map[string]any{"skill": "os", "message": "how full is the disk?"})),
		agenttest.Conclude(),
	)
	conn := up(t, asked{agenttest.By(looks, coordinators)}, nil)
	r := ask(t, conn, protocol.Request{ID: "inv-1", Reason: "x"})
	if r.State != protocol.ResultDone || r.Usage.LLMCalls != 1 {
		t.Errorf("result %+v", r)
	}
	records, err := journal.Read(t.Context(), conn, protocol.CoordinatorAgent, "inv-1")
	if err != nil {
		t.Fatal(err)
	}
	var answers []string
	for _, rec := range records {
		var res protocol.ToolResult
		if rec.Kind == protocol.RecordResult && json.Unmarshal(rec.Data, &res) == nil && res.Tool == "message_operator" {
			answers = append(answers, res.Content)
		}
	}
	if len(answers) != 2 || !strings.Contains(answers[0], "no operator \\\"os\\\" was invoked") || !strings.Contains(answers[1], "asked: how full is the disk?") {
		t.Errorf("answers %q", answers)
	}
}

func TestARulesOperatorReportsWhenAsked(t *testing.T) {
	conn := up(t, nil, func(o *allinone.Options) { o.Deciders = nil })
	r := ask(t, conn, protocol.Request{ID: "inv-1", Reason: "x"})
	run := r.OperatorResults[0].RunID
	records, err := journal.Read(t.Context(), conn, protocol.OperatorAgent, run)
	if err != nil {
		t.Fatal(err)
	}
	config := llm.DefaultConfig()
	config.Default = llm.Rules
	deciders, err := config.Deciders(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := deciders(llm.Rules)
	if err != nil {
		t.Fatal(err)
	}
	reply, _, err := agent.AskAbout(t.Context(), d, run, records, agent.Question{By: "The coordinator", Text: "what did you see?"})
	if err != nil || !strings.Contains(reply.Summary, "No LLM") {
		t.Errorf("reply %+v, %v", reply, err)
	}
}

// Behaviour: 97.
func TestAScheduledInvestigationComes(t *testing.T) {
	schedule := func(v agent.View) (protocol.Answer, error) {
		s, _ := v.State.(*agent.CoordinatorState)
		if s.Subject.Request.Context["scheduled_by"] != nil { // the second time it ends
			return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("think", map[string]any{"thought": "again"})}}, nil
		}
		return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("schedule", map[string]any{"ms": 1000, "reason": "is it still so?"})}}, nil
	}
	conn := up(t, agenttest.By(looks, agenttest.NewScript(schedule)), nil)
	came := make(chan protocol.Accepted, 4)
	stop, err := conn.Subscribe(protocol.InvestigationSubject(protocol.Any, protocol.PhaseAccepted), func(m bus.Msg) {
		if a, err := protocol.Decode[protocol.Accepted](m.Data); err == nil {
			came <- a
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	begin := time.Now()
	ask(t, conn, protocol.Request{ID: "inv-1", Reason: "is it slow?", Labels: map[string]string{}, Context: map[string]any{"ticket": "42"}})
	if first := <-came; first.InvestigationID != "inv-1" {
		t.Fatalf("first %+v", first)
	}
	select {
	case next := <-came:
		if next.Request.Reason != "is it still so?" || next.Request.Context["scheduled_by"] != "inv-1" || next.Request.Context["ticket"] != "42" || time.Since(begin) < time.Second {
			t.Errorf("after %s came %+v", time.Since(begin), next.Request)
		}
	case <-time.After(time.Minute):
		t.Fatal("the scheduled investigation never came")
	}
}

// Behaviour: 98.
func TestRecurringInvestigationsComeAndCanBeTakenOff(t *testing.T) {
	conn := up(t, nil, func(o *allinone.Options) {
		o.Deciders = nil
		o.Coordinator.Recurring = map[string]coordinator.Recurring{"health": {Every: time.Second, Reason: "is all well?"}}
	})
	finished := make(chan protocol.Result, 16)
	stop, err := conn.Subscribe(protocol.InvestigationSubject(protocol.Any, protocol.PhaseFinished), func(m bus.Msg) {
		if r, err := protocol.Decode[protocol.Result](m.Data); err == nil {
			finished <- r
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ids := map[string]bool{}
	for range 2 {
		select {
		case r := <-finished:
			ids[r.InvestigationID] = true
		case <-time.After(time.Minute):
			t.Fatal("it does not recur")
		}
	}
	if len(ids) != 2 {
		t.Errorf("ids %v: each time is an investigation of its own", ids)
	}
	raw, err := conn.Request(t.Context(), protocol.SchedulesSubject, nil)
	if err != nil || !strings.Contains(string(raw), "recurring-health") {
		t.Errorf("schedules %s, %v", raw, err)
	}
	if _, err := conn.Request(t.Context(), protocol.UnscheduleSubject, map[string]string{"id": "recurring-health"}); err != nil {
		t.Error(err)
	}
	if raw, err := conn.Request(t.Context(), protocol.SchedulesSubject, nil); err != nil || strings.Contains(string(raw), "recurring-health") {
		t.Errorf("schedules after it was taken off: %s, %v", raw, err)
	}
}

func TestAWaitingInvestigationHoldsNoPlace(t *testing.T) {
	waits := func(v agent.View) (protocol.Answer, error) {
		if strings.Contains(v.Start.User, "slow") {
			return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("wait", map[string]any{"ms": 20000})}}, nil
		}
		return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("think", map[string]any{"thought": "quick"})}}, nil
	}
	conn := up(t, agenttest.By(looks, agenttest.NewScript(waits)), func(o *allinone.Options) { o.Coordinator.Concurrency = 1 })
	waiting := make(chan struct{}, 1)
	stop, err := conn.Subscribe(protocol.InvestigationSubject("slow", protocol.PhaseProgress), func(m bus.Msg) {
		if strings.Contains(string(m.Data), "wait") {
			waiting <- struct{}{}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, err := conn.Publish(t.Context(), bus.Outgoing{Subject: protocol.RequestSubject, Body: protocol.Request{ID: "slow", Reason: "slow"}}); err != nil {
		t.Fatal(err)
	}
	<-waiting
	begin := time.Now()
	ask(t, conn, protocol.Request{ID: "quick", Reason: "quick"})
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("the second investigation took %s: it waited for the first", d)
	}
	if _, err := conn.Request(t.Context(), protocol.CancelSubject, map[string]string{"id": "slow"}); err != nil {
		t.Error(err)
	}
}

// TestADeadProviderLeavesAnAnswer has a model that is configured but whose
// provider refuses everything: the rules analyst answers, and says why.
func TestADeadProviderLeavesAnAnswer(t *testing.T) {
	dead := agenttest.NewScript(agenttest.Fail(fmt.Errorf("401: no such key: %w", agent.ErrFinal)))
	conn := up(t, dead, nil)
	r := ask(t, conn, protocol.Request{Reason: "is it well?", Skills: []string{"os"}})
	if r.State != protocol.ResultDone || len(r.Insights) == 0 || len(r.OperatorResults) != 1 {
		t.Fatalf("result %+v", r)
	}
	i := r.Insights[0]
	if i.Model != protocol.RulesModel || !strings.Contains(strings.Join(i.NotChecked, "\n"), "the rules analyst concluded in place of the model: script: 401: no such key") {
		t.Errorf("insight by %s, not checked: %q", i.Model, i.NotChecked)
	}
	if c := r.OperatorResults[0]; c.Outcome != protocol.OutcomeDone || !strings.Contains(c.Instead, "401") {
		t.Errorf("completion %+v", c)
	}
}

// request asks a coordinator and decodes its answer.
func request[M protocol.Message](t *testing.T, conn *bus.Conn, subject string, body any) (M, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var none M
	raw, err := conn.Request(ctx, subject, body)
	if err != nil {
		return none, err
	}
	return protocol.Decode[M](raw)
}

func TestAPersonAsksAboutAnInvestigationThatHasEnded(t *testing.T) {
	conn := up(t, nil, func(o *allinone.Options) { o.Deciders = nil; o.LLM.Default = llm.Rules })
	r := ask(t, conn, protocol.Request{Reason: "is it well?", ID: "inv-asked", Skills: []string{"os"}})
	if len(r.Insights) != 1 {
		t.Fatalf("result %+v", r)
	}
	got, err := request[protocol.AskReply](t, conn, protocol.AskSubject, protocol.Ask{ID: "inv-asked", Text: "what was it?", By: "dana"})
	if err != nil {
		t.Fatal(err)
	}
	if got.InvestigationID != "inv-asked" || got.RunID == "inv-asked" || !slices.Contains(got.Findings, r.Insights[0].Summary) || got.Model != protocol.RulesModel {
		t.Errorf("reply %+v, want the insight %q", got, r.Insights[0].Summary)
	}
	if len(got.Figures) != 1+len(got.Findings)+len(got.Concerns) {
		t.Errorf("%d lists of figures of %d findings and %d concerns", len(got.Figures), len(got.Findings), len(got.Concerns))
	}
	records, err := journal.Read(t.Context(), conn, protocol.CoordinatorAgent, got.RunID)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []protocol.RecordKind
	for _, rec := range records {
		kinds = append(kinds, rec.Kind)
	}
	want := []protocol.RecordKind{protocol.RecordClaim, protocol.RecordStart, protocol.RecordAnswer, protocol.RecordFinish}
	if !slices.Equal(kinds, want) || !strings.Contains(string(records[1].Data), "what was it?") {
		t.Errorf("the journal of the question holds %v, want %v", kinds, want)
	}
	for _, tt := range []struct {
		name, subject, body, says string
	}{
		{"an unknown investigation", protocol.AskSubject, `{"id":"nobody","text":"why?"}`, `unknown investigation "nobody"`},
		{"no question", protocol.AskSubject, `{"id":"inv-asked"}`, `"text" is required`},
		{"a question that is a book", protocol.AskSubject, `{"id":"inv-asked","text":"` + strings.Repeat("why ", 2000) + `"}`, "at most 4096"},
		{"no object", protocol.AskSubject, `"inv-asked why?"`, "send {"},
		{"telling one that has ended", protocol.TellSubject, `{"id":"inv-asked","text":"it was me"}`, "has ended, as done: ask about it with investigate.ask"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := request[protocol.AskReply](t, conn, tt.subject, json.RawMessage(tt.body))
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

// TestAPersonTellsARunningInvestigation has a coordinator that waits for ten
// minutes: what the person says ends the wait, and its model reads it.
func TestAPersonTellsARunningInvestigation(t *testing.T) {
	waits := make(chan struct{})
	var heard string
	conn := up(t, agenttest.NewScript(
		func(agent.View) (protocol.Answer, error) {
			close(waits)
			return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("wait", map[string]any{"ms": 600_000})}}, nil
		},
		func(v agent.View) (protocol.Answer, error) {
			messages, err := agent.Conversation(v)
			heard = messages[len(messages)-1].Content
			return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("done", nil)}}, err
		}), nil)
	ended := make(chan protocol.Result, 1)
	go func() {
		ended <- ask(t, conn, protocol.Request{Reason: "is it well?", ID: "inv-told", DeadlineMS: 900_000})
	}()
	select {
	case <-waits:
	case <-time.After(time.Minute):
		t.Fatal("the coordinator did not begin")
	}
	if _, err := request[protocol.AskReply](t, conn, protocol.AskSubject, protocol.Ask{ID: "inv-told", Text: "why?"}); err == nil || !strings.Contains(err.Error(), "still runs") {
		t.Errorf("asking one that runs: %v", err)
	}
	told, err := request[protocol.Told](t, conn, protocol.TellSubject, protocol.Ask{ID: "inv-told", Text: "we deployed at 09:20", By: "dana"})
	if err != nil || told.By != "dana" {
		t.Fatalf("told %+v, %v", told, err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the wait did not end")
	}
	if !strings.HasSuffix(heard, "dana says: we deployed at 09:20") || strings.Contains(heard, "<data>") {
		t.Errorf("the model read %q", heard)
	}
}
