package llm

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cloudwego/eino/schema"
	"google.golang.org/genai"

	"github.com/fleetlens/fleetlens/pkg/agent"
)

// geminiKey is where a message's Extra keeps what only Gemini understands.
const geminiKey = "google"

// geminiExtra is what only Gemini understands of an answer: the signature of the
// thought behind each call, which has to come back with the call
// (https://ai.google.dev/gemini-api/docs/thought-signatures).
type geminiExtra struct {
	Model      string   `json:"model"`
	Signatures [][]byte `json:"signatures"` // by call; empty: it has none
}

// geminiTools returns the tools in Google's format, with their JSON Schemas.
func geminiTools(infos []*schema.ToolInfo) ([]*genai.FunctionDeclaration, error) {
	tools := make([]*genai.FunctionDeclaration, 0, len(infos))
	for _, info := range infos {
		raw, err := schemaOf(info)
		if err != nil {
			return nil, err
		}
		var s map[string]any
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("schema of %s: %w", info.Name, err)
		}
		tools = append(tools, &genai.FunctionDeclaration{Name: info.Name, Description: info.Desc, ParametersJsonSchema: s})
	}
	return tools, nil
}

// geminiContents returns the conversation: what the system says apart, and the
// results of all calls of an answer in one content.
func geminiContents(modelName string, in []*schema.Message) (*genai.Content, []*genai.Content) {
	var system *genai.Content
	var contents []*genai.Content
	results := false // the last content holds results
	for _, m := range in {
		switch {
		case m.Role == schema.System:
			if system == nil {
				system = &genai.Content{}
			}
			system.Parts = append(system.Parts, genai.NewPartFromText(m.Content))
			continue
		case m.Role == schema.Tool:
			part := genai.NewPartFromFunctionResponse(m.ToolName, map[string]any{"output": m.Content})
			if results {
				last := contents[len(contents)-1]
				last.Parts = append(last.Parts, part)
			} else {
				contents = append(contents, &genai.Content{Role: genai.RoleUser, Parts: []*genai.Part{part}})
			}
			results = true
			continue
		case m.Role == schema.Assistant:
			if parts := geminiParts(modelName, m); len(parts) > 0 {
				contents = append(contents, &genai.Content{Role: genai.RoleModel, Parts: parts})
			}
		case said(m.Content):
			contents = append(contents, genai.NewContentFromText(m.Content, genai.RoleUser))
		}
		results = false
	}
	return system, contents
}

// geminiParts returns an earlier answer's parts.
func geminiParts(modelName string, m *schema.Message) []*genai.Part {
	var parts []*genai.Part
	if said(m.Content) {
		parts = append(parts, genai.NewPartFromText(m.Content))
	}
	var extra geminiExtra
	signed := extraOf(m, geminiKey, &extra) && extra.Model == modelName
	for i, call := range m.ToolCalls {
		part := genai.NewPartFromFunctionCall(call.Function.Name, arguments(call.Function.Arguments))
		if signed && i < len(extra.Signatures) {
			part.ThoughtSignature = extra.Signatures[i]
		}
		parts = append(parts, part)
	}
	return parts
}

// geminiAnswer puts an answer together from its parts.
type geminiAnswer struct {
	draft  *agent.Draft
	text   strings.Builder
	calls  []schema.ToolCall
	extra  geminiExtra
	signed bool
	finish string
	usage  *schema.TokenUsage
}

func newGeminiAnswer(modelName string, draft *agent.Draft) *geminiAnswer {
	return &geminiAnswer{draft: draft, extra: geminiExtra{Model: modelName}}
}

func (a *geminiAnswer) add(part *genai.GenerateContentResponse) error {
	if f := part.PromptFeedback; f != nil && f.BlockReason != "" {
		return fmt.Errorf("the provider refused to answer: %s %s", f.BlockReason, f.BlockReasonMessage)
	}
	if u := part.UsageMetadata; u != nil {
		a.usage = &schema.TokenUsage{
			PromptTokens: int(u.PromptTokenCount), CompletionTokens: int(u.CandidatesTokenCount + u.ThoughtsTokenCount), TotalTokens: int(u.TotalTokenCount),
			PromptTokenDetails: schema.PromptTokenDetails{CachedTokens: int(u.CachedContentTokenCount)},
		}
	}
	if len(part.Candidates) == 0 {
		return nil
	}
	c := part.Candidates[0]
	if c.FinishReason != "" {
		a.finish = string(c.FinishReason)
	}
	if c.Content == nil {
		return nil
	}
	for _, p := range c.Content.Parts {
		switch {
		case p.FunctionCall != nil:
			args, err := json.Marshal(p.FunctionCall.Args)
			if err != nil {
				return fmt.Errorf("arguments of %s: %w", p.FunctionCall.Name, err)
			}
			if p.FunctionCall.Args == nil {
				args = []byte("{}")
			}
			a.draft.Args(len(a.calls), string(args))
			a.calls = append(a.calls, schema.ToolCall{
				ID: p.FunctionCall.ID, Type: "function", Function: schema.FunctionCall{Name: p.FunctionCall.Name, Arguments: string(args)},
			})
			a.extra.Signatures = append(a.extra.Signatures, p.ThoughtSignature)
			a.signed = a.signed || len(p.ThoughtSignature) > 0
		case !p.Thought:
			a.text.WriteString(p.Text)
			a.draft.Text(p.Text)
		}
	}
	return nil
}

// message returns the answer as eino has it.
func (a *geminiAnswer) message() (*schema.Message, error) {
	if a.finish == "" {
		return nil, errCut
	}
	m := schema.AssistantMessage(a.text.String(), a.calls)
	m.ResponseMeta = &schema.ResponseMeta{FinishReason: a.finish, Usage: a.usage}
	if a.signed {
		m.Extra = map[string]any{geminiKey: a.extra}
	}
	return m, nil
}
