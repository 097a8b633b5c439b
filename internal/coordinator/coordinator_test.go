package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func pantry() skills.Skill {
	return skills.Skill{
		Name: "pantry", Title: "Pantry", Summary: "Room on shelves.", Prefix: "pantry_",
		Sources: []skills.Source{{
			Kind: skills.Host, Prompt: "Full shelves are bad.",
			Metrics:  []skills.Metric{{Name: "used_pct", Unit: protocol.Percent, Kind: protocol.Gauge, Doc: "Room used."}},
			Checks:   []skills.Check{{Metric: "used_pct", Op: protocol.Above, Warn: skills.Level(85), Says: "{value} % full", Resource: "room"}},
			Snapshot: func(context.Context) (skills.Data, error) { return skills.Data{"used_pct": 50.0}, nil },
		}},
	}
}

// bench is a NATS server with the streams, one node, and the results that come.
type bench struct {
	*bus.Conn
	t       *testing.T
	server  *natsd.Server
	results chan protocol.Result
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, server: natstest.Run(t), results: make(chan protocol.Result, 100)}
	b.Conn = natstest.Setup(t, b.server, "test", "pantry")
	stop, err := b.Subscribe(protocol.InvestigationSubject(protocol.Any, protocol.PhaseFinished), func(m bus.Msg) {
		r, err := protocol.Decode[protocol.Result](m.Data)
		if err != nil {
			t.Error(err)
		}
		b.results <- r
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return b
}

// node makes a node known that has the skills.
func (b *bench) node(name string, skills ...string) {
	b.t.Helper()
	if _, err := b.Publish(b.t.Context(), bus.Outgoing{Subject: protocol.NodeSubject(name), Body: protocol.Heartbeat{
		Node: name, MachineID: name, SentAt: time.Now().UTC(), IntervalMS: 3_600_000,
		Targets: []protocol.HeartbeatTarget{{Name: "host", Kind: "host", Skills: skills}},
	}}); err != nil {
		b.t.Fatal(err)
	}
}

// operators takes the tasks of the skill; report says how each ends.
func (b *bench) operators(report func(r reporter, task protocol.Task)) {
	b.t.Helper()
	conn := natstest.Dial(b.t, b.server, "operator")
	stop, err := conn.Serve(b.t.Context(), bus.Service{Name: "worker", Version: "1.0.0", Endpoints: []bus.Endpoint{{
		Name: "serves", Subject: protocol.ServesSubject("pantry"), Handler: func(context.Context, bus.Req) (any, error) { return nil, nil },
	}}})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := conn.Consume(ctx, 4, []bus.Consumer{bus.Tasks("pantry")}, func(_ context.Context, d *bus.Delivery) error {
			task, err := protocol.Decode[protocol.Task](d.Data)
			if err != nil {
				return bus.Permanent(err)
			}
			report(reporter{b.t, conn}, task)
			return nil
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			b.t.Error(err)
		}
	}()
	b.t.Cleanup(func() { cancel(); <-ended; stop() })
}

// coordinate runs a coordinator until stop is called or the test ends.
func (b *bench) coordinate(name string, deciders func(string) (agent.Decider, error), change ...func(*coordinator.Config, *coordinator.Deps)) (stop func()) {
	b.t.Helper()
	cfg := coordinator.DefaultConfig()
	cfg.Name = name
	ctx, cancel := context.WithCancel(b.t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	deps := coordinator.Deps{
		Log: natstest.Log(b.t), Bus: natstest.Dial(b.t, b.server, "coordinator/"+name), Skills: []skills.Skill{pantry()}, Deciders: deciders,
		Ready: func() { close(ready) },
	}
	for _, c := range change {
		c(&cfg, &deps)
	}
	go func() { ended <- coordinator.Run(ctx, cfg, deps) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, context.Canceled) {
				b.t.Errorf("the coordinator ended with %v", err)
			}
		case <-time.After(patience):
			b.t.Error("the coordinator did not stop")
		}
	}
	b.t.Cleanup(stop)
	select {
	case <-ready:
	case err := <-ended:
		stopped = true
		b.t.Fatalf("the coordinator ended with %v", err)
	case <-time.After(patience):
		b.t.Fatal("the coordinator is not ready")
	}
	return stop
}

func always(d agent.Decider) func(string) (agent.Decider, error) {
	return func(string) (agent.Decider, error) { return d, nil }
}

// investigates is a script that looks at everything and concludes.
func investigates() *agenttest.Script {
	wait := agenttest.Calls(agenttest.Call("wait", map[string]any{"ms": 20_000}))
	untilDone := agenttest.Step(func(v agent.View) (protocol.Answer, error) {
		if len(v.State.(*agent.CoordinatorState).Running()) > 0 {
			return wait(v)
		}
		return agenttest.Conclude()(v)
	})
	over := agenttest.Step(func(v agent.View) (protocol.Answer, error) {
		s := v.State.(*agent.CoordinatorState)
		if len(s.Running()) > 0 || len(s.Insights) == 0 && s.Looked() {
			return untilDone(v)
		}
		return agenttest.Calls(agenttest.Call("done", nil))(v)
	})
	return agenttest.NewScript(agenttest.Calls(agenttest.Call("invoke_operators", map[string]any{"skills": []string{"pantry"}})), untilDone, over, over, over, over, over)
}

func (b *bench) ask(r protocol.Request) {
	b.t.Helper()
	if _, err := b.Publish(b.t.Context(), bus.Outgoing{Subject: protocol.RequestSubject, Body: r}); err != nil {
		b.t.Fatal(err)
	}
}

// result waits for the next result. It is heard before the stream has stored it:
// who looks at the stream next must find it.
func (b *bench) result() protocol.Result {
	b.t.Helper()
	select {
	case r := <-b.results:
		for began := time.Now(); b.count(bus.Findings, protocol.InvestigationSubject(r.InvestigationID, protocol.PhaseFinished)) == 0; {
			if time.Since(began) > patience {
				b.t.Fatal("the result was not stored")
			}
		}
		return r
	case <-time.After(patience):
		b.t.Fatal("no result came")
		return protocol.Result{}
	}
}

func (b *bench) count(stream, subject string) (n int) {
	b.t.Helper()
	for _, err := range b.Range(b.t.Context(), stream, subject, 0) {
		if err != nil {
			b.t.Fatal(err)
		}
		n++
	}
	return n
}

// found reports one notification and the end of the run.
func found(r reporter, task protocol.Task) {
	r.notification(task.InvestigationID, task.RunID, 1, 0)
	r.looked(task, protocol.OutcomeDone)
}

// looked reports the end of a run that looked at its targets.
func (r reporter) looked(task protocol.Task, outcome protocol.Outcome) {
	r.t.Helper()
	c := protocol.Completion{
		RunID: task.RunID, InvestigationID: task.InvestigationID, Skill: task.Skill, Targets: task.Targets, State: protocol.Observing, Outcome: outcome,
		NotificationIDs: []string{}, SnapshotIDs: []string{"s1"}, At: time.Now().UTC(), Usage: protocol.Usage{LLMCalls: 2, InputTokens: 10},
	}
	if outcome != protocol.OutcomeDone {
		c.Error = "it went wrong"
	}
	if _, err := r.Publish(r.t.Context(), bus.Outgoing{Subject: protocol.CompletionSubject(task.Skill, task.InvestigationID), Body: c, ID: protocol.EffectID(task.RunID, "completion"), Dedupe: true}); err != nil {
		r.t.Error(err)
	}
}

func TestFromRequestToInsight(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	b.operators(found)
	b.coordinate("co-1", always(investigates()))
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	r := b.result()
	if r.InvestigationID != "inv-1" || r.State != protocol.ResultDone || r.Error != "" || len(r.Insights) != 1 || len(r.OperatorResults) != 1 || r.Usage.LLMCalls != 2 {
		t.Fatalf("result %+v", r)
	}
	if i := r.Insights[0]; i.Summary != "it is full" || i.Trigger != "it is slow" || i.NotificationIDs[0] != r.OperatorResults[0].RunID+"-n1" {
		t.Errorf("insight %+v", i)
	}
	if n := b.count(bus.Insights, "insights.warning.temporal.*"); n != 1 {
		t.Errorf("%d insights on the stream", n)
	}
	for _, phase := range []string{protocol.PhaseAccepted, protocol.PhaseFinished} {
		if n := b.count(bus.Findings, protocol.InvestigationSubject("inv-1", phase)); n != 1 {
			t.Errorf("%d times %s", n, phase)
		}
	}
}

// Behaviour: 50.
func TestARequestOfTheSameIDIsRunOnce(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	var tasks atomic.Int64
	b.operators(func(r reporter, task protocol.Task) { tasks.Add(1); found(r, task) })
	model := investigates()
	stop := b.coordinate("co-1", always(model))
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	first := b.result()
	asked := model.Asked()
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	second := b.result() // it is announced again; the stream drops the repeat
	if second.State != first.State || len(second.Insights) != 1 || second.Insights[0].ID != first.Insights[0].ID || model.Asked() != asked || tasks.Load() != 1 {
		t.Errorf("the second time %+v, after %d more decisions and %d tasks", second, model.Asked()-asked, tasks.Load())
	}
	stop()
	if n, m, left := b.count(bus.Insights, ">"), b.count(bus.Findings, protocol.InvestigationSubject("inv-1", protocol.PhaseFinished)), b.left(); n != 1 || m != 1 || left != 0 {
		t.Errorf("%d insights and %d results are on the streams, %d requests are left", n, m, left)
	}
}

// left returns how many requests have no verdict.
func (b *bench) left() uint64 {
	b.t.Helper()
	s, err := b.StreamState(b.t.Context(), bus.Intake)
	if err != nil {
		b.t.Fatal(err)
	}
	return s.Messages
}

func TestWhatCannotBeLookedIntoHasFailed(t *testing.T) {
	unserved := func(*bench) {}
	for _, tt := range []struct {
		name    string
		nodes   map[string][]string
		serve   func(b *bench)
		request protocol.Request
		state   protocol.ResultState
		says    []string
	}{
		{"no node has ever reported", nil, unserved, protocol.Request{}, protocol.ResultFailed, []string{"no probe has ever reported"}},
		{"no node has the skill", map[string][]string{"web-1": {"cellar"}}, unserved, protocol.Request{}, protocol.ResultFailed, []string{"nothing could be looked into", "pantry: no node that matches has it"}},
		// Behaviour: 52.
		{"no worker serves it", map[string][]string{"web-1": {"pantry"}}, unserved, protocol.Request{}, protocol.ResultFailed, []string{"nothing could be looked into", "no worker serves pantry"}},
		// Behaviour: 87.
		{"the operator failed", map[string][]string{"web-1": {"pantry"}}, func(b *bench) {
			b.operators(func(r reporter, task protocol.Task) { r.looked(task, protocol.OutcomeFailed) })
		}, protocol.Request{}, protocol.ResultFailed, []string{"nothing could be looked into", "the operator ended as failed: it went wrong"}},
		{"a node that nobody knows", map[string][]string{"web-1": {"pantry"}}, unserved, protocol.Request{Nodes: []string{"web-9"}}, protocol.ResultFailed, []string{"no node matches", "web-9", "fleetlens nodes"}},
		{"labels that no node has", map[string][]string{"web-1": {"pantry"}}, unserved, protocol.Request{Labels: map[string]string{"role": "db"}}, protocol.ResultFailed, []string{"no node matches", "role:db"}},
		// Behaviour: 52.
		{"a skill that does not exist", map[string][]string{"web-1": {"pantry"}}, unserved, protocol.Request{Skills: []string{"attic"}}, protocol.ResultFailed, []string{`unknown skill "attic" (have pantry)`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			for name, list := range tt.nodes {
				b.node(name, list...)
			}
			tt.serve(b)
			b.coordinate("co-1", always(investigates()))
			tt.request.ID, tt.request.Reason = "inv-1", "it is slow"
			b.ask(tt.request)
			r := b.result()
			if r.State != tt.state || len(r.Insights) != 0 {
				t.Errorf("result %+v", r)
			}
			for _, s := range tt.says {
				if !strings.Contains(r.Error, s) {
					t.Errorf("%q is not in %q", s, r.Error)
				}
			}
		})
	}
}

// Behaviour: 64.
func TestAnUnknownModelIsAnsweredAtOnce(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	cfg := llm.DefaultConfig()
	deciders, err := cfg.Deciders(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.coordinate("co-1", deciders)
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow", Model: "big"})
	if r := b.result(); r.State != protocol.ResultFailed || r.Error != `unknown model "big" (have rules)` {
		t.Errorf("result %+v", r)
	}
}

func TestALimitInDollarsNeedsAModelWithAPrice(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	cfg := llm.DefaultConfig()
	cfg.Models["own"] = llm.Model{Provider: llm.OpenAIGeneric, BaseURL: "http://127.0.0.1:1/v1", Model: "small"}
	deciders, err := cfg.Deciders(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.coordinate("co-1", deciders)
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow", Model: "own", MaxCost: 0.05})
	if r := b.result(); r.State != protocol.ResultFailed || !strings.Contains(r.Error, "max_cost: no price is known of the model own") || !strings.Contains(r.Error, "max_tokens") {
		t.Errorf("result %+v", r)
	}
}

func TestARequestThatNobodyCanReadIsAnsweredAndKept(t *testing.T) {
	b := newBench(t)
	b.coordinate("co-1", always(investigates()))
	letters := make(chan protocol.DeadLetter, 1)
	stop, err := b.Subscribe(protocol.DeadLetterSubject(bus.Intake), func(m bus.Msg) {
		if l, err := protocol.Decode[protocol.DeadLetter](m.Data); err == nil {
			letters <- l
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := b.Send(protocol.RequestSubject, []byte(`{"reason":7}`)); err != nil {
		t.Fatal(err)
	}
	select {
	case l := <-letters:
		if string(l.Body) != `{"reason":7}` || !strings.Contains(l.Reason, "reason") {
			t.Errorf("dead letter %+v", l)
		}
	case <-time.After(patience):
		t.Fatal("no dead letter")
	}
	_, err = b.Request(t.Context(), protocol.RunSubject, map[string]any{"reason": ""})
	var refusal bus.Refusal
	if !errors.As(err, &refusal) || refusal.Code != 400 || !strings.Contains(err.Error(), "reason") {
		t.Errorf("investigate.run answers %v", err)
	}
}

// Behaviour: 50.
func TestRunAnswersItsSender(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	b.operators(found)
	b.coordinate("co-1", always(investigates()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 2 { // the second time it has ended already
		raw, err := b.Request(ctx, protocol.RunSubject, protocol.Request{ID: "inv-1", Reason: "it is slow"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := protocol.Decode[protocol.Result](raw)
		if err != nil || r.InvestigationID != "inv-1" || r.State != protocol.ResultDone || len(r.Insights) != 1 {
			t.Errorf("answer %+v, %v", r, err)
		}
	}
}

// Behaviour: 94.
func TestACancelledInvestigationTakesItsOperatorsAlong(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	started := make(chan protocol.Task, 1)
	b.operators(func(_ reporter, task protocol.Task) { started <- task }) // it never reports
	b.coordinate("co-1", always(investigates()))
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	task := <-started
	if _, err := b.Request(t.Context(), protocol.CancelSubject, map[string]string{"id": "inv-1", "reason": "enough"}); err != nil {
		t.Fatal(err)
	}
	if r := b.result(); r.State != protocol.ResultCancelled || r.InvestigationID != "inv-1" {
		t.Errorf("result %+v", r)
	}
	records, err := journal.Read(t.Context(), b.Conn, protocol.OperatorAgent, task.RunID)
	if err != nil || !slices.ContainsFunc(records, func(r protocol.Record) bool { return r.Kind == protocol.RecordCancel }) {
		t.Errorf("the operator's journal: %+v, %v", records, err)
	}
	_, err = b.Request(t.Context(), protocol.CancelSubject, map[string]string{"id": "inv-1"})
	var refusal bus.Refusal
	if !errors.As(err, &refusal) || refusal.Code != 409 {
		t.Errorf("a second cancel: %v", err)
	}
	if _, err = b.Request(t.Context(), protocol.CancelSubject, map[string]string{"id": "nobody"}); !errors.As(err, &refusal) || refusal.Code != 404 {
		t.Errorf("a cancel of nothing: %v", err)
	}
}

// Behaviour: 92.
func TestADeadlineEndsAnInvestigation(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	b.coordinate("co-1", always(agenttest.NewScript(agenttest.Calls(agenttest.Call("wait", map[string]any{"ms": 60_000})))))
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow", DeadlineMS: 300})
	if r := b.result(); r.State != protocol.ResultDeadline || !strings.Contains(r.Error, "the deadline of") {
		t.Errorf("result %+v", r)
	}
}

func TestAnInvestigationThatKillsItsCoordinatorsIsGivenUp(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := b.Consume(ctx, 1, []bus.Consumer{bus.Requests}, func(ctx context.Context, d *bus.Delivery) error {
		if _, err := journal.Claim(ctx, b.Conn, protocol.CoordinatorAgent, "inv-1", fmt.Sprint("dead-", d.Deliveries)); err != nil {
			return err
		}
		if d.Deliveries == 5 {
			cancel()
		}
		return context.Canceled
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	model := investigates()
	stop := b.coordinate("co-1", always(model))
	if r := b.result(); r.State != protocol.ResultFailed || !strings.Contains(r.Error, "6 coordinators claimed the investigation in a row") || model.Asked() != 0 {
		t.Errorf("result %+v after %d decisions", r, model.Asked())
	}
	stop()
	if n, left := b.count(bus.DeadLetters, ">"), b.left(); n != 1 || left != 0 {
		t.Errorf("%d dead letters, %d requests left", n, left)
	}
}

func TestAnotherCoordinatorGoesOn(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	started, report := make(chan struct{}, 10), make(chan struct{})
	var tasks atomic.Int64
	b.operators(func(r reporter, task protocol.Task) {
		tasks.Add(1)
		started <- struct{}{}
		<-report
		found(r, task)
	})
	stop := b.coordinate("co-1", always(investigates()))
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	<-started
	stop() // in the middle of its wait
	b.coordinate("co-2", always(investigates()))
	close(report)
	if r := b.result(); r.State != protocol.ResultDone || len(r.Insights) != 1 || len(r.OperatorResults) != 1 || tasks.Load() != 1 {
		t.Errorf("result %+v after %d tasks", r, tasks.Load())
	}
}

// Behaviour: 67.
func TestStatusAndList(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	b.operators(found)
	b.coordinate("co-1", always(investigates()))
	b.ask(protocol.Request{ID: "inv-1", Reason: "it is slow"})
	b.result()
	for subject, body := range map[string]any{protocol.StatusSubject: map[string]string{"id": "inv-1"}, protocol.ListSubject: nil} {
		raw, err := b.Request(t.Context(), subject, body)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{`"investigation_id":"inv-1"`, `"state":"done"`, `"reason":"it is slow"`, `"coordinator":"co-1"`, `"insights":1`} {
			if !strings.Contains(string(raw), s) {
				t.Errorf("%s: %s is not in %s", subject, s, raw)
			}
		}
	}
	var refusal bus.Refusal
	if _, err := b.Request(t.Context(), protocol.StatusSubject, map[string]string{"id": "nobody"}); !errors.As(err, &refusal) || refusal.Code != 404 {
		t.Errorf("the status of nothing: %v", err)
	}
	if _, err := b.Request(t.Context(), protocol.StatusSubject, map[string]string{}); !errors.As(err, &refusal) || refusal.Code != 400 {
		t.Errorf("the status without an id: %v", err)
	}
}
