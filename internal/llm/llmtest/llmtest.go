// Package llmtest answers as a model's provider does, for tests of whole processes.
package llmtest

import (
	"fmt"
	"io"
	"net/http"
)

// Call streams an answer that calls one tool, as
// https://platform.openai.com/docs/api-reference/chat/streaming has it. The arguments come
// in pieces, those after the first when may gives something or is closed. It is said to
// have used 100 tokens, and 20 for the answer.
func Call(w http.ResponseWriter, r *http.Request, tool string, may <-chan struct{}, pieces ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	chunk := func(delta, end, usage string) {
		_, _ = fmt.Fprintf(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]%s}`+"\n\n", delta, end, usage)
		w.(http.Flusher).Flush()
	}
	chunk(fmt.Sprintf(`{"role":"assistant","tool_calls":[{"index":0,"id":"call_%s","type":"function","function":{"name":%q,"arguments":""}}]}`, tool, tool), "null", "")
	for k, piece := range pieces {
		if k > 0 {
			select {
			case <-may:
			case <-r.Context().Done():
			}
		}
		chunk(fmt.Sprintf(`{"tool_calls":[{"index":0,"function":{"arguments":%q}}]}`, piece), "null", "")
	}
	chunk(`{}`, `"stop"`, `,"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}`)
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}
