package llm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestProviderFaultsAreNamed(t *testing.T) {
	t.Setenv("FLEETLENS_TEST_KEY", key)
	for _, name := range []string{"OPENAI_API_KEY", "AWS_REGION"} {
		t.Setenv(name, "")
	}
	for _, tt := range []struct {
		name string
		m    llm.Model
		says []string // none: it is right
	}{
		{"ollama needs nothing", llm.Model{Provider: llm.Ollama, Model: "qwen3"}, nil},
		{"openai with a key", llm.Model{Provider: llm.OpenAI, Model: "m", APIKeyEnv: "FLEETLENS_TEST_KEY"}, nil},
		{"a slip of the pen", llm.Model{Provider: "antropic", Model: "m"}, []string{`unknown provider "antropic"; the nearest is "anthropic"`}},
		{"openai without a key", llm.Model{Provider: llm.OpenAI, Model: "m"}, []string{"OPENAI_API_KEY", "is empty"}},
		{"openai-generic without an address", llm.Model{Provider: llm.OpenAIGeneric, Model: "m"}, []string{`base_url "" is no address; write one such as http://localhost:8000/v1`}},
		{"azure without a version", llm.Model{Provider: llm.AzureOpenAI, Model: "m", BaseURL: "https://x.openai.azure.com", APIKeyEnv: "FLEETLENS_TEST_KEY"}, []string{"azure-openai needs api_version"}},
		{"bedrock without a region", llm.Model{Provider: llm.AWSBedrock, Model: "m"}, []string{"aws-bedrock needs region"}},
		{"vertex without a project", llm.Model{Provider: llm.VertexAI, Model: "m", Location: "global"}, []string{"vertex-ai needs project"}},
		{"a setting of another provider", llm.Model{Provider: llm.Ollama, Model: "m", Region: "eu"}, []string{"the provider ollama has no region; remove it"}},
		{"tools of an unknown kind", llm.Model{Provider: llm.Ollama, Model: "m", Tools: "json"}, []string{`tools is "json"; it may be "text"`}},
		{"too many attempts", llm.Model{Provider: llm.Ollama, Model: "m", Retry: llm.Retry{Attempts: 99}}, []string{"retry.attempts is 99; it may be 1 to 10"}},
		{"a rest that is too long", llm.Model{Provider: llm.Ollama, Model: "m", Retry: llm.Retry{MaxDelay: time.Hour}}, []string{"retry.max_delay is 1h0m0s"}},
		{"a negative time", llm.Model{Provider: llm.Ollama, Model: "m", Timeout: -1}, []string{"timeout is below 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check(t, llm.Config{Default: llm.Rules, Models: map[string]llm.Model{"small": tt.m}}, "models.small: ", tt.says)
		})
	}
}

func TestSetFaultsAreNamed(t *testing.T) {
	for _, tt := range []struct {
		name string
		sets map[string]llm.Set
		says []string
	}{
		{"a set that is right", fallback("small", "rules"), nil},
		{"no members", map[string]llm.Set{"main": {}}, []string{"needs either fallback or round_robin"}},
		{"both kinds", map[string]llm.Set{"main": {Fallback: []string{"small"}, RoundRobin: []string{"small"}}}, []string{"either"}},
		{"an unknown member", fallback("smal"), []string{`unknown model "smal"; the nearest is "small" (have small, main, rules)`}},
		{"a member twice", fallback("small", "small"), []string{"small is named twice"}},
		{"itself", fallback("main"), []string{"it contains itself: main → main"}},
		{"a ring", map[string]llm.Set{"main": {Fallback: []string{"b"}}, "b": {RoundRobin: []string{"main"}}}, []string{"main → b → main"}},
		{"a retry without end", map[string]llm.Set{"main": {Fallback: []string{"small"}, Retry: llm.Retry{Attempts: 11}}}, []string{"retry.attempts"}},
		{"the name of a model", map[string]llm.Set{"main": {Fallback: []string{"small"}}, "small": {Fallback: []string{"rules"}}}, []string{"sets.small: the name is taken"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check(t, llm.Config{Default: "main", Models: map[string]llm.Model{"small": {Provider: llm.Ollama, Model: "m"}}, Sets: tt.sets}, "sets.", tt.says)
		})
	}
}

func check(t *testing.T, cfg llm.Config, begins string, says []string) {
	t.Helper()
	err := cfg.Validate()
	if (err != nil) != (len(says) > 0) {
		t.Fatalf("Validate: %v", err)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), begins) || !strings.Contains(err.Error(), s) {
			t.Errorf("%q is not in %v", s, err)
		}
	}
}

// Behaviour: 34.
func TestWhatDecidesByDefault(t *testing.T) {
	for _, tt := range []struct{ name, key, chosen, want, decides string }{
		{"no key", "", "", llm.Rules, protocol.RulesModel},
		{"a key of Anthropic", key, "", llm.DefaultModel, llm.DefaultModel},
		{"a key, but the rules are named", key, llm.Rules, llm.Rules, protocol.RulesModel},
		{"a key, but another is named", key, "local", "local", "local (m)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("ANTHROPIC_API_KEY", tt.key)
			cfg := llm.Config{Default: tt.chosen, Models: map[string]llm.Model{"local": {Provider: llm.Ollama, Model: "m"}}}
			if d := decider(t, cfg); d.Name() != tt.decides {
				t.Errorf("decider %q", d.Name())
			}
			if err := cfg.Validate(); err != nil || cfg.Default != tt.want {
				t.Errorf("default %q, %v", cfg.Default, err)
			}
		})
	}
}

func TestTheConfigurationFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f.yaml")
	if err := os.WriteFile(file, []byte(`model: main
models:
  haiku: {provider: anthropic, model: claude-haiku-4-5-20251001, api_key_env: FLEETLENS_TEST_KEY, retry: {attempts: 3, base_delay: 200ms, max_delay: 5s}}
  local: {provider: ollama, model: qwen3, tools: text, stream: false, stall_timeout: 1m}
sets:
  main: {fallback: [haiku, local, rules]}
  turns: {round_robin: [haiku, local], retry: {attempts: 2}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FLEETLENS_TEST_KEY", key)
	cfg := llm.DefaultConfig()
	fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
	cfg.Flags(fs)
	if err := proc.Load(fs, file, cfg.Sections()); err != nil {
		t.Fatal(err)
	}
	if d := decider(t, cfg); d.Name() != "main" {
		t.Errorf("decider %q", d.Name())
	}
	if m := cfg.Models["local"]; m.Tools != "text" || *m.Stream || m.StallTimeout != time.Minute || cfg.Models["haiku"].Retry.MaxDelay != 5*time.Second {
		t.Errorf("models %+v", cfg.Models)
	}
}
