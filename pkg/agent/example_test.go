package agent_test

import (
	"context"
	"fmt"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// disksFirst is a strategy that has the os skill looked at before the model is
// asked anything.
type disksFirst struct{}

func (disksFirst) Name() string { return "disks_first" }

func (disksFirst) Decider(model agent.Decider) agent.Decider { return firstDisks{model} }

type firstDisks struct{ agent.Decider }

func (f firstDisks) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	if s, ok := v.State.(*agent.CoordinatorState); ok && !s.Invoked {
		return protocol.Answer{Calls: []protocol.ToolCall{agenttest.Call("invoke_operators", map[string]any{"skills": []string{"os"}})}}, nil
	}
	return f.Decider.Decide(ctx, v)
}

// A strategy of one's own is handed to the coordinator in its Deps; a request
// names it.
func ExampleStrategy() {
	var s agent.Strategy = disksFirst{}
	d := s.Decider(agenttest.NewScript(agenttest.Calls(agenttest.Call("think", map[string]any{"thought": "now the model decides"}))))
	for _, state := range []*agent.CoordinatorState{{}, {Invoked: true}} {
		a, err := d.Decide(context.Background(), agent.View{State: state, Step: 1})
		if err != nil {
			fmt.Println(err)
		}
		fmt.Println(s.Name(), a.Calls[0].Tool)
	}
	// Output:
	// disks_first invoke_operators
	// disks_first think
}
