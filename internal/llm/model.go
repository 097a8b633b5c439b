package llm

import (
	"context"
	"os"
	"time"

	"github.com/fleetlens/fleetlens/internal/llm/record"
	"github.com/fleetlens/fleetlens/pkg/agent"
)

// A Model is one model of the configuration file's section "models".
type Model struct {
	// Provider is a name of the table of providers.
	Provider string `yaml:"provider"`
	// BaseURL is where the provider is; empty: the provider's own address.
	BaseURL string `yaml:"base_url"`
	// Model is the provider's name of the model; of Azure's, of the deployment.
	Model string `yaml:"model"`
	// APIKeyEnv names the environment variable that holds the key; empty: the
	// provider's usual one, or no key where it wants none.
	APIKeyEnv    string        `yaml:"api_key_env"`
	Timeout      time.Duration `yaml:"timeout"`       // of one request; 0: two minutes
	StallTimeout time.Duration `yaml:"stall_timeout"` // an answer that stands still for so long is given up; 0: 45 s
	MaxTokens    int           `yaml:"max_tokens"`    // of one answer; 0: the provider's default
	Temperature  *float32      `yaml:"temperature"`   // left out: the provider's default
	// Stream is false for a server that cannot stream answers with tool calls.
	Stream *bool `yaml:"stream"`

	// Tools is "text" for a model that cannot call tools: they stand in the prompt
	// then, and calls in its text. Empty: it calls tools.
	Tools string `yaml:"tools"`
	Retry Retry  `yaml:"retry"`
	// Price stands in for that of the table; without both its cost is not known.
	Price *Price `yaml:"price"`

	APIVersion string `yaml:"api_version"` // azure-openai, such as 2024-10-21
	Region     string `yaml:"region"`      // aws-bedrock, such as eu-central-1; empty: that of AWS_REGION
	Project    string `yaml:"project"`     // vertex-ai
	Location   string `yaml:"location"`    // vertex-ai, such as europe-west1 or global

	// Record is a file to which every call is appended with its answer.
	Record string `yaml:"record"`
	File   string `yaml:"file"`  // recorded: where the answers are
	Match  string `yaml:"match"` // recorded: turn (empty too) or exact, see package record
}

func (m Model) streams() bool { return m.Stream == nil || *m.Stream }

// key returns the key; empty: there is none.
func (m Model) key() string {
	if m.APIKeyEnv == "" {
		return ""
	}
	return os.Getenv(m.APIKeyEnv)
}

// settled returns the model with the defaults of its provider in place.
func (m Model) settled() Model {
	p := providers[m.Provider]
	if m.BaseURL == "" {
		m.BaseURL = p.baseURL
	}
	if m.APIKeyEnv == "" {
		m.APIKeyEnv = p.keyEnv
	}
	if m.Provider == AWSBedrock && m.Region == "" {
		m.Region = os.Getenv("AWS_REGION")
	}
	if m.Provider == Recorded {
		m.Model = first(m.Model, "recorded")
		m.Match = first(m.Match, record.Turn)
	}
	if m.Timeout == 0 {
		m.Timeout = 2 * time.Minute
	}
	if m.StallTimeout == 0 {
		m.StallTimeout = 45 * time.Second
	}
	return m
}

// label is what insights say decided.
func (m Model) label(name string) string {
	if name == m.Model {
		return name
	}
	return name + " (" + m.Model + ")"
}

func (m Model) decider(ctx context.Context, name string, b breakers, budget Budget) (agent.Decider, error) {
	m = m.settled()
	chat, err := providers[m.Provider].open(ctx, m)
	if err != nil {
		return nil, err
	}
	if m.Tools == inText {
		chat = textual{inner: chat}
	}
	if m.Record != "" {
		if chat, err = m.recorder(name).Around(chat); err != nil {
			return nil, err
		}
	}
	asked := agent.NewModelDecider(m.label(name), chat, agent.Served(providers[m.Provider].conventional(m.Provider), m.Model))
	d := classified{record.By(asked), []string{m.key()}}
	counted := metered{d, name, m, m.cost(), budget}
	return m.Retry.around(guarded{counted, b.of(m.endpoint())}), nil
}
