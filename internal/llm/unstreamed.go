package llm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// unstreamed turns a whole answer of OpenAI's format into a stream of one piece:
// some servers that speak it give one although a stream was asked for.
type unstreamed struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t unstreamed) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind == "text/event-stream" {
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	piece, err := onePiece(body)
	if err != nil {
		return nil, fmt.Errorf("the provider answered %q, which is neither a stream nor an answer: %w", beginning(without(string(body), sent(r.Header))), err)
	}
	resp.Header.Set("Content-Type", "text/event-stream")
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(piece)), -1
	return resp, nil
}

// onePiece returns a chat completion as the only chunk of a stream: its message
// is the delta, whose tool calls have an index.
func onePiece(completion []byte) ([]byte, error) {
	var whole map[string]any
	if err := json.Unmarshal(completion, &whole); err != nil {
		return nil, err
	}
	choices, _ := whole["choices"].([]any)
	for _, c := range choices {
		choice, _ := c.(map[string]any)
		message, ok := choice["message"].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("a choice has no message")
		}
		calls, _ := message["tool_calls"].([]any)
		for i := range calls {
			if call, ok := calls[i].(map[string]any); ok {
				call["index"] = i
			}
		}
		choice["delta"] = message
		delete(choice, "message")
	}
	whole["object"] = "chat.completion.chunk"
	chunk, err := json.Marshal(whole)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "data: %s\n\ndata: [DONE]\n\n", chunk), nil
}
