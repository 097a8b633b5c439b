package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/cloudwego/eino/schema"
)

// requestHash returns the hash of what a decider can read of a run: the
// conversation and the tools. Whatever decides, it is the same.
func requestHash(v View) (string, error) {
	messages, err := Conversation(v)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, m := range messages {
		if err := enc.Encode(said(m)); err != nil {
			return "", fmt.Errorf("request: %w", err)
		}
	}
	for _, t := range v.Tools {
		if err := enc.Encode([]string{t.Name, t.Doc, t.schemaText}); err != nil {
			return "", fmt.Errorf("request: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// said is what counts of a message: fields that a later version of the library
// adds change no hash.
func said(m *schema.Message) any {
	calls := make([][3]string, 0, len(m.ToolCalls))
	for _, c := range m.ToolCalls {
		calls = append(calls, [3]string{c.ID, c.Function.Name, c.Function.Arguments})
	}
	return []any{m.Role, m.Content, m.ToolCallID, m.ToolName, calls, m.Extra}
}

// EstimateRequest returns about how many tokens a decider would be sent now: the
// conversation and the tools, counted as [EstimateTokens] does.
func EstimateRequest(v View) int {
	messages, err := Conversation(v)
	if err != nil {
		return 0
	}
	n := EstimateTokens(messages)
	for _, t := range v.Tools {
		n += frameTokens + tokens(t.Name) + tokens(t.Doc) + tokens(t.schemaText)
	}
	return n
}

// InvestigationOf returns the investigation that a run belongs to; empty: none is known.
func InvestigationOf(v View) string {
	switch s := v.State.(type) {
	case *OperatorState:
		return s.Subject.Task.InvestigationID
	case *CoordinatorState:
		return s.Subject.InvestigationID
	case *Question:
		return s.Investigation
	}
	return ""
}
