package agent_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// staged answers the questions of the pipeline and remembers them.
type staged struct {
	intent  string
	skills  []string
	answer  string
	asked   []string // the tools that each question offered
	prompts []string
	step    []int
}

func (*staged) Name() string { return "staged" }

func (s *staged) Decide(_ context.Context, v agent.View) (protocol.Answer, error) {
	var tools []string
	for _, t := range v.Tools {
		tools = append(tools, t.Name)
	}
	s.asked, s.prompts, s.step = append(s.asked, strings.Join(tools, " ")), append(s.prompts, v.Start.User), append(s.step, v.Step)
	if v.Tools[0].Name == "classify" {
		return say(agenttest.Call("classify", map[string]any{"intent": s.intent, "skills": s.skills, "operator_context": "look at memory"})), nil
	}
	return say(agenttest.Call("synthesize", map[string]any{"answer": s.answer})), nil
}

func newStaged(skills ...string) *staged {
	return &staged{intent: "question", skills: skills, answer: "All is said."}
}

// called returns the tools that the answers of a journal called.
func called(t *testing.T, j *agent.MemoryJournal) []string {
	t.Helper()
	var out []string
	for _, r := range j.Log {
		if r.Kind == protocol.RecordAnswer {
			for _, c := range data[protocol.Answer](t, r).Calls {
				out = append(out, c.Tool)
			}
		}
	}
	return out
}

// Behaviour: 31, 104.
func TestThePipelineBeginsByClassifying(t *testing.T) {
	for _, intent := range []string{"question", "investigation"} {
		t.Run(intent, func(t *testing.T) {
			r, m := newCoordinatorRun(map[string][]protocol.TargetRef{"net": hosts("web-1"), "os": hosts("web-1")}), newStaged("os")
			m.intent = intent
			f, err := r.run(t, agent.Pipeline{}.Decider(m))
			if err != nil || f.Outcome != protocol.OutcomeDone {
				t.Fatalf("ended as %+v, %v", f, err)
			}
			if diff := cmp.Diff([]string{"classify", "synthesize"}, m.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			wantIn(t, m.prompts[0], "Choose the skills", "Reason: checkout is slow")
			if len(r.operators.tasks) != 1 || r.operators.tasks[0].Skill != "os" || r.operators.tasks[0].Reason != "checkout is slow\nlook at memory" {
				t.Errorf("tasks %+v", r.operators.tasks)
			}
			if len(r.conclusions.list) != 1 || r.conclusions.list[0].Summary != "All is said." {
				t.Errorf("insights %+v", r.conclusions.list)
			}
		})
	}
	t.Run("another intent is no classification", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, m := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")}), newStaged("os")
			m.intent = "chat"
			f, err := r.run(t, agent.Pipeline{}.Decider(m))
			if err != nil || f.Outcome != protocol.OutcomeFailed || !strings.Contains(f.Error, "intent") {
				t.Errorf("ended as %+v, %v", f, err)
			}
		})
	})
}

// Behaviour: 105.
func TestThePipelineLeavesUnknownSkillsOut(t *testing.T) {
	r, m := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")}), newStaged("tarot", "os")
	if f, err := r.run(t, agent.Pipeline{}.Decider(m)); err != nil || f.Outcome != protocol.OutcomeDone {
		t.Fatalf("ended as %+v, %v", f, err)
	}
	if len(r.operators.tasks) != 1 || len(r.state.NotChecked) != 0 {
		t.Errorf("tasks %+v, not checked %v", r.operators.tasks, r.state.NotChecked)
	}
	t.Run("and asks again when none is left", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, m := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")}), newStaged("tarot")
			f, err := r.run(t, agent.Pipeline{}.Decider(m))
			if err != nil || f.Outcome != protocol.OutcomeFailed || !strings.Contains(f.Error, `classify named none of the skills there are: ["tarot"]`) {
				t.Errorf("ended as %+v, %v", f, err)
			}
			if diff := cmp.Diff([]string{"classify", "classify", "classify"}, m.asked); diff != "" || len(r.operators.tasks) != 0 {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	})
}

// Behaviour: 106.
func TestThePipelineGathersUntilNoOperatorRuns(t *testing.T) {
	for _, tt := range []struct {
		name  string
		found []protocol.Notification
		reads []string
	}{
		{"and sums up their notifications, without the guesses", []protocol.Notification{finding("n1", "r1", "os", "web-1", "memory is short")}, []string{"- warning os on web-1/host at 2026-03-14T09:26:53Z: memory is short; a host"}},
		{"and what the checks met, when there are none", nil, []string{"No anomaly was reported.", "os.used_pct is 42 % on web-1/host, below 85 %"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				warn := 85.0
				r, m := held("os"), newStaged("os")
				for i := range tt.found {
					tt.found[i].Hypothesis = "it might leak"
				}
				r.operators.report = func(task protocol.Task) ([]protocol.Notification, protocol.Completion) {
					c := done(task)
					c.Checked = []protocol.Checked{{Skill: "os", Metric: "used_pct", Unit: protocol.Percent, Op: protocol.Above, Warn: &warn, Worst: 42, Node: "web-1", Target: "host", Address: "s#used_pct", Targets: 1}}
					return tt.found, c
				}
				waits := 0
				d := decide(func(ctx context.Context, v agent.View) (protocol.Answer, error) {
					a, err := agent.Pipeline{}.Decider(m).Decide(ctx, v)
					if len(a.Calls) == 1 && a.Calls[0].Tool == "wait" {
						if waits++; waits == 3 {
							r.operators.hold = false
						}
						time.Sleep(time.Second)
					}
					return a, err
				})
				f, err := r.run(t, d)
				if err != nil || f.Outcome != protocol.OutcomeDone || waits != 3 {
					t.Fatalf("ended as %+v, %v, after %d waits", f, err, waits)
				}
				if diff := cmp.Diff([]string{"invoke_operators", "wait", "wait", "wait", "produce_insight", "done"}, called(t, r.journal)); diff != "" {
					t.Errorf("stages (-want +got):\n%s", diff)
				}
				wantIn(t, m.prompts[1], tt.reads...)
				if strings.Contains(m.prompts[1], "leak") {
					t.Errorf("the synthesis reads a hypothesis: %s", m.prompts[1])
				}
			})
		})
	}
}

// Behaviour: 107, 108, defect 16.
func TestTheAnswerOfThePipelineIsOneInsight(t *testing.T) {
	n1, n2 := finding("n1", "r1", "os", "web-1", "memory is short"), finding("n2", "r1", "os", "web-2", "swap is in use")
	for _, tt := range []struct {
		name        string
		found       []protocol.Notification
		correlation protocol.Correlation
	}{
		{"of one notification", []protocol.Notification{n1}, protocol.Symptomatic},
		{"of two", []protocol.Notification{n1, n2}, protocol.Symptomatic},
		{"of none", nil, protocol.None},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, m := found(tt.found...), newStaged("os")
			f, err := r.run(t, agent.Pipeline{}.Decider(m))
			if err != nil || f.Outcome != protocol.OutcomeDone || len(r.conclusions.list) != 1 {
				t.Fatalf("ended as %+v, %v, with %+v", f, err, r.conclusions.list)
			}
			ids, observations := []string{}, []string{}
			for _, n := range tt.found {
				ids, observations = append(ids, n.ID), append(observations, n.Observation)
			}
			i := r.conclusions.list[0]
			if i.Summary != "All is said." || i.CorrelationType != tt.correlation || i.HypothesisGrounded || i.Confidence != protocol.Medium || i.Grounding == "" ||
				cmp.Diff(ids, i.NotificationIDs) != "" || cmp.Diff(observations, i.MatchedObservations) != "" {
				t.Errorf("insight %+v", i)
			}
			if left := r.state.Unresolved(); len(left) != 0 {
				t.Errorf("unresolved %+v", left)
			}
			var sum agent.CoordinatorSummary
			if err := json.Unmarshal(f.Summary, &sum); err != nil || len(sum.Insights) != 1 || !slices.Equal(r.conclusions.order, []string{i.ID}) {
				t.Errorf("summary %s, %v", f.Summary, err)
			}
		})
	}
}
