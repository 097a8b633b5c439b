package reading_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestTheEndOfAnInvestigationIsWaitedFor(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test", "os")
	publish := func(phase string, m protocol.Message) {
		if _, err := conn.Publish(t.Context(), bus.Outgoing{Subject: protocol.InvestigationSubject("i", phase), Body: m}); err != nil {
			t.Error(err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := reading.Await(short, conn, "i", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before the end: %v", err)
	}
	step := protocol.Progress{InvestigationID: "i", RunID: "i", Agent: "os", Step: 1, Text: "looks", At: now}
	heard, stepped := make(chan protocol.Progress, 64), make(chan struct{})
	go func() { // until it is heard, for only then it is waited
		defer close(stepped)
		for {
			publish(protocol.PhaseProgress, step)
			select {
			case p := <-heard:
				if p.Text != "looks" {
					t.Errorf("heard %+v", p)
				}
				publish(protocol.PhaseFinished, protocol.Result{InvestigationID: "i", State: protocol.ResultDone, StartedAt: now, EndedAt: now})
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	begun := time.Now()
	r, err := reading.Await(t.Context(), conn, "i", func(p protocol.Progress) {
		select {
		case heard <- p:
		default:
		}
	})
	<-stepped
	if err != nil || r.State != protocol.ResultDone {
		t.Errorf("got %+v, %v", r, err)
	}
	if took := time.Since(begun); took > 4*time.Second { // it is told, and not looked for
		t.Errorf("it took %s", took)
	}
	if r, err := reading.Await(t.Context(), conn, "i", nil); err != nil || r.InvestigationID != "i" {
		t.Errorf("after the end: %+v, %v", r, err)
	}
}

func TestASnapshotByItsID(t *testing.T) {
	conn := world(t)
	for id, want := range map[string]string{"5a1-snapshot": "5a1-snapshot", "5a1": "5a1-snapshot", "90f-snapshot": "90f-snapshot"} {
		if s, err := reading.SnapshotOf(t.Context(), conn, id); err != nil || s.ID != want {
			t.Errorf("%s is %q, %v", id, s.ID, err)
		}
	}
	if _, err := reading.SnapshotOf(t.Context(), conn, "nobody"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := reading.SnapshotOf(t.Context(), conn, "7a"); !errors.As(err, new(*reading.AmbiguousError)) {
		t.Errorf("got %v", err)
	}
}
