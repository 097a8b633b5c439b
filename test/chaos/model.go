//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// failing is the share of the model's answers that fail.
const failing = 0.05

// A model is a server of OpenAI's chat API that follows a script: look, report
// how much memory of each node is used, wait, end.
type model struct {
	url             string
	server          *http.Server
	answers, failed atomic.Int64

	mu     sync.Mutex
	chance *rand.Rand
}

func newModel(seed uint64) (*model, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &model{url: "http://" + l.Addr().String() + "/v1", chance: rand.New(rand.NewPCG(seed, 1))}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", m.answer)
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = m.server.Serve(l) }() // it ends when it is closed
	return m, nil
}

// config is a configuration file that names the model.
func (m *model) config() string {
	return fmt.Sprintf("model: scripted\nmodels:\n  scripted: {provider: openai-generic, base_url: %q, model: x}\n", m.url)
}

// A question is the conversation so far.
type question struct {
	Messages []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
}

func (m *model) answer(w http.ResponseWriter, r *http.Request) {
	var q question
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	delay := time.Duration(m.chance.IntN(120)) * time.Millisecond
	fails, how, ms := m.chance.Float64() < failing, m.chance.IntN(3), m.chance.IntN(400)
	m.mu.Unlock()
	if pause(r.Context(), delay) != nil {
		return
	}
	m.answers.Add(1)
	body, err := json.Marshal(completion(script(q, ms)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if fails {
		m.failed.Add(1)
		fail(w, how, body)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the asker may be dead
}

// fail refuses, breaks, or ends in the middle of the answer.
func fail(w http.ResponseWriter, how int, body []byte) {
	switch how {
	case 0:
		w.Header().Set("Retry-After", "1")
		http.Error(w, `{"error":{"message":"too many requests"}}`, http.StatusTooManyRequests)
	case 1:
		http.Error(w, `{"error":{"message":"it broke"}}`, http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	}
}

// A toolCall is one call in an answer.
type toolCall struct {
	tool string
	args map[string]any
}

// script returns the next step of a run by how many were made.
func script(q question, ms int) []toolCall {
	step := 0
	for _, m := range q.Messages {
		if m.Role == "assistant" {
			step++
		}
	}
	switch step {
	case 0:
		return []toolCall{{"take_snapshot", map[string]any{}}}
	case 1:
		if calls := reports(q); len(calls) > 0 {
			return calls
		}
		return []toolCall{{"think", map[string]any{"thought": "no target answered"}}}
	case 2:
		return []toolCall{{"wait", map[string]any{"ms": ms}}}
	}
	return []toolCall{{"set_state", map[string]any{"state": "warning", "reason": "memory is in use"}}, {"done", map[string]any{}}}
}

// reports returns a notification for each snapshot that a tool has answered with.
func reports(q question) []toolCall {
	var calls []toolCall
	for _, m := range q.Messages {
		if m.Role != "tool" {
			continue
		}
		for id, used := range snapshots(m.Content) {
			calls = append(calls, toolCall{"send_notification", map[string]any{
				"type": "memory_used_pct", "severity": "warning", "snapshot_ids": []string{id},
				"context": "the host answers", "observation": fmt.Sprintf("memory is %s %% used", used), "hypothesis": "the tests use it",
			}})
		}
	}
	return calls
}

const metric = "memory_used_pct"

// snapshots yields the ids of the snapshots in a tool's answer, with the metric:
// one snapshot is an object, several are a table, where what is the same in each
// stands below.
func snapshots(answer string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if start := strings.Index(answer, `{"snapshots"`); start >= 0 {
			var taken struct {
				Snapshots []struct {
					ID   string                     `json:"id"`
					Data map[string]json.RawMessage `json:"data"`
				} `json:"snapshots"`
			}
			if json.NewDecoder(strings.NewReader(answer[start:])).Decode(&taken) != nil {
				return
			}
			for _, s := range taken.Snapshots {
				if !yield(s.ID, string(s.Data[metric])) {
					return
				}
			}
			return
		}
		_, table, found := strings.Cut(answer, "id\ttarget\t")
		if !found {
			return
		}
		lines := strings.Split("id\ttarget\t"+table, "\n")
		column, alike := slices.Index(strings.Split(lines[0], "\t"), metric), ""
		if _, rest, found := strings.Cut(table, metric+" "); found {
			alike = rest[:strings.IndexAny(rest+",", ",\n")]
		}
		for _, line := range lines[1:] {
			cells := strings.Split(line, "\t")
			if len(cells) < 3 {
				return
			}
			used := alike
			if column >= 0 {
				used = cells[column]
			}
			if !yield(cells[0], used) {
				return
			}
		}
	}
}

func completion(calls []toolCall) map[string]any {
	list := []map[string]any{}
	for i, c := range calls {
		args, err := json.Marshal(c.args)
		if err != nil {
			panic(err) // a fault of the script
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
