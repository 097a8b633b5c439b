package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// The insight that is loaded.
const (
	uiInsight       = "c1f09a7be2d44510"
	uiInvestigation = "inv-loaded"
	uiSummary       = "Checkout is slow because PostgreSQL on node-00002 uses 500 of 500 connections"
)

// Of what the fleet has seen.
const (
	uiBefore  = 200 // insights
	uiFacts   = 6   // findings of the one that is loaded, each of a run of its own
	uiRecords = 40  // of each run
)

// seed publishes the fleet, what was concluded before, and the insight with its findings
// and the journals of its runs.
func (f uiFleet) seed() error {
	for from := 0; from < f.nodes; from += 1000 {
		var list []bus.Outgoing
		for i := from; i < min(from+1000, f.nodes); i++ {
			list = append(list, f.beat(i))
		}
		if err := f.send(list...); err != nil {
			return err
		}
	}
	var list []bus.Outgoing
	for i := range uiBefore {
		list = append(list, f.insight(fmt.Sprintf("before-%d", i), fmt.Sprintf("inv-%d", i), fmt.Sprintf("disk_used_pct is 91 %% on %s", f.name(i%f.nodes)), protocol.SeverityWarning, []string{f.name(i % f.nodes)}))
	}
	now := time.Now().UTC()
	list = append(list, bus.Outgoing{Subject: protocol.InvestigationSubject(uiInvestigation, protocol.PhaseAccepted), Body: protocol.Accepted{
		InvestigationID: uiInvestigation, RunID: "run-co", Coordinator: "bench", Request: protocol.Request{ID: uiInvestigation, Reason: "checkout is slow"}, Deadline: now, At: now,
	}})
	list = append(list, uiJournal(protocol.CoordinatorAgent, "run-co")...)
	var ids, worst []string
	for i := range uiFacts {
		list = append(list, f.finding(i)...)
		ids = append(ids, fmt.Sprintf("n-%d", i))
	}
	for i := range 12 {
		worst = append(worst, f.name(i))
	}
	return f.send(append(list, f.insight(uiInsight, uiInvestigation, uiSummary, protocol.SeverityCritical, worst, ids...))...)
}

func (f uiFleet) insight(id, investigation, summary string, severity protocol.Severity, nodes []string, facts ...string) bus.Outgoing {
	i := protocol.Insight{
		ID: id, InvestigationID: investigation, NotificationIDs: facts, SupportingIDs: facts, CorrelationType: protocol.Causal, Severity: severity, Summary: summary,
		RootCauseHypothesis: "The last deploy raised the pool of connections.", HypothesisGrounded: true, Grounding: "2 nodes, 2 runs", Confidence: protocol.High,
		MatchedObservations: []string{}, Nodes: nodes, Skills: []string{"os"}, RuledOut: []string{"os.cpu_used_pct is 41 %, below 85 %"}, NotChecked: []string{"network between zones"},
		SuggestedActions: []string{}, Trigger: "checkout is slow", Model: "bench", CreatedAt: time.Now().UTC(), Evidence: []protocol.Evidence{},
	}
	for k := range facts {
		i.Evidence = append(i.Evidence, f.evidence(k))
	}
	return bus.Outgoing{Subject: protocol.InsightSubject(string(severity), string(i.CorrelationType), investigation), Body: i, ID: id}
}

// evidence has a series as long as any.
func (f uiFleet) evidence(k int) protocol.Evidence {
	e := protocol.Evidence{Address: fmt.Sprintf("snap-%d#disk_used_pct", k), Node: f.name(k), Target: "host", Name: "disk_used_pct", Value: 97.2, Unit: protocol.Percent, Threshold: new(90.0), Baseline: new(41.0)}
	for p := range 120 {
		e.Series = append(e.Series, protocol.Point{At: time.Now().Add(time.Duration(p-120) * 30 * time.Second).UnixMilli(), Value: 40 + float64(p)/2})
	}
	return e
}

// finding is one, and the run that it is of.
func (f uiFleet) finding(k int) []bus.Outgoing {
	run, e, target := fmt.Sprintf("run-%d", k), f.evidence(k), protocol.TargetRef{Node: f.name(k), Target: "host", Kind: "host"}
	n := protocol.Notification{
		ID: fmt.Sprintf("n-%d", k), InvestigationID: uiInvestigation, RunID: run, Operator: "os", Node: target.Node, Target: target.Target, AnomalyType: "disk", Severity: protocol.SeverityCritical,
		Context: "the disk of the database", Observation: "disk_used_pct is 97.2 % (threshold 90 %)", Snapshots: []protocol.Snapshot{}, Evidence: []protocol.Evidence{e}, Verified: true, DetectedAt: time.Now().UTC(),
		Figures: []protocol.Figure{{Text: "97.2 %", Value: 97.2, Found: true, Evidence: e.Address}, {Text: "90 %", Value: 90, Found: true}},
	}
	c := protocol.Completion{RunID: run, InvestigationID: uiInvestigation, Skill: "os", Targets: []protocol.TargetRef{target}, State: protocol.Critical, Outcome: protocol.OutcomeDone, NotificationIDs: []string{n.ID}, SnapshotIDs: []string{}}
	return append(uiJournal(protocol.OperatorAgent, run),
		bus.Outgoing{Subject: protocol.NotificationSubject(n.Operator, n.Node, uiInvestigation), Body: n, ID: n.ID},
		bus.Outgoing{Subject: protocol.CompletionSubject(c.Skill, uiInvestigation), Body: c, ID: run})
}

func uiJournal(agent, run string) (list []bus.Outgoing) {
	began := time.Now().Add(-time.Minute).UTC()
	for n := 1; n <= uiRecords; n++ {
		kind := []protocol.RecordKind{protocol.RecordAnswer, protocol.RecordResult}[n%2]
		list = append(list, bus.Outgoing{Subject: protocol.JournalSubject(agent, run), ID: fmt.Sprint(run, n), Body: protocol.Record{
			RunID: run, N: n, Kind: kind, Worker: "bench", At: began.Add(time.Duration(n) * time.Second), Data: json.RawMessage(`{"tool":"execute","content":"` + fmt.Sprintf("%0500d", n) + `"}`),
		}})
	}
	return list
}
