package llm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"
	"google.golang.org/genai"

	"github.com/fleetlens/fleetlens/pkg/agent"
)

// gemini is a model of Google's, at Google AI or Google Cloud. Requests and
// answers are those of https://ai.google.dev/api/generate-content.
type gemini struct {
	models *genai.Models
	m      Model
	tools  []*genai.FunctionDeclaration
}

var _ model.ToolCallingChatModel = (*gemini)(nil)

// openGoogleAI makes a client of Google's Gemini API.
func openGoogleAI(ctx context.Context, m Model) (model.ToolCallingChatModel, error) {
	return newGemini(ctx, m, &genai.ClientConfig{
		Backend: genai.BackendGeminiAPI, APIKey: m.key(), HTTPClient: client(m.Timeout, m.StallTimeout),
	})
}

func newGemini(ctx context.Context, m Model, cfg *genai.ClientConfig) (*gemini, error) {
	cfg.HTTPOptions.BaseURL = strings.TrimSuffix(m.BaseURL, "/")
	c, err := genai.NewClient(ctx, cfg)
	if err != nil {
		return nil, errors.New("the client of Google refuses its settings") // its own words hold the key
	}
	return &gemini{models: c.Models, m: m}, nil
}

// WithTools implements model.ToolCallingChatModel.
func (g *gemini) WithTools(infos []*schema.ToolInfo) (model.ToolCallingChatModel, error) {
	tools, err := geminiTools(infos)
	if err != nil {
		return nil, err
	}
	return &gemini{g.models, g.m, tools}, nil
}

// Generate implements model.BaseChatModel.
func (g *gemini) Generate(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.Message, error) {
	system, contents := geminiContents(g.m.Model, in)
	cfg := &genai.GenerateContentConfig{SystemInstruction: system, Temperature: g.m.Temperature, MaxOutputTokens: int32(min(g.m.MaxTokens, 1<<30))}
	if len(g.tools) > 0 {
		cfg.Tools = []*genai.Tool{{FunctionDeclarations: g.tools}}
		if o := model.GetCommonOptions(nil, opts...); o.ToolChoice != nil {
			cfg.ToolConfig = geminiChoice(*o.ToolChoice, o.AllowedToolNames)
		}
	}
	ctx, reading := noting(ctx)
	var draft *agent.Draft
	if g.m.streams() {
		draft = agent.NewDraft(ctx)
	}
	answer := newGeminiAnswer(g.m.Model, draft)
	for part, err := range g.ask(ctx, contents, cfg) {
		if err == nil {
			err = answer.add(part)
		}
		if err != nil {
			if cause := reading.get(); cause != nil { // the client saw an end
				err = fmt.Errorf("answer: %w", cause)
			}
			return nil, err
		}
	}
	if err := reading.get(); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return answer.message()
}

// ask returns the parts of an answer; a whole one is its only part.
func (g *gemini) ask(ctx context.Context, contents []*genai.Content, cfg *genai.GenerateContentConfig) iter.Seq2[*genai.GenerateContentResponse, error] {
	if g.m.streams() {
		return g.models.GenerateContentStream(ctx, g.m.Model, contents, cfg)
	}
	return func(yield func(*genai.GenerateContentResponse, error) bool) {
		yield(g.models.GenerateContent(ctx, g.m.Model, contents, cfg))
	}
}

// Stream implements model.BaseChatModel: the whole answer is its only part.
func (g *gemini) Stream(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.StreamReader[*schema.Message], error) {
	answer, err := g.Generate(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	return schema.StreamReaderFromArray([]*schema.Message{answer}), nil
}

func geminiChoice(choice schema.ToolChoice, names []string) *genai.ToolConfig {
	c := &genai.FunctionCallingConfig{Mode: genai.FunctionCallingConfigModeAuto}
	switch choice {
	case schema.ToolChoiceForbidden:
		c.Mode = genai.FunctionCallingConfigModeNone
	case schema.ToolChoiceForced:
		c.Mode, c.AllowedFunctionNames = genai.FunctionCallingConfigModeAny, names
	}
	return &genai.ToolConfig{FunctionCallingConfig: c}
}
