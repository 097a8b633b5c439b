package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// patience is how long these tests wait for what must happen.
const patience = time.Minute

// reporter publishes what operators find.
type reporter struct {
	t *testing.T
	*bus.Conn
}

func (r reporter) notification(investigation, run string, n, size int) {
	r.t.Helper()
	body := protocol.Notification{
		ID: fmt.Sprintf("%s-n%d", run, n), InvestigationID: investigation, RunID: run, Operator: "pantry", Node: "web-1", Target: "host", AnomalyType: "used_pct",
		Severity: protocol.SeverityWarning, Context: "c" + strings.Repeat(".", size), Observation: "it is full", DetectedAt: time.Now().UTC(), Snapshots: []protocol.Snapshot{},
	}
	if _, err := r.Publish(r.t.Context(), bus.Outgoing{Subject: protocol.NotificationSubject("pantry", "web-1", investigation), Body: body, ID: body.ID, Dedupe: true}); err != nil {
		r.t.Error(err)
	}
}

func (r reporter) completion(investigation, run string, size int) {
	r.t.Helper()
	body := protocol.Completion{
		RunID: run, InvestigationID: investigation, Skill: "pantry", State: protocol.Healthy, Outcome: protocol.OutcomeDone, NotChecked: []string{strings.Repeat(".", size)},
		Targets: []protocol.TargetRef{}, NotificationIDs: []string{}, SnapshotIDs: []string{},
	}
	if _, err := r.Publish(r.t.Context(), bus.Outgoing{Subject: protocol.CompletionSubject("pantry", investigation), Body: body, ID: protocol.EffectID(run, "completion"), Dedupe: true}); err != nil {
		r.t.Error(err)
	}
}

func newReporter(t *testing.T) (reporter, agent.Operators) {
	t.Helper()
	server := natstest.Run(t)
	r := reporter{t, natstest.Setup(t, server, "test", "pantry")}
	ops, stop, err := coordinator.NewOperators(t.Context(), natstest.Dial(t, server, "coordinator"), "inv-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return r, ops
}

// awaken waits until something came.
func awaken(t *testing.T, ops agent.Operators) {
	t.Helper()
	select {
	case <-ops.Wake():
	case <-time.After(patience):
		t.Fatal("nobody was woken up")
	}
}

func read(t *testing.T, ops agent.Operators, since agent.Cursor) ([]protocol.Notification, []protocol.Completion, agent.Cursor) {
	t.Helper()
	news, err := ops.News(t.Context(), "inv-1", since)
	if err != nil {
		t.Fatal(err)
	}
	return news.Notifications, news.Completions, news.Cursor
}

// Behaviour: 75.
func TestFindingsAreReadOnceAndOfOneInvestigationOnly(t *testing.T) {
	r, ops := newReporter(t)
	ns, cs, cursor := read(t, ops, agent.Cursor{})
	if len(ns)+len(cs) != 0 || cursor != (agent.Cursor{}) {
		t.Fatalf("of an empty stream: %v, %v, %+v", ns, cs, cursor)
	}
	r.notification("inv-2", "other", 1, 0)
	r.completion("inv-2", "other", 0)
	r.notification("inv-1", "run-1", 1, 0)
	r.completion("inv-1", "run-1", 0)
	awaken(t, ops)
	ns, cs, cursor = read(t, ops, cursor)
	if len(ns) != 1 || ns[0].ID != "run-1-n1" || len(cs) != 1 || cs[0].RunID != "run-1" {
		t.Errorf("notifications %+v, completions %+v", ns, cs)
	}
	again, more, same := read(t, ops, cursor)
	if len(again)+len(more) != 0 || same != cursor {
		t.Errorf("a second time: %v, %v, %+v after %+v", again, more, same, cursor)
	}
	r.notification("inv-1", "run-2", 1, 0)
	awaken(t, ops)
	if ns, cs, _ = read(t, ops, cursor); len(ns) != 1 || ns[0].ID != "run-2-n1" || len(cs) != 0 {
		t.Errorf("later: %v, %v", ns, cs)
	}
	if ns, cs, _ := read(t, ops, agent.Cursor{}); len(ns) != 2 || len(cs) != 1 {
		t.Errorf("from the beginning, as a worker that takes over reads: %d and %d", len(ns), len(cs))
	}
}

func TestACompletionWaitsForItsNotifications(t *testing.T) {
	for _, tt := range []struct {
		name    string
		n, size int
		batches []int
	}{
		{"a hundred fit", 100, 0, []int{100}},
		{"more than a hundred", 250, 0, []int{100, 100, 50}},
		{"large ones", 6, 100 << 10, []int{2, 2, 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, ops := newReporter(t)
			for i := range tt.n {
				r.notification("inv-1", "run-1", i, tt.size)
			}
			r.completion("inv-1", "run-1", 0)
			var batches []int
			var ids []string
			cursor := agent.Cursor{}
			for done := 0; done == 0; {
				awaken(t, ops) // what is left wakes up at once
				ns, cs, next := read(t, ops, cursor)
				if done = len(cs); done > 0 && len(ids)+len(ns) != tt.n {
					t.Fatalf("the completion comes after %d of %d notifications", len(ids)+len(ns), tt.n)
				}
				for _, n := range ns {
					ids = append(ids, n.ID)
				}
				batches, cursor = append(batches, len(ns)), next
			}
			if diff := cmp.Diff(tt.batches, batches); diff != "" {
				t.Errorf("batches (-want +got):\n%s", diff)
			}
			for i, id := range ids {
				if id != fmt.Sprintf("run-1-n%d", i) {
					t.Fatalf("notification %d is %s", i, id)
				}
			}
		})
	}
}

// All completions of a large investigation would not fit into one record.
func TestCompletionsFitIntoARecord(t *testing.T) {
	r, ops := newReporter(t)
	for i := range 12 {
		r.completion("inv-1", fmt.Sprint("run-", i), 100<<10)
	}
	seen := map[string]bool{}
	for cursor := (agent.Cursor{}); len(seen) < 12; {
		awaken(t, ops)
		_, cs, next := read(t, ops, cursor)
		if len(cs) == 0 || len(cs) > 3 {
			t.Fatalf("%d completions of 100 KiB at a time", len(cs))
		}
		for _, c := range cs {
			seen[c.RunID] = true
		}
		cursor = next
	}
}

func TestACompletionIsNeverSeenBeforeItsNotifications(t *testing.T) {
	r, ops := newReporter(t)
	const runs, each = 40, 5
	go func() {
		for run := range runs {
			for n := range each {
				r.notification("inv-1", fmt.Sprint("run-", run), n, 0)
			}
			r.completion("inv-1", fmt.Sprint("run-", run), 0)
		}
	}()
	seen, completed := map[string]int{}, 0
	for cursor := (agent.Cursor{}); completed < runs; {
		ns, cs, next := read(t, ops, cursor)
		for _, n := range ns {
			seen[n.RunID]++
		}
		for _, c := range cs {
			if completed++; seen[c.RunID] != each {
				t.Errorf("%s completed after %d of its %d notifications", c.RunID, seen[c.RunID], each)
			}
		}
		if cursor = next; len(ns)+len(cs) == 0 {
			awaken(t, ops)
		}
	}
}

// Behaviour: 52.
func TestServes(t *testing.T) {
	r, ops := newReporter(t)
	began := time.Now()
	err := ops.Serves(t.Context(), "pantry")
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "no worker serves pantry: start one with `operator --skills pantry`") || took > 4*time.Second {
		t.Errorf("without a worker: %v after %s", err, took)
	}
	stop, err := r.Serve(t.Context(), bus.Service{Name: "worker", Version: "1.0.0", Endpoints: []bus.Endpoint{{
		Name: "serves", Subject: protocol.ServesSubject("pantry"), Handler: func(context.Context, bus.Req) (any, error) { return nil, nil },
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ops.Serves(t.Context(), "pantry"); err != nil {
		t.Errorf("with a worker: %v", err)
	}
}

func TestAWorkerTooBusyToAnswerServesItsSkills(t *testing.T) {
	r, ops := newReporter(t)
	stop, err := r.Serve(t.Context(), bus.Service{Name: "worker", Version: "1.0.0", Endpoints: []bus.Endpoint{{
		Name: "serves", Subject: protocol.ServesSubject("pantry"), Handler: func(context.Context, bus.Req) (any, error) {
			return nil, bus.Refuse(429, "busy")
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ops.Serves(t.Context(), "pantry"); err != nil {
		t.Error(err)
	}
}

func TestAWorkerThatHangsHidesNoOther(t *testing.T) {
	r, ops := newReporter(t)
	serve := func(name string, answer func()) {
		t.Helper()
		stop, err := r.Serve(t.Context(), bus.Service{Name: name, Version: "1.0.0", Endpoints: []bus.Endpoint{{
			Name: "serves", Subject: protocol.ServesSubject("pantry"), Handler: func(context.Context, bus.Req) (any, error) { answer(); return nil, nil },
		}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	thaw := make(chan struct{})
	defer close(thaw)
	serve("frozen", func() { <-thaw })
	serve("alive", func() {})
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 { // each time one of the two is asked by chance
		if err := ops.Serves(t.Context(), "pantry"); err != nil {
			t.Fatal(err)
		}
	}
}

// Behaviour: 33, 67, 85.
func TestAnOperatorsStatusIsTheEndOfItsJournal(t *testing.T) {
	r, ops := newReporter(t)
	if st, err := ops.Status(t.Context(), "run-1"); err != nil || st != (agent.RunStatus{}) {
		t.Errorf("nobody has taken it: %+v, %v", st, err)
	}
	j, err := journal.Claim(t.Context(), r.Conn, protocol.OperatorAgent, "run-1", "op-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), protocol.RecordAnswer, protocol.Answer{Step: 3}); err != nil {
		t.Fatal(err)
	}
	if st, err := ops.Status(t.Context(), "run-1"); err != nil || !strings.HasPrefix(st.Worker, "op-1") || st.Step != 3 || st.State != "" || time.Since(st.Last) > patience {
		t.Errorf("at work: %+v, %v", st, err)
	}
	if _, err := j.Append(t.Context(), protocol.RecordFinish, protocol.Finish{Outcome: protocol.OutcomeFailed}); err != nil {
		t.Fatal(err)
	}
	if st, err := ops.Status(t.Context(), "run-1"); err != nil || st.State != protocol.OutcomeFailed {
		t.Errorf("ended: %+v, %v", st, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ops.Status(ctx, "run-1"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
