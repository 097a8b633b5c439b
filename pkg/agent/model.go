package agent

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// NewModelDecider lets a model decide. m is any of eino's chat models that call
// tools; its own retries should be off, because the loop retries. name is what
// insights say.
func NewModelDecider(name string, m model.ToolCallingChatModel) Decider {
	return &modelDecider{name: name, model: m}
}

type modelDecider struct {
	name  string
	model model.ToolCallingChatModel
}

// Name implements Decider.
func (d *modelDecider) Name() string { return d.name }

// Decide implements Decider.
func (d *modelDecider) Decide(ctx context.Context, v View) (protocol.Answer, error) {
	messages, err := Conversation(v)
	if err != nil {
		return protocol.Answer{}, err
	}
	infos := make([]*schema.ToolInfo, 0, len(v.Tools))
	for _, t := range v.Tools {
		infos = append(infos, &schema.ToolInfo{Name: t.Name, Desc: t.Doc, ParamsOneOf: schema.NewParamsOneOfByJSONSchema(t.Schema)})
	}
	m, err := d.model.WithTools(infos)
	if err != nil {
		return protocol.Answer{}, fmt.Errorf("tools: %w", err)
	}
	msg, err := m.Generate(ctx, messages, model.WithToolChoice(schema.ToolChoiceForced))
	if err != nil {
		return protocol.Answer{}, err
	}
	a := protocol.Answer{Text: msg.Content, Model: d.name, Usage: protocol.Usage{LLMCalls: 1}, Extra: portable(msg.Extra)}
	if msg.ResponseMeta != nil && msg.ResponseMeta.Usage != nil {
		u := msg.ResponseMeta.Usage
		a.Usage.InputTokens, a.Usage.OutputTokens, a.Usage.CachedTokens = u.PromptTokens, u.CompletionTokens, u.PromptTokenDetails.CachedTokens
	}
	for _, c := range msg.ToolCalls {
		a.Calls = append(a.Calls, protocol.ToolCall{ID: c.ID, Tool: c.Function.Name, Args: c.Function.Arguments})
	}
	return a, nil
}

// portable keeps of a provider's extras what JSON can carry.
func portable(extra map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range extra {
		if _, err := json.Marshal(v); err == nil {
			out[k] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// Conversation returns a run's journal as the messages a model reads: the
// prompt, then every answer with the results of its calls, and what came from
// outside in between. An answer without a call is followed by a reminder.
func Conversation(v View) ([]*schema.Message, error) {
	messages := []*schema.Message{schema.SystemMessage(v.Start.System), schema.UserMessage(v.Start.User)}
	for _, r := range v.Records {
		switch r.Kind {
		case protocol.RecordAnswer:
			var a protocol.Answer
			if err := json.Unmarshal(r.Data, &a); err != nil {
				return nil, fmt.Errorf("record %d: %w", r.N, err)
			}
			m := schema.AssistantMessage(a.Text, nil)
			for _, c := range a.Calls {
				m.ToolCalls = append(m.ToolCalls, schema.ToolCall{ID: c.ID, Type: "function", Function: schema.FunctionCall{Name: c.Tool, Arguments: c.Args}})
			}
			m.Extra = a.Extra
			messages = append(messages, m)
			if len(a.Calls) == 0 {
				messages = append(messages, schema.UserMessage(errorContent(noCall)))
			}
		case protocol.RecordResult:
			var res protocol.ToolResult
			if err := json.Unmarshal(r.Data, &res); err != nil {
				return nil, fmt.Errorf("record %d: %w", r.N, err)
			}
			messages = append(messages, schema.ToolMessage(fence(res.Content), res.CallID, schema.WithToolName(res.Tool)))
		case protocol.RecordInput:
			var in protocol.Input
			if err := json.Unmarshal(r.Data, &in); err != nil {
				return nil, fmt.Errorf("record %d: %w", r.N, err)
			}
			messages = append(messages, schema.UserMessage(fence(in.Text)))
		}
	}
	return messages, nil
}
