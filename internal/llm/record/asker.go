package record

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An asker is the run that a model is asked for. A model alone sees messages; the
// decider around it tells whose they are.
type asker struct {
	Run   string `json:"run,omitempty"`
	Agent string `json:"agent,omitempty"`
	Skill string `json:"skill,omitempty"`
}

func (a asker) String() string {
	if a.Agent == "" {
		return "somebody without a run"
	}
	return strings.TrimSpace("the " + a.Agent + " " + a.Skill)
}

type askerKey struct{}

func askerOf(ctx context.Context) asker {
	a, _ := ctx.Value(askerKey{}).(asker)
	return a
}

// By returns d, which tells the models of this package on whose behalf it asks.
// Without it, a recording knows no runs, and [Turn] cannot tell them apart.
func By(d agent.Decider) agent.Decider { return by{d} }

type by struct{ agent.Decider }

var _ agent.Compactor = by{}

// Decide implements agent.Decider.
func (b by) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	return b.Decider.Decide(context.WithValue(ctx, askerKey{}, asking(v)), v)
}

// Compact implements agent.Compactor.
func (b by) Compact(ctx context.Context, v agent.View) (*protocol.Compaction, error) {
	return agent.Compact(context.WithValue(ctx, askerKey{}, asking(v)), b.Decider, v)
}

func asking(v agent.View) asker {
	var subject struct {
		Task protocol.Task `json:"task"`
	}
	// A subject without a task is a coordinator's; one that cannot be read has no skill.
	_ = json.Unmarshal(v.Start.Subject, &subject)
	return asker{Run: v.RunID, Agent: v.Start.Agent, Skill: subject.Task.Skill}
}
