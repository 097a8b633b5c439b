package agenttest

import (
	"context"
	"regexp"
	"slices"
	"sync"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An Ask is one question to a model.
type Ask struct {
	Step     int // from 1: one more than there are answers in Messages
	Messages []*schema.Message
	Tools    []*schema.ToolInfo
}

var snapshotID = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

// Last returns the id that was shown last in a result of the tool, or, for "", in
// what the run was asked at its beginning; "" when there is none.
func (a Ask) Last(tool string) string {
	for _, m := range slices.Backward(a.Messages) {
		if m.ToolName != tool || m.Role != schema.Tool && m.Role != schema.User {
			continue
		}
		if ids := snapshotID.FindAllString(m.Content, -1); ids != nil {
			return ids[len(ids)-1]
		}
	}
	return ""
}

// A Reply answers one question.
type Reply func(a Ask) (*schema.Message, error)

// Say returns a reply with words and calls.
func Say(text string, calls ...protocol.ToolCall) Reply {
	return func(Ask) (*schema.Message, error) { return message(text, calls), nil }
}

// SayOf returns a reply whose calls depend on what was asked.
func SayOf(text string, calls func(a Ask) []protocol.ToolCall) Reply {
	return func(a Ask) (*schema.Message, error) { return message(text, calls(a)), nil }
}

func message(text string, calls []protocol.ToolCall) *schema.Message {
	m := schema.AssistantMessage(text, nil)
	for _, c := range calls {
		m.ToolCalls = append(m.ToolCalls, schema.ToolCall{ID: c.ID, Type: "function", Function: schema.FunctionCall{Name: c.Tool, Arguments: c.Args}})
	}
	return m
}

// A Model is a chat model that replies from a list: the n-th question of every
// conversation gets the n-th reply, and questions past the end get a call of done.
type Model struct {
	replies []Reply
	tools   []*schema.ToolInfo
	asked   *asks // shared with the models that WithTools returned
}

type asks struct {
	mu   sync.Mutex
	list []Ask
}

var _ model.ToolCallingChatModel = (*Model)(nil)

// NewModel returns a model of the replies.
func NewModel(replies ...Reply) *Model { return &Model{replies: replies, asked: &asks{}} }

// Asked returns every question so far, over all conversations.
func (m *Model) Asked() []Ask {
	m.asked.mu.Lock()
	defer m.asked.mu.Unlock()
	return slices.Clone(m.asked.list)
}

// WithTools implements model.ToolCallingChatModel.
func (m *Model) WithTools(tools []*schema.ToolInfo) (model.ToolCallingChatModel, error) {
	return &Model{m.replies, tools, m.asked}, nil
}

// Generate implements model.BaseChatModel.
func (m *Model) Generate(ctx context.Context, in []*schema.Message, _ ...model.Option) (*schema.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a := Ask{Step: 1, Messages: slices.Clone(in), Tools: m.tools}
	for _, msg := range in {
		if msg.Role == schema.Assistant {
			a.Step++
		}
	}
	m.asked.mu.Lock()
	m.asked.list = append(m.asked.list, a)
	m.asked.mu.Unlock()
	if a.Step > len(m.replies) {
		return message("", []protocol.ToolCall{Call("done", nil)}), nil
	}
	return m.replies[a.Step-1](a)
}

// Stream implements model.BaseChatModel: the whole answer is its only part.
func (m *Model) Stream(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.StreamReader[*schema.Message], error) {
	answer, err := m.Generate(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	return schema.StreamReaderFromArray([]*schema.Message{answer}), nil
}
