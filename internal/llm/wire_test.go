package llm_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/fleetlens/fleetlens/internal/llm"
)

// said is an answer that a fake provider gives. Every one used 1200 tokens of
// input, 900 of which were in a cache, and 34 of output.
type said struct {
	text  string
	calls []called
}

type called struct{ id, name, args string }

// A wire is one way to a model: the configuration that leads there, and the
// format that is spoken.
type wire struct {
	name  string
	model llm.Model                // without its address
	path  func(stream bool) string // of a request, with its query
	env   func(t *testing.T, url string)
	key   string // what proves who asks, as a header and its beginning
	ids   bool   // calls have ids
	kind  string // Content-Type of a stream
	whole func(said) []byte
	parts func(said) []byte
	fault string // body of an answer that is no success
}

func raw(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

type obj = map[string]any

func at(path string) func(bool) string { return func(bool) string { return path } }

// wires holds every provider. The formats are those of the documents named at
// the functions that write them.
func wires() []wire {
	keyed := func(env string) func(*testing.T, string) {
		return func(t *testing.T, _ string) { t.Setenv(env, key) }
	}
	none := func(*testing.T, string) {}
	openAI := func(provider, path, env string) wire {
		w := wire{
			name: provider, model: llm.Model{Provider: provider, Model: "m-1"}, path: at(path), env: none, ids: true,
			kind: "text/event-stream", whole: openAIWhole, parts: openAIParts, fault: `{"error":{"message":"it is so","type":"x","param":null,"code":"y"}}`,
		}
		if env != "" {
			w.env, w.key = keyed(env), "Authorization: Bearer "+key
		}
		return w
	}
	azure := openAI(llm.AzureOpenAI, "/openai/deployments/m-1/chat/completions?api-version=2024-10-21", "AZURE_OPENAI_API_KEY")
	azure.key, azure.model.APIVersion = "Api-Key: "+key, "2024-10-21"
	claudeFault := `{"type":"error","error":{"type":"x","message":"it is so"},"request_id":"req_1"}`
	googleFault := `{"error":{"code":0,"message":"it is so","status":"X"}}`
	either := func(base, whole, stream string) func(bool) string {
		return func(streams bool) string {
			if streams {
				return base + stream
			}
			return base + whole
		}
	}
	return []wire{
		openAI(llm.OpenAI, "/chat/completions", "OPENAI_API_KEY"),
		azure,
		openAI(llm.Ollama, "/chat/completions", ""),
		openAI(llm.OpenRouter, "/chat/completions", "OPENROUTER_API_KEY"),
		openAI(llm.OpenAIGeneric, "/chat/completions", ""),
		{
			name: llm.Anthropic, model: llm.Model{Provider: llm.Anthropic, Model: "claude-x"}, path: at("/v1/messages"),
			env: keyed("ANTHROPIC_API_KEY"), key: "X-Api-Key: " + key, ids: true,
			kind: "text/event-stream; charset=utf-8", whole: claudeWhole, parts: claudeParts, fault: claudeFault,
		},
		{
			name: llm.AWSBedrock, model: llm.Model{Provider: llm.AWSBedrock, Model: "anthropic.claude-x-v1:0", Region: "eu-central-1"},
			path: either("/model/anthropic.claude-x-v1%3A0/", "invoke", "invoke-with-response-stream"),
			env:  awsEnv, key: "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/", ids: true,
			kind: "application/vnd.amazon.eventstream", whole: claudeWhole, parts: bedrockParts, fault: `{"message":"it is so"}`,
		},
		{
			name: llm.VertexAI + " with Claude", model: llm.Model{Provider: llm.VertexAI, Model: "claude-x", Project: "p1", Location: "europe-west1"},
			path: either("/v1/projects/p1/locations/europe-west1/publishers/anthropic/models/claude-x:", "rawPredict", "streamRawPredict"),
			env:  googleEnv, key: "Authorization: Bearer " + key, ids: true,
			kind: "text/event-stream", whole: claudeWhole, parts: claudeParts, fault: claudeFault,
		},
		{
			name: llm.VertexAI + " with Gemini", model: llm.Model{Provider: llm.VertexAI, Model: "gemini-x", Project: "p1", Location: "europe-west1"},
			path: either("/v1beta1/projects/p1/locations/europe-west1/publishers/google/models/gemini-x:", "generateContent", "streamGenerateContent?alt=sse"),
			env:  googleEnv, key: "Authorization: Bearer " + key,
			kind: "text/event-stream", whole: geminiWhole, parts: geminiParts, fault: googleFault,
		},
		{
			name: llm.GoogleAI, model: llm.Model{Provider: llm.GoogleAI, Model: "gemini-x"},
			path: either("/v1beta/models/gemini-x:", "generateContent", "streamGenerateContent?alt=sse"),
			env:  keyed("GOOGLE_API_KEY"), key: "X-Goog-Api-Key: " + key,
			kind: "text/event-stream", whole: geminiWhole, parts: geminiParts, fault: googleFault,
		},
	}
}

// openAIWhole writes https://platform.openai.com/docs/api-reference/chat/object.
func openAIWhole(s said) []byte {
	message := obj{"role": "assistant", "content": s.text}
	for _, c := range s.calls {
		list, _ := message["tool_calls"].([]any)
		message["tool_calls"] = append(list, toolCall(c.id, c.name, c.args))
	}
	return raw(obj{
		"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m-1", "usage": openAIUsage,
		"choices": []any{obj{"index": 0, "message": message, "finish_reason": "stop"}},
	})
}

var openAIUsage = obj{"prompt_tokens": 1200, "completion_tokens": 34, "total_tokens": 1234, "prompt_tokens_details": obj{"cached_tokens": 900}}

// openAIParts writes https://platform.openai.com/docs/api-reference/chat/streaming:
// arguments come in pieces, the usage in a chunk without a choice.
func openAIParts(s said) []byte {
	var b bytes.Buffer
	chunk := func(delta obj, finish any) {
		fmt.Fprintf(&b, "data: %s\n\n", raw(obj{
			"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1",
			"choices": []any{obj{"index": 0, "delta": delta, "finish_reason": finish}},
		}))
	}
	chunk(obj{"role": "assistant", "content": ""}, nil)
	for _, piece := range pieces(s.text) {
		chunk(obj{"content": piece}, nil)
	}
	for i, c := range s.calls {
		chunk(obj{"tool_calls": []any{obj{"index": i, "id": c.id, "type": "function", "function": obj{"name": c.name, "arguments": ""}}}}, nil)
		for _, piece := range pieces(c.args) {
			chunk(obj{"tool_calls": []any{obj{"index": i, "function": obj{"arguments": piece}}}}, nil)
		}
	}
	chunk(obj{}, "stop")
	fmt.Fprintf(&b, "data: %s\n\ndata: [DONE]\n\n", raw(obj{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": []any{}, "usage": openAIUsage}))
	return b.Bytes()
}

// pieces cuts a text in two, or in more when it is long.
func pieces(s string) []string {
	var list []string
	for n := max(min(len(s)/2, 5000), 1); s != ""; s = s[min(n, len(s)):] {
		list = append(list, s[:min(n, len(s))])
	}
	return list
}

// claudeWhole writes https://platform.claude.com/docs/en/api/messages.
func claudeWhole(s said) []byte {
	content := []any{}
	if s.text != "" {
		content = append(content, obj{"type": "text", "text": s.text})
	}
	for _, c := range s.calls {
		content = append(content, obj{"type": "tool_use", "id": c.id, "name": c.name, "input": json.RawMessage(c.args)})
	}
	return raw(obj{
		"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": content, "stop_reason": "end_turn", "stop_sequence": nil,
		"usage": obj{"input_tokens": 100, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 900, "output_tokens": 34},
	})
}

// claudeEvents are those of https://platform.claude.com/docs/en/build-with-claude/streaming.
func claudeEvents(s said) []obj {
	events := []obj{
		{"type": "message_start", "message": obj{
			"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": []any{}, "stop_reason": nil, "stop_sequence": nil,
			"usage": obj{"input_tokens": 100, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 900, "output_tokens": 1},
		}},
		{"type": "ping"},
	}
	n := 0
	block := func(start obj, deltas ...obj) {
		events = append(events, obj{"type": "content_block_start", "index": n, "content_block": start})
		for _, d := range deltas {
			events = append(events, obj{"type": "content_block_delta", "index": n, "delta": d})
		}
		events = append(events, obj{"type": "content_block_stop", "index": n})
		n++
	}
	if s.text != "" {
		var deltas []obj
		for _, piece := range pieces(s.text) {
			deltas = append(deltas, obj{"type": "text_delta", "text": piece})
		}
		block(obj{"type": "text", "text": ""}, deltas...)
	}
	for _, c := range s.calls {
		deltas := []obj{{"type": "input_json_delta", "partial_json": ""}}
		for _, piece := range pieces(c.args) {
			deltas = append(deltas, obj{"type": "input_json_delta", "partial_json": piece})
		}
		block(obj{"type": "tool_use", "id": c.id, "name": c.name, "input": obj{}}, deltas...)
	}
	return append(events,
		obj{"type": "message_delta", "delta": obj{"stop_reason": "end_turn", "stop_sequence": nil}, "usage": obj{"output_tokens": 34}},
		obj{"type": "message_stop"},
	)
}

func claudeParts(s said) []byte {
	var b bytes.Buffer
	for _, e := range claudeEvents(s) {
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", e["type"], raw(e))
	}
	return b.Bytes()
}

// bedrockParts writes Claude's events as Amazon frames them:
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html.
func bedrockParts(s said) []byte {
	var b bytes.Buffer
	enc := eventstream.NewEncoder()
	for _, e := range claudeEvents(s) {
		m := eventstream.Message{Payload: raw(obj{"bytes": base64.StdEncoding.EncodeToString(raw(e)), "p": "abc"})}
		m.Headers.Set(":message-type", eventstream.StringValue("event"))
		m.Headers.Set(":event-type", eventstream.StringValue("chunk"))
		m.Headers.Set(":content-type", eventstream.StringValue("application/json"))
		if err := enc.Encode(&b, m); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// geminiWhole writes https://ai.google.dev/api/generate-content#generatecontentresponse.
func geminiWhole(s said) []byte {
	var parts []any
	if s.text != "" {
		parts = append(parts, obj{"text": s.text})
	}
	return raw(geminiChunk(append(parts, geminiCalls(s)...), "STOP"))
}

func geminiCalls(s said) []any {
	var parts []any
	for i, c := range s.calls {
		part := obj{"functionCall": obj{"name": c.name, "args": json.RawMessage(c.args)}}
		if i == 0 {
			part["thoughtSignature"] = base64.StdEncoding.EncodeToString([]byte("signed"))
		}
		parts = append(parts, part)
	}
	return parts
}

func geminiChunk(parts []any, finish string) obj {
	candidate := obj{"index": 0, "content": obj{"role": "model", "parts": parts}}
	if finish != "" {
		candidate["finishReason"] = finish
	}
	return obj{"candidates": []any{candidate}, "modelVersion": "gemini-x", "usageMetadata": obj{
		"promptTokenCount": 1200, "cachedContentTokenCount": 900, "candidatesTokenCount": 30, "thoughtsTokenCount": 4, "totalTokenCount": 1234,
	}}
}

// geminiParts writes the same as a stream: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent.
func geminiParts(s said) []byte {
	var b bytes.Buffer
	write := func(parts []any, finish string) { fmt.Fprintf(&b, "data: %s\r\n\r\n", raw(geminiChunk(parts, finish))) }
	write([]any{obj{"text": "hm", "thought": true}}, "")
	for _, piece := range pieces(s.text) {
		write([]any{obj{"text": piece}}, "")
	}
	for _, call := range geminiCalls(s) {
		write([]any{call}, "")
	}
	write([]any{obj{"text": ""}}, "STOP")
	return b.Bytes()
}

// awsEnv leads AWS's client to credentials of the environment alone.
func awsEnv(t *testing.T, _ string) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", key)
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"} {
		t.Setenv(name, "")
	}
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, filepath.Join(t.TempDir(), "none"))
	}
}

// serviceKey is the private key of a service account.
var serviceKey = sync.OnceValue(func() string {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
})

// googleEnv leads Google's clients to a service account whose tokens the fake
// gives: https://developers.google.com/identity/protocols/oauth2/service-account.
func googleEnv(t *testing.T, url string) {
	file := filepath.Join(t.TempDir(), "account.json")
	account := raw(obj{
		"type": "service_account", "project_id": "p1", "private_key_id": "k1", "private_key": serviceKey(),
		"client_email": "a@p1.iam.gserviceaccount.com", "token_uri": url + "/token",
	})
	if err := os.WriteFile(file, account, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	t.Setenv("GOOGLE_API_KEY", "")
	t.Setenv("GEMINI_API_KEY", "")
}

// proof returns the header that has to begin so.
func (w wire) proof() (header, begins string) {
	header, begins, _ = strings.Cut(w.key, ": ")
	return header, begins
}
