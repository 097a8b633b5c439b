package agent_test

import (
	"testing"

	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// TestDoneWaitsForWhatWasSentBack has a model that reports and ends in one answer:
// the fact check sends the report back, and the run must not end without it.
func TestDoneWaitsForWhatWasSentBack(t *testing.T) {
	for name, wrong := range map[string]protocol.ToolCall{
		"a figure that was not seen": notify("memory is 97 % used", "s1"),
		"a tool that does not exist": agenttest.Call("dance", nil),
	} {
		t.Run(name, func(t *testing.T) {
			r := newOperatorRun("web-1")
			r.probes.snaps["web-1"] = snapshot("s1", "web-1", map[string]any{"memory_used_pct": 91.0})
			f := r.play(t, agenttest.Calls(take), agenttest.Calls(wrong, over), agenttest.Calls(notify("memory is 91 % used", "s1"), over))
			if f.Outcome != protocol.OutcomeDone || f.Steps != 3 || len(r.findings.sent) != 1 {
				t.Errorf("ended as %s after %d steps with %d notifications", f.Outcome, f.Steps, len(r.findings.sent))
			}
			res := results(t, r.journal)
			if got := res[2]; got.Tool != "done" || !got.Failed {
				t.Errorf("done in the answer that failed: %+v", got)
			}
		})
	}
}
