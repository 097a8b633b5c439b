package agent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Models that do not do as they were told: each run of theirs ends within its
// limits, and says why.

// stubbornly runs a model as an operator and as a coordinator, each with an hour
// and 25 steps, and hands over how the run ended and how long it took.
func stubbornly(t *testing.T, d agent.Decider, check func(t *testing.T, f protocol.Finish, j *agent.MemoryJournal, took time.Duration)) {
	t.Helper()
	t.Run("as an operator", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, began := newOperatorRun("web-1"), time.Now()
			f, err := r.run(t, t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			check(t, f, r.journal, time.Since(began))
			c := agent.Completion(r.state.Subject.Task, f, r.state.Summary(), t0)
			if (f.Outcome == protocol.OutcomeDone) != (c.State == protocol.Healthy) || (c.Error == "") != (c.Outcome == protocol.OutcomeDone) {
				t.Errorf("completion %+v", c)
			}
		})
	})
	t.Run("as a coordinator", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, began := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")}), time.Now()
			f, err := r.run(t, d)
			if err != nil {
				t.Fatal(err)
			}
			check(t, f, r.journal, time.Since(began))
		})
	})
}

func TestAModelThatNeverCallsDoneIsStoppedAfterItsSteps(t *testing.T) {
	d := decide(func(context.Context, agent.View) (protocol.Answer, error) { return say(think), nil })
	stubbornly(t, d, func(t *testing.T, f protocol.Finish, j *agent.MemoryJournal, took time.Duration) {
		t.Helper()
		if f.Outcome != protocol.OutcomeMaxIterations || f.Steps != 25 || f.Error != "25 steps were made, no more are allowed" || took != 0 {
			t.Errorf("ended as %s after %d steps and %s: %s", f.Outcome, f.Steps, took, f.Error)
		}
		if n := strings.Count(kinds(j), "answer"); n != 25 {
			t.Errorf("%d answers are in the journal", n)
		}
	})
}

func TestAModelThatSendsAThousandCallsInOneAnswerHasSixteenMade(t *testing.T) {
	thousand := slices.Repeat([]protocol.ToolCall{think}, 1000)
	once := agenttest.NewScript(agenttest.Calls(thousand...))
	stubbornly(t, once, func(t *testing.T, f protocol.Finish, j *agent.MemoryJournal, took time.Duration) {
		t.Helper()
		if f.Outcome != protocol.OutcomeDone || f.Steps != 2 || took != 0 {
			t.Errorf("ended as %s after %d steps and %s: %s", f.Outcome, f.Steps, took, f.Error)
		}
		res := results(t, j)
		if len(res) != 18 {
			t.Fatalf("%d results, want those of 16 calls, of one that is refused, and of done", len(res))
		}
		for i, r := range res[:17] {
			if r.Invalid != (i == 16) {
				t.Errorf("call %d: %+v", i+1, r)
			}
		}
		if want := `{"error":"at most 16 calls in one answer are made; this one and the 983 after it were not: make them in the next"}`; res[16].Content != want {
			t.Errorf("it is refused with %s", res[16].Content)
		}
	})
	t.Run("and again, until its steps are made", func(t *testing.T) {
		r := newOperatorRun("web-1")
		r.settings.MaxIterations = 3
		f, err := r.run(t, t.Context(), decide(func(context.Context, agent.View) (protocol.Answer, error) { return say(thousand...), nil }))
		if err != nil {
			t.Fatal(err)
		}
		made := 0
		for _, res := range results(t, r.journal) {
			if !res.Invalid {
				made++
			}
		}
		if f.Outcome != protocol.OutcomeMaxIterations || f.Error != "3 steps were made, no more are allowed" || made != 3*16 {
			t.Errorf("ended as %s after %d calls: %s", f.Outcome, made, f.Error)
		}
	})
}

func TestAModelThatAnswersEmptyBracesForEverFailsAtTheThird(t *testing.T) {
	d := decide(func(_ context.Context, v agent.View) (protocol.Answer, error) {
		messages, err := agent.Conversation(v)
		if last := messages[len(messages)-1].Content; err == nil && v.Step > 1 && !strings.Contains(last, "the answer calls no tool") {
			err = fmt.Errorf("before step %d it reads %q", v.Step, last)
		}
		return protocol.Answer{Text: "{}"}, err
	})
	stubbornly(t, d, func(t *testing.T, f protocol.Finish, _ *agent.MemoryJournal, took time.Duration) {
		t.Helper()
		const says = "3 answers in a row were invalid: the answer calls no tool: call one, or call done to end"
		if f.Outcome != protocol.OutcomeFailed || f.Steps != 3 || f.Error != says || took != 0 {
			t.Errorf("ended as %s after %d steps and %s: %s", f.Outcome, f.Steps, took, f.Error)
		}
	})
}

// Behaviour: 25, defect 6.
func TestAModelThatWaitsBackwardsAndThenTenDaysEndsAtItsDeadline(t *testing.T) {
	wait := func(ms int64) agenttest.Step {
		return agenttest.Calls(agenttest.Call("wait", map[string]any{"ms": ms}))
	}
	d := agenttest.NewScript(wait(-1), wait((10 * 24 * time.Hour).Milliseconds()))
	stubbornly(t, d, func(t *testing.T, f protocol.Finish, j *agent.MemoryJournal, took time.Duration) {
		t.Helper()
		if f.Outcome != protocol.OutcomeDeadline || f.Steps != 2 || f.Error != "the deadline of 2000-01-01T01:00:00Z passed" || took != time.Hour {
			t.Errorf("ended as %s after %d steps and %s: %s", f.Outcome, f.Steps, took, f.Error)
		}
		res := results(t, j)[0]
		if !res.Invalid || !strings.Contains(res.Content, "arguments of wait: ") || !strings.Contains(res.Content, "ms") || !strings.Contains(res.Content, "minimum") {
			t.Errorf("a wait of -1 ms gives %+v", res)
		}
	})
}
