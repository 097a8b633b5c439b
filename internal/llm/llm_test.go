package llm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

const key = "sk-secret-0123456789abcdef"

// provider speaks the wire format of OpenAI's chat completions as its public API
// reference describes it: https://platform.openai.com/docs/api-reference/chat/create
// (request: model, messages, tools, tool_choice; response: choices[0].message with
// content and tool_calls, usage with prompt_tokens_details.cached_tokens; errors as
// {"error":{"message","type","code"}}).
type provider struct {
	*httptest.Server
	mu       sync.Mutex
	requests []map[string]any
	keys     []string
}

func newProvider(t *testing.T, answer http.HandlerFunc) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/v1/chat/completions" {
			t.Errorf("request %s: %v", r.URL.Path, err)
		}
		p.mu.Lock()
		p.requests, p.keys = append(p.requests, body), append(p.keys, r.Header.Get("Authorization"))
		p.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.requests)
}

func (p *provider) decider(t *testing.T) agent.Decider {
	t.Helper()
	t.Setenv("FLEETLENS_TEST_KEY", key)
	cfg := llm.Config{Default: "small", Models: map[string]llm.Model{"small": {
		Provider: llm.OpenAIGeneric, BaseURL: p.URL + "/v1", Model: "gpt-small", APIKeyEnv: "FLEETLENS_TEST_KEY", MaxTokens: 1024,
	}}}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	deciders, err := cfg.Deciders(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := deciders("")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// view is the first step of an operator's run.
func view() agent.View {
	return agent.View{
		RunID: "run-1", Step: 1, Start: protocol.Start{System: "You look at hosts.", User: "Reason: slow"},
		Tools: agent.NewOperatorTools(agent.OperatorDeps{}).Tools(),
	}
}

// says is a handler that gives one message.
func says(t *testing.T, message map[string]any, usage map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		message["role"] = "assistant"
		w.Header().Set("Content-Type", "application/json")
		body := map[string]any{
			"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-small",
			"choices": []any{map[string]any{"index": 0, "message": message, "finish_reason": "stop"}},
		}
		if usage != nil {
			body["usage"] = usage
		}
		if err := json.NewEncoder(w).Encode(body); err != nil {
			t.Error(err)
		}
	}
}

func toolCall(id, name, args string) map[string]any {
	return map[string]any{"id": id, "type": "function", "function": map[string]any{"name": name, "arguments": args}}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		message map[string]any
		usage   map[string]any
		want    protocol.Answer
	}{
		{
			"one tool call", map[string]any{"content": nil, "tool_calls": []any{toolCall("c1", "take_snapshot", `{"targets":["web-1"]}`)}}, nil,
			protocol.Answer{Calls: []protocol.ToolCall{{ID: "c1", Tool: "take_snapshot", Args: `{"targets":["web-1"]}`}}},
		},
		{
			"two tool calls, with words", map[string]any{"content": "Both.", "tool_calls": []any{toolCall("c1", "think", `{}`), toolCall("c2", "done", ``)}}, nil,
			protocol.Answer{Text: "Both.", Calls: []protocol.ToolCall{{ID: "c1", Tool: "think", Args: `{}`}, {ID: "c2", Tool: "done"}}},
		},
		{"text without a call", map[string]any{"content": "I am done."}, nil, protocol.Answer{Text: "I am done."}},
		{
			"a tool that does not exist", map[string]any{"tool_calls": []any{toolCall("c1", "rm", `{"-rf":"/"}`)}}, nil,
			protocol.Answer{Calls: []protocol.ToolCall{{ID: "c1", Tool: "rm", Args: `{"-rf":"/"}`}}},
		},
		{"200 KB of text", map[string]any{"content": strings.Repeat("why? ", 40_000)}, nil, protocol.Answer{Text: strings.Repeat("why? ", 40_000)}},
		{
			"usage with cached tokens", map[string]any{"content": "x"},
			map[string]any{"prompt_tokens": 1200, "completion_tokens": 34, "total_tokens": 1234, "prompt_tokens_details": map[string]any{"cached_tokens": 1024}},
			protocol.Answer{Text: "x", Usage: protocol.Usage{InputTokens: 1200, OutputTokens: 34, CachedTokens: 1024}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t, says(t, tt.message, tt.usage))
			got, err := p.decider(t).Decide(t.Context(), view())
			if err != nil {
				t.Fatal(err)
			}
			got.Extra = nil
			tt.want.Model, tt.want.Usage.LLMCalls = "small (gpt-small)", 1
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if p.keys[0] != "Bearer "+key {
				t.Errorf("the key sent is %q", p.keys[0])
			}
		})
	}
}

func TestWhatIsSent(t *testing.T) {
	p := newProvider(t, says(t, map[string]any{"content": "x"}, nil))
	d := p.decider(t)
	v := view()
	record := func(kind protocol.RecordKind, data any) {
		raw, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		v.Records = append(v.Records, protocol.Record{Kind: kind, Data: raw})
	}
	record(protocol.RecordClaim, protocol.Claim{Worker: "op-1"})
	record(protocol.RecordAnswer, protocol.Answer{Step: 1, Calls: []protocol.ToolCall{{ID: "c1", Tool: "think", Args: `{"thought":"a"}`}, {ID: "c2", Tool: "think", Args: `{"thought":"b"}`}}})
	record(protocol.RecordResult, protocol.ToolResult{Step: 1, CallID: "c1", Tool: "think", Content: "result a"})
	record(protocol.RecordResult, protocol.ToolResult{Step: 1, CallID: "c2", Tool: "think", Content: "result b"})
	record(protocol.RecordInput, protocol.Input{Step: 1, Text: "Reported: x"})
	record(protocol.RecordRetry, protocol.Retry{Step: 2})
	record(protocol.RecordAnswer, protocol.Answer{Step: 2, Text: "hm"})
	if _, err := d.Decide(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	req := p.requests[0]
	if req["model"] != "gpt-small" || req["tool_choice"] != "required" || req["max_tokens"] != 1024.0 && req["max_completion_tokens"] != 1024.0 {
		t.Errorf("model %v, tool_choice %v, max_tokens %v", req["model"], req["tool_choice"], req["max_tokens"])
	}
	var roles []string
	for _, m := range req["messages"].([]any) {
		m := m.(map[string]any)
		role := m["role"].(string)
		if id, ok := m["tool_call_id"]; ok {
			role += " " + id.(string)
		}
		if list, ok := m["tool_calls"].([]any); ok {
			role += fmt.Sprint(" calls ", len(list))
		}
		roles = append(roles, role)
	}
	want := []string{"system", "user", "assistant calls 2", "tool c1", "tool c2", "user", "assistant", "user"}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	t.Run("the schema of every tool is valid JSON Schema", func(t *testing.T) {
		tools := req["tools"].([]any)
		if len(tools) != len(v.Tools) {
			t.Fatalf("%d tools were sent, want %d", len(tools), len(v.Tools))
		}
		for _, tool := range tools {
			f := tool.(map[string]any)["function"].(map[string]any)
			params, ok := f["parameters"].(map[string]any)
			if !ok || params["type"] != "object" || f["description"] == "" {
				t.Errorf("%v: parameters %v", f["name"], f["parameters"])
				continue
			}
			c := jsonschema.NewCompiler()
			if err := c.AddResource("tool.json", params); err != nil {
				t.Errorf("%v: %v", f["name"], err)
				continue
			}
			if _, err := c.Compile("tool.json"); err != nil {
				t.Errorf("%v: %v", f["name"], err)
			}
		}
	})
}

func status(code int, header map[string]string, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestWhichErrorsAreTriedAgain(t *testing.T) {
	date := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	body := `{"error":{"message":"it is so","type":"x","code":"y"}}`
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"choices":[{"message":`)
		panic(http.ErrAbortHandler)
	}
	for _, tt := range []struct {
		name    string
		answer  http.HandlerFunc
		final   bool
		delayed time.Duration // as the provider asks; 0: the loop's own
		says    string
	}{
		{"400", status(400, nil, body), true, 0, "the provider answered 400 Bad Request: " + body},
		{"401", status(401, nil, body), true, 0, "401 Unauthorized"},
		{"402", status(402, nil, body), true, 0, "402"},
		{"403", status(403, nil, body), true, 0, "403"},
		{"404", status(404, nil, body), true, 0, "404 Not Found"},
		{"422", status(422, nil, body), true, 0, "422"},
		{"408", status(408, nil, body), false, 0, "408"},
		{"409", status(409, nil, body), false, 0, "409"},
		{"429 without Retry-After", status(429, nil, body), false, 0, "429 Too Many Requests"},
		{"429 with seconds", status(429, map[string]string{"Retry-After": "17"}, body), false, 17 * time.Second, "429"},
		{"429 with a date", status(429, map[string]string{"Retry-After": date}, body), false, 90 * time.Second, "429"},
		{"429 with a date that is past", status(429, map[string]string{"Retry-After": "Mon, 02 Jan 2006 15:04:05 GMT"}, body), false, 0, "429"},
		{"429 with nonsense", status(429, map[string]string{"Retry-After": "soon"}, body), false, 0, "429"},
		{"429 with a day", status(429, map[string]string{"Retry-After": "86400"}, body), false, 5 * time.Minute, "429"},
		{"500", status(500, nil, body), false, 0, "500"},
		{"503", status(503, map[string]string{"Retry-After": "3"}, body), false, 3 * time.Second, "503"},
		{"529, overloaded", status(529, nil, body), false, 0, "529"},
		{"a proxy's page", status(502, nil, "<html>"+strings.Repeat("x", 100_000)), false, 0, "502"},
		{"no JSON", status(200, nil, "<html>hello</html>"), false, 0, ""},
		{"JSON without a choice", status(200, nil, `{"id":"x","choices":[]}`), false, 0, ""},
		{"an empty body", status(200, nil, ""), false, 0, ""},
		{"a connection that is cut", cut, false, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t, tt.answer)
			d := p.decider(t)
			_, err := d.Decide(t.Context(), view())
			if err == nil {
				t.Fatal("no error")
			}
			if errors.Is(err, agent.ErrFinal) != tt.final || !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 3000 {
				t.Errorf("final %v, %d bytes: %v", errors.Is(err, agent.ErrFinal), len(err.Error()), err)
			}
			if n := p.asked(); n != 1 {
				t.Errorf("the client itself tried %d times: the loop counts tries", n)
			}
			// What the loop makes of it: a rest, or the end.
			retry := restAfter(t, d)
			switch {
			case tt.final && retry != nil:
				t.Errorf("the loop rests for %d ms, want the end", retry.DelayMS)
			case !tt.final && retry == nil:
				t.Error("the loop ends the run, want another try")
			case !tt.final:
				want := tt.delayed
				if want == 0 {
					want = time.Second
				}
				if got := time.Duration(retry.DelayMS) * time.Millisecond; got > want || got < want-15*time.Second || want < time.Minute && got != want {
					t.Errorf("the loop rests for %s, want %s", got, want)
				}
			}
		})
	}
}

// restAfter runs a run with the decider until it rests, and returns the record of
// that; nil when it ended instead.
func restAfter(t *testing.T, d agent.Decider) *protocol.Retry {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	j := &agent.MemoryJournal{Run: "run-1", Refuse: func(kind protocol.RecordKind) error {
		if kind == protocol.RecordRetry {
			stop()
		}
		return nil
	}}
	start, err := agent.OperatorStart(agent.OperatorSubject{}, protocol.RunSettings{Deadline: time.Now().Add(time.Hour)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, err = agent.Run(ctx, agent.Spec{
		RunID: "run-1", Start: start, Tools: agent.NewOperatorTools(agent.OperatorDeps{}), Decider: d, Journal: j, Log: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		return nil
	}
	var r protocol.Retry
	if err := json.Unmarshal(j.Log[len(j.Log)-1].Data, &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

func TestASlowProviderIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	p := newProvider(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	cfg := llm.Config{Default: "slow", Models: map[string]llm.Model{"slow": {Provider: llm.OpenAIGeneric, BaseURL: p.URL + "/v1", Model: "m", Timeout: 50 * time.Millisecond}}}
	deciders, err := cfg.Deciders(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := deciders("slow")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Decide(t.Context(), view()); err == nil || errors.Is(err, agent.ErrFinal) {
		t.Errorf("error %v, want one that is tried again", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Decide(ctx, view()); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that is cancelled: %v", err)
	}
}

// A provider's own words may hold the key: OpenAI's 401 repeats a part of it.
func TestTheKeyAppearsNowhere(t *testing.T) {
	for code, padding := range map[int]int{401: 0, 500: 0, 503: 1024 - len("wrong: Bearer sk-secret-0123")} { // at the last the key lies on the cut
		p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
			status(code, nil, strings.Repeat("x", padding)+"wrong: "+r.Header.Get("Authorization")+"!")(w, r)
		})
		var logs bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		j := &agent.MemoryJournal{Run: "run-1", Refuse: func(kind protocol.RecordKind) error {
			if kind == protocol.RecordRetry {
				stop()
			}
			return nil
		}}
		start, err := agent.OperatorStart(agent.OperatorSubject{}, protocol.RunSettings{Deadline: time.Now().Add(time.Hour)}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		f, err := agent.Run(ctx, agent.Spec{
			RunID: "run-1", Start: start, Tools: agent.NewOperatorTools(agent.OperatorDeps{}), Decider: p.decider(t), Journal: j,
			Log: slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		stop()
		raw, marshalErr := json.Marshal(j.Log)
		if marshalErr != nil {
			t.Fatal(marshalErr)
		}
		if all := fmt.Sprint(f.Error, err, logs.String(), string(raw)); strings.Contains(all, key[:12]) || !strings.Contains(all, "wrong: ") {
			t.Errorf("status %d: the key is in, or the provider's words are not in: %s", code, all)
		}
	}
}

func TestNoKeyIsSentWhereNoneIsConfigured(t *testing.T) {
	p := newProvider(t, says(t, map[string]any{"content": "x"}, nil))
	t.Setenv("OPENAI_API_KEY", key) // of another service
	cfg := llm.Config{Default: "local", Models: map[string]llm.Model{"local": {Provider: llm.OpenAIGeneric, BaseURL: p.URL + "/v1", Model: "m"}}}
	deciders, err := cfg.Deciders(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := deciders("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Decide(t.Context(), view()); err != nil || strings.Contains(p.keys[0], key) {
		t.Errorf("sent %q, %v", p.keys[0], err)
	}
}

func TestConfigFaultsAreNamed(t *testing.T) {
	t.Setenv("FLEETLENS_EMPTY", "")
	good := llm.Model{Provider: llm.OpenAIGeneric, BaseURL: "https://example.org/v1", Model: "m"}
	change := func(f func(*llm.Model)) map[string]llm.Model {
		m := good
		f(&m)
		return map[string]llm.Model{"small": m}
	}
	for _, tt := range []struct {
		name   string
		models map[string]llm.Model
		chosen string
		says   []string // none: it is right
	}{
		{"no model at all: the rules", nil, llm.Rules, nil},
		{"a model that is right", map[string]llm.Model{"small": good}, "small", nil},
		{"a model that is right, and the rules", map[string]llm.Model{"small": good}, llm.Rules, nil},
		{"an unknown provider", change(func(m *llm.Model) { m.Provider = "acme" }), llm.Rules, []string{"models.small", `unknown provider "acme"`, "openai-generic"}},
		{"no address", change(func(m *llm.Model) { m.BaseURL = "" }), llm.Rules, []string{"models.small", "base_url"}},
		{"an address without a scheme", change(func(m *llm.Model) { m.BaseURL = "localhost:11434" }), llm.Rules, []string{"models.small", "base_url"}},
		{"no model's name", change(func(m *llm.Model) { m.Model = "" }), llm.Rules, []string{"models.small", "it needs a model"}},
		{"an empty key", change(func(m *llm.Model) { m.APIKeyEnv = "FLEETLENS_EMPTY" }), llm.Rules, []string{"models.small", "FLEETLENS_EMPTY", "is empty"}},
		{"the name of the rules", map[string]llm.Model{"rules": good}, llm.Rules, []string{"models.rules", "taken"}},
		{"a default that does not exist", map[string]llm.Model{"small": good}, "big", []string{`unknown model "big" (have small, rules)`}},
		{"every fault at once", map[string]llm.Model{"a": {}, "b": {}}, "c", []string{"models.a: ", "models.b: ", `unknown model "c"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := (&llm.Config{Default: tt.chosen, Models: tt.models}).Validate()
			if (err != nil) != (len(tt.says) > 0) {
				t.Fatalf("Validate: %v", err)
			}
			for _, s := range tt.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q is not in %v", s, err)
				}
			}
		})
	}
}

// Behaviour: 34.
func TestDecidersByName(t *testing.T) {
	cfg := llm.DefaultConfig()
	cfg.Models["small"] = llm.Model{Provider: llm.OpenAIGeneric, BaseURL: "https://example.org/v1", Model: "m"}
	deciders, err := cfg.Deciders(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"": protocol.RulesModel, "rules": protocol.RulesModel, "small": "small (m)"} {
		if d, err := deciders(name); err != nil || d.Name() != want {
			t.Errorf("decider %q: %v, %v", name, d, err)
		}
	}
	if _, err := deciders("big"); err == nil || err.Error() != `unknown model "big" (have small, rules)` {
		t.Errorf("an unknown one: %v", err)
	}
}
