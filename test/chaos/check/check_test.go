package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A plan is what the streams of a test are given.
type plan struct {
	t    *testing.T
	conn *bus.Conn
}

func (p plan) publish(subject string, body protocol.Message) {
	p.t.Helper()
	if _, err := p.conn.Publish(p.t.Context(), bus.Outgoing{Subject: subject, Body: body}); err != nil {
		p.t.Fatal(err)
	}
}

func (p plan) notification(id, run string) {
	p.t.Helper()
	p.publish(protocol.NotificationSubject("os", "web-1", "i1"), protocol.Notification{
		ID: id, InvestigationID: "i1", RunID: run, Operator: "os", Node: "web-1", AnomalyType: "memory_used_pct", Severity: protocol.SeverityWarning,
		Context: "the host answers", Observation: "memory is 97 % used", DetectedAt: time.Now(),
	})
}

func insightAbout(id, notification string) protocol.Insight {
	return protocol.Insight{
		ID: id, InvestigationID: "i1", NotificationIDs: []string{notification}, SupportingIDs: []string{}, CorrelationType: protocol.Symptomatic,
		Severity: protocol.SeverityWarning, Summary: "memory is 97 % used", MatchedObservations: []string{}, Confidence: protocol.High,
		Nodes: []string{"web-1"}, Skills: []string{"os"}, CreatedAt: time.Now(), Model: "rules", Grounding: "one notification",
	}
}

func (p plan) insight(id, notification string) {
	p.t.Helper()
	p.publish(protocol.InsightSubject("warning", "symptomatic", "i1"), insightAbout(id, notification))
}

func completionOf(run string, notifications ...string) protocol.Completion {
	return protocol.Completion{
		RunID: run, InvestigationID: "i1", Skill: "os", State: protocol.Warning, Outcome: protocol.OutcomeDone, NotificationIDs: notifications, SnapshotIDs: []string{},
	}
}

func (p plan) completion(run string, notifications ...string) {
	p.t.Helper()
	p.publish(protocol.CompletionSubject("os", "i1"), completionOf(run, notifications...))
}

func (p plan) end(state protocol.ResultState, cause string) {
	p.t.Helper()
	p.publish(protocol.InvestigationSubject("i1", protocol.PhaseFinished), protocol.Result{
		InvestigationID: "i1", State: state, Error: cause, Insights: []protocol.Insight{insightAbout("c1", "n1")},
		OperatorResults: []protocol.Completion{completionOf("r1", "n1")}, StartedAt: time.Now(), EndedAt: time.Now(),
	})
}

func (p plan) journal(agent, run string, kinds ...protocol.RecordKind) {
	p.t.Helper()
	for i, kind := range kinds {
		p.publish(protocol.JournalSubject(agent, run), protocol.Record{RunID: run, N: i + 1, Kind: kind, At: time.Now()})
	}
}

// whole is an investigation that is as it should be.
func (p plan) whole() {
	p.t.Helper()
	p.begun()
	p.end(protocol.ResultDone, "")
}

// begun is whole without its end.
func (p plan) begun() {
	p.t.Helper()
	p.journal(protocol.CoordinatorAgent, "i1", protocol.RecordClaim, protocol.RecordStart, protocol.RecordFinish)
	p.journal(protocol.OperatorAgent, "r1", protocol.RecordClaim, protocol.RecordStart, protocol.RecordFinish)
	p.notification("n1", "r1")
	p.completion("r1", "n1")
	p.insight("c1", "n1")
}

func TestTheCheckerFindsWhatWasPlanted(t *testing.T) {
	for _, tt := range []struct {
		name          string
		plant         func(p plan)
		lost, doubled int
		says          string
	}{
		{"an investigation that is as it should be", plan.whole, 0, 0, ""},
		{"one that was cancelled, with its reason", func(p plan) { p.begun(); p.end(protocol.ResultCancelled, "cancelled") }, 0, 0, ""},
		{"a lost result", plan.begun, 1, 0, "i1 has no end"},
		{"two results", func(p plan) { p.whole(); p.end(protocol.ResultDone, "") }, 0, 1, "ended 2 times"},
		{"an end that nobody explains", func(p plan) { p.begun(); p.end(protocol.ResultFailed, "") }, 1, 0, "without a reason"},
		{"an investigation that ran out of time", func(p plan) { p.begun(); p.end(protocol.ResultDeadline, "late") }, 1, 0, "deadline_exceeded"},
		{"a doubled notification", func(p plan) { p.whole(); p.notification("n1", "r1") }, 0, 1, "notification n1"},
		{"a finding under two ids", func(p plan) { p.whole(); p.notification("n2", "r1") }, 1, 1, "memory_used_pct on web-1 by run r1"},
		{"a notification that nobody tells of", func(p plan) { p.whole(); p.notification("n2", "r2") }, 1, 0, "in no insight and no result"},
		{"a doubled insight", func(p plan) { p.whole(); p.insight("c1", "n1") }, 0, 1, "insight c1"},
		{"a conclusion under two ids", func(p plan) { p.whole(); p.insight("c2", "n1") }, 0, 1, "conclusion from notification n1"},
		{"an insight about nothing", func(p plan) { p.whole(); p.insight("c2", "n9") }, 1, 0, "notification n9"},
		{"a doubled completion", func(p plan) { p.whole(); p.completion("r1", "n1") }, 0, 1, "completion of run r1"},
		{"a completion with a lost notification", func(p plan) { p.whole(); p.completion("r2", "n9") }, 1, 0, "run r2 reports"},
		{"a run that nobody ended", func(p plan) {
			p.whole()
			p.journal(protocol.OperatorAgent, "r2", protocol.RecordClaim, protocol.RecordStart)
		}, 1, 0, "journal.operator.r2 has no end"},
		{"a run that ended twice", func(p plan) { p.whole(); p.journal(protocol.OperatorAgent, "r1", protocol.RecordFinish) }, 0, 1, "has 2 ends"},
		{"an end that was not announced", func(p plan) {
			p.whole()
			p.journal(protocol.OperatorAgent, "r2", protocol.RecordClaim, protocol.RecordFinish)
		}, 1, 0, "r2 was not announced"},
		{"a run that was cancelled before anybody took it", func(p plan) {
			p.whole()
			p.journal(protocol.OperatorAgent, "r2", protocol.RecordCancel)
		}, 0, 0, ""},
		{"a request that nobody took", func(p plan) {
			p.whole()
			p.publish(protocol.RequestSubject, protocol.Request{Reason: "why?"})
		}, 1, 0, "investigate.request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := natstest.Listen(t)
			p := plan{t, natstest.Setup(t, s, "test", "os")}
			tt.plant(p)
			v, err := check(t.Context(), s.URL(), []string{"i1"}, 0)
			if err != nil {
				t.Fatal(err)
			}
			if v.Lost != tt.lost || v.Doubled != tt.doubled || v.Investigations != 1 {
				t.Errorf("%d lost and %d doubled, want %d and %d: %q", v.Lost, v.Doubled, tt.lost, tt.doubled, v.Faults)
			}
			if all := strings.Join(v.Faults, "\n"); !strings.Contains(all, tt.says) {
				t.Errorf("it does not say %q: %s", tt.says, all)
			}
		})
	}
}

func TestTheCheckerWaitsForWhatIsStillAtWork(t *testing.T) {
	s := natstest.Listen(t)
	p := plan{t, natstest.Setup(t, s, "test", "os")}
	p.begun()
	verdicts := make(chan verdict, 1)
	go func() {
		v, err := check(t.Context(), s.URL(), []string{"i1"}, time.Minute)
		if err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		verdicts <- v
	}()
	p.end(protocol.ResultDone, "")
	if v := <-verdicts; v.Lost != 0 || v.Doubled != 0 || v.Done != 1 {
		t.Errorf("got %+v", v)
	}
}

func TestTheCheckerSaysThatItCannotRead(t *testing.T) {
	s := natstest.Listen(t) // it has no streams
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := check(ctx, s.URL(), []string{"i1"}, 0); err == nil || !strings.Contains(err.Error(), "FL_JOURNAL") {
		t.Errorf("got %v", err)
	}
}
