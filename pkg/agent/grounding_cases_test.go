package agent_test

import (
	"context"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// What a script returns proves figures of the node that it says they are of.
func TestTheFactCheckOfWhatAScriptReturned(t *testing.T) {
	run := agenttest.Call("execute", map[string]any{"code": "return …"})
	for _, tt := range []struct {
		name, text string
		value      any
		targets    int
		verified   bool // of web-1
	}{
		{"of the node, by its name", "it writes 73.5 per second", map[string]any{"web-1": map[string]any{"rate": 73.5}}, 2, true},
		{"of the node, by its target", "it writes 73.5 per second", map[string]any{"web-1/host": 73.5}, 2, true},
		{"of another node", "it writes 73.5 per second", map[string]any{"web-2": 73.5}, 2, false},
		{"of nobody", "it writes 73.5 per second", 73.5, 2, false},
		{"of the only target there is", "it writes 73.5 per second", 73.5, 1, true},
		{"in another unit than it was returned", "it writes 4410 per minute", map[string]any{"web-1": map[string]any{"rate_per_second": 73.5}}, 2, true},
		{"a share, as a percentage", "37.5 % of it", map[string]any{"web-1": map[string]any{"share": 0.375}}, 2, true},
		{"derived without a script", "it grew by 49 percentage points", map[string]any{"web-1": map[string]any{"from": 42.0, "to": 91.0}}, 2, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := twoHosts()
			if r.targets = r.targets[:tt.targets]; tt.targets == 1 {
				r.starting = r.starting[:1]
			}
			r.scripts = lua(func(context.Context, []string, func(context.Context, string, []any) (any, error)) (any, string, error) {
				return tt.value, "", nil
			})
			r.play(t, steps(run, notify(tt.text, "s1"))...)
			if sent := len(r.findings.sent) == 1 && r.findings.sent[0].Verified; sent != tt.verified {
				t.Errorf("sent and verified: %v, %s", sent, one(t, r.journal, "send_notification").Content)
			}
		})
	}
}

// Two findings of one run are one witness, however many nodes they are of.
func TestTwoSupportersOfOneRunGroundNothing(t *testing.T) {
	for _, tt := range []struct {
		name     string
		runs     [2]string
		grounded bool
	}{
		{"of one run", [2]string{"r1", "r1"}, false},
		{"of two", [2]string{"r1", "r2"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := found(finding("n1", tt.runs[0], "os", "web-1", "memory is short"), finding("n2", tt.runs[1], "net", "web-2", "sockets pile up"))
			produced(t, r, insight(map[string]any{
				"notification_ids": []string{"n1", "n2"}, "supporting_ids": []string{"n1", "n2"}, "correlation_type": protocol.Symptomatic,
				"root_cause_hypothesis": "a leak", "hypothesis_grounded": true,
			}))
			if i := r.conclusions.list[0]; i.HypothesisGrounded != tt.grounded || i.Grounding == "" {
				t.Errorf("grounded %v: %s", i.HypothesisGrounded, i.Grounding)
			}
		})
	}
}
