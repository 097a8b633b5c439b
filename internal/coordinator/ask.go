package coordinator

import (
	"context"
	"fmt"
	"strings"

	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var _ agent.Asks = (*investigation)(nil)

// Ask implements agent.Asks: the coordinator rebuilds the operator's conversation
// from its journal and asks the model itself.
func (inv *investigation) Ask(ctx context.Context, run agent.OperatorRun, question string) (agent.Reply, protocol.Usage, error) {
	records, err := journal.Read(ctx, inv.Bus, protocol.OperatorAgent, run.RunID)
	if err != nil {
		return agent.Reply{}, protocol.Usage{}, err
	}
	decider, err := inv.Deciders(inv.req.Model)
	if err != nil {
		return agent.Reply{}, protocol.Usage{}, err
	}
	reply, usage, err := agent.AskAbout(ctx, decider, inv.id, run.RunID, records, question)
	if err == nil || ctx.Err() != nil {
		return reply, usage, err
	}
	inv.log.Warn("a model did not answer a question: the rules analyst does", "run", run.RunID, "err", err)
	reply, _, err = agent.AskAbout(ctx, inv.analyst, inv.id, run.RunID, records, question)
	return reply, usage, err
}

// strategy returns the strategy of a name; "" is the default.
func (inv *investigation) strategy(name string) (agent.Strategy, error) {
	if name == "" {
		return inv.Strategies[0], nil
	}
	var have []string
	for _, s := range inv.Strategies {
		if s.Name() == name {
			return s, nil
		}
		have = append(have, s.Name())
	}
	return nil, fmt.Errorf("unknown strategy %q (have %s)", name, strings.Join(have, ", "))
}
