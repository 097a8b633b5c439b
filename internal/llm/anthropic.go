package llm

import (
	"context"
	"fmt"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"

	"github.com/fleetlens/fleetlens/pkg/agent"
)

// defaultClaudeTokens is how long an answer may be where the configuration does
// not say: the API wants a number.
const defaultClaudeTokens = 8192

// claude is a model of Anthropic's, at Anthropic, Amazon or Google. Requests and
// answers are those of https://platform.claude.com/docs/en/api/messages.
type claude struct {
	messages anthropic.MessageService
	m        Model
	tools    []anthropic.ToolUnionParam
}

var _ model.ToolCallingChatModel = (*claude)(nil)

// openAnthropic makes a client of Anthropic's own API.
func openAnthropic(_ context.Context, m Model) (model.ToolCallingChatModel, error) {
	return newClaude(m, option.WithoutEnvironmentDefaults(), option.WithAPIKey(m.key())), nil
}

// newClaude makes a client; where says how the API is reached.
func newClaude(m Model, where ...option.RequestOption) *claude {
	opts := append([]option.RequestOption{
		option.WithHTTPClient(client(m.Timeout, m.StallTimeout)),
		option.WithMaxRetries(0), // the loop retries
		option.WithoutOpenTelemetry(),
	}, where...)
	if m.BaseURL != "" {
		opts = append(opts, option.WithBaseURL(m.BaseURL))
	}
	if m.MaxTokens == 0 {
		m.MaxTokens = defaultClaudeTokens
	}
	return &claude{messages: anthropic.NewMessageService(opts...), m: m}
}

// WithTools implements model.ToolCallingChatModel.
func (c *claude) WithTools(infos []*schema.ToolInfo) (model.ToolCallingChatModel, error) {
	tools, err := claudeTools(infos)
	if err != nil {
		return nil, err
	}
	return &claude{c.messages, c.m, tools}, nil
}

// Generate implements model.BaseChatModel.
func (c *claude) Generate(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.Message, error) {
	params := anthropic.MessageNewParams{Model: c.m.Model, MaxTokens: int64(c.m.MaxTokens), Tools: c.tools}
	if c.m.Temperature != nil {
		params.Temperature = anthropic.Float(float64(*c.m.Temperature))
	}
	if o := model.GetCommonOptions(nil, opts...); o.ToolChoice != nil && len(c.tools) > 0 {
		params.ToolChoice = claudeChoice(*o.ToolChoice, o.AllowedToolNames)
	}
	if err := fillClaude(&params, in); err != nil {
		return nil, err
	}
	if !c.m.streams() {
		answer, err := c.messages.New(ctx, params)
		if err != nil {
			return nil, err
		}
		return fromClaude(c.m.Model, answer)
	}
	answer, err := c.stream(ctx, params)
	if err != nil {
		return nil, err
	}
	return fromClaude(c.m.Model, answer)
}

// stream asks for a stream and returns its whole answer:
// https://platform.claude.com/docs/en/build-with-claude/streaming.
func (c *claude) stream(ctx context.Context, params anthropic.MessageNewParams) (*anthropic.Message, error) {
	stream := c.messages.NewStreaming(ctx, params)
	defer stream.Close() //nolint:errcheck // it was read
	var answer anthropic.Message
	draft := agent.NewDraft(ctx)
	for stream.Next() {
		event := stream.Current()
		if err := answer.Accumulate(event); err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
		draft.Text(event.Delta.Text)
		draft.Args(int(event.Index), event.Delta.PartialJSON)
		if event.Type == "message_stop" {
			return &answer, nil
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return nil, errCut
}

// Stream implements model.BaseChatModel: the whole answer is its only part.
func (c *claude) Stream(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.StreamReader[*schema.Message], error) {
	answer, err := c.Generate(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	return schema.StreamReaderFromArray([]*schema.Message{answer}), nil
}

func claudeChoice(choice schema.ToolChoice, names []string) anthropic.ToolChoiceUnionParam {
	switch {
	case choice == schema.ToolChoiceForbidden:
		return anthropic.ToolChoiceUnionParam{OfNone: &anthropic.ToolChoiceNoneParam{}}
	case choice == schema.ToolChoiceForced && len(names) == 1:
		return anthropic.ToolChoiceParamOfTool(names[0])
	case choice == schema.ToolChoiceForced:
		return anthropic.ToolChoiceUnionParam{OfAny: &anthropic.ToolChoiceAnyParam{}}
	}
	return anthropic.ToolChoiceUnionParam{OfAuto: &anthropic.ToolChoiceAutoParam{}}
}
