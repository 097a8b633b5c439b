package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// decide is a decider made of a function.
type decide func(ctx context.Context, v agent.View) (protocol.Answer, error)

func (decide) Name() string { return "function" }

func (d decide) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) { return d(ctx, v) }

// say is an answer that makes calls.
func say(calls ...protocol.ToolCall) protocol.Answer { return protocol.Answer{Calls: calls} }

var (
	think = agenttest.Call("think", map[string]any{"thought": "hm"})
	wrong = agenttest.Call("dance", nil)
	over  = agenttest.Call("done", nil)
	take  = agenttest.Call("take_snapshot", nil)
)

func TestAnAnswerIsWrittenBeforeItIsActedUponAndItsResultsBeforeTheNextTurn(t *testing.T) {
	r := newOperatorRun("web-1")
	r.probes.snaps["web-1"] = snapshot("s1", "web-1", map[string]any{"memory_used_pct": 42.0})
	asked := 0
	r.probes.before = func() {
		asked++
		last := r.journal.Log[len(r.journal.Log)-1]
		if asked == 1 && last.Kind != protocol.RecordAnswer {
			t.Errorf("when the probe is asked the journal ends with %s, want the answer", last.Kind)
		}
		if asked == 2 && (last.Kind != protocol.RecordResult || data[protocol.ToolResult](t, last).CallID != "call_1_0") {
			t.Errorf("when the second call is made the journal ends with %s %s, want the first call's result", last.Kind, last.Data)
		}
	}
	f := r.play(t,
		agenttest.Calls(take, take),
		func(v agent.View) (protocol.Answer, error) {
			if n := len(v.Records); n != 4 || v.Records[3].Kind != protocol.RecordResult {
				t.Errorf("the second turn sees %d records, want start, answer and two results", n)
			}
			return say(over), nil
		})
	if f.Outcome != protocol.OutcomeDone || f.Steps != 2 || asked != 2 {
		t.Errorf("finish %+v after %d questions", f, asked)
	}
	if got, want := kinds(r.journal), "start answer result result answer result finished"; got != want {
		t.Errorf("the journal holds %s\nwant %s", got, want)
	}
}

// errCrash stands for a worker that dies: its journal refuses everything.
var errCrash = errors.New("the worker died")

// crashAt makes a journal die instead of writing its n-th record from now.
func crashAt(j *agent.MemoryJournal, n int) {
	j.Refuse = func(protocol.RecordKind) error {
		if len(j.Log) >= n {
			return errCrash
		}
		return nil
	}
}

func TestAnotherOperatorGoesOnFromEveryRecord(t *testing.T) {
	script := []agenttest.Step{
		agenttest.Calls(take),
		agenttest.Calls(
			agenttest.Call("set_state", map[string]any{"state": "warning", "reason": "memory"}),
			notify("memory is 91 % used", "s1"),
			wrong),
		agenttest.Calls(agenttest.Call("call", map[string]any{"callback": "system_top", "args": []any{3}})),
		agenttest.Calls(notify("memory is 99 % used", "s1")), // refused by the fact check
		agenttest.Calls(notify("postgres holds 812 MiB", "s1"), over),
	}
	fresh := func() *operatorRun {
		r := newOperatorRun("web-1")
		r.settings.Deadline = t0.AddDate(100, 0, 0)
		r.probes.snaps["web-1"] = snapshot("s1", "web-1", map[string]any{"memory_used_pct": 91.0})
		r.probes.answer = func(protocol.TargetRef, string, []any) (any, error) {
			return []any{map[string]any{"name": "postgres", "memory_mb": 812.0}}, nil
		}
		return r
	}
	whole := fresh()
	want := whole.play(t, script...)
	if want.Outcome != protocol.OutcomeDone || len(whole.findings.order) != 3 {
		t.Fatalf("the whole run: %+v with the effects %v", want, whole.findings.order)
	}
	answers := strings.Count(kinds(whole.journal), "answer")

	for n := range whole.journal.Log {
		t.Run(fmt.Sprintf("the worker dies writing record %d (%s)", n+1, whole.journal.Log[n].Kind), func(t *testing.T) {
			r := fresh()
			model := agenttest.NewScript(script...)
			crashAt(r.journal, n)
			if _, err := r.run(t, t.Context(), model); !errors.Is(err, errCrash) {
				t.Fatalf("the first worker ended with %v", err)
			}
			r.journal.Refuse = nil
			got, err := r.run(t, t.Context(), model)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the end differs (-whole +resumed):\n%s", diff)
			}
			if diff := cmp.Diff(whole.findings.order, r.findings.order); diff != "" {
				t.Errorf("the effects differ (-whole +resumed):\n%s", diff)
			}
			if len(r.findings.differ) > 0 {
				t.Errorf("an effect was repeated with another body: %s", r.findings.differ[0])
			}
			if paid := model.Asked(); paid > answers+1 {
				t.Errorf("%d answers were paid for, %d are in the journal: at most one twice", paid, answers)
			}
			if diff := cmp.Diff(kinds(whole.journal), kinds(r.journal)); diff != "" {
				t.Errorf("the journal differs: %s", diff)
			}
			again, err := r.run(t, t.Context(), decide(func(context.Context, agent.View) (protocol.Answer, error) {
				t.Error("a finished run asks its decider")
				return say(over), nil
			}))
			if err != nil || cmp.Diff(got, again) != "" {
				t.Errorf("the finished run, taken up again: %+v, %v", again, err)
			}
		})
	}
}

func TestAnotherCoordinatorGoesOnFromEveryRecord(t *testing.T) {
	script := []agenttest.Step{
		agenttest.Calls(agenttest.Call("invoke_operators", map[string]any{"skills": []string{"net", "os"}})),
		agenttest.Calls(agenttest.Call("wait", map[string]any{"ms": 1})),
		agenttest.Conclude(),
		agenttest.Calls(over),
	}
	fresh := func(trace string) *coordinatorRun {
		r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1", "web-2"), "net": hosts("web-1")})
		r.traceID = trace
		r.operators.report = func(task protocol.Task) ([]protocol.Notification, protocol.Completion) {
			return []protocol.Notification{finding("n-"+task.Skill, task.RunID, task.Skill, "web-1", "memory is 91 % used")}, done(task)
		}
		return r
	}
	whole := fresh("trace-1")
	want := whole.play(t, script...)
	if want.Outcome != protocol.OutcomeDone || len(whole.operators.tasks) != 2 || len(whole.conclusions.order) != 1 {
		t.Fatalf("the whole run: %+v, tasks %v, insights %v", want, whole.operators.order, whole.conclusions.order)
	}
	for n := range whole.journal.Log {
		t.Run(fmt.Sprintf("the worker dies writing record %d (%s)", n+1, whole.journal.Log[n].Kind), func(t *testing.T) {
			r := fresh("trace-1")
			model := agenttest.NewScript(script...)
			crashAt(r.journal, n)
			if _, err := r.run(t, model); !errors.Is(err, errCrash) {
				t.Fatalf("the first worker ended with %v", err)
			}
			r.journal.Refuse = nil
			if n > 0 {
				r.traceID = "trace-2" // every worker brings one; the run's own holds
			}
			got, err := r.run(t, model)
			if err != nil {
				t.Fatal(err)
			}
			if got.Outcome != want.Outcome || got.Steps != want.Steps || len(r.state.Insights) != 1 || r.state.Insights[0].ID != whole.state.Insights[0].ID {
				t.Errorf("it ended as %+v with %d insights, want %+v", got, len(r.state.Insights), want)
			}
			if diff := cmp.Diff(whole.operators.order, r.operators.order); diff != "" {
				t.Errorf("the tasks differ: %s", diff)
			}
			if diff := cmp.Diff(whole.conclusions.order, r.conclusions.order); diff != "" {
				t.Errorf("the insights differ: %s", diff)
			}
			if differ := slices.Concat(r.operators.differ, r.conclusions.differ); len(differ) > 0 {
				t.Errorf("an effect was repeated with another body: %s", differ[0])
			}
			for _, task := range r.operators.tasks {
				if task.TraceID != "trace-1" {
					t.Errorf("task %s has the trace %q, want that of the run's start", task.RunID, task.TraceID)
				}
			}
		})
	}
}

// Behaviour: 49, defect 4.
func TestInvalidAnswers(t *testing.T) {
	silent := agenttest.Step(func(agent.View) (protocol.Answer, error) { return protocol.Answer{Text: "I am done."}, nil })
	bad := agenttest.Calls(wrong)
	for _, tt := range []struct {
		name    string
		steps   []agenttest.Step
		outcome protocol.Outcome
		count   int
		says    string
	}{
		{"three in a row end the run", []agenttest.Step{bad, bad, bad}, protocol.OutcomeFailed, 3, `3 answers in a row were invalid: {"error":"unknown tool \"dance\"`},
		{"two are forgiven", []agenttest.Step{bad, bad}, protocol.OutcomeDone, 3, ""},
		{"a valid one between starts the count again", []agenttest.Step{bad, bad, agenttest.Calls(think), bad, bad}, protocol.OutcomeDone, 6, ""},
		{"one valid call makes an answer valid", []agenttest.Step{bad, bad, agenttest.Calls(wrong, think), bad, bad}, protocol.OutcomeDone, 6, ""},
		{"a call that fails is valid", []agenttest.Step{bad, bad, agenttest.Calls(notify("x")), bad, bad}, protocol.OutcomeDone, 6, ""},
		{"answers without a call count", []agenttest.Step{silent, bad, silent}, protocol.OutcomeFailed, 3, "3 answers in a row were invalid: the answer calls no tool"},
		{"wrong arguments count", steps(agenttest.Call("wait", map[string]any{"ms": -1}), wrong, agenttest.Call("wait", nil)), protocol.OutcomeFailed, 3, "ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newOperatorRun("web-1")
			f := r.play(t, tt.steps...)
			if f.Outcome != tt.outcome || f.Steps != tt.count || !strings.Contains(f.Error, tt.says) {
				t.Errorf("ended as %s after %d steps: %q", f.Outcome, f.Steps, f.Error)
			}
		})
	}
}

// Behaviour: defect 4.
func TestACallThatIsWrongIsToldWhatWouldBeRight(t *testing.T) {
	for _, tt := range []struct {
		name string
		call protocol.ToolCall
		says []string
	}{
		// Behaviour: 24.
		{"an unknown tool", wrong, []string{`unknown tool \"dance\"`, "take_snapshot", "done"}},
		{"no arguments where one is required", agenttest.Call("set_state", map[string]any{"state": "warning"}), []string{"set_state", "reason"}},
		{"null where an argument is required", agenttest.Call("think", map[string]any{"thought": nil}), []string{"think", "thought"}},
		{"empty arguments", protocol.ToolCall{Tool: "think", Args: ""}, []string{"think", "thought"}},
		{"a value that is not allowed", agenttest.Call("set_state", map[string]any{"state": "fine", "reason": "x"}), []string{"state", "healthy", "observing", "warning", "critical"}},
		{"a severity that is not allowed", agenttest.Call("send_notification", map[string]any{
			"type": "x", "severity": "bad", "context": "c", "observation": "o", "snapshot_ids": []string{"a"},
		}), []string{"severity", "info", "warning", "critical"}},
		// Behaviour: 20.
		{"a notification without snapshot ids", agenttest.Call("send_notification", map[string]any{
			"type": "x", "severity": "info", "context": "c", "observation": "o",
		}), []string{"snapshot_ids"}},
		// Behaviour: 25.
		{"a negative wait", agenttest.Call("wait", map[string]any{"ms": -5}), []string{"ms", "minimum", "0"}},
		{"a wait of no whole number", agenttest.Call("wait", map[string]any{"ms": "soon"}), []string{"ms", "integer"}},
		{"a negative offset", agenttest.Call("get_snapshots", map[string]any{"offset": -1}), []string{"offset"}},
		{"an argument that does not exist", agenttest.Call("think", map[string]any{"thought": "x", "volume": 11}), []string{"volume"}},
		{"arguments that are no JSON", protocol.ToolCall{Tool: "think", Args: `{"thought":`}, []string{"arguments of think are not JSON"}},
		{"arguments that are no object", protocol.ToolCall{Tool: "think", Args: `["x"]`}, []string{"think", "object"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newOperatorRun("web-1")
			r.play(t, agenttest.Calls(tt.call))
			res := results(t, r.journal)[0]
			if !res.Invalid || res.Failed || res.Effect != nil {
				t.Errorf("the result is %+v, want an invalid one", res)
			}
			wantIn(t, res.Content, tt.says...)
			if strings.Contains(res.Content, "file://") {
				t.Errorf("the schema's address means nothing to a model: %s", res.Content)
			}
		})
	}
}

func TestOfMoreThanSixteenCallsTheRestIsRefused(t *testing.T) {
	for _, n := range []int{16, 17, 1000} {
		t.Run(fmt.Sprint(n, " calls in one answer"), func(t *testing.T) {
			r := newOperatorRun("web-1")
			f := r.play(t, agenttest.Calls(slices.Repeat([]protocol.ToolCall{think}, n)...))
			if f.Outcome != protocol.OutcomeDone {
				t.Fatalf("ended as %+v", f)
			}
			res := results(t, r.journal)
			kept := min(n, agent.MaxCallsPerStep+1)
			if len(res) != kept+1 {
				t.Fatalf("%d results, want those of %d calls, and of done", len(res), kept)
			}
			for i, got := range res[:kept] {
				if got.CallID != fmt.Sprintf("call_1_%d", i) || got.Invalid != (i >= agent.MaxCallsPerStep) {
					t.Fatalf("call %d: %+v", i, got)
				}
				if got.Invalid {
					wantIn(t, got.Content, "at most 16 calls", fmt.Sprintf("the %d after it", n-kept), "in the next")
				}
			}
		})
	}
}

// Behaviour: 46.
func TestLimitsEndARun(t *testing.T) {
	costly := agenttest.Step(func(agent.View) (protocol.Answer, error) {
		return protocol.Answer{Calls: []protocol.ToolCall{think}, Usage: protocol.Usage{InputTokens: 90, OutputTokens: 10, LLMCalls: 1}}, nil
	})
	for _, tt := range []struct {
		name     string
		settings protocol.RunSettings
		outcome  protocol.Outcome
		steps    int
		says     string
	}{
		{"steps", protocol.RunSettings{MaxIterations: 2}, protocol.OutcomeMaxIterations, 2, "2 steps were made"},
		{"tokens", protocol.RunSettings{MaxTokens: 250}, protocol.OutcomeFailed, 3, "300 tokens were used, 250 are allowed"},
		{"neither", protocol.RunSettings{}, protocol.OutcomeDone, 5, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newOperatorRun("web-1")
			tt.settings.Deadline, r.settings = r.settings.Deadline, tt.settings
			r.settings.Deadline = tt.settings.Deadline
			f := r.play(t, costly, costly, costly, costly)
			if f.Outcome != tt.outcome || f.Steps != tt.steps || !strings.Contains(f.Error, tt.says) {
				t.Errorf("ended as %+v", f)
			}
			if want := 100 * min(tt.steps, 4); f.Usage.InputTokens+f.Usage.OutputTokens != want {
				t.Errorf("usage %+v, want %d tokens", f.Usage, want)
			}
		})
	}
}

// Behaviour: 92.
func TestNothingHappensAfterTheDeadline(t *testing.T) {
	hang := func(ctx context.Context, _ agent.View) (protocol.Answer, error) {
		<-ctx.Done()
		return say(take), nil // an answer that comes too late
	}
	long := func(context.Context, agent.View) (protocol.Answer, error) {
		return say(agenttest.Call("wait", map[string]any{"ms": 3_600_000}), take), nil
	}
	fail := func(context.Context, agent.View) (protocol.Answer, error) {
		return protocol.Answer{}, agent.RetryAfter(errors.New("busy"), time.Hour)
	}
	for _, tt := range []struct {
		name    string
		decider decide
	}{
		{"a decider that hangs", hang},
		{"a wait that is longer", long},
		{"a rest between two tries that is longer", fail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newOperatorRun("web-1")
				r.settings.Deadline = time.Now().Add(30 * time.Second)
				began := time.Now()
				f, err := r.run(t, t.Context(), tt.decider)
				if err != nil || f.Outcome != protocol.OutcomeDeadline || !strings.Contains(f.Error, "the deadline of 2000-01-01T00:00:30Z passed") {
					t.Errorf("ended as %+v, %v", f, err)
				}
				if took := time.Since(began); took != 30*time.Second {
					t.Errorf("it took %s, want 30s", took)
				}
				if q := r.probes.questions(); len(q) > 0 {
					t.Errorf("after the deadline: %v", q)
				}
				if last := r.journal.Log[len(r.journal.Log)-1]; last.Kind != protocol.RecordFinish {
					t.Errorf("the journal ends with %s", last.Kind)
				}
			})
		})
	}
	t.Run("a run that is taken up late", func(t *testing.T) {
		r := newOperatorRun("web-1")
		r.settings.Deadline = time.Now().Add(-time.Second)
		f, err := r.run(t, t.Context(), decide(func(context.Context, agent.View) (protocol.Answer, error) {
			t.Error("its decider is asked")
			return say(take), nil
		}))
		if err != nil || f.Outcome != protocol.OutcomeDeadline || f.Steps != 0 {
			t.Errorf("ended as %+v, %v", f, err)
		}
	})
}

// Behaviour: 47.
func TestADecisionThatFailsIsTriedThreeTimes(t *testing.T) {
	busy := errors.New("busy")
	for _, tt := range []struct {
		name    string
		errs    []error // what each try gives, then it succeeds
		outcome protocol.Outcome
		tries   int
		took    time.Duration
		says    string
	}{
		{"at once", nil, protocol.OutcomeDone, 1, 0, ""},
		{"at the third try, after 1 s and 2 s", []error{busy, busy}, protocol.OutcomeDone, 3, 3 * time.Second, ""},
		{"never", []error{busy, busy, busy, nil}, protocol.OutcomeFailed, 3, 3 * time.Second, "function failed 3 times: busy"},
		{"as late as the provider asks", []error{agent.RetryAfter(busy, 7*time.Second), busy}, protocol.OutcomeDone, 3, 9 * time.Second, ""},
		{"a provider that asks for nothing", []error{agent.RetryAfter(busy, 0)}, protocol.OutcomeDone, 2, time.Second, ""},
		{"what no repetition mends", []error{fmt.Errorf("no such model: %w", agent.ErrFinal)}, protocol.OutcomeFailed, 1, 0, "no such model"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newOperatorRun("web-1")
				tries, began := 0, time.Now()
				f, err := r.run(t, t.Context(), decide(func(context.Context, agent.View) (protocol.Answer, error) {
					if tries++; tries <= len(tt.errs) && tt.errs[tries-1] != nil {
						return protocol.Answer{}, tt.errs[tries-1]
					}
					return say(over), nil
				}))
				if err != nil || f.Outcome != tt.outcome || !strings.Contains(f.Error, tt.says) || tries != tt.tries || time.Since(began) != tt.took {
					t.Errorf("ended as %+v, %v, after %d tries and %s", f, err, tries, time.Since(began))
				}
				for i, rec := range r.journal.Log[1:tt.tries] {
					if retry := data[protocol.Retry](t, rec); retry.Attempt != i+1 || retry.Error != "busy" || retry.DelayMS == 0 {
						t.Errorf("record %d: %+v", rec.N, retry)
					}
				}
			})
		})
	}
}

func TestTheNextDecisionHasItsOwnTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newOperatorRun("web-1")
		tries := 0
		f, err := r.run(t, t.Context(), decide(func(_ context.Context, v agent.View) (protocol.Answer, error) {
			if tries++; tries%3 != 0 {
				return protocol.Answer{}, errors.New("busy")
			}
			return say(map[bool]protocol.ToolCall{true: over, false: think}[v.Step == 4]), nil
		}))
		if err != nil || f.Outcome != protocol.OutcomeDone || tries != 12 {
			t.Errorf("ended as %+v, %v, after %d tries", f, err, tries)
		}
	})
}

// Behaviour: 103, defect 2.
func TestCancelling(t *testing.T) {
	t.Run("between two records, as the journal tells", func(t *testing.T) {
		for _, kind := range []protocol.RecordKind{protocol.RecordAnswer, protocol.RecordResult, protocol.RecordFinish} {
			r := newOperatorRun("web-1")
			told := false
			r.journal.Refuse = func(k protocol.RecordKind) error {
				if k == kind && !told {
					told = true
					return agent.ErrCancelled
				}
				return nil
			}
			f := r.play(t, steps(think, over)...)
			if f.Outcome != protocol.OutcomeCancelled || !strings.HasSuffix(kinds(r.journal), "finished") {
				t.Errorf("cancelled at %s: ended as %+v, journal %s", kind, f, kinds(r.journal))
			}
		}
	})
	t.Run("before anybody took the run", func(t *testing.T) {
		r := newOperatorRun("web-1")
		if _, err := r.journal.Append(t.Context(), protocol.RecordCancel, protocol.Cancel{By: "somebody"}); err != nil {
			t.Fatal(err)
		}
		model := agenttest.NewScript()
		f, err := r.run(t, t.Context(), model)
		if err != nil || f.Outcome != protocol.OutcomeCancelled || model.Asked() != 0 {
			t.Errorf("ended as %+v, %v, after %d decisions", f, err, model.Asked())
		}
	})
	for name, hang := range map[string]decide{
		"while a decision is made": func(ctx context.Context, _ agent.View) (protocol.Answer, error) {
			<-ctx.Done()
			return protocol.Answer{}, ctx.Err()
		},
		"while it waits": func(context.Context, agent.View) (protocol.Answer, error) {
			return say(agenttest.Call("wait", map[string]any{"ms": 60_000}), take), nil
		},
		"between two tries": func(context.Context, agent.View) (protocol.Answer, error) {
			return protocol.Answer{}, agent.RetryAfter(errors.New("busy"), time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newOperatorRun("web-1")
				r.aborted = make(chan struct{})
				began := time.Now()
				time.AfterFunc(5*time.Second, func() { close(r.aborted) })
				f, err := r.run(t, t.Context(), hang)
				if err != nil || f.Outcome != protocol.OutcomeCancelled || time.Since(began) != 5*time.Second {
					t.Errorf("ended as %+v, %v, after %s", f, err, time.Since(began))
				}
				if q := r.probes.questions(); len(q) > 0 {
					t.Errorf("after the cancel: %v", q)
				}
			})
		})
	}
}

func TestASupersededWorkerWritesNothing(t *testing.T) {
	for _, kind := range []protocol.RecordKind{protocol.RecordStart, protocol.RecordAnswer, protocol.RecordResult, protocol.RecordFinish} {
		t.Run("at "+string(kind), func(t *testing.T) {
			r := newOperatorRun("web-1")
			r.journal.Refuse = func(k protocol.RecordKind) error {
				if k == kind {
					return fmt.Errorf("run-1: %w: op-2", agent.ErrSuperseded)
				}
				return nil
			}
			_, err := r.run(t, t.Context(), agenttest.NewScript(steps(think)...))
			if !errors.Is(err, agent.ErrSuperseded) || strings.Contains(kinds(r.journal), "finished") {
				t.Errorf("ended with %v, journal %s", err, kinds(r.journal))
			}
		})
	}
}

func TestAWorkerThatStopsHandsItsRunBack(t *testing.T) {
	hang := func(ctx context.Context, _ agent.View) (protocol.Answer, error) {
		<-ctx.Done()
		return protocol.Answer{}, ctx.Err()
	}
	slow := func(context.Context, agent.View) (protocol.Answer, error) {
		time.Sleep(8 * time.Second)
		return say(think, think), nil
	}
	wait := func(context.Context, agent.View) (protocol.Answer, error) {
		return say(think, agenttest.Call("wait", map[string]any{"ms": 60_000}), think), nil
	}
	fail := func(context.Context, agent.View) (protocol.Answer, error) {
		return protocol.Answer{}, agent.RetryAfter(errors.New("busy"), time.Minute)
	}
	for _, tt := range []struct {
		name    string
		decider decide
		took    time.Duration
		journal string
	}{
		{"after the step in hand", slow, 8 * time.Second, "start answer result result"},
		{"in the middle of a wait, at once", wait, 5 * time.Second, "start answer result"},
		{"between two tries, at once", fail, 5 * time.Second, "start retry"},
		{"25 s later when the decision hangs", hang, 5*time.Second + agent.HandBack, "start"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newOperatorRun("web-1")
				ctx, stop := context.WithCancel(t.Context())
				began := time.Now()
				time.AfterFunc(5*time.Second, stop)
				f, err := r.run(t, ctx, tt.decider)
				if !errors.Is(err, context.Canceled) || f.Outcome != "" {
					t.Errorf("ended as %+v, %v", f, err)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
				if got := kinds(r.journal); got != tt.journal {
					t.Errorf("the journal holds %q, want %q", got, tt.journal)
				}
				f, err = r.run(t, t.Context(), agenttest.NewScript())
				if err != nil || f.Outcome != protocol.OutcomeDone {
					t.Errorf("the next worker ended it as %+v, %v", f, err)
				}
			})
		})
	}
}

// Behaviour: defect 6.
func TestAWaitIsCutToTheDeadlineAndRefusedBelowZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newOperatorRun("web-1")
		began := time.Now()
		f := r.play(t, steps(
			agenttest.Call("wait", map[string]any{"ms": 0}),
			agenttest.Call("wait", map[string]any{"ms": 1500}),
			agenttest.Call("wait", map[string]any{"ms": int64(9_000_000_000_000_000_000)}))...)
		if f.Outcome != protocol.OutcomeDeadline || time.Since(began) != time.Hour {
			t.Errorf("ended as %+v after %s", f, time.Since(began))
		}
		res := results(t, r.journal)
		if len(res) < 2 || res[0].Content != `{"waited":0}` || res[1].Content != `{"waited":1500}` {
			t.Errorf("results %+v", res)
		}
	})
}

// Behaviour: defect 20.
func TestAPanicIsContained(t *testing.T) {
	t.Run("in a tool, which has failed", func(t *testing.T) {
		r := newOperatorRun("web-1")
		r.scripts = panicking{}
		f := r.play(t, steps(agenttest.Call("execute", map[string]any{"code": "return 1"}))...)
		res := one(t, r.journal, "execute")
		if f.Outcome != protocol.OutcomeDone || !res.Failed {
			t.Errorf("ended as %+v with %+v", f, res)
		}
		wantIn(t, res.Content, "execute", "boom")
	})
	t.Run("in the question to one of several targets, which did not answer", func(t *testing.T) {
		r := newOperatorRun("web-1", "web-2")
		r.probes.snaps["web-2"] = snapshot("s2", "web-2", map[string]any{"memory_used_pct": 1.0})
		r.probes.answer = func(target protocol.TargetRef, _ string, _ []any) (any, error) {
			if target.Node == "web-1" {
				panic("boom")
			}
			return 1.0, nil
		}
		r.play(t, steps(agenttest.Call("call", map[string]any{"callback": "get_current_time"}))...)
		res := one(t, r.journal, "call")
		if res.Failed || len(r.state.Answers) != 2 || r.state.Answers[0].Error == "" || r.state.Answers[1].Error != "" {
			t.Errorf("result %+v, answers %+v", res, r.state.Answers)
		}
		wantIn(t, res.Content, "boom")
	})
	t.Run("in a decider, which has failed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newOperatorRun("web-1")
			f, err := r.run(t, t.Context(), decide(func(context.Context, agent.View) (protocol.Answer, error) { panic("boom") }))
			if err != nil || f.Outcome != protocol.OutcomeFailed || !strings.Contains(f.Error, "boom") || strings.Count(kinds(r.journal), "retry") != 2 {
				t.Errorf("ended as %+v, %v, journal %s", f, err, kinds(r.journal))
			}
		})
	})
}

type panicking struct{}

func (panicking) Run(context.Context, string, []string, func(context.Context, string, []any) (any, error)) (any, string, error) {
	panic("boom")
}

// A record of a journal has a size: what does not fit is told to the decider,
// else the run could never go on.
func TestWhatIsTooLargeForTheJournalIsToldToTheDecider(t *testing.T) {
	r := newOperatorRun("web-1", "web-2", "web-3", "web-4")
	r.probes.answer = func(protocol.TargetRef, string, []any) (any, error) { return strings.Repeat("x", 190<<10), nil }
	f := r.play(t, steps(agenttest.Call("call", map[string]any{"callback": "system_top"}))...)
	res := one(t, r.journal, "call")
	if f.Outcome != protocol.OutcomeDone || !res.Failed {
		t.Errorf("ended as %+v with a result of %d bytes, failed %v", f, len(res.Content), res.Failed)
	}
	for _, rec := range r.journal.Log {
		if _, err := protocol.Encode(rec); err != nil {
			t.Errorf("record %d (%s): %v", rec.N, rec.Kind, err)
		}
	}
	wantIn(t, res.Content, "fewer targets")

	t.Run("an answer as large counts as a failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newOperatorRun("web-1")
			f, err := r.run(t, t.Context(), decide(func(context.Context, agent.View) (protocol.Answer, error) {
				return protocol.Answer{Text: strings.Repeat("x", 2<<20)}, nil
			}))
			if err != nil || f.Outcome != protocol.OutcomeFailed || !strings.Contains(f.Error, "bytes") {
				t.Errorf("ended as %+v, %v", f, err)
			}
		})
	})
}

func TestALongResultIsCutWithANoteAndItsEvidenceIsKeptWhole(t *testing.T) {
	r := newOperatorRun("web-1")
	long := strings.Repeat("é", 20_000)
	r.probes.answer = func(protocol.TargetRef, string, []any) (any, error) { return long, nil }
	r.play(t, steps(agenttest.Call("call", map[string]any{"callback": "system_top"}))...)
	res := one(t, r.journal, "call")
	if len(res.Content) > 25<<10 || !strings.Contains(res.Content, "bytes shown)") || r.state.Answers[0].Value != long {
		t.Errorf("the result has %d bytes and ends %q", len(res.Content), res.Content[len(res.Content)-80:])
	}
	if strings.Contains(res.Content, "\ufffd") || !strings.HasPrefix(res.Content, `[{"target":"web-1/host"`) {
		t.Errorf("the cut tears a letter apart: %q", res.Content[len(res.Content)-80:])
	}
}
