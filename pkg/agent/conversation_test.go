package agent_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// comparing asks a decider, after it has compared what the loop remembers of the
// conversation with what the records say. Every third step it is compacted.
type comparing struct {
	agent.Decider
	t *testing.T
}

func (c comparing) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	remembered, err := agent.Conversation(v)
	if err != nil {
		return protocol.Answer{}, err
	}
	said, err := agent.Conversation(agent.View{Start: v.Start, Records: v.Records})
	if err != nil {
		return protocol.Answer{}, err
	}
	if diff := cmp.Diff(said, remembered); diff != "" {
		c.t.Errorf("step %d (-records +remembered):\n%s", v.Step, diff)
	}
	for _, m := range remembered { // whoever gets them may change them
		m.Content = "changed"
	}
	return c.Decider.Decide(ctx, v)
}

func (c comparing) Compact(_ context.Context, v agent.View) (*protocol.Compaction, error) {
	if v.Step%3 != 0 {
		return nil, nil
	}
	return &protocol.Compaction{Step: v.Step - 1, Upto: v.Records[len(v.Records)-2].N, Summary: "it went on"}, nil
}

func TestWhatTheLoopRemembersOfAConversationIsWhatTheRecordsSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newOperatorRun("web-1")
		r.probes.snaps["web-1"] = snapshot("s1", "web-1", map[string]any{"memory_used_pct": 91.0})
		script := agenttest.NewScript(
			agenttest.Calls(take, think), agenttest.Calls(), agenttest.Calls(think), agenttest.Calls(notify("memory is 91 % used", "s1")),
			agenttest.Calls(think, think), agenttest.Calls(think), agenttest.Calls(think), agenttest.Calls(over))
		if _, err := r.run(t, t.Context(), comparing{script, t}); err != nil {
			t.Fatal(err)
		}
	})
}
