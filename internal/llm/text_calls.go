package llm

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/cloudwego/eino/schema"
)

// The bounds of looking for calls in a text.
const (
	maxSearched  = 256 << 10 // bytes of the text
	maxBeginning = 200       // brackets that may begin a call
	maxTextCalls = 64        // calls of one answer
)

// callsIn returns the calls of an answer's text, and the text before them. They
// are the first JSON that is a call or a list of calls; JSON of another kind is
// passed over whole, so that what it quotes is no call.
func callsIn(text string) (string, []schema.ToolCall) {
	searched := text[:min(len(text), maxSearched)]
	at := 0
	for range maxBeginning {
		i := strings.IndexAny(searched[at:], "{[")
		if i < 0 {
			break
		}
		at += i
		dec := json.NewDecoder(strings.NewReader(searched[at:]))
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			at++
			continue
		}
		if calls := asCalls(value); len(calls) > 0 {
			return before(text[:at]), calls
		}
		at += int(dec.InputOffset())
	}
	return text, nil
}

// before returns what was said before the calls, without the fence around them.
func before(text string) string {
	text = strings.TrimSpace(text)
	if i := strings.LastIndex(text, "```"); i >= 0 && !strings.Contains(text[i+3:], "\n") {
		text = text[:i]
	}
	return strings.TrimSpace(text)
}

// asCalls returns the calls that a value is; none when any part of it is not one.
func asCalls(value json.RawMessage) []schema.ToolCall {
	list := []json.RawMessage{value}
	if bytes.HasPrefix(bytes.TrimSpace(value), []byte("[")) {
		if err := json.Unmarshal(value, &list); err != nil || len(list) > maxTextCalls {
			return nil
		}
	}
	calls := make([]schema.ToolCall, 0, len(list))
	for _, item := range list {
		var c textCall
		if err := json.Unmarshal(item, &c); err != nil || c.Tool == "" {
			return nil
		}
		args := string(c.Args)
		var quoted string // some write the arguments as a string that holds JSON
		if json.Unmarshal(c.Args, &quoted) == nil && quoted != "" {
			args = quoted
		}
		if args == "" || args == "null" {
			args = "{}"
		}
		calls = append(calls, schema.ToolCall{Type: "function", Function: schema.FunctionCall{Name: c.Tool, Arguments: args}})
	}
	return calls
}
