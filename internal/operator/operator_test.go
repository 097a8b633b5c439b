package operator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals/signalstest"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const patience = time.Minute

func pantry() skills.Skill {
	return skills.Skill{
		Name: "pantry", Title: "Pantry", Summary: "Room on shelves.", Prefix: "pantry_",
		Sources: []skills.Source{{
			Kind: skills.Host, Prompt: "Full shelves are bad.",
			Metrics:  []skills.Metric{{Name: "used_pct", Unit: protocol.Percent, Kind: protocol.Gauge, Doc: "Room used."}},
			Checks:   []skills.Check{{Metric: "used_pct", Op: protocol.Above, Warn: skills.Level(85), Says: "{value} % full"}},
			Snapshot: func(context.Context) (skills.Data, error) { return skills.Data{"used_pct": 50.0}, nil },
			Calls: []skills.Call{{
				Name: "pantry_top", Doc: "What takes most room.", Example: "pantry_top()",
				Run: func(context.Context, skills.Args) (any, error) { return 1, nil },
			}},
		}},
	}
}

// bench is a NATS server with the streams, and what these tests look at.
type bench struct {
	*bus.Conn
	t           *testing.T
	server      *natsd.Server
	js          jetstream.JetStream
	completions chan protocol.Completion
	tells       map[string]*signalstest.Record // by worker
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, server: natstest.Run(t), completions: make(chan protocol.Completion, 100), tells: map[string]*signalstest.Record{}}
	b.Conn = natstest.Setup(t, b.server, "test", "pantry")
	nc, err := nats.Connect("", nats.InProcessServer(b.server))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if b.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	stop, err := b.Subscribe(protocol.CompletionSubject(protocol.Any, protocol.Any), func(m bus.Msg) {
		c, err := protocol.Decode[protocol.Completion](m.Data)
		if err != nil {
			t.Error(err)
		}
		b.completions <- c
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return b
}

func task(run string) protocol.Task {
	return protocol.Task{
		RunID: run, InvestigationID: "inv-1", Skill: "pantry", Targets: []protocol.TargetRef{{Node: "web-1", Target: "host", Kind: "host"}},
		Reason: "it is slow", Deadline: time.Now().Add(time.Hour),
	}
}

func (b *bench) queue(tasks ...protocol.Task) {
	b.t.Helper()
	for _, task := range tasks {
		if _, err := b.Publish(b.t.Context(), bus.Outgoing{Subject: protocol.TaskSubject(task.Skill), Body: task, ID: task.RunID, Dedupe: true}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// work runs an operator until stop is called or the test ends; stop returns when
// every task in hand has its verdict.
func (b *bench) work(name string, deciders func(string) (agent.Decider, error), change ...func(*operator.Config)) (stop func()) {
	b.t.Helper()
	cfg := operator.DefaultConfig()
	cfg.Name, cfg.CallTimeout = name, 200*time.Millisecond
	for _, c := range change {
		c(&cfg)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	conn := natstest.Dial(b.t, b.server, "operator/"+name)
	tells := signalstest.New()
	b.tells[name] = tells
	go func() {
		ended <- operator.Run(ctx, cfg, operator.Deps{
			Log: natstest.Log(b.t), Bus: conn, Skills: []skills.Skill{pantry()}, Deciders: deciders, Version: "v1.0.0", Ready: func() { close(ready) },
			Telemetry: tells.Providers,
		})
	}()
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
				b.t.Errorf("the operator ended with %v", err)
			}
		case <-time.After(patience):
			b.t.Error("the operator did not stop")
		}
	}
	b.t.Cleanup(stop)
	select {
	case <-ready:
	case err := <-ended:
		stopped = true
		b.t.Fatalf("the operator ended with %v", err)
	case <-time.After(patience):
		b.t.Fatal("the operator is not ready")
	}
	return stop
}

func always(d agent.Decider) func(string) (agent.Decider, error) {
	return func(string) (agent.Decider, error) { return d, nil }
}

func (b *bench) completion() protocol.Completion {
	b.t.Helper()
	select {
	case c := <-b.completions:
		return c
	case <-time.After(patience):
		b.t.Fatal("no completion came")
		return protocol.Completion{}
	}
}

// count returns how many messages a stream holds of a subject.
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

// tasks returns how many tasks are left, and how many of them wait for a verdict.
func (b *bench) tasks() (left, unacked int) {
	b.t.Helper()
	s, err := b.js.Stream(b.t.Context(), bus.Work)
	if err != nil {
		b.t.Fatal(err)
	}
	info, err := s.Info(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	cons, err := s.Consumer(b.t.Context(), bus.Tasks("pantry").Name)
	if err != nil {
		b.t.Fatal(err)
	}
	ci, err := cons.Info(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return int(info.State.Msgs), ci.NumAckPending
}

func (b *bench) publishSnapshot() protocol.Snapshot {
	b.t.Helper()
	s := protocol.Snapshot{
		ID: "s1", Node: "web-1", Target: "host", Kind: "host", Skill: "pantry", CapturedAt: time.Now().Add(-time.Minute).UTC(), Data: map[string]any{"used_pct": 91.0},
	}
	if _, err := b.Publish(b.t.Context(), bus.Outgoing{Subject: protocol.SnapshotSubject("web-1", "host", "pantry"), Body: s}); err != nil {
		b.t.Fatal(err)
	}
	return s
}

// Behaviour: 39.
func TestATaskIsRunToItsEnd(t *testing.T) {
	b := newBench(t)
	b.publishSnapshot() // the probe is away: the run begins from what it published
	b.work("op-1", always(agenttest.NewScript(
		agenttest.Calls(agenttest.Call("take_snapshot", nil)),
		agenttest.Notify("used_pct", protocol.SeverityWarning, func(s protocol.Snapshot) string { return fmt.Sprintf("it is %v %% full", s.Data["used_pct"]) }),
		agenttest.Calls(agenttest.Call("set_state", map[string]any{"state": "warning", "reason": "full"}), agenttest.Call("done", nil)),
	)))
	b.queue(task("run-1"))
	c := b.completion()
	if c.RunID != "run-1" || c.InvestigationID != "inv-1" || c.Outcome != protocol.OutcomeDone || c.State != protocol.Warning || len(c.NotificationIDs) != 1 ||
		len(c.SnapshotIDs) != 1 || c.SnapshotIDs[0] != "s1" || len(c.Checked) != 1 || c.Checked[0].Worst != 91 || c.Model != "script" {
		t.Errorf("completion %+v", c)
	}
	if n := b.count(bus.Findings, protocol.NotificationSubject("pantry", "web-1", "inv-1")); n != 1 {
		t.Errorf("%d notifications", n)
	}
	if n := b.count(bus.Findings, protocol.StateSubject("pantry", "inv-1")); n != 1 {
		t.Errorf("%d states", n)
	}
}

// Behaviour: 64, defect 7.
func TestAnUnknownModelIsAFailureThatNamesTheKnown(t *testing.T) {
	b := newBench(t)
	b.work("op-1", func(model string) (agent.Decider, error) {
		return nil, fmt.Errorf("unknown model %q (have small, rules)", model)
	})
	wrong := task("run-1")
	wrong.Model = "big"
	b.queue(wrong)
	if c := b.completion(); c.Outcome != protocol.OutcomeFailed || c.State == protocol.Healthy || c.Error != `unknown model "big" (have small, rules)` {
		t.Errorf("completion %+v", c)
	}
}

func TestATargetOfAnotherKindIsAFailure(t *testing.T) {
	b := newBench(t)
	b.work("op-1", always(agenttest.NewScript()))
	wrong := task("run-1")
	wrong.Targets[0].Kind = "beam"
	b.queue(wrong)
	if c := b.completion(); c.Outcome != protocol.OutcomeFailed || !strings.Contains(c.Error, `skill "pantry" has no source for targets of kind "beam"`) {
		t.Errorf("completion %+v", c)
	}
}

func TestATaskThatNobodyCanReadIsADeadLetter(t *testing.T) {
	b := newBench(t)
	letters := b.letters()
	b.work("op-1", always(agenttest.NewScript()))
	if _, err := b.js.Publish(t.Context(), protocol.TaskSubject("pantry"), []byte(`{"run_id":`)); err != nil {
		t.Fatal(err)
	}
	letter := <-letters
	if !strings.Contains(letter.Reason, "ends too early") || string(letter.Body) != `{"run_id":` {
		t.Errorf("dead letter %+v", letter)
	}
	b.queue(task("run-1")) // and the next one is taken
	if c := b.completion(); c.Outcome != protocol.OutcomeDone {
		t.Errorf("completion %+v", c)
	}
}

func (b *bench) letters() chan protocol.DeadLetter {
	b.t.Helper()
	letters := make(chan protocol.DeadLetter, 10)
	stop, err := b.Subscribe(protocol.DeadLetterSubject(bus.Work), func(m bus.Msg) {
		l, err := protocol.Decode[protocol.DeadLetter](m.Data)
		if err != nil {
			b.t.Error(err)
		}
		letters <- l
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(stop)
	return letters
}

// killWorkers has every task taken and claimed by workers that die before they
// write anything, n times each.
func (b *bench) killWorkers(tasks, n int) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	deaths := 0
	err := b.Consume(ctx, 1, []bus.Consumer{bus.Tasks("pantry")}, func(ctx context.Context, d *bus.Delivery) error {
		task, err := protocol.Decode[protocol.Task](d.Data)
		if err != nil {
			return err
		}
		if d.Deliveries <= n {
			if _, err := journal.Claim(ctx, b.Conn, protocol.OperatorAgent, task.RunID, fmt.Sprint("dead-", deaths)); err != nil {
				return err
			}
			deaths++
		}
		if deaths == tasks*n {
			cancel()
		}
		return context.Canceled // it is delivered again at once
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		b.t.Fatal(err)
	}
}

// Behaviour: 87.
func TestARunThatKillsItsWorkersIsGivenUp(t *testing.T) {
	for _, tt := range []struct {
		name   string
		deaths int
		asked  bool // whether its decider is asked again
	}{
		{"after five", 5, false},
		{"not after four", 4, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			letters := b.letters()
			one, two := task("run-1"), task("run-2")
			two.Deadline = one.Deadline // tasks of one invocation share it
			b.queue(one, two)
			b.killWorkers(2, tt.deaths)
			model := agenttest.NewScript()
			stop := b.work("op-1", always(model))
			for range 2 {
				c := b.completion()
				if tt.asked != (c.Outcome == protocol.OutcomeDone) {
					t.Errorf("completion %+v", c)
				}
				if !tt.asked && (c.Outcome != protocol.OutcomeFailed || c.State == protocol.Healthy || !strings.Contains(c.Error, "6 workers claimed the run in a row")) {
					t.Errorf("completion %+v", c)
				}
			}
			if (model.Asked() > 0) != tt.asked {
				t.Errorf("its decider was asked %d times", model.Asked())
			}
			if !tt.asked {
				var bodies string
				for range 2 { // one for each: neither hides the other
					select {
					case l := <-letters:
						if bodies += string(l.Body); !strings.Contains(l.Reason, "6 workers claimed the run in a row") {
							t.Errorf("dead letter %+v", l)
						}
					case <-time.After(patience):
						t.Fatalf("a dead letter is missing; the others hold %s", bodies)
					}
				}
				if !strings.Contains(bodies, "run-1") || !strings.Contains(bodies, "run-2") {
					t.Errorf("the dead letters hold %s", bodies)
				}
			}
			stop()
			if left, unacked := b.tasks(); left != 0 || unacked != 0 {
				t.Errorf("%d tasks are left, %d without a verdict", left, unacked)
			}
		})
	}
}

func TestAFinishedRunIsAnnouncedAgainAndNotRunAgain(t *testing.T) {
	for _, announced := range []bool{false, true} {
		t.Run(fmt.Sprintf("its completion was published: %v", announced), func(t *testing.T) {
			b := newBench(t)
			j, err := journal.Claim(t.Context(), b.Conn, protocol.OperatorAgent, "run-1", "op-0")
			if err != nil {
				t.Fatal(err)
			}
			sum, err := json.Marshal(agent.OperatorSummary{Health: protocol.Critical, NotificationIDs: []string{"n1"}, SnapshotIDs: []string{"s1"}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.Append(t.Context(), protocol.RecordFinish, protocol.Finish{Outcome: protocol.OutcomeDone, Summary: sum, Steps: 4}); err != nil {
				t.Fatal(err)
			}
			if announced {
				first := agent.Completion(task("run-1"), protocol.Finish{Outcome: protocol.OutcomeDone}, agent.OperatorSummary{Health: protocol.Critical}, time.Now())
				if _, err := b.Publish(t.Context(), bus.Outgoing{
					Subject: protocol.CompletionSubject("pantry", "inv-1"), Body: first, ID: protocol.EffectID("run-1", "completion"), Dedupe: true,
				}); err != nil {
					t.Fatal(err)
				}
				b.completion()
			}
			model := agenttest.NewScript()
			stop := b.work("op-1", always(model))
			b.queue(task("run-1"))
			if c := b.completion(); c.State != protocol.Critical || c.Outcome != protocol.OutcomeDone || len(c.NotificationIDs) != 1 || model.Asked() != 0 {
				t.Errorf("completion %+v after %d decisions", c, model.Asked())
			}
			stop()
			if n := b.count(bus.Findings, protocol.CompletionSubject("pantry", "inv-1")); n != 1 {
				t.Errorf("the stream holds %d completions", n)
			}
			if left, unacked := b.tasks(); left != 0 || unacked != 0 {
				t.Errorf("%d tasks are left, %d without a verdict", left, unacked)
			}
		})
	}
}

// gate is a decider that says when it was asked and waits until it may answer.
type gate struct {
	asked chan struct{}
	open  chan struct{}
}

func (gate) Name() string { return "gate" }

func (g gate) Decide(context.Context, agent.View) (protocol.Answer, error) {
	g.asked <- struct{}{}
	<-g.open
	return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("done", nil)}}, nil
}

func TestASupersededWorkerSendsNothing(t *testing.T) {
	b := newBench(t)
	g := gate{make(chan struct{}, 1), make(chan struct{})}
	stop := b.work("op-1", always(g))
	b.queue(task("run-1"))
	<-g.asked
	if _, err := journal.Claim(t.Context(), b.Conn, protocol.OperatorAgent, "run-1", "op-2"); err != nil {
		t.Fatal(err)
	}
	close(g.open)
	stop() // it has its verdict
	if left, unacked := b.tasks(); left != 1 || unacked != 1 {
		t.Errorf("%d tasks are left, %d without a verdict: want the task in the winner's hands", left, unacked)
	}
	if n := b.count(bus.Findings, protocol.CompletionSubject("pantry", "inv-1")); n != 0 || len(b.completions) != 0 {
		t.Errorf("%d completions were published", n)
	}
	records, err := journal.Read(t.Context(), b.Conn, protocol.OperatorAgent, "run-1")
	if err != nil {
		t.Fatal(err)
	}
	if last := records[len(records)-1]; last.Kind != protocol.RecordClaim || !strings.HasPrefix(last.Worker, "op-2#") {
		t.Errorf("the journal ends with %+v", last)
	}
}

func TestAWorkerThatStopsLeavesItsTaskToAnother(t *testing.T) {
	b := newBench(t)
	g := gate{make(chan struct{}, 1), make(chan struct{})}
	stop := b.work("op-1", always(decide(func(ctx context.Context, v agent.View) (protocol.Answer, error) {
		if v.Step == 2 {
			return g.Decide(ctx, v)
		}
		return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("think", map[string]any{"thought": "a"})}}, nil
	})))
	b.queue(task("run-1"))
	<-g.asked
	g.asked <- struct{}{} // what it answers is the last thing it does
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(g.open)
	<-stopped
	model := agenttest.NewScript()
	b.work("op-2", always(model))
	if c := b.completion(); c.Outcome != protocol.OutcomeDone || model.Asked() > 2 {
		t.Errorf("completion %+v after %d more decisions", c, model.Asked())
	}
}

type decide func(ctx context.Context, v agent.View) (protocol.Answer, error)

func (decide) Name() string { return "function" }

func (d decide) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) { return d(ctx, v) }

// Behaviour: 94.
func TestACancelEndsTheCallInHand(t *testing.T) {
	b := newBench(t)
	asked := make(chan struct{}, 1)
	b.work("op-1", always(decide(func(ctx context.Context, _ agent.View) (protocol.Answer, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return protocol.Answer{}, ctx.Err()
	})))
	b.queue(task("run-1"))
	<-asked
	if err := journal.Cancel(t.Context(), b.Conn, protocol.OperatorAgent, "run-1", "somebody", "enough"); err != nil {
		t.Fatal(err)
	}
	if c := b.completion(); c.Outcome != protocol.OutcomeCancelled || c.State == protocol.Healthy {
		t.Errorf("completion %+v", c)
	}
}

func TestAProbeThatDoesNotAnswerIsNotChecked(t *testing.T) {
	b := newBench(t)
	b.work("op-1", always(agenttest.NewScript(agenttest.Calls(agenttest.Call("take_snapshot", nil)))))
	b.queue(task("run-1"))
	c := b.completion()
	if c.Outcome != protocol.OutcomeDone || len(c.NotChecked) != 1 || !strings.Contains(c.NotChecked[0], "pantry web-1/host: the probe of web-1 does not answer: it is not connected") ||
		!strings.Contains(c.NotChecked[0], "it published no snapshot in the last day") {
		t.Errorf("completion %+v", c)
	}
}

func TestAProbeThatHangsIsGivenUpInTime(t *testing.T) {
	b := newBench(t)
	b.publishSnapshot()
	release := make(chan struct{})
	stop, err := b.Serve(t.Context(), bus.Service{Name: "hanging", Version: "1.0.0", Endpoints: []bus.Endpoint{{
		Name: "call", Subject: protocol.ProbeSubject("web-1", "call"),
		Handler: func(context.Context, bus.Req) (any, error) { <-release; return nil, nil },
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	defer close(release)
	b.work("op-1", always(agenttest.NewScript(agenttest.Calls(agenttest.Call("call", map[string]any{"callback": "pantry_top"})))))
	b.queue(task("run-1"))
	if c := b.completion(); c.Outcome != protocol.OutcomeDone {
		t.Errorf("completion %+v", c)
	}
	records, err := journal.Read(t.Context(), b.Conn, protocol.OperatorAgent, "run-1")
	if err != nil {
		t.Fatal(err)
	}
	var results string
	for _, r := range records {
		if r.Kind == protocol.RecordResult {
			results += string(r.Data)
		}
	}
	if !strings.Contains(results, "did not answer within 200ms") {
		t.Errorf("results %s", results)
	}
}

func TestWhoQueuedATaskIsAnswered(t *testing.T) {
	b := newBench(t)
	b.work("op-1", always(agenttest.NewScript()))
	answers := make(chan protocol.Completion, 1)
	stop, err := b.Subscribe("_INBOX.me", func(m bus.Msg) {
		if c, err := protocol.Decode[protocol.Completion](m.Data); err == nil {
			answers <- c
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, err := b.Publish(t.Context(), bus.Outgoing{
		Subject: protocol.TaskSubject("pantry"), Body: task("run-1"), Header: map[string]string{protocol.HeaderReply: "_INBOX.me"},
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case c := <-answers:
		if c.RunID != "run-1" {
			t.Errorf("answer %+v", c)
		}
	case <-time.After(patience):
		t.Fatal("no answer")
	}
}

func TestTheSameTaskQueuedTwiceIsRunOnce(t *testing.T) {
	b := newBench(t)
	model := agenttest.NewScript()
	b.queue(task("run-1"), task("run-1"))
	b.work("op-1", always(model))
	b.completion()
	if left, _ := b.tasks(); left > 1 || model.Asked() != 1 {
		t.Errorf("%d tasks are left after %d decisions", left, model.Asked())
	}
}

// Behaviour: 65.
func TestConfigFaultsAreNamed(t *testing.T) {
	c := operator.Config{}
	err := c.Validate()
	if err == nil || !strings.Contains(err.Error(), "--concurrency 0") || !strings.Contains(err.Error(), "--call-timeout 0s") {
		t.Errorf("Validate: %v", err)
	}
	b := newBench(t)
	err = operator.Run(t.Context(), operator.Config{Skills: []string{"attic"}, Concurrency: 1, CallTimeout: time.Second}, operator.Deps{
		Log: natstest.Log(t), Bus: b.Conn, Skills: []skills.Skill{pantry()},
	})
	if err == nil || !strings.Contains(err.Error(), `unknown skill "attic" (have`) || !strings.Contains(err.Error(), "pantry") {
		t.Errorf("Run: %v", err)
	}
}

// A worker that does not await an acknowledgement, because its deadline passed in
// between, has written a record that it does not know of. It still owns the run.
func TestARecordWhoseAcknowledgementWasNotAwaitedIsItsOwn(t *testing.T) {
	result := protocol.ToolResult{Step: 1, CallID: "c1", Tool: "think"}
	for _, tt := range []struct {
		name string
		kind protocol.RecordKind
		data any
		want string // the journal's kinds
	}{
		{"another record follows it", protocol.RecordFinish, protocol.Finish{Outcome: protocol.OutcomeDeadline}, "claim result finished"},
		{"another of its kind follows it", protocol.RecordResult, protocol.ToolResult{Step: 1, CallID: "c2", Tool: "think"}, "claim result result"},
		{"the very record is appended again", protocol.RecordResult, result, "claim result"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			j, err := journal.Claim(t.Context(), b.Conn, protocol.OperatorAgent, "run-1", "op-1")
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(result)
			if err != nil {
				t.Fatal(err)
			}
			lost := protocol.Record{RunID: "run-1", N: 2, Kind: protocol.RecordResult, Worker: j.Records()[0].Worker, At: time.Now().UTC(), Data: raw}
			if _, err := b.Publish(t.Context(), bus.Outgoing{Subject: protocol.JournalSubject(protocol.OperatorAgent, "run-1"), Body: lost}); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Append(t.Context(), tt.kind, tt.data); err != nil {
				t.Fatalf("append: %v", err)
			}
			records, err := journal.Read(t.Context(), b.Conn, protocol.OperatorAgent, "run-1")
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for i, r := range records {
				if kinds = append(kinds, string(r.Kind)); r.N != i+1 || j.Records()[i].N != r.N {
					t.Errorf("record %d has the number %d", i+1, r.N)
				}
			}
			if got := strings.Join(kinds, " "); got != tt.want {
				t.Errorf("the journal holds %s, want %s", got, tt.want)
			}
		})
	}
}
