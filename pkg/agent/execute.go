package agent

import "context"

type executeArgs struct {
	Code string `json:"code" jsonschema:"required,description=Lua 5.1 with json.encode and json.decode; os.date in UTC; no files or network"`
}

func (o *OperatorTools) execute(ctx context.Context, c Call, a executeArgs) (Outcome, error) {
	calls := &FleetCalls{Targets: o.state.Subject.Task.Targets, Docs: o.state.Subject.Words.Calls, Probes: o.deps.Probes}
	value, output, err := o.deps.Scripts.Run(ctx, a.Code, calls.Names(), calls.Call)
	if cause := context.Cause(ctx); cause != nil {
		return Outcome{}, cause
	}
	if err != nil {
		return Outcome{}, err
	}
	ans := Answered{Address: c.Address() + "#", What: "execute", Value: value}
	if len(o.state.Subject.Task.Targets) == 1 {
		ans.Target = o.state.Subject.Task.Targets[0]
	}
	content := map[string]any{"value": value}
	if output != "" {
		content["output"] = output
	}
	return Outcome{Content: content, Effect: answered{[]Answered{ans}}}, nil
}
