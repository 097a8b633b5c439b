package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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

// A talk is a conversation whose messages know where they come from.
type talk struct {
	prompt []*schema.Message
	turns  []turn
}

// A turn is one message after the prompt.
type turn struct {
	record  int  // of the journal
	begins  bool // it does not belong to the message before it
	summary bool // of a compaction
	message *schema.Message
}

func (c talk) messages() []*schema.Message {
	out := slices.Clone(c.prompt)
	for _, t := range c.turns {
		out = append(out, t.message)
	}
	return out
}

func conversation(v View) (talk, error) {
	c := talk{prompt: []*schema.Message{schema.SystemMessage(v.Start.System), schema.UserMessage(v.Start.User)}}
	records := v.Records
	for i, r := range slices.Backward(records) {
		if r.Kind != protocol.RecordCompaction {
			continue
		}
		var done protocol.Compaction
		if err := json.Unmarshal(r.Data, &done); err != nil {
			return c, fmt.Errorf("record %d: %w", r.N, err)
		}
		c.turns = append(c.turns, turn{done.Upto, true, true, schema.UserMessage(summaryIntro + fence(done.Summary))})
		first := slices.IndexFunc(records[:i], func(r protocol.Record) bool { return r.N > done.Upto })
		if first < 0 {
			first = i
		}
		records = records[first:]
		break
	}
	for _, r := range records {
		if err := c.add(r); err != nil {
			return c, fmt.Errorf("record %d: %w", r.N, err)
		}
	}
	return c, nil
}

const summaryIntro = "What happened before was left out here. This is its summary; the ids in it hold.\n"

// add appends the messages of a record.
func (c *talk) add(r protocol.Record) error {
	say := func(begins bool, m *schema.Message) { c.turns = append(c.turns, turn{r.N, begins, false, m}) }
	switch r.Kind {
	case protocol.RecordAnswer:
		var a protocol.Answer
		if err := json.Unmarshal(r.Data, &a); err != nil {
			return err
		}
		m := schema.AssistantMessage(a.Text, nil)
		for _, c := range a.Calls {
			m.ToolCalls = append(m.ToolCalls, schema.ToolCall{ID: c.ID, Type: "function", Function: schema.FunctionCall{Name: c.Tool, Arguments: c.Args}})
		}
		m.Extra = a.Extra
		say(true, m)
		if len(a.Calls) == 0 {
			say(false, schema.UserMessage(errorContent(noCall)))
		}
	case protocol.RecordResult:
		var res protocol.ToolResult
		if err := json.Unmarshal(r.Data, &res); err != nil {
			return err
		}
		say(false, schema.ToolMessage(fence(res.Content), res.CallID, schema.WithToolName(res.Tool)))
	case protocol.RecordInput:
		var in protocol.Input
		if err := json.Unmarshal(r.Data, &in); err != nil {
			return err
		}
		var parts []string
		if in.Text != "" {
			parts = append(parts, fence(in.Text))
		}
		say(true, schema.UserMessage(strings.Join(append(parts, in.Said...), "\n")))
	}
	return nil
}
