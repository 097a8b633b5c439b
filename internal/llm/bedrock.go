package llm

import (
	"context"
	"fmt"

	"github.com/anthropics/anthropic-sdk-go/bedrock"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/cloudwego/eino/components/model"
)

// openBedrock makes a client of Claude at Amazon, whose requests are signed with
// the credentials that AWS's own tools would find:
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html.
func openBedrock(ctx context.Context, m Model) (model.ToolCallingChatModel, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(m.Region))
	if err != nil {
		return nil, fmt.Errorf("credentials of AWS: %w", err)
	}
	return newClaude(m, bedrock.WithConfig(cfg)), nil
}
