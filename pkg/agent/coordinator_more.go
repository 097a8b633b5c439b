package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Asks is how a coordinator talks to its operators.
type Asks interface {
	// Ask asks about an operator's run, from its journal.
	Ask(ctx context.Context, run OperatorRun, question string) (Reply, protocol.Usage, error)
}

// Schedules is where a coordinator leaves requests for later.
type Schedules interface {
	// Schedule stores a request that is delivered at a moment; one of the same id is replaced.
	Schedule(ctx context.Context, id string, at time.Time, r protocol.Request) error
}

type messageArgs struct {
	Skill   string `json:"skill" jsonschema:"required"`
	Message string `json:"message" jsonschema:"required"`
	RunID   string `json:"run_id,omitempty" jsonschema:"description=of several runs of the skill: which"`
}

// messageWithin is how long an operator's answer may take.
const messageWithin = 30 * time.Second

func (c *CoordinatorTools) message(ctx context.Context, _ Call, a messageArgs) (Outcome, error) {
	i := slices.IndexFunc(c.state.Runs, func(r OperatorRun) bool { return r.Skill == a.Skill && (a.RunID == "" || a.RunID == r.RunID) })
	if i < 0 {
		var have []string
		for _, r := range c.state.Runs {
			have = append(have, r.Skill+" "+r.RunID)
		}
		return Outcome{}, fmt.Errorf("no operator %q was invoked (have %s)", strings.TrimSpace(a.Skill+" "+a.RunID), strings.Join(have, ", "))
	}
	ctx, cancel := context.WithTimeout(ctx, messageWithin)
	defer cancel()
	reply, usage, err := c.deps.Asks.Ask(ctx, c.state.Runs[i], a.Message)
	if err != nil {
		return Outcome{Effect: asked{usage}}, fmt.Errorf("%s: %w", a.Skill, err)
	}
	return Outcome{Content: map[string]any{"skill": a.Skill, "run_id": c.state.Runs[i].RunID, "response": reply}, Effect: asked{usage}}, nil
}

// asked is the effect of message_operator: what the answer cost.
type asked struct {
	Usage protocol.Usage `json:"usage"`
}

func (c *CoordinatorTools) foldAsked(e asked) error {
	c.state.Asked = c.state.Asked.Plus(e.Usage)
	return nil
}

type scheduleArgs struct {
	MS     int64  `json:"ms" jsonschema:"required,minimum=1000,maximum=2592000000,description=milliseconds from now"`
	Reason string `json:"reason" jsonschema:"required"`
}

// schedule ends the investigation and leaves a request for another one.
func (c *CoordinatorTools) schedule(ctx context.Context, call Call, a scheduleArgs) (Outcome, error) {
	if err := c.idle("schedule"); err != nil {
		return Outcome{}, err
	}
	at := call.At.Add(time.Duration(a.MS) * time.Millisecond)
	next := c.state.Subject.Request
	next.ID, next.Reason, next.Notifications = call.EffectID("scheduled"), a.Reason, nil
	next.Context = map[string]any{"scheduled_by": c.state.Subject.InvestigationID}
	for k, v := range c.state.Subject.Request.Context {
		if _, ours := next.Context[k]; !ours {
			next.Context[k] = v
		}
	}
	if err := c.deps.Schedules.Schedule(ctx, next.ID, at, next); err != nil {
		return Outcome{}, err
	}
	return Outcome{Content: map[string]any{"scheduled": next.ID, "at": at.UTC().Format(time.RFC3339)}}, nil
}

// idle refuses to end while operators run.
func (c *CoordinatorTools) idle(what string) error {
	running := c.state.Running()
	if len(running) == 0 {
		return nil
	}
	var names []string
	for _, r := range running {
		names = append(names, r.Skill+" "+r.RunID)
	}
	return fmt.Errorf("%s: operators are running: %s; wait for them or look at get_operator_statuses", what, strings.Join(names, ", "))
}
