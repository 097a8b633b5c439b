// Package llm makes deciders from the configuration: models of providers by
// name, and the rules analyst where there is none.
package llm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cloudwego/eino-ext/components/model/openai"
	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/llm/rules"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Rules is the name of the analyst that uses no model.
const Rules = "rules"

// OpenAIGeneric is the provider of every endpoint that speaks OpenAI's chat API.
const OpenAIGeneric = "openai-generic"

// A Model is one model of the configuration file's section "models".
type Model struct {
	Provider string `yaml:"provider"`
	BaseURL  string `yaml:"base_url"`
	Model    string `yaml:"model"`
	// APIKeyEnv names the environment variable that holds the key; empty: no key.
	APIKeyEnv   string        `yaml:"api_key_env"`
	Timeout     time.Duration `yaml:"timeout"` // of one request; 0: two minutes
	MaxTokens   int           `yaml:"max_tokens"`
	Temperature *float32      `yaml:"temperature"`
}

// Config says which models there are and which is used when nobody names one.
type Config struct {
	Default string // --model
	Models  map[string]Model
}

// DefaultConfig returns the defaults: no model, the rules analyst decides.
func DefaultConfig() Config { return Config{Default: Rules, Models: map[string]Model{}} }

// Flags declares the flags.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Default, "model", c.Default, "model that decides when a request names none: a name from the configuration file's \"models\", or rules")
}

// Sections returns the configuration file's section.
func (c *Config) Sections() map[string]any { return map[string]any{"models": &c.Models} }

// Validate names every wrong setting.
func (c *Config) Validate() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		m := c.Models[name]
		fault := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("models.%s: "+format, append([]any{name}, args...)...))
		}
		if name == Rules {
			fault("the name is taken by the analyst that uses no model")
		}
		if m.Provider != OpenAIGeneric {
			fault("unknown provider %q (have %s)", m.Provider, OpenAIGeneric)
		}
		if m.Model == "" || !strings.HasPrefix(m.BaseURL, "http://") && !strings.HasPrefix(m.BaseURL, "https://") {
			fault("it needs a model, and a base_url such as http://localhost:11434/v1")
		}
		if m.APIKeyEnv != "" && os.Getenv(m.APIKeyEnv) == "" {
			fault("the environment variable %s, which should hold its key, is empty", m.APIKeyEnv)
		}
	}
	if _, ok := c.Models[c.Default]; !ok && c.Default != Rules {
		errs = append(errs, c.unknown(c.Default))
	}
	return errors.Join(errs...)
}

func (c *Config) unknown(name string) error {
	return fmt.Errorf("unknown model %q (have %s)", name, strings.Join(append(slices.Sorted(maps.Keys(c.Models)), Rules), ", "))
}

// Deciders returns a function that gives the decider of a name; "" is the
// default. Clients are made once. words are what the rules analyst knows.
func (c *Config) Deciders(ctx context.Context, words []protocol.Words) (func(name string) (agent.Decider, error), error) {
	deciders := map[string]agent.Decider{Rules: rules.New(words)}
	for name, m := range c.Models {
		d, err := m.decider(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("models.%s: %w", name, err)
		}
		deciders[name] = d
	}
	return func(name string) (agent.Decider, error) {
		if name == "" {
			name = c.Default
		}
		if d, ok := deciders[name]; ok {
			return d, nil
		}
		return nil, c.unknown(name)
	}, nil
}

func (m Model) decider(ctx context.Context, name string) (agent.Decider, error) {
	if m.Timeout == 0 {
		m.Timeout = 2 * time.Minute
	}
	cfg := &openai.ChatModelConfig{
		BaseURL: m.BaseURL, Model: m.Model, APIKey: os.Getenv(m.APIKeyEnv), HTTPClient: client(m.Timeout), Temperature: m.Temperature,
	}
	if m.APIKeyEnv == "" {
		cfg.APIKey = "none" // the client wants one; servers without keys ignore it
	}
	if m.MaxTokens > 0 {
		cfg.MaxTokens = &m.MaxTokens
	}
	model, err := openai.NewChatModel(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return classified{agent.NewModelDecider(name+" ("+m.Model+")", model)}, nil
}
