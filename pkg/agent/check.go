package agent

import (
	"context"
	"fmt"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// readyArgs are the arguments of the only tool of a check.
type readyArgs struct {
	OK bool `json:"ok" jsonschema:"required"`
}

var readyTool = newTool[readyArgs, none]("ready", "Says that you can call tools.", func(_ context.Context, _ Call, a readyArgs) (Outcome, error) {
	return Outcome{Content: a}, nil
}, nil)

// CheckDecider asks a decider one short question, to learn whether it answers and
// calls tools, and what that used.
func CheckDecider(ctx context.Context, d Decider) (protocol.Usage, error) {
	a, err := d.Decide(ctx, View{
		RunID: "check", Step: 1, Tools: []Tool{readyTool}, State: &Question{Text: "ready?"},
		Start: protocol.Start{System: "You check that a connection works.", User: "Call the tool ready with ok true."},
	})
	if err != nil {
		return a.Usage, err
	}
	if len(a.Calls) == 0 {
		return a.Usage, fmt.Errorf("%s answered in words and called no tool: set `tools: text` for it", d.Name())
	}
	return a.Usage, nil
}
