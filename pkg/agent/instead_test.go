package agent_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// analyst stands in for a model: it ends the run at once.
type analyst struct{ asked int }

func (*analyst) Name() string { return "analyst" }

func (a *analyst) Decide(context.Context, agent.View) (protocol.Answer, error) {
	a.asked++
	return protocol.Answer{Model: a.Name(), Calls: []protocol.ToolCall{over}}, nil
}

var errAway = errors.New("the provider is away")

// Behaviour: 47, 82.
func TestAnotherDeciderGoesOnWhereTheFirstCannot(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limit  int // of tokens
		script []agenttest.Step
		want   string // why
	}{
		{"a provider that is away", 0, []agenttest.Step{agenttest.Calls(think), agenttest.Fail(errAway)}, "script failed 3 times: the provider is away"},
		{"a refusal for good", 0, []agenttest.Step{agenttest.Calls(think), agenttest.Fail(agent.ErrFinal)}, "script: will not be tried again"},
		{"tokens that are used", 100, []agenttest.Step{costs(120)}, "120 tokens were used, 100 are allowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &analyst{}
				spec := operatorSpec(t, tt.limit)
				spec.Decider, spec.Instead = agenttest.NewScript(tt.script...), a
				f, err := agent.Run(t.Context(), spec)
				if err != nil {
					t.Fatal(err)
				}
				want := protocol.Finish{Outcome: protocol.OutcomeDone, Model: "analyst", Steps: 2, Instead: tt.want, Usage: f.Usage, Summary: f.Summary}
				if diff := cmp.Diff(want, f); diff != "" {
					t.Errorf("finish (-want +got):\n%s", diff)
				}
				if a.asked != 1 {
					t.Errorf("the analyst was asked %d times", a.asked)
				}
			})
		})
	}
}

// TestWhoTakesARunOverKeepsItsStandIn has a second worker, whose model is well
// again, go on with a run that the analyst had taken over.
func TestWhoTakesARunOverKeepsItsStandIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := operatorSpec(t, 0)
		j := spec.Journal.(*agent.MemoryJournal)
		spec.Decider, spec.Instead = agenttest.NewScript(agenttest.Fail(errAway)), agenttest.NewScript(agenttest.Calls(think))
		crashAt(j, 5) // start, two retries, answer, result
		if _, err := agent.Run(t.Context(), spec); !errors.Is(err, errCrash) {
			t.Fatalf("got %v", err)
		}
		j.Refuse = nil
		second := operatorSpec(t, 0)
		second.Journal = j
		well := agenttest.NewScript()
		second.Decider, second.Instead = well, &analyst{}
		f, err := agent.Run(t.Context(), second)
		if err != nil || f.Instead == "" || well.Asked() != 0 {
			t.Errorf("finish %+v, %v; the first decider was asked %d times", f, err, well.Asked())
		}
	})
}

// Behaviour: 47, 48.
func TestWithoutAStandInARunFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := operatorSpec(t, 0)
		spec.Decider = agenttest.NewScript(agenttest.Fail(errAway))
		f, err := agent.Run(t.Context(), spec)
		if err != nil || f.Outcome != protocol.OutcomeFailed || !strings.Contains(f.Error, "script failed 3 times: the provider is away") {
			t.Errorf("finish %+v, %v", f, err)
		}
	})
}

func TestAnInsightSaysThatTheAnalystStoodIn(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(r *coordinatorRun) (model, instead agent.Decider)
		says string
	}{
		{"of the coordinator", func(*coordinatorRun) (model, instead agent.Decider) {
			steps := []agenttest.Step{agenttest.Calls(agenttest.Call("invoke_operators", map[string]any{"skills": []string{"os"}})), agenttest.Conclude()}
			return agenttest.NewScript(agenttest.Fail(agent.ErrFinal)), agenttest.NewScript(steps...)
		}, "the rules analyst concluded in place of the model: script: will not be tried again"},
		{"of an operator", func(r *coordinatorRun) (model, instead agent.Decider) {
			r.operators.report = func(task protocol.Task) ([]protocol.Notification, protocol.Completion) {
				c := done(task)
				c.Instead = "a budget is spent"
				return nil, c
			}
			steps := []agenttest.Step{agenttest.Calls(agenttest.Call("invoke_operators", map[string]any{"skills": []string{"os"}})), agenttest.Conclude()}
			return agenttest.NewScript(steps...), nil
		}, "os on 1 targets: the rules analyst looked in place of the model: a budget is spent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
			model, instead := tt.make(r)
			r.instead = instead
			if _, err := r.run(t, model); err != nil {
				t.Fatal(err)
			}
			if len(r.conclusions.list) != 1 {
				t.Fatalf("%d insights", len(r.conclusions.list))
			}
			wantIn(t, strings.Join(r.conclusions.list[0].NotChecked, "\n"), tt.says)
		})
	}
}

// costs is a step that used so many tokens.
func costs(tokens int) agenttest.Step {
	return func(agent.View) (protocol.Answer, error) {
		return protocol.Answer{Calls: []protocol.ToolCall{think}, Usage: protocol.Usage{InputTokens: tokens, LLMCalls: 1}}, nil
	}
}

// operatorSpec is a run of an operator without its decider; limit is of tokens.
func operatorSpec(t *testing.T, limit int) agent.Spec {
	t.Helper()
	task := protocol.Task{RunID: "run-1", InvestigationID: "inv-1", Skill: "os", Targets: hosts("web-1"), Reason: "it is slow"}
	start, err := agent.OperatorStart(agent.OperatorSubject{Task: task, Words: words()},
		protocol.RunSettings{MaxIterations: 25, MaxTokens: limit, Deadline: time.Now().Add(time.Hour)}, t0)
	if err != nil {
		t.Fatal(err)
	}
	return agent.Spec{RunID: "run-1", Start: start, Tools: agent.NewOperatorTools(agent.OperatorDeps{}), Journal: &agent.MemoryJournal{Run: "run-1"}, Log: quiet()}
}
