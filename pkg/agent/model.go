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
func NewModelDecider(name string, m model.ToolCallingChatModel, opts ...ModelOption) Decider {
	d := &modelDecider{name: name, model: m, provider: "unknown", served: name}
	for _, o := range opts {
		o(d)
	}
	return d
}

type modelDecider struct {
	name             string
	model            model.ToolCallingChatModel
	provider, served string // for telemetry
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
	msg, err := d.chat(ctx, v, messages, func(ctx context.Context) (*schema.Message, error) {
		return m.Generate(ctx, messages, model.WithToolChoice(schema.ToolChoiceForced))
	})
	if err != nil {
		return protocol.Answer{}, err
	}
	a := protocol.Answer{Text: msg.Content, Model: d.name, Usage: usage(msg), Extra: portable(msg.Extra)}
	for _, c := range msg.ToolCalls {
		a.Calls = append(a.Calls, protocol.ToolCall{ID: c.ID, Tool: c.Function.Name, Args: c.Function.Arguments})
	}
	return a, nil
}

// portable keeps of a provider's extras what JSON can carry.
func portable(extra map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range extra {
		if k == ExtraCacheWrite {
			continue
		}
		if _, err := json.Marshal(v); err == nil {
			out[k] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// ExtraCacheWrite is the key of a message's Extra under which a model says how
// many tokens, an int, were written to its provider's cache: eino has no field for it.
const ExtraCacheWrite = "cache_write_tokens"

// usage returns what one answer of a model cost.
func usage(msg *schema.Message) protocol.Usage {
	out := protocol.Usage{LLMCalls: 1}
	out.CacheWriteTokens, _ = msg.Extra[ExtraCacheWrite].(int)
	if msg.ResponseMeta != nil && msg.ResponseMeta.Usage != nil {
		u := msg.ResponseMeta.Usage
		out.InputTokens, out.OutputTokens, out.CachedTokens = u.PromptTokens, u.CompletionTokens, u.PromptTokenDetails.CachedTokens
	}
	return out
}

// Conversation returns a run's journal as the messages a model reads: the
// prompt, then every answer with the results of its calls, and what came from
// outside in between. An answer without a call is followed by a reminder. Where
// the run was compacted, one message with the summary stands for what it replaces.
func Conversation(v View) ([]*schema.Message, error) {
	c, err := conversation(v)
	if err != nil {
		return nil, err
	}
	return c.messages(), nil
}
