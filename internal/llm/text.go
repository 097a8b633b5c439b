package llm

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"

	"github.com/fleetlens/fleetlens/pkg/agent"
)

// inText is the value of Model.Tools for a model that cannot call tools.
const inText = "text"

// textual lets a model that cannot call tools call them in its text: they are
// described in the system's prompt, calls are JSON in the answer, and results are
// messages of the user.
type textual struct {
	inner model.ToolCallingChatModel
	tools []*schema.ToolInfo
}

// WithTools implements model.ToolCallingChatModel.
func (t textual) WithTools(tools []*schema.ToolInfo) (model.ToolCallingChatModel, error) {
	return textual{t.inner, tools}, nil
}

// Generate implements model.BaseChatModel. The options are about tools and stay here.
func (t textual) Generate(ctx context.Context, in []*schema.Message, _ ...model.Option) (*schema.Message, error) {
	messages, err := t.messages(in)
	if err != nil {
		return nil, err
	}
	answer, err := t.inner.Generate(agent.Hear(ctx, nil), messages) // its text is no text: calls stand in it
	if err != nil {
		return nil, err
	}
	answer.Content, answer.ToolCalls = callsIn(answer.Content)
	return answer, nil
}

// Stream implements model.BaseChatModel: the whole answer is its only part.
func (t textual) Stream(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.StreamReader[*schema.Message], error) {
	answer, err := t.Generate(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	return schema.StreamReaderFromArray([]*schema.Message{answer}), nil
}

// messages returns the conversation without a trace of tools but its words.
func (t textual) messages(in []*schema.Message) ([]*schema.Message, error) {
	tools, err := describe(t.tools)
	if err != nil {
		return nil, err
	}
	var out []*schema.Message
	add := func(role schema.RoleType, text string) {
		if n := len(out); n > 0 && out[n-1].Role == role { // many templates want roles to alternate
			text = out[n-1].Content + "\n\n" + text
			out = out[:n-1]
		}
		out = append(out, &schema.Message{Role: role, Content: text})
	}
	add(schema.System, tools)
	for _, m := range in {
		switch m.Role {
		case schema.System:
			out[0].Content = m.Content + "\n\n" + out[0].Content
		case schema.Tool:
			add(schema.User, "Result of "+m.ToolName+":\n"+m.Content)
		case schema.Assistant:
			add(schema.Assistant, written(m))
		default:
			add(m.Role, m.Content)
		}
	}
	return out, nil
}

// describe renders the tools for the prompt.
func describe(tools []*schema.ToolInfo) (string, error) {
	var b strings.Builder
	b.WriteString("# Tools\n\nCall tools by answering with JSON and nothing else: " +
		`{"tool": "NAME", "args": {…}}` + ", or a list of such objects for several calls. Every answer has to call a tool. Args follow each tool's JSON Schema.\n")
	for _, info := range tools {
		s, err := schemaOf(info)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n## %s\n%s\nSchema of args: %s\n", info.Name, info.Desc, s)
	}
	return b.String(), nil
}

// textCall is a call as the model writes it.
type textCall struct {
	Tool string          `json:"tool"`
	Args json.RawMessage `json:"args,omitempty"`
}

// written returns an earlier answer as the model should have written it.
func written(m *schema.Message) string {
	var calls []textCall
	for _, c := range m.ToolCalls {
		calls = append(calls, textCall{c.Function.Name, raw(c.Function.Arguments)})
	}
	var text []byte
	switch len(calls) {
	case 0:
		return m.Content
	case 1:
		text, _ = json.Marshal(calls[0]) // what raw returns is JSON
	default:
		text, _ = json.Marshal(calls)
	}
	return strings.TrimSpace(m.Content + "\n" + string(text))
}

// raw returns arguments as JSON, as a string when they are none.
func raw(args string) json.RawMessage {
	if args == "" {
		return json.RawMessage("{}")
	}
	if json.Valid([]byte(args)) {
		return json.RawMessage(args)
	}
	text, _ := json.Marshal(args) // a string always is JSON
	return text
}
