//go:build linux

package e2e_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// ackWait is short here, so that a takeover is.
const ackWait = 1500 * time.Millisecond

// checkOnce fails the test unless everything that an investigation left behind
// is there once: the completion of its one operator run, its notifications, its
// insight and its end, and no work is left.
func (f *fleet) checkOnce(id string) {
	f.t.Helper()
	if n := len(f.stored("FL_FINDINGS", "operator.completion.*."+id)); n != 1 {
		f.t.Errorf("%d completions, want 1", n)
	}
	notes := decodeAll[notification](f.t, f.stored("FL_FINDINGS", "operator.notification.*.*."+id))
	if len(notes) != 1 || !notes[0].Verified {
		f.t.Errorf("the notifications are %+v, want one, verified", notes)
	}
	if n := len(f.stored("FL_INSIGHTS", "insights.*.*."+id)); n != 1 {
		f.t.Errorf("%d insights, want 1", n)
	}
	if n := len(f.stored("FL_FINDINGS", "investigations."+id+".finished")); n != 1 {
		f.t.Errorf("it finished %d times", n)
	}
	box.Eventually(f.t, "no task and no request is left", func() bool { return f.count("FL_WORK") == 0 && f.count("FL_REQUESTS") == 0 })
}

// begin asks for an investigation and returns where its result comes.
func (f *fleet) begin(body string) <-chan result {
	f.t.Helper()
	finished := follow(f.t, f.nc, "investigations.*.finished")
	results := make(chan result, 1)
	if err := f.nc.Publish("investigate.request", []byte(body)); err != nil {
		f.t.Fatal(err)
	}
	go func() {
		select {
		case m := <-finished:
			results <- decode[result](f.t, m.Data)
		case <-f.t.Context().Done():
		}
	}()
	return results
}

func await(t *testing.T, results <-chan result) result {
	t.Helper()
	select {
	case r := <-results:
		return r
	case <-time.After(box.Patience):
		t.Fatalf("no result within %s", box.Patience)
		return result{}
	}
}

func TestAnotherOperatorEndsTheRunOfOneThatWasKilled(t *testing.T) {
	for _, tt := range []struct {
		when string
		step int
	}{
		{"before it looked", 0},
		{"before it reported", 1},
		{"after it reported", 2},
		{"before its end", 3},
	} {
		t.Run(tt.when, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			f.impatient(ackWait)
			g := newGate(tt.step)
			model := newModel(t, g.before(diligent))
			first := f.operator("first", "--config", model.config(t))
			ready(f.coordinator(), first, f.probe("web-1", tree(t, memoryFault)))
			results := f.begin(`{"reason":"checkout is slow","skills":["os"]}`)
			g.await(t)
			second := f.operator("second", "--config", model.config(t))
			ready(second)
			first.Kill()
			g.await(t) // the second one asks again for the answer that was in flight
			close(g.open)
			r := await(t, results)
			if r.State != "done" || len(r.OperatorResults) != 1 || r.OperatorResults[0].Outcome != "done" {
				t.Fatalf("got %+v", r)
			}
			f.checkOnce(r.InvestigationID)
			for step := range 4 {
				want := 1
				if step == tt.step {
					want = 2
				}
				if n := model.asked(step); n != want {
					t.Errorf("the model was asked %d times for step %d, want %d", n, step, want)
				}
			}
		})
	}
}

func TestAnOperatorThatWasFrozenLeavesTheRunToItsSuccessor(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.impatient(ackWait)
	g := newGate(1)
	model := newModel(t, g.before(diligent))
	first := f.operator("first", "--config", model.config(t))
	ready(f.coordinator(), first, f.probe("web-1", tree(t, memoryFault)))
	results := f.begin(`{"reason":"checkout is slow","skills":["os"]}`)
	g.await(t)
	second := f.operator("second", "--config", model.config(t))
	ready(second)
	first.Signal(syscall.SIGSTOP)
	g.await(t)
	close(g.open) // both get the answer, the frozen one finds it when it thaws
	r := await(t, results)
	if r.State != "done" {
		t.Fatalf("got %+v", r)
	}
	f.checkOnce(r.InvestigationID)
	first.Signal(syscall.SIGCONT)
	first.Says("another worker has it")
	f.checkOnce(r.InvestigationID)
	// It has lost the run, not its place: it takes the next task.
	second.Kill()
	if r := request(t, f.nc, `{"reason":"and now?"}`); r.State != "done" {
		t.Errorf("got %+v", r)
	}
}

func TestAnotherCoordinatorEndsTheInvestigationOfOneThatWasKilled(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.impatient(ackWait)
	g := newGate(1)
	model := newModel(t, g.before(diligent))
	first := f.coordinator("--name", "first")
	ready(first, f.operator("op-1", "--config", model.config(t)), f.probe("web-1", tree(t, memoryFault)))
	answers := make(chan []byte, 1)
	go func() {
		if m, err := f.nc.Request("investigate.run", []byte(`{"reason":"checkout is slow","skills":["os"]}`), box.Patience); err == nil {
			answers <- m.Data
		}
		close(answers)
	}()
	g.await(t)
	first.Kill()
	ready(f.coordinator("--name", "second"))
	close(g.open)
	r := decode[result](t, <-answers)
	if r.State != "done" || len(r.Insights) != 1 {
		t.Fatalf("got %+v", r)
	}
	f.checkOnce(r.InvestigationID)
}

func TestALongRunIsNotTakenFromAWorkerThatLives(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.impatient(ackWait)
	g := newGate(1)
	model := newModel(t, g.before(diligent))
	ready(f.coordinator(), f.operator("first", "--config", model.config(t)), f.operator("second", "--config", model.config(t)), f.probe("web-1", tree(t, memoryFault)))
	results := f.begin(`{"reason":"checkout is slow","skills":["os"]}`)
	g.await(t)
	wait := time.NewTimer(2 * ackWait)
	defer wait.Stop()
	select {
	case <-g.arrived:
		t.Error("another worker took the run")
	case <-wait.C:
	}
	close(g.open)
	r := await(t, results)
	f.checkOnce(r.InvestigationID)
	if n := model.asked(1); n != 1 {
		t.Errorf("the model was asked %d times for step 1", n)
	}
}

func TestAModelOfTheConfigurationDecides(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	model := newModel(t, diligent)
	ready(f.coordinator(), f.operator("op-1", "--config", model.config(t)), f.probe("web-1", tree(t, memoryFault)))
	r := request(t, f.nc, `{"reason":"checkout is slow","skills":["os"]}`)
	if r.State != "done" || len(r.Insights) != 1 || !strings.Contains(r.Insights[0].Summary, "memory is 97 % used") {
		t.Fatalf("got %+v", r)
	}
	checkFigures(t, r.Insights...)
	if done := r.OperatorResults[0]; !strings.HasPrefix(done.Model, "fake") {
		t.Errorf("the run says that %q decided", done.Model)
	}
	first := model.turns[0]
	if first.Model != "x" || len(first.Tools) < 9 || len(first.Messages) != 2 || !strings.Contains(fmt.Sprint(first.Messages), "checkout is slow") {
		t.Errorf("it was asked %+v", first)
	}
}

func TestASpentBudgetLeavesTheAnswerToTheRulesAnalyst(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	model := newModel(t, diligent)
	ready(f.coordinator(), f.operator("op-1", "--config", model.config(t), "--tokens-per-hour", "100"), f.probe("web-1", tree(t, memoryFault)))
	r := request(t, f.nc, `{"reason":"checkout is slow","skills":["os"]}`)
	if r.State != "done" || len(r.Insights) != 1 || !strings.Contains(r.Insights[0].Summary, "97 %") {
		t.Fatalf("got %+v", r)
	}
	checkFigures(t, r.Insights...)
	if len(model.turns) != 0 {
		t.Errorf("the model was asked %d times", len(model.turns))
	}
	said := strings.Join(r.Insights[0].NotChecked, "; ")
	if !strings.Contains(said, "the rules analyst looked in place of the model") || !strings.Contains(said, "the budget of 100 tokens an hour leaves 100") {
		t.Errorf("not checked: %s", said)
	}
}
