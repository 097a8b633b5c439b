package coordinator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// decide is a decider made of a function.
type decide func(ctx context.Context, v agent.View) (protocol.Answer, error)

func (decide) Name() string { return "function" }

func (d decide) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) { return d(ctx, v) }

func say(tool string, args any) protocol.Answer {
	return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call(tool, args)}}
}

// invoke starts the operators of the pantry.
var invoke = say("invoke_operators", map[string]any{"skills": []string{"pantry"}})

// oneAtATime lets a coordinator run one investigation at a time.
func oneAtATime(c *coordinator.Config, _ *coordinator.Deps) { c.Concurrency = 1 }

// wantCancelled wants the journal of an operator's run to hold a cancel.
func (b *bench) wantCancelled(run string) {
	b.t.Helper()
	records, err := journal.Read(b.t.Context(), b.Conn, protocol.OperatorAgent, run)
	if err != nil || !slices.ContainsFunc(records, func(r protocol.Record) bool { return r.Kind == protocol.RecordCancel }) {
		b.t.Errorf("run %s was not cancelled: %+v, %v", run, records, err)
	}
}

// startOf returns the first record of an investigation.
func (b *bench) startOf(id string) (s protocol.Start, sub agent.CoordinatorSubject) {
	b.t.Helper()
	records, err := journal.Read(b.t.Context(), b.Conn, protocol.CoordinatorAgent, id)
	if err != nil {
		b.t.Fatal(err)
	}
	i := slices.IndexFunc(records, func(r protocol.Record) bool { return r.Kind == protocol.RecordStart })
	if i < 0 {
		b.t.Fatalf("no start in %+v", records)
	}
	if err := json.Unmarshal(records[i].Data, &s); err != nil {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal(s.Subject, &sub); err != nil {
		b.t.Fatal(err)
	}
	return s, sub
}

// Behaviour: 7, 101.
func TestNotificationsOfARequestKeepTheirIDs(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	b.coordinate("co-1", always(agenttest.NewScript()))
	n := func(id string) protocol.Notification {
		return protocol.Notification{
			ID: id, Operator: "person", Node: "web-1", Target: "host", AnomalyType: "x", Severity: protocol.SeverityInfo, Context: "c", Observation: "o",
			DetectedAt: time.Now().UTC(), Verified: true, Snapshots: []protocol.Snapshot{},
		}
	}
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow", Notifications: []protocol.Notification{n("mine"), n(""), n("")}})
	b.result()
	_, sub := b.startOf("inv-1")
	list := sub.Request.Notifications
	if len(list) != 3 || list[0].ID != "mine" || list[1].ID == list[2].ID {
		t.Fatalf("notifications %+v", list)
	}
	for i, want := range []string{"mine", protocol.EffectID("inv-1", "request", "1"), protocol.EffectID("inv-1", "request", "2")} {
		if list[i].ID != want || list[i].Origin != agent.OriginRequest || list[i].Verified || list[i].InvestigationID != "inv-1" {
			t.Errorf("notification %d: %+v, want the id %s", i, list[i], want)
		}
	}
}

// Behaviour: 3, 8, 16, 36, 54, 64, 100, 102, defect 10, defect 18.
func TestWhatARequestSaysReachesItsRuns(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	tasks := make(chan protocol.Task, 1)
	b.operators(func(r reporter, task protocol.Task) { tasks <- task; found(r, task) })
	var mu sync.Mutex
	var models []string
	b.coordinate("co-1", func(model string) (agent.Decider, error) {
		mu.Lock()
		defer mu.Unlock()
		models = append(models, model)
		return investigates(), nil
	})
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow", Model: "small", MaxIterations: 9, MaxTokens: 9000, MaxCost: 0.25, CompactionMaxTokens: 75_000, CompactionKeepLast: 8})
	r := b.result()
	task := <-tasks
	if task.Model != "small" || task.MaxIterations != 9 || task.MaxTokens != 9000 || task.MaxCost != 0.25 || task.CompactionMaxTokens != 75_000 || task.CompactionKeepLast != 8 {
		t.Errorf("task %+v", task)
	}
	start, _ := b.startOf("inv-1")
	s := start.Settings
	if s.MaxIterations != 9 || s.MaxTokens != 9000 || s.MaxCost != 0.25 || s.CompactionMaxTokens != 75_000 || s.CompactionKeepLast != 8 || cmp.Diff([]string{"small"}, models) != "" {
		t.Errorf("settings %+v, models %v", s, models)
	}
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(start.TraceID) || task.TraceID != start.TraceID {
		t.Errorf("the trace of the investigation is %q, of its task %q", start.TraceID, task.TraceID)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), `"operator_results":[{"run_id":"`+task.RunID+`","investigation_id":"inv-1","skill":"pantry"`) {
		t.Errorf("the result %s", raw)
	}
}

// Behaviour: 102, defect 10.
func TestTheLimitsOfARequestHoldForIt(t *testing.T) {
	cellar := func(_ *coordinator.Config, d *coordinator.Deps) {
		s := pantry()
		s.Name, s.Prefix = "cellar", "cellar_"
		d.Skills = []skills.Skill{pantry(), s}
	}
	t.Run("the skills", func(t *testing.T) {
		b := newBench(t)
		b.node("web-1", "pantry", "cellar")
		b.operators(found)
		both := say("invoke_operators", map[string]any{"skills": []string{"pantry", "cellar"}})
		b.coordinate("co-1", always(agenttest.NewScript(func(agent.View) (protocol.Answer, error) { return both, nil },
			agenttest.Calls(agenttest.Call("wait", map[string]any{"ms": 20_000})), agenttest.Conclude())), cellar)
		b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow", Skills: []string{"pantry"}})
		r := b.result()
		if len(r.OperatorResults) != 1 || r.OperatorResults[0].Skill != "pantry" || len(r.Insights) != 1 ||
			!slices.Contains(r.Insights[0].NotChecked, "cellar: not among the skills of this investigation (pantry)") {
			t.Errorf("result %+v", r)
		}
		if start, _ := b.startOf("inv-1"); !strings.Contains(start.System, "- pantry: ") || strings.Contains(start.System, "- cellar: ") {
			t.Errorf("the model reads %s", start.System)
		}
	})
	t.Run("the steps", func(t *testing.T) {
		b := newBench(t)
		b.node("web-1", "pantry")
		b.coordinate("co-1", always(decide(func(context.Context, agent.View) (protocol.Answer, error) {
			return say("think", map[string]any{"thought": "hm"}), nil
		})))
		for id, n := range map[string]int{"few": 3, "default": 0} {
			b.ask(protocol.Request{ID: id, Reason: "it is slow", MaxIterations: n})
			want := fmt.Sprintf("%d steps were made", map[bool]int{true: 3, false: 25}[n == 3])
			if r := b.result(); r.State != protocol.ResultFailed || !strings.Contains(r.Error, want) {
				t.Errorf("%s: result %+v, want %q", id, r, want)
			}
		}
	})
}

// Behaviour: 82, defect 1, defect 7.
func TestARunThatCannotGoOnAnswersItsCallerAndLeavesTheWayFree(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	started := make(chan protocol.Task, 1)
	b.operators(func(_ reporter, task protocol.Task) { started <- task }) // it never reports
	b.coordinate("co-1", always(decide(func(_ context.Context, v agent.View) (protocol.Answer, error) {
		switch {
		case v.RunID == "inv-2":
			return say("done", nil), nil
		case v.Step == 1:
			return invoke, nil
		}
		return say("dance", nil), nil
	})), oneAtATime)
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	b.ask(protocol.Request{ID: "inv-2", Reason: "and this?"})
	r := b.result()
	if r.InvestigationID != "inv-1" || r.State != protocol.ResultFailed || !strings.Contains(r.Error, "3 answers in a row were invalid") || r.EndedAt.Sub(r.StartedAt) > 20*time.Second {
		t.Errorf("result %+v", r)
	}
	b.wantCancelled((<-started).RunID)
	if r := b.result(); r.InvestigationID != "inv-2" {
		t.Errorf("the next result %+v", r)
	}
}

// Behaviour: 82, defect 1.
func TestWhereAModelFailsTheRulesAnalystAnswersTheCaller(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	b.operators(found)
	b.coordinate("co-1", always(decide(func(_ context.Context, v agent.View) (protocol.Answer, error) {
		if v.Step == 1 {
			return invoke, nil
		}
		return protocol.Answer{}, fmt.Errorf("the key is wrong: %w", agent.ErrFinal)
	})))
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	r := b.result()
	if r.State != protocol.ResultDone || len(r.Insights) != 1 || r.Insights[0].Model != protocol.RulesModel || r.EndedAt.Sub(r.StartedAt) > 20*time.Second ||
		!slices.ContainsFunc(r.Insights[0].NotChecked, func(s string) bool { return strings.Contains(s, "the key is wrong") }) {
		t.Errorf("result %+v", r)
	}
}

// Behaviour: 37, 67.
func TestAnInvestigationIsRunningUntilItEnds(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	asked, open := make(chan struct{}), make(chan struct{})
	b.coordinate("co-1", always(decide(func(context.Context, agent.View) (protocol.Answer, error) {
		close(asked)
		<-open // a model that takes its time: the status does not wait for it
		return say("done", nil), nil
	})))
	state := func() string {
		raw, err := b.Request(t.Context(), protocol.StatusSubject, map[string]string{"id": "inv-1"})
		if err != nil {
			t.Fatal(err)
		}
		var st struct {
			State string `json:"state"`
		}
		if err := json.Unmarshal(raw, &st); err != nil {
			t.Fatal(err)
		}
		return st.State
	}
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	<-asked
	if got := state(); got != "running" {
		t.Errorf("while it runs its state is %s", got)
	}
	close(open)
	r := b.result()
	if got := state(); got != string(r.State) || got == "running" {
		t.Errorf("at its end its state is %s, its result %s", got, r.State)
	}
}

// Behaviour: 44, 79, 89.
func TestTwoRequestsAtOnceAreBothRunAndTheSecondBeginsWithNothing(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	b.operators(found)
	script := investigates()
	var mu sync.Mutex
	first := map[string]bool{}
	b.coordinate("co-1", always(decide(func(ctx context.Context, v agent.View) (protocol.Answer, error) {
		s := v.State.(*agent.CoordinatorState)
		mu.Lock()
		if !first[v.RunID] && (v.Step != 1 || len(s.Notifications)+len(s.Runs)+len(s.Insights) != 0 || s.Subject.Request.Reason != "why "+v.RunID) {
			t.Errorf("%s begins at step %d with %+v", v.RunID, v.Step, s)
		}
		first[v.RunID] = true
		mu.Unlock()
		return script.Decide(ctx, v)
	})), oneAtATime)
	b.ask(protocol.Request{ID: "inv-1", Reason: "why inv-1"})
	b.ask(protocol.Request{ID: "inv-2", Reason: "why inv-2"})
	ended := map[string]protocol.Result{}
	for len(ended) < 2 {
		r := b.result()
		ended[r.InvestigationID] = r
	}
	for _, id := range []string{"inv-1", "inv-2"} {
		if r := ended[id]; r.State != protocol.ResultDone || len(r.Insights) != 1 || len(r.OperatorResults) != 1 || r.Insights[0].InvestigationID != id {
			t.Errorf("%s: result %+v", id, r)
		}
	}
}

// Behaviour: 90, defect 15.
func TestAtTheLimitOfStepsTheRunEndsWhateverItsOperatorsDo(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	started := make(chan protocol.Task, 1)
	b.operators(func(_ reporter, task protocol.Task) { started <- task }) // it never reports
	b.coordinate("co-1", always(decide(func(_ context.Context, v agent.View) (protocol.Answer, error) {
		if v.Step == 1 {
			return invoke, nil
		}
		return say("think", map[string]any{"thought": "hm"}), nil
	})))
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow", MaxIterations: 2})
	r := b.result()
	if r.State != protocol.ResultFailed || !strings.Contains(r.Error, "2 steps were made, no more are allowed") || r.EndedAt.Sub(r.StartedAt) > 20*time.Second {
		t.Errorf("result %+v", r)
	}
	b.wantCancelled((<-started).RunID)
	records, err := journal.Read(t.Context(), b.Conn, protocol.CoordinatorAgent, "inv-1")
	if err != nil {
		t.Fatal(err)
	}
	f, ended := journal.Finished(records)
	if !ended || f.Outcome != protocol.OutcomeMaxIterations || !strings.Contains(string(f.Summary), "pantry on 1 targets: the operator was still running") {
		t.Errorf("it finished as %+v: %s", f, f.Summary)
	}
}

// Behaviour: 92.
func TestAModelThatHangsDoesNotHoldItsCallerPastTheDeadline(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	b.coordinate("co-1", always(decide(func(ctx context.Context, _ agent.View) (protocol.Answer, error) {
		<-ctx.Done()
		return protocol.Answer{}, ctx.Err()
	})))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	raw, err := b.Request(ctx, protocol.RunSubject, protocol.Request{ID: "inv-1", Reason: "it is slow", DeadlineMS: 50})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := protocol.Decode[protocol.Result](raw); err != nil || r.State != protocol.ResultDeadline || r.EndedAt.Sub(r.StartedAt) > 10*time.Second {
		t.Errorf("answer %+v, %v", r, err)
	}
}

// Behaviour: 93.
func TestAnInvestigationOutlivesItsAsker(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	asked, open := make(chan struct{}), make(chan struct{})
	b.coordinate("co-1", always(decide(func(context.Context, agent.View) (protocol.Answer, error) {
		close(asked)
		<-open
		return say("done", nil), nil
	})))
	ctx, hangUp := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := natstest.Dial(t, b.server, "client").Request(ctx, protocol.RunSubject, protocol.Request{ID: "inv-1", Reason: "it is slow"})
		gone <- err
	}()
	<-asked
	hangUp()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the asker ended with %v", err)
	}
	close(open)
	if r := b.result(); r.InvestigationID != "inv-1" || r.State == protocol.ResultCancelled {
		t.Errorf("result %+v", r)
	}
}

// Behaviour: 94, 103, defect 2.
func TestAfterACancelTheNextIsRunAndNobodyWakesUp(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	started := make(chan protocol.Task, 1)
	b.operators(func(_ reporter, task protocol.Task) { started <- task })
	var mu sync.Mutex
	asked := map[string]int{}
	waits := make(chan struct{})
	b.coordinate("co-1", always(decide(func(_ context.Context, v agent.View) (protocol.Answer, error) {
		mu.Lock()
		defer mu.Unlock()
		asked[v.RunID]++
		switch {
		case v.RunID == "inv-2":
			return say("done", nil), nil
		case v.Step == 1:
			return invoke, nil
		}
		close(waits)
		return say("wait", map[string]any{"ms": 60_000}), nil
	})), oneAtATime)
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	<-waits
	task := <-started
	if _, err := b.Request(t.Context(), protocol.CancelSubject, map[string]string{"id": "inv-1"}); err != nil {
		t.Fatal(err)
	}
	if r := b.result(); r.InvestigationID != "inv-1" || r.State != protocol.ResultCancelled {
		t.Errorf("result %+v", r)
	}
	b.wantCancelled(task.RunID)
	// What its operator reports now wakes nobody.
	found(reporter{t, b.Conn}, task)
	b.ask(protocol.Request{ID: "inv-2", Reason: "and this?"})
	if r := b.result(); r.InvestigationID != "inv-2" {
		t.Errorf("the next result %+v", r)
	}
	mu.Lock()
	defer mu.Unlock()
	if asked["inv-1"] != 2 || asked["inv-2"] != 1 {
		t.Errorf("decisions %v", asked)
	}
}

// Behaviour: 95, defect 3.
func TestACancelOfFiveOperatorsLeavesOtherInvestigationsAlive(t *testing.T) {
	b := newBench(t)
	beat := protocol.Heartbeat{Node: "web-1", MachineID: "web-1", SentAt: time.Now().UTC(), IntervalMS: 3_600_000}
	for _, kind := range []string{"host", "go", "beam", "postgres", "java"} { // each kind is a task of its own
		beat.Targets = append(beat.Targets, protocol.HeartbeatTarget{Name: kind, Kind: kind, Skills: []string{"pantry"}})
	}
	if _, err := b.Publish(t.Context(), bus.Outgoing{Subject: protocol.NodeSubject("web-1"), Body: beat}); err != nil {
		t.Fatal(err)
	}
	type started struct {
		reporter
		task protocol.Task
	}
	tasks := make(chan started, 20)
	b.operators(func(r reporter, task protocol.Task) { tasks <- started{r, task} })
	b.coordinate("co-1", always(investigates()))
	runs := map[string][]started{}
	for _, id := range []string{"inv-1", "inv-2"} {
		b.ask(protocol.Request{ID: id, Reason: "it is slow"})
		for range 5 {
			s := <-tasks
			runs[s.task.InvestigationID] = append(runs[s.task.InvestigationID], s)
		}
	}
	if _, err := b.Request(t.Context(), protocol.CancelSubject, map[string]string{"id": "inv-1"}); err != nil {
		t.Fatal(err)
	}
	if r := b.result(); r.InvestigationID != "inv-1" || r.State != protocol.ResultCancelled {
		t.Errorf("result %+v", r)
	}
	if len(runs["inv-1"]) != 5 || len(runs["inv-2"]) != 5 {
		t.Fatalf("runs %v", runs)
	}
	for _, s := range runs["inv-1"] {
		b.wantCancelled(s.task.RunID)
	}
	for _, s := range runs["inv-2"] {
		if records, err := journal.Read(t.Context(), b.Conn, protocol.OperatorAgent, s.task.RunID); err != nil || len(records) != 0 {
			t.Errorf("the journal of another investigation's run: %+v, %v", records, err)
		}
		s.looked(s.task, protocol.OutcomeDone)
	}
	if r := b.result(); r.InvestigationID != "inv-2" || r.State != protocol.ResultDone || len(r.OperatorResults) != 5 {
		t.Errorf("result %+v", r)
	}
}

// Behaviour: 96, 98, defect 11.
func TestWhatACoordinatorScheduledCanBeTakenOff(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	b.coordinate("co-1", always(agenttest.NewScript(agenttest.Calls(agenttest.Call("schedule", map[string]any{"ms": 60_000, "reason": "is it still so?"})))))
	schedules := func() []bus.Schedule {
		t.Helper()
		raw, err := b.Request(t.Context(), protocol.SchedulesSubject, nil)
		if err != nil {
			t.Fatal(err)
		}
		var list struct {
			Schedules []bus.Schedule `json:"schedules"`
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatal(err)
		}
		return list.Schedules
	}
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	b.result() // its caller is answered at once
	list := schedules()
	if len(list) != 1 || list[0].Request.Reason != "is it still so?" {
		t.Fatalf("schedules %+v", list)
	}
	b.ask(protocol.Request{ID: "inv-2", Reason: "by hand"})
	b.result()
	if list := schedules(); len(list) != 2 { // a request by hand takes nothing off
		t.Errorf("schedules %+v", list)
	}
	for _, s := range list {
		if _, err := b.Request(t.Context(), protocol.UnscheduleSubject, map[string]string{"id": s.ID}); err != nil {
			t.Error(err)
		}
	}
	if left := schedules(); len(left) != 1 || left[0].ID == list[0].ID {
		t.Errorf("schedules %+v", left)
	}
}

// spelled is a strategy that thinks first and then lets the model decide.
type spelled struct{ seen chan agent.View }

func (spelled) Name() string { return "spelled" }

func (s spelled) Decider(model agent.Decider) agent.Decider {
	return decide(func(ctx context.Context, v agent.View) (protocol.Answer, error) {
		s.seen <- v
		if v.Step == 1 {
			return say("think", map[string]any{"thought": "abracadabra"}), nil
		}
		return model.Decide(ctx, v)
	})
}

// Behaviour: 99, defect 9.
func TestAStrategyHoldsForItsOwnRequest(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	own := spelled{make(chan agent.View, 10)}
	model := agenttest.NewScript(agenttest.Calls(agenttest.Call("done", nil)))
	b.coordinate("co-1", always(model), func(_ *coordinator.Config, d *coordinator.Deps) {
		d.Strategies = []agent.Strategy{agent.Loop{}, own}
	})
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow", Strategy: "spelled"})
	b.result()
	if v := <-own.seen; v.RunID != "inv-1" || v.Start.TraceID == "" || len(own.seen) != 1 || model.Asked() != 1 {
		t.Errorf("the strategy saw %+v and %d more, the model was asked %d times", v, len(own.seen), model.Asked())
	}
	b.ask(protocol.Request{ID: "inv-2", Reason: "it is slow"})
	b.result()
	if len(own.seen) != 1 || model.Asked() != 2 {
		t.Errorf("it held for the next request: %d views, %d decisions of the model", len(own.seen), model.Asked())
	}
}

// Behaviour: 66, defect 12.
func TestASkillOfOnesOwnIsDescribedToEveryStrategy(t *testing.T) {
	for _, strategy := range []string{protocol.AgentLoop, protocol.Pipeline} {
		t.Run(strategy, func(t *testing.T) {
			b := newBench(t)
			b.node("web-1", "pantry")
			b.operators(found)
			prompts := make(chan string, 10)
			b.coordinate("co-1", always(decide(func(_ context.Context, v agent.View) (protocol.Answer, error) {
				prompts <- v.Start.System
				return protocol.Answer{}, agent.ErrFinal
			})))
			b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow", Strategy: strategy})
			b.result()
			if got := <-prompts; !strings.Contains(got, "\n- pantry: Pantry. Room on shelves.\n") {
				t.Errorf("the model reads %s", got)
			}
		})
	}
}

// impatient gives requests to another delivery a second after their last sign of life.
func (b *bench) impatient() {
	b.t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(b.server))
	if err != nil {
		b.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.t.Fatal(err)
	}
	con, err := js.Consumer(b.t.Context(), bus.Requests.Stream, bus.Requests.Name)
	if err != nil {
		b.t.Fatal(err)
	}
	cfg := con.CachedInfo().Config
	cfg.AckWait = time.Second
	if _, err := js.UpdateConsumer(b.t.Context(), bus.Requests.Stream, cfg); err != nil {
		b.t.Fatal(err)
	}
}

// Behaviour: 50.
func TestEverybodyWhoAsksForOneInvestigationIsAnswered(t *testing.T) {
	b := newBench(t)
	b.impatient()
	b.node("web-1", "pantry")
	b.operators(found)
	script := investigates()
	asked, open := make(chan struct{}, 10), make(chan struct{})
	b.coordinate("co-1", always(decide(func(ctx context.Context, v agent.View) (protocol.Answer, error) {
		if v.Step == 1 {
			asked <- struct{}{}
			<-open
		}
		return script.Decide(ctx, v)
	})))
	answers := make(chan protocol.Result, 2)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 2 {
		go func() {
			raw, err := b.Request(ctx, protocol.RunSubject, protocol.Request{ID: "inv-1", Reason: "it is slow"})
			if err != nil {
				t.Error(err)
			}
			r, err := protocol.Decode[protocol.Result](raw)
			if err != nil {
				t.Error(err)
			}
			answers <- r
		}()
		<-asked
	}
	close(open)
	one, two := <-answers, <-answers
	if one.State != protocol.ResultDone || two.State != protocol.ResultDone || len(one.Insights) != 1 || len(two.Insights) != 1 || one.Insights[0].ID != two.Insights[0].ID {
		t.Errorf("answers %+v and %+v", one, two)
	}
	if n := b.count(bus.Insights, ">"); n != 1 {
		t.Errorf("%d insights are on the stream", n)
	}
}

// Behaviour: 73.
func TestARequestWithoutACoordinatorFailsAtOnce(t *testing.T) {
	b := newBench(t)
	began := time.Now()
	_, err := b.Request(t.Context(), protocol.RunSubject, protocol.Request{Reason: "it is slow"})
	if !errors.Is(err, bus.ErrNobody) || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}
