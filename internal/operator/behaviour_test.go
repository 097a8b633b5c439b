package operator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

var (
	take = agenttest.Calls(agenttest.Call("take_snapshot", nil))
	over = agenttest.Calls(agenttest.Call("done", nil))
)

func full(s protocol.Snapshot) string { return fmt.Sprintf("it is %v %% full", s.Data["used_pct"]) }

// Behaviour: 32, 63, 69.
func TestAWorkerServesItsSkills(t *testing.T) {
	for _, tt := range []struct {
		name   string
		skills []string
		served []string
		not    []string
	}{
		{"all of them where none is named", nil, []string{"pantry", "cellar"}, nil},
		{"all of them where the list is empty", []string{}, []string{"pantry", "cellar"}, nil},
		{"one where one is named", []string{"cellar"}, []string{"cellar"}, []string{"pantry"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := natstest.Run(t)
			conn := natstest.Setup(t, server, "test", "pantry", "cellar")
			cfg := operator.DefaultConfig()
			cfg.Name, cfg.Skills = "op-1", tt.skills
			cellar := pantry()
			cellar.Name, cellar.Prefix, cellar.Sources[0].Calls = "cellar", "cellar_", nil
			ctx, cancel := context.WithCancel(t.Context())
			ready, ended := make(chan struct{}), make(chan error, 1)
			own := natstest.Dial(t, server, "operator/op-1")
			go func() {
				ended <- operator.Run(ctx, cfg, operator.Deps{
					Log: natstest.Log(t), Bus: own, Skills: []skills.Skill{pantry(), cellar},
					Deciders: always(agenttest.NewScript()), Ready: func() { close(ready) },
				})
			}()
			select {
			case <-ready:
			case err := <-ended:
				t.Fatalf("the operator ended with %v", err)
			}
			defer func() {
				cancel()
				if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("the operator ended with %v", err)
				}
			}()
			completions := make(chan protocol.Completion, 10)
			stop, err := conn.Subscribe(protocol.CompletionSubject(protocol.Any, protocol.Any), func(m bus.Msg) {
				if c, err := protocol.Decode[protocol.Completion](m.Data); err == nil {
					completions <- c
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			for _, skill := range tt.served {
				raw, err := conn.Request(t.Context(), protocol.ServesSubject(skill), nil)
				if err != nil || string(raw) != `{"operator":"op-1"}` {
					t.Errorf("%s: %s, %v", skill, raw, err)
				}
				one := task("run-" + skill)
				one.Skill = skill
				if _, err := conn.Publish(t.Context(), bus.Outgoing{Subject: protocol.TaskSubject(skill), Body: one}); err != nil {
					t.Fatal(err)
				}
				select {
				case c := <-completions:
					if c.Skill != skill || c.Outcome != protocol.OutcomeDone || c.State != protocol.Healthy {
						t.Errorf("%s: completion %+v", skill, c)
					}
				case <-time.After(patience):
					t.Fatalf("%s: no completion", skill)
				}
			}
			for _, skill := range tt.not {
				if raw, err := conn.Request(t.Context(), protocol.ServesSubject(skill), nil); !errors.Is(err, bus.ErrNobody) {
					t.Errorf("%s: %s, %v", skill, raw, err)
				}
			}
		})
	}
}

// Behaviour: 15, 16, 38.
func TestAHealthyRunCompletesAsHealthy(t *testing.T) {
	b := newBench(t)
	b.publishSnapshot()
	b.work("op-1", always(agenttest.NewScript(
		take, agenttest.Calls(agenttest.Call("set_state", map[string]any{"state": "healthy", "reason": "room is left"})), over)))
	b.queue(task("run-1"))
	c := b.completion()
	if c.State != protocol.Healthy || c.Outcome != protocol.OutcomeDone || c.Error != "" || len(c.NotificationIDs) != 0 || len(c.SnapshotIDs) != 1 {
		t.Errorf("completion %+v", c)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var wire map[string]any
	if err := json.Unmarshal(raw, &wire); err != nil || wire["state"] != "healthy" || wire["skill"] != "pantry" {
		t.Errorf("on the wire %s", raw)
	}
}

// Behaviour: 39, 43.
func TestANotificationIsOnTheStreamBeforeTheCompletion(t *testing.T) {
	b := newBench(t)
	snap := b.publishSnapshot()
	heard := make(chan protocol.Notification, 10)
	stop, err := b.Subscribe(protocol.NotificationSubject(protocol.Any, protocol.Any, protocol.Any), func(m bus.Msg) {
		if n, err := protocol.Decode[protocol.Notification](m.Data); err == nil {
			heard <- n
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	g := gate{make(chan struct{}, 1), make(chan struct{})}
	script := agenttest.NewScript(take, agenttest.Notify("used_pct", protocol.SeverityWarning, full))
	b.work("op-1", always(decide(func(ctx context.Context, v agent.View) (protocol.Answer, error) {
		if v.Step == 3 {
			return g.Decide(ctx, v)
		}
		return script.Decide(ctx, v)
	})))
	b.queue(task("run-1"))
	var n protocol.Notification
	select { // it is heard while the run is still at work
	case n = <-heard:
	case <-time.After(patience):
		t.Fatal("no notification came")
	}
	<-g.asked
	if len(b.completions) != 0 {
		t.Error("the completion came first")
	}
	close(g.open)
	c := b.completion()
	if diff := cmp.Diff([]string{n.ID}, c.NotificationIDs); diff != "" || c.RunID != "run-1" || c.Skill != "pantry" || c.State != protocol.Healthy {
		t.Errorf("completion %+v", c)
	}
	if len(n.Snapshots) != 1 || n.Snapshots[0].ID != snap.ID || n.Snapshots[0].Data["used_pct"] != 91.0 || len(c.SnapshotIDs) != 1 || n.RunID != "run-1" {
		t.Errorf("notification %+v", n)
	}
}

// begins is a decider that remembers the state in which each run begins.
type begins struct {
	agent.Decider
	mu   sync.Mutex
	seen map[string]agent.OperatorState
	step map[string]int
}

func (b *begins) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	b.mu.Lock()
	if _, known := b.seen[v.RunID]; !known {
		b.seen[v.RunID], b.step[v.RunID] = *v.State.(*agent.OperatorState), v.Step
	}
	b.mu.Unlock()
	return b.Decider.Decide(ctx, v)
}

// Behaviour: 44, 45.
func TestTwoTasksAtABusyWorkerAreBothRunAndTheSecondBeginsWithNothing(t *testing.T) {
	b := newBench(t)
	model := &begins{seen: map[string]agent.OperatorState{}, step: map[string]int{}, Decider: agenttest.NewScript(
		agenttest.Calls(agenttest.Call("take_snapshot", nil), agenttest.Call("set_state", map[string]any{"state": "critical", "reason": "full"})),
		agenttest.Notify("used_pct", protocol.SeverityWarning, full), over)}
	b.publishSnapshot()
	b.work("op-1", always(model), func(c *operator.Config) { c.Concurrency = 1 })
	b.queue(task("run-1"), task("run-2"))
	ended := map[string]bool{}
	for len(ended) < 2 {
		c := b.completion()
		ended[c.RunID] = true
		if c.Outcome != protocol.OutcomeDone || c.State != protocol.Critical || len(c.NotificationIDs) != 1 || len(c.SnapshotIDs) != 1 {
			t.Errorf("completion %+v", c)
		}
	}
	for _, run := range []string{"run-1", "run-2"} {
		s, ok := model.seen[run]
		if !ended[run] || !ok {
			t.Errorf("%s did not end: %v", run, ended)
		}
		if model.step[run] != 1 || s.Health != protocol.Healthy || len(s.Notifications)+len(s.Answers) != 0 || len(s.Snapshots) != 1 || s.Taken {
			t.Errorf("%s begins at step %d with %+v", run, model.step[run], s)
		}
	}
}

// Behaviour: 48, defect 7.
func TestARunThatCannotGoOnIsToldAsAFailure(t *testing.T) {
	b := newBench(t)
	b.publishSnapshot()
	nonsense := agenttest.Calls(agenttest.Call("dance", nil))
	b.work("op-1", always(agenttest.NewScript(take, nonsense, nonsense, nonsense)))
	b.queue(task("run-1"))
	c := b.completion()
	if c.Outcome != protocol.OutcomeFailed || c.State != protocol.Observing || !strings.Contains(c.Error, "3 answers in a row were invalid") || len(c.SnapshotIDs) != 1 {
		t.Errorf("completion %+v", c)
	}
	b.queue(task("run-2")) // and the worker goes on
	for c.RunID == "run-1" {
		c = b.completion()
	}
}

// Behaviour: 48, defect 7.
func TestARunWhoseModelFailsSaysWhoDecidedInstead(t *testing.T) {
	b := newBench(t)
	b.publishSnapshot()
	b.work("op-1", always(agenttest.NewScript(take, agenttest.Fail(fmt.Errorf("the key is wrong: %w", agent.ErrFinal)))))
	b.queue(task("run-1"))
	if c := b.completion(); c.Model != protocol.RulesModel || !strings.Contains(c.Instead, "the key is wrong") || c.State == protocol.Healthy || len(c.NotificationIDs) != 1 {
		t.Errorf("completion %+v", c)
	}
}

// Behaviour: 51.
func TestAWorkerWithoutATaskAsksNoModel(t *testing.T) {
	b := newBench(t)
	b.publishSnapshot()
	model := agenttest.NewScript()
	stop := b.work("op-1", func(string) (agent.Decider, error) {
		t.Error("a decider is made")
		return model, nil
	})
	if _, err := b.Request(t.Context(), protocol.ServesSubject("pantry"), nil); err != nil {
		t.Fatal(err)
	}
	stop()
	if model.Asked() != 0 || len(b.completions) != 0 {
		t.Errorf("%d decisions, %d completions", model.Asked(), len(b.completions))
	}
}

// Behaviour: 36.
func TestProgressNamesTheSkillAndTheStep(t *testing.T) {
	b := newBench(t)
	lines := make(chan protocol.Progress, 100)
	stop, err := b.Subscribe(protocol.InvestigationSubject("inv-1", protocol.PhaseProgress), func(m bus.Msg) {
		if p, err := protocol.Decode[protocol.Progress](m.Data); err == nil {
			lines <- p
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	think := agenttest.Calls(agenttest.Call("think", map[string]any{"thought": "hm"}))
	b.work("op-1", always(agenttest.NewScript(think, think, over)))
	one := task("run-1")
	one.TraceID = protocol.NewTraceID()
	b.queue(one)
	b.completion()
	for step := 1; step <= 3; step++ {
		select {
		case p := <-lines:
			if p.Step != step || p.Agent != "pantry" || p.RunID != "run-1" || p.InvestigationID != "inv-1" {
				t.Errorf("line %d: %+v", step, p)
			}
		case <-time.After(patience):
			t.Fatalf("only %d lines came", step-1)
		}
	}
	records, err := journal.Read(t.Context(), b.Conn, protocol.OperatorAgent, "run-1")
	if err != nil {
		t.Fatal(err)
	}
	if start := startOf(t, records); start.TraceID != one.TraceID || len(start.TraceID) != 32 {
		t.Errorf("the run has the trace %q, want the task's %q", start.TraceID, one.TraceID)
	}
}

// startOf returns the first record of a run.
func startOf(t *testing.T, records []protocol.Record) protocol.Start {
	t.Helper()
	i := slices.IndexFunc(records, func(r protocol.Record) bool { return r.Kind == protocol.RecordStart })
	if i < 0 {
		t.Fatalf("no start in %+v", records)
	}
	var s protocol.Start
	if err := json.Unmarshal(records[i].Data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// Behaviour: 54, 64, 70, 72, defect 10, defect 19.
func TestSettingsReachTheRun(t *testing.T) {
	b := newBench(t)
	var asked []string
	b.work("op-1", func(model string) (agent.Decider, error) {
		asked = append(asked, model)
		return agenttest.NewScript(), nil
	}, func(c *operator.Config) {
		c.Thresholds = map[string]skills.Threshold{"pantry.used_pct": {Warn: skills.Level(60)}}
	})
	for i, change := range []func(*protocol.Task){
		func(*protocol.Task) {},
		func(t *protocol.Task) {
			t.Model, t.MaxIterations, t.MaxTokens, t.CompactionMaxTokens, t.CompactionKeepLast = "small", 7, 9000, 100_000, 10
		},
	} {
		one := task(fmt.Sprint("run-", i))
		change(&one)
		b.queue(one)
		b.completion()
		records, err := journal.Read(t.Context(), b.Conn, protocol.OperatorAgent, one.RunID)
		if err != nil {
			t.Fatal(err)
		}
		start := startOf(t, records)
		if !strings.Contains(start.System, "[above 60 warning") {
			t.Errorf("the model reads %s", start.System)
		}
		want := protocol.RunSettings{Model: "script", MaxIterations: 25, Deadline: one.Deadline}
		if i == 1 {
			want.MaxIterations, want.MaxTokens, want.CompactionMaxTokens, want.CompactionKeepLast = 7, 9000, 100_000, 10
		}
		if diff := cmp.Diff(want, start.Settings); diff != "" {
			t.Errorf("settings of run %d (-want +got):\n%s", i, diff)
		}
	}
	if diff := cmp.Diff([]string{"", "small"}, asked); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
}

// Behaviour: 65, defect 19.
func TestASettingOfNothingIsRefused(t *testing.T) {
	b := newBench(t)
	for name, change := range map[string]func(*operator.Config){
		`unknown skill "attic" (have pantry, custom)`: func(c *operator.Config) { c.Skills = []string{"pantry", "attic"} },
		`unknown metric "used_pc"`: func(c *operator.Config) {
			c.Thresholds = map[string]skills.Threshold{"pantry.used_pc": {Warn: skills.Level(60)}}
		},
	} {
		cfg := operator.DefaultConfig()
		change(&cfg)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err := operator.Run(ctx, cfg, operator.Deps{Log: natstest.Log(t), Bus: b.Conn, Skills: []skills.Skill{pantry()}})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

// Behaviour: 95, defect 3.
func TestFiveCancelledRunsLeaveTheirWorkerAndTheSixthAlive(t *testing.T) {
	b := newBench(t)
	asked, open := make(chan string, 6), make(chan struct{})
	b.work("op-1", always(decide(func(ctx context.Context, v agent.View) (protocol.Answer, error) {
		asked <- v.RunID
		select {
		case <-ctx.Done():
			return protocol.Answer{}, context.Cause(ctx)
		case <-open:
			return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("done", nil)}}, nil
		}
	})), func(c *operator.Config) { c.Concurrency = 6 })
	for i := range 6 {
		b.queue(task(fmt.Sprint("run-", i)))
	}
	for range 6 {
		<-asked
	}
	for i := range 5 {
		if err := journal.Cancel(t.Context(), b.Conn, protocol.OperatorAgent, fmt.Sprint("run-", i), "somebody", "enough"); err != nil {
			t.Fatal(err)
		}
	}
	ended := map[string]protocol.Outcome{}
	await := func(n int) {
		t.Helper()
		for len(ended) < n { // one that met another at the stream is heard twice
			c := b.completion()
			ended[c.RunID] = c.Outcome
		}
	}
	await(5)
	close(open)
	await(6)
	b.queue(task("run-6"))
	await(7)
	for i := range 7 {
		want := protocol.OutcomeCancelled
		if i >= 5 {
			want = protocol.OutcomeDone
		}
		if got := ended[fmt.Sprint("run-", i)]; got != want {
			t.Errorf("run %d ended as %q, want %q", i, got, want)
		}
	}
}

// Behaviour: defect 20.
func TestAModelThatPanicsCostsOneAttempt(t *testing.T) {
	b := newBench(t)
	var once sync.Once
	b.work("op-1", always(decide(func(context.Context, agent.View) (protocol.Answer, error) {
		once.Do(func() { panic("boom") })
		return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("done", nil)}}, nil
	})))
	b.queue(task("run-1"), task("run-2"))
	ended := map[string]protocol.Completion{}
	for len(ended) < 2 {
		c := b.completion()
		ended[c.RunID] = c
	}
	retries := 0
	for run, c := range ended {
		if c.Outcome != protocol.OutcomeDone || c.Instead != "" {
			t.Errorf("completion %+v", c)
		}
		records, err := journal.Read(t.Context(), b.Conn, protocol.OperatorAgent, run)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if r.Kind == protocol.RecordRetry && strings.Contains(string(r.Data), "the decider panicked: boom") {
				retries++
			}
		}
	}
	if retries != 1 {
		t.Errorf("%d attempts panicked", retries)
	}
}
