//go:build linux

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// A toolCall is one call in a model's answer.
type toolCall struct {
	tool string
	args map[string]any
}

// A turn is one question to the model: the conversation so far.
type turn struct {
	ctx   context.Context // ends with the request: its asker is gone
	step  int             // answers given before in this run
	Tools []any           `json:"tools"`
	Model string          `json:"model"`

	Messages []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
}

// One snapshot comes as an object, several as a table.
var snapshotID = regexp.MustCompile(`(?:"id":"|\n)([0-9a-f]{16})["\t]`)

// snapshot returns the id of the snapshot that was taken last, of several the first.
func (t turn) snapshot() string {
	for _, m := range slices.Backward(t.Messages) {
		if id := snapshotID.FindStringSubmatch(m.Content); m.Role == "tool" && id != nil {
			return id[1]
		}
	}
	return ""
}

// A fakeModel is a server of OpenAI's chat API whose answers a test decides.
type fakeModel struct {
	*httptest.Server
	mu    sync.Mutex
	turns []turn
}

// newModel starts a server that answers what decide says. decide may block; it
// returns when the turn's context ends.
func newModel(t *testing.T, decide func(turn) []toolCall) *fakeModel {
	t.Helper()
	m := &fakeModel{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		q := turn{ctx: r.Context()}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, message := range q.Messages {
			if message.Role == "assistant" {
				q.step++
			}
		}
		m.mu.Lock()
		m.turns = append(m.turns, q)
		m.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(completionOf(decide(q)))
	})
	m.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		m.CloseClientConnections()
		m.Close()
	})
	return m
}

func completionOf(calls []toolCall) map[string]any {
	list := []map[string]any{}
	for i, c := range calls {
		args, err := json.Marshal(c.args)
		if err != nil {
			panic(err)
		}
		list = append(list, map[string]any{
			"id": fmt.Sprintf("call_%d", i), "type": "function", "function": map[string]any{"name": c.tool, "arguments": string(args)},
		})
	}
	return map[string]any{
		"id": "answer", "object": "chat.completion", "created": 1, "model": "x",
		"choices": []any{map[string]any{"index": 0, "finish_reason": "tool_calls", "message": map[string]any{"role": "assistant", "content": "", "tool_calls": list}}},
		"usage":   map[string]any{"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
	}
}

// asked returns how often the model was asked for the step of a run.
func (m *fakeModel) asked(step int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, q := range m.turns {
		if q.step == step {
			n++
		}
	}
	return n
}

// config writes a configuration file that names the model "fake".
func (m *fakeModel) config(t *testing.T) string {
	t.Helper()
	return configFile(t, fmt.Sprintf("model: fake\nmodels:\n  fake: {provider: openai-generic, base_url: %q, model: x}\n", m.URL+"/v1"))
}

// diligent is a model that does what an operator should: it looks, reports that
// memory is 97 % used, waits a moment and ends.
func diligent(q turn) []toolCall {
	switch q.step {
	case 0:
		return []toolCall{{"take_snapshot", map[string]any{}}}
	case 1:
		return []toolCall{{"send_notification", map[string]any{
			"type": "memory_used_pct", "severity": "critical", "snapshot_ids": []string{q.snapshot()},
			"context": "the service java runs there", "observation": "memory is 97 % used", "hypothesis": "java has a leak",
		}}}
	case 2:
		return []toolCall{{"wait", map[string]any{"ms": 10}}}
	}
	return []toolCall{{"set_state", map[string]any{"state": "critical", "reason": "memory"}}, {"done", map[string]any{}}}
}

// A gate holds a model's answer back at one step.
type gate struct {
	step    int
	arrived chan struct{} // an entry for each turn that came to the gate
	open    chan struct{} // closed: every turn passes
}

func newGate(step int) *gate {
	return &gate{step: step, arrived: make(chan struct{}, 64), open: make(chan struct{})}
}

// before answers as decide does, but the gate's step only when it is open.
func (g *gate) before(decide func(turn) []toolCall) func(turn) []toolCall {
	return func(q turn) []toolCall {
		if q.step == g.step {
			g.arrived <- struct{}{}
			select {
			case <-g.open:
			case <-q.ctx.Done():
			}
		}
		return decide(q)
	}
}

// await waits until somebody stands at the gate.
func (g *gate) await(t *testing.T) {
	t.Helper()
	box.Eventually(t, fmt.Sprintf("the model is asked for step %d", g.step), func() bool {
		select {
		case <-g.arrived:
			return true
		default:
			return false
		}
	})
}
