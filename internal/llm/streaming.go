package llm

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"

	"github.com/fleetlens/fleetlens/pkg/agent"
)

// errCut says that a stream ended before its answer did.
var errCut = errors.New("the stream ended before the answer did")

// streaming is a model whose answers are streamed even when they are wanted
// whole, so that one that stands still is noticed.
type streaming struct{ model.ToolCallingChatModel }

// WithTools implements model.ToolCallingChatModel.
func (s streaming) WithTools(tools []*schema.ToolInfo) (model.ToolCallingChatModel, error) {
	m, err := s.ToolCallingChatModel.WithTools(tools)
	return streaming{m}, err
}

// Generate implements model.BaseChatModel.
func (s streaming) Generate(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.Message, error) {
	stream, err := s.Stream(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	draft := agent.NewDraft(ctx)
	var parts []*schema.Message
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
		parts = append(parts, part)
		draft.Add(part)
	}
	if len(parts) == 0 {
		return nil, errCut
	}
	whole, err := schema.ConcatMessages(parts)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	if whole.ResponseMeta == nil || whole.ResponseMeta.FinishReason == "" {
		return nil, errCut
	}
	return whole, nil
}
