package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// aNotification has every field that is required.
func aNotification() protocol.Notification {
	return protocol.Notification{
		ID: "n1", Operator: "os", Node: "web-1", AnomalyType: "memory_used_pct", Severity: protocol.SeverityWarning, Context: "a host",
		Observation: "memory is short", DetectedAt: sent,
	}
}

// Behaviour: 10.
func TestANotificationWithoutItsFactsIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(n *protocol.Notification)
		says  []string // none: it is taken
	}{
		{"with all of them", func(*protocol.Notification) {}, nil},
		{"without context", func(n *protocol.Notification) { n.Context = "" }, []string{`"context" is required`}},
		{"without observation", func(n *protocol.Notification) { n.Observation = "" }, []string{`"observation" is required`}},
		{"with an operator only", func(n *protocol.Notification) { *n = protocol.Notification{Operator: "os"} }, []string{`"id"`, `"node"`, `"anomaly_type"`, `"context"`, `"observation"`, `"severity"`, `"detected_at"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := aNotification()
			tt.spoil(&n)
			_, err := protocol.Encode(n)
			if (err != nil) != (len(tt.says) > 0) {
				t.Fatalf("Encode: %v", err)
			}
			for _, s := range tt.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q is not in %v", s, err)
				}
			}
		})
	}
}

// wire returns a message as a stranger reads it.
func wire(t *testing.T, m protocol.Message) map[string]any {
	t.Helper()
	b, err := protocol.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Behaviour: 5, 11, 14, 15, 16, defect 18.
func TestHowMessagesAreReadOnTheWire(t *testing.T) {
	n := aNotification()
	bare := wire(t, n)
	n.Hypothesis = "it might leak"
	for _, tt := range []struct {
		name string
		got  map[string]any
		want map[string]any
	}{
		{"metrics stand under data", wire(t, protocol.Snapshot{
			ID: "s1", Node: "web-1", Target: "host", Kind: "host", Skill: "os", CapturedAt: sent, Data: map[string]any{"used_pct": 91.5, "kernel": "6.1", "swap": true},
		}), map[string]any{"data": map[string]any{"used_pct": 91.5, "kernel": "6.1", "swap": true}}},
		{"facts and speculation are three texts", wire(t, n), map[string]any{"context": "a host", "observation": "memory is short", "hypothesis": "it might leak"}},
		{"an insight's enumerations are text, its grounding a boolean, its time text", wire(t, protocol.Insight{
			ID: "i1", InvestigationID: "inv-1", Summary: "s", Model: "m", Grounding: "g", CorrelationType: protocol.Temporal, Severity: protocol.SeverityInfo,
			Confidence: protocol.Medium, CreatedAt: sent,
		}), map[string]any{"correlation_type": "temporal", "confidence": "medium", "severity": "info", "hypothesis_grounded": false, "created_at": sent.Format(time.RFC3339Nano)}},
		{"a completion tells its state and its skill", wire(t, protocol.Completion{
			RunID: "r1", Skill: "os", State: protocol.Healthy, Outcome: protocol.OutcomeDone,
		}), map[string]any{"state": "healthy", "skill": "os", "outcome": "done"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for field, want := range tt.want {
				if diff := cmp.Diff(want, tt.got[field]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", field, diff)
				}
			}
		})
	}
	if _, there := bare["hypothesis"]; there {
		t.Errorf("a notification without a hypothesis has one: %v", bare)
	}
}
