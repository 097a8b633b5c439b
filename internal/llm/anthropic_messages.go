package llm

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/packages/param"
	"github.com/cloudwego/eino/schema"

	"github.com/fleetlens/fleetlens/pkg/agent"
)

// claudeKey is where a message's Extra keeps what only Claude understands.
const claudeKey = "anthropic"

// claudeExtra is what only Claude understands of an answer.
type claudeExtra struct {
	Model string `json:"model"`
	// Thinking is sent back with the tool results that follow it, signed as it came:
	// https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks.
	Thinking []claudeThinking `json:"thinking,omitempty"`
}

// claudeThinking is one block of it; Data alone when it is redacted.
type claudeThinking struct {
	Thinking  string `json:"thinking,omitempty"`
	Signature string `json:"signature,omitempty"`
	Data      string `json:"data,omitempty"`
}

// claudeTools returns the tools in Anthropic's format.
func claudeTools(infos []*schema.ToolInfo) ([]anthropic.ToolUnionParam, error) {
	tools := make([]anthropic.ToolUnionParam, 0, len(infos))
	for _, info := range infos {
		raw, err := schemaOf(info)
		if err != nil {
			return nil, err
		}
		tools = append(tools, anthropic.ToolUnionParam{OfTool: &anthropic.ToolParam{
			Name: info.Name, Description: anthropic.String(info.Desc),
			InputSchema: param.Override[anthropic.ToolInputSchemaParam](raw),
		}})
	}
	return tools, nil
}

// schemaOf returns the JSON Schema of a tool's arguments.
func schemaOf(info *schema.ToolInfo) (json.RawMessage, error) {
	s, err := info.ToJSONSchema()
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", info.Name, err)
	}
	if s == nil {
		return json.RawMessage(`{"type":"object"}`), nil
	}
	return json.Marshal(s)
}

// fillClaude adds the conversation. All results of an answer's calls go into one
// message of the user, and what the user says after them too. Two marks tell the
// cache where to end: after tools and system, and after the whole conversation
// (https://platform.claude.com/docs/en/build-with-claude/prompt-caching).
func fillClaude(params *anthropic.MessageNewParams, in []*schema.Message) error {
	for _, m := range in {
		switch m.Role {
		case schema.System:
			if said(m.Content) {
				params.System = append(params.System, anthropic.TextBlockParam{Text: m.Content})
			}
		case schema.Assistant:
			addClaude(params, anthropic.MessageParamRoleAssistant, claudeAnswer(params.Model, m))
		case schema.Tool:
			addClaude(params, anthropic.MessageParamRoleUser, []anthropic.ContentBlockParamUnion{
				anthropic.NewToolResultBlock(claudeID(m.ToolCallID), m.Content, false),
			})
		default:
			if said(m.Content) {
				addClaude(params, anthropic.MessageParamRoleUser, []anthropic.ContentBlockParamUnion{anthropic.NewTextBlock(m.Content)})
			}
		}
	}
	if len(params.Messages) == 0 {
		return errors.New("there is nothing to ask")
	}
	if n := len(params.System); n > 0 {
		params.System[n-1].CacheControl = anthropic.NewCacheControlEphemeralParam()
	}
	last := params.Messages[len(params.Messages)-1].Content
	if mark := last[len(last)-1].GetCacheControl(); mark != nil {
		*mark = anthropic.NewCacheControlEphemeralParam()
	}
	return nil
}

// said says whether a text is one: the API refuses blocks of blanks.
func said(text string) bool { return strings.TrimSpace(text) != "" }

// addClaude adds blocks to the last message when it is of the same role.
func addClaude(params *anthropic.MessageNewParams, role anthropic.MessageParamRole, blocks []anthropic.ContentBlockParamUnion) {
	if len(blocks) == 0 {
		return
	}
	if n := len(params.Messages); n > 0 && params.Messages[n-1].Role == role {
		params.Messages[n-1].Content = append(params.Messages[n-1].Content, blocks...)
		return
	}
	params.Messages = append(params.Messages, anthropic.MessageParam{Role: role, Content: blocks})
}

// claudeAnswer returns an earlier answer's blocks: thinking, text, calls.
func claudeAnswer(modelName string, m *schema.Message) []anthropic.ContentBlockParamUnion {
	var blocks []anthropic.ContentBlockParamUnion
	var extra claudeExtra
	// A signature holds for the model that made it.
	if extraOf(m, claudeKey, &extra) && extra.Model == modelName {
		for _, t := range extra.Thinking {
			if t.Data != "" {
				blocks = append(blocks, anthropic.NewRedactedThinkingBlock(t.Data))
			} else {
				blocks = append(blocks, anthropic.NewThinkingBlock(t.Signature, t.Thinking))
			}
		}
	}
	if said(m.Content) {
		blocks = append(blocks, anthropic.NewTextBlock(m.Content))
	}
	for _, call := range m.ToolCalls {
		blocks = append(blocks, anthropic.NewToolUseBlock(claudeID(call.ID), arguments(call.Function.Arguments), call.Function.Name))
	}
	return blocks
}

// extraOf reads what an answer keeps for one provider, before or after it went
// through the journal.
func extraOf(m *schema.Message, key string, into any) bool {
	v, ok := m.Extra[key]
	if !ok {
		return false
	}
	raw, err := json.Marshal(v)
	return err == nil && json.Unmarshal(raw, into) == nil
}

// arguments returns a call's arguments as the object that they have to be. What
// is none is shown to the model as it wrote it.
func arguments(args string) map[string]any {
	object := map[string]any{}
	if strings.TrimSpace(args) == "" {
		return object
	}
	if err := json.Unmarshal([]byte(args), &object); err != nil || object == nil {
		return map[string]any{"not_an_object": args}
	}
	return object
}

var notOfAnID = regexp.MustCompile(`[^a-zA-Z0-9_-]`)

// claudeID returns a call's id in the letters that the API allows: another model
// may have made the call.
func claudeID(id string) string { return notOfAnID.ReplaceAllString(id, "_") }

// fromClaude returns an answer as eino has it. Anthropic's input tokens are those
// that are in no cache.
func fromClaude(modelName string, answer *anthropic.Message) (*schema.Message, error) {
	if answer.StopReason == "" {
		return nil, errCut
	}
	extra := claudeExtra{Model: modelName}
	m := schema.AssistantMessage("", nil)
	var text []string
	for _, block := range answer.Content {
		switch block.Type {
		case "text":
			text = append(text, block.Text)
		case "thinking":
			extra.Thinking = append(extra.Thinking, claudeThinking{Thinking: block.Thinking, Signature: block.Signature})
		case "redacted_thinking":
			extra.Thinking = append(extra.Thinking, claudeThinking{Data: block.Data})
		case "tool_use":
			m.ToolCalls = append(m.ToolCalls, schema.ToolCall{
				ID: block.ID, Type: "function", Function: schema.FunctionCall{Name: block.Name, Arguments: string(block.Input)},
			})
		}
	}
	m.Content = strings.Join(text, "\n")
	u := answer.Usage
	m.Extra = map[string]any{agent.ExtraCacheWrite: int(u.CacheCreationInputTokens)}
	if len(extra.Thinking) > 0 {
		m.Extra[claudeKey] = extra
	}
	prompt := int(u.InputTokens + u.CacheReadInputTokens + u.CacheCreationInputTokens)
	m.ResponseMeta = &schema.ResponseMeta{FinishReason: string(answer.StopReason), Usage: &schema.TokenUsage{
		PromptTokens: prompt, CompletionTokens: int(u.OutputTokens), TotalTokens: prompt + int(u.OutputTokens),
		PromptTokenDetails: schema.PromptTokenDetails{CachedTokens: int(u.CacheReadInputTokens)},
	}}
	return m, nil
}
