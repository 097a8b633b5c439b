package llm

import (
	"context"

	"github.com/cloudwego/eino-ext/components/model/openai"
	"github.com/cloudwego/eino/components/model"
)

// openAI makes a client of OpenAI's chat completions, which other services speak
// as well: https://platform.openai.com/docs/api-reference/chat/create. Azure's has
// other addresses and another header for the key:
// https://learn.microsoft.com/azure/ai-services/openai/reference.
func openAI(ctx context.Context, m Model) (model.ToolCallingChatModel, error) {
	cfg := &openai.ChatModelConfig{
		BaseURL: m.BaseURL, Model: m.Model, APIKey: m.key(), HTTPClient: client(m.Timeout, m.StallTimeout), Temperature: m.Temperature,
	}
	if cfg.APIKey == "" {
		cfg.APIKey = "none" // the client wants one; servers without keys ignore it
	}
	if m.Provider == AzureOpenAI {
		cfg.ByAzure, cfg.APIVersion = true, m.APIVersion
		cfg.AzureModelMapperFunc = func(deployment string) string { return deployment }
	}
	switch {
	case m.MaxTokens == 0:
	case m.Provider == OpenAI, m.Provider == AzureOpenAI: // their newer models refuse max_tokens
		cfg.MaxCompletionTokens = &m.MaxTokens
	default:
		cfg.MaxTokens = &m.MaxTokens
	}
	if m.streams() {
		cfg.HTTPClient.Transport = unstreamed{cfg.HTTPClient.Transport}
	}
	chat, err := openai.NewChatModel(ctx, cfg)
	if err != nil || !m.streams() {
		return chat, err
	}
	return streaming{chat}, nil
}
