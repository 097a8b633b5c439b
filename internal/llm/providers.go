package llm

import (
	"context"

	"github.com/cloudwego/eino/components/model"
)

// The providers by name. OpenAIGeneric stands for every endpoint that speaks
// OpenAI's chat API.
const (
	Anthropic     = "anthropic"
	AWSBedrock    = "aws-bedrock"
	VertexAI      = "vertex-ai"
	GoogleAI      = "google-ai"
	OpenAI        = "openai"
	AzureOpenAI   = "azure-openai"
	Ollama        = "ollama"
	OpenRouter    = "openrouter"
	OpenAIGeneric = "openai-generic"
	Recorded      = "recorded" // answers from a file that another one's setting record made
)

// A provider is a row of the table: how its models are reached and what a model
// of it has to say.
type provider struct {
	open    func(ctx context.Context, m Model) (model.ToolCallingChatModel, error)
	baseURL string // the default; empty: there is none
	// ownURL says that the client knows the address: it depends on the place.
	ownURL bool
	like   string   // an address, for the error that asks for one
	keyEnv string   // where its key usually is; empty: it needs none
	needs  []string // settings of its own, by their names in the file
	otel   string   // what OpenTelemetry's conventions call it; empty: as we do
}

// conventional returns what OpenTelemetry's conventions call the provider.
func (p provider) conventional(name string) string { return first(p.otel, name) }

// providers is the table of providers.
var providers = map[string]provider{
	Anthropic:     {open: openAnthropic, baseURL: "https://api.anthropic.com", keyEnv: "ANTHROPIC_API_KEY"},
	AWSBedrock:    {open: openBedrock, otel: "aws.bedrock", ownURL: true, needs: []string{"region"}},
	VertexAI:      {open: openVertex, otel: "gcp.vertex_ai", ownURL: true, needs: []string{"project", "location"}},
	GoogleAI:      {open: openGoogleAI, otel: "gcp.gemini", baseURL: "https://generativelanguage.googleapis.com", keyEnv: "GOOGLE_API_KEY"},
	OpenAI:        {open: openAI, baseURL: "https://api.openai.com/v1", keyEnv: "OPENAI_API_KEY"},
	AzureOpenAI:   {open: openAI, otel: "azure.ai.openai", like: "https://NAME.openai.azure.com", keyEnv: "AZURE_OPENAI_API_KEY", needs: []string{"api_version"}},
	Ollama:        {open: openAI, baseURL: "http://localhost:11434/v1"},
	OpenRouter:    {open: openAI, baseURL: "https://openrouter.ai/api/v1", keyEnv: "OPENROUTER_API_KEY"},
	OpenAIGeneric: {open: openAI, like: "http://localhost:8000/v1"},
	Recorded:      {open: openRecorded, ownURL: true, needs: []string{"file"}},
}
