package agent

import (
	"context"
	"errors"
	"slices"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

type executeArgs struct {
	Code string `json:"code" jsonschema:"required,description=Lua 5.1"`
}

func (o *OperatorTools) execute(ctx context.Context, c Call, a executeArgs) (Outcome, error) {
	names := []string{"on"}
	for _, doc := range slices.Concat(o.state.Subject.Words.Calls, baseCalls) {
		names = append(names, doc.Name)
	}
	value, output, err := o.deps.Scripts.Run(ctx, a.Code, names, func(ctx context.Context, callback string, args []any) (any, error) {
		name := ""
		if callback == "on" {
			if len(args) < 2 {
				return nil, errors.New(`on takes a target and a callback: on("web-1/host", "system_get_memory")`)
			}
			target, okT := args[0].(string)
			wanted, okC := args[1].(string)
			if !okT || !okC {
				return nil, errors.New("on takes the target and the callback as strings")
			}
			name, callback, args = target, wanted, args[2:]
		}
		t, err := o.state.target(name)
		if err != nil {
			return nil, err
		}
		doc, err := o.callback(callback)
		if err != nil {
			return nil, err
		}
		if _, err := skills.Bind(doc, args); err != nil {
			return nil, err
		}
		reply, err := o.deps.Probes.Call(ctx, t, callback, args)
		return reply.Value, err
	})
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
