package reading_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		name, prefix, want string
		ids                []string
		ambiguous          int
	}{
		{"the id itself", "abcd", "abcd", []string{"abc1", "abcd"}, 0},
		{"a beginning that one has", "abcd", "abcde", []string{"abc1", "abcde"}, 0},
		{"a beginning that two have", "abc", "", []string{"abc1", "abcd"}, 2},
		{"an id in full that begins another", "abc", "abc", []string{"abcd", "abc", "abce"}, 0},
		{"one that is listed twice", "abc", "abcd", []string{"abcd", "abcd"}, 0},
		{"nobody's", "x", "", []string{"abc1"}, 0},
		{"nothing is the beginning of none", "", "", []string{"abc1"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := reading.Match(tt.prefix, tt.ids)
			ambiguous, _ := errors.AsType[*reading.AmbiguousError](err)
			if got != tt.want || (err != nil) != (tt.ambiguous > 0) || ambiguous != nil && len(ambiguous.Candidates) != tt.ambiguous {
				t.Errorf("got %q, %v", got, err)
			}
			for _, id := range tt.ids {
				if err != nil && !strings.Contains(err.Error(), id) {
					t.Errorf("%v does not name %s", err, id)
				}
			}
		})
	}
}

func TestAnAmbiguousErrorOfManyNamesTheFirst(t *testing.T) {
	e := &reading.AmbiguousError{Prefix: "a"}
	for i := range 25 {
		e.Candidates = append(e.Candidates, fmt.Sprintf("a%02d", i))
	}
	if text := e.Error(); !strings.Contains(text, "25 ids") || !strings.Contains(text, "a09 and 15 more") {
		t.Error(text)
	}
}

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct{ in, where, field string }{
		{"9f3c#used", "9f3c", "used"}, {"snap 9f3c#used", "9f3c", "used"}, {" 5be0/3#a.b ", "5be0/3", "a.b"}, {"a#b#c", "a", "b#c"},
		{"", "", ""}, {"9f3c", "", ""}, {"#used", "", ""}, {"9f3c#", "", ""}, {"a#" + strings.Repeat("b", 600), "", ""},
	} {
		where, field, err := reading.ParseAddress(tt.in)
		if where != tt.where || field != tt.field || (err != nil) != (tt.where == "") {
			t.Errorf("%.20q is %q %q, %v", tt.in, where, field, err)
		}
	}
}

var now = time.Now().UTC().Truncate(time.Millisecond)

// world is streams with a fleet that was looked into.
func world(t *testing.T) *bus.Conn {
	t.Helper()
	conn := natstest.Setup(t, natstest.Run(t), "test", "os")
	publish := func(subject string, m protocol.Message) {
		t.Helper()
		if _, err := conn.Publish(t.Context(), bus.Outgoing{Subject: subject, Body: m}); err != nil {
			t.Fatal(err)
		}
	}
	raw := func(v any) json.RawMessage {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	publish(protocol.NodeSubject("db-1"), protocol.Heartbeat{Node: "db-1", MachineID: "m", SentAt: now.Add(time.Hour), IntervalMS: 10_000})
	for i, used := range []any{10.0, 20.0, "full", 30.0} {
		publish(protocol.SnapshotSubject("db-1", "host", "os"), protocol.Snapshot{
			ID: fmt.Sprintf("5a%d-snapshot", i), Node: "db-1", Target: "host", Kind: "host", Skill: "os", CapturedAt: now.Add(time.Duration(i) * time.Second), Data: map[string]any{"used": used},
		})
	}
	for _, id := range []string{"7a0-snapshot", "7a1-snapshot"} {
		publish(protocol.SnapshotSubject("db-2", "host", "os"), protocol.Snapshot{ID: id, Node: "db-2", Target: "host", Kind: "host", Skill: "os", CapturedAt: now, Data: map[string]any{"used": 1.0}})
	}
	cited := protocol.Evidence{Address: "5a1-snapshot#used", Node: "db-1", Target: "host", Name: "used", Value: 20.0, Series: []protocol.Point{{At: 1, Value: 1}}}
	gone := protocol.Evidence{Address: "90e-snapshot#used", Node: "db-1", Target: "host", Name: "used", Value: 99.0, Series: []protocol.Point{{At: 1, Value: 98}, {At: 2, Value: 99}}}
	found := protocol.Notification{
		ID: "n-1", InvestigationID: "1a10", RunID: "2b20", Operator: "os", Node: "db-1", Target: "host", AnomalyType: "used", Context: "c", Observation: "o", Severity: protocol.SeverityWarning,
		DetectedAt: now, Verified: true, Figures: []protocol.Figure{{Text: "20", Found: true, Evidence: cited.Address}}, Snapshots: []protocol.Snapshot{{ID: "90f-snapshot", Node: "db-1", Target: "host", Kind: "host", Skill: "os", CapturedAt: now, Data: map[string]any{"used": 7.0}}},
	}
	publish(protocol.NotificationSubject("os", "db-1", "1a10"), found)
	for _, i := range []protocol.Insight{{ID: "1115", Evidence: []protocol.Evidence{cited, gone}}, {ID: "1116", Evidence: []protocol.Evidence{cited}}} {
		i.InvestigationID, i.Summary, i.Model, i.Grounding, i.CorrelationType, i.Severity, i.Confidence, i.CreatedAt = "1a10", "s", "m", "g", protocol.Temporal, protocol.SeverityWarning, protocol.High, now
		publish(protocol.InsightSubject("warning", "temporal", i.InvestigationID), i)
	}
	publish(protocol.InvestigationSubject("1a10", protocol.PhaseAccepted), protocol.Accepted{InvestigationID: "1a10", RunID: "1a10", Request: protocol.Request{Reason: "why?"}, At: now})
	publish(protocol.StateSubject("os", "1a10"), protocol.State{RunID: "2b20", InvestigationID: "1a10", Skill: "os", State: protocol.Healthy, At: now})
	publish(protocol.CompletionSubject("ports", "1a10"), protocol.Completion{RunID: "2b21", InvestigationID: "1a10", Skill: "ports", State: protocol.Healthy, Outcome: protocol.OutcomeDone, At: now})
	publish(protocol.JournalSubject(protocol.OperatorAgent, "2b20"), protocol.Record{RunID: "2b20", N: 1, Kind: protocol.RecordResult, At: now, Data: raw(protocol.ToolResult{Step: 3, Tool: "execute", Content: `{"used":20}`})})
	publish(protocol.AnomalySubject("db-1", "host", "os"), protocol.Anomaly{ID: "an-1", Node: "db-1", Target: "host", Skill: "os", Metric: "used", Value: 5, Baseline: 2, Severity: protocol.SeverityWarning, DetectedAt: now, Since: now})
	return conn
}

func TestEvidenceAlwaysHasAnAnswer(t *testing.T) {
	conn := world(t)
	for _, tt := range []struct {
		name, address, full, from string
		value                     any
		insights, findings        int
		points                    int
	}{
		{"where it was measured, with who cites it", "5a1-snapshot#used", "5a1-snapshot#used", "snapshot", 20.0, 2, 1, 3},
		{"by the beginning of an id that is cited", "snap 5a1#used", "5a1-snapshot#used", "snapshot", 20.0, 2, 1, 3},
		{"by a beginning that of those cited one alone has", "5a#used", "5a1-snapshot#used", "snapshot", 20.0, 2, 1, 3},
		{"by the beginning of an id that nobody cites", "5a3#used", "5a3-snapshot#used", "snapshot", 30.0, 0, 0, 3},
		{"the copy of an insight", "90e#used", "90e-snapshot#used", "insight", 99.0, 1, 0, 2},
		{"the copy of a finding", "90f-snapshot#used", "90f-snapshot#used", "finding", 7.0, 0, 0, 3},
		{"a step of a run", "2b20/3#used", "2b20/3#used", "run", `{"used":20}`, 0, 0, 0},
		{"what a detector said", "an-1#used", "an-1#used", "anomaly", 5.0, 0, 0, 0},
		{"a field that the snapshot lacks", "5a1-snapshot#other", "5a1-snapshot#other", "snapshot", nil, 0, 0, 0},
		{"nothing is kept", "0000#used", "0000#used", "expired", nil, 0, 0, 0},
		{"no such step", "2b20/9#used", "2b20/9#used", "expired", nil, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := reading.Evidence(t.Context(), conn, tt.address)
			if err != nil {
				t.Fatal(err)
			}
			_, field, _ := strings.Cut(tt.full, "#")
			var value any
			switch {
			case v.Snapshot != nil:
				value = v.Snapshot.Data[field]
			case v.Evidence != nil:
				value = v.Evidence.Value
			case v.Result != nil:
				value = v.Result.Content
			}
			if v.Address != tt.full || v.From != tt.from || !cmp.Equal(value, tt.value) || len(v.CitedBy) != tt.insights || len(v.Findings) != tt.findings || len(v.Series) != tt.points {
				t.Errorf("got %+v, value %v", v, value)
			}
			if (v.From == "expired") != (v.Note != "") {
				t.Errorf("from %s with the note %q", v.From, v.Note)
			}
			if v.KeptUntil.IsZero() != (tt.insights == 0) {
				t.Errorf("kept until %s", v.KeptUntil)
			}
			if v.Snapshot != nil && v.SkewMS < 3_000_000 {
				t.Errorf("the clock is %d ms ahead", v.SkewMS)
			}
		})
	}
	for _, address := range []string{"7a#used", "90#used"} {
		if _, err := reading.Evidence(t.Context(), conn, address); !errors.As(err, new(*reading.AmbiguousError)) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestRunsAndInvestigationsOfFindings(t *testing.T) {
	conn := world(t)
	runs, err := reading.Runs(t.Context(), conn)
	want := []reading.RunRef{{ID: "1a10", Investigation: "1a10"}, {ID: "2b20", Investigation: "1a10", Skill: "os"}, {ID: "2b21", Investigation: "1a10", Skill: "ports"}}
	if err != nil || !cmp.Equal(runs, want) {
		t.Errorf("got %+v, %v", runs, err)
	}
	for prefix, want := range map[string]string{"1a": "1a10", "1a10": "1a10", "nobody": "nobody"} {
		if got, err := reading.InvestigationID(t.Context(), conn, prefix); got != want || err != nil {
			t.Errorf("%s is %q, %v", prefix, got, err)
		}
	}
	list, msgs, err := reading.Insights(t.Context(), conn)
	if err != nil || len(list) != 2 || len(msgs) != 2 {
		t.Fatalf("got %d insights, %v", len(list), err)
	}
	if i, err := reading.Among(list, "1115"); err != nil || i.ID != "1115" {
		t.Errorf("got %q, %v", i.ID, err)
	}
	if _, err := reading.Among(list, "111"); !errors.As(err, new(*reading.AmbiguousError)) {
		t.Errorf("got %v", err)
	}
	if _, err := reading.Among(list, "2"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestTheLastWordOnASilence(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test", "os")
	for _, q := range []protocol.Silence{{ID: "a", Reason: "one"}, {ID: "b", Reason: "two"}, {ID: "a", Reason: "three"}} {
		q.By, q.Until = "ops", now
		if _, err := conn.Publish(t.Context(), bus.Outgoing{Subject: protocol.PeopleSubject("silence", q.ID), Body: q}); err != nil {
			t.Fatal(err)
		}
	}
	list, unreadable, err := reading.Silences(t.Context(), conn)
	if err != nil || unreadable != 0 || len(list) != 2 || list[0].Reason != "two" || list[1].Reason != "three" {
		t.Errorf("got %+v, %d, %v", list, unreadable, err)
	}
}
