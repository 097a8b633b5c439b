// Package llm makes deciders from the configuration: models of providers by
// name, sets of them, and the rules analyst where there is none.
//
// Who tries again: the loop tries a decision three times and waits as long as the
// provider asks. A model's or a set's own retry asks again within one of those
// tries, and a set moves on to its next member within one. An endpoint that fails
// time after time is left alone for a while by all of them.
package llm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/llm/rules"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Rules is the name of the analyst that uses no model.
const Rules = "rules"

// DefaultModel is the model of Anthropic's that decides when nothing is
// configured and the environment holds a key of theirs. It goes by its own name.
const DefaultModel = "claude-haiku-4-5-20251001"

// Config says which models there are and which is used when nobody names one.
type Config struct {
	Default string // --model; empty: see DefaultName
	Models  map[string]Model
	Sets    map[string]Set
}

// DefaultConfig returns the defaults: nothing is configured.
func DefaultConfig() Config { return Config{Models: map[string]Model{}, Sets: map[string]Set{}} }

// Flags declares the flags.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Default, "model", c.Default, "model that decides when a request names none: a name from the configuration file's \"models\" or \"sets\", or rules (default: "+
		DefaultModel+" of Anthropic when ANTHROPIC_API_KEY is set, else rules)")
}

// Sections returns the configuration file's sections.
func (c *Config) Sections() map[string]any {
	return map[string]any{"models": &c.Models, "sets": &c.Sets}
}

// DefaultName returns the name that decides when a request names none: Default,
// else DefaultModel where there is a key for it, else Rules.
func (c *Config) DefaultName() string {
	if c.Default != "" {
		return c.Default
	}
	if _, ok := c.models()[DefaultModel]; ok {
		return DefaultModel
	}
	return Rules
}

// models returns the models that are configured, and DefaultModel where the
// environment has a key for it.
func (c *Config) models() map[string]Model {
	all := map[string]Model{}
	if env := providers[Anthropic].keyEnv; os.Getenv(env) != "" {
		all[DefaultModel] = Model{Provider: Anthropic, Model: DefaultModel}
	}
	maps.Copy(all, c.Models)
	return all
}

// names returns every name that may decide.
func (c *Config) names() []string {
	return append(slices.Sorted(maps.Keys(c.models())), append(slices.Sorted(maps.Keys(c.Sets)), Rules)...)
}

// Validate names every wrong setting. It puts DefaultName into Default, so that
// whoever shows the settings shows what decides.
func (c *Config) Validate() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		if name == Rules {
			errs = append(errs, fmt.Errorf("models.%s: the name is taken by the analyst that uses no model", name))
		}
		errs = append(errs, c.Models[name].faults(name))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sets)) {
		errs = append(errs, c.setFaults(name))
	}
	c.Default = c.DefaultName()
	if !slices.Contains(c.names(), c.Default) {
		errs = append(errs, c.unknown(c.Default))
	}
	return errors.Join(errs...)
}

func (c *Config) unknown(name string) error {
	return fmt.Errorf("unknown model %q (have %s)", name, strings.Join(c.names(), ", "))
}

// Deciders returns a function that gives the decider of a name; "" is the
// default. Clients are made once. words are what the rules analyst knows; budget
// is asked before each call of a model, nil: there is none.
func (c *Config) Deciders(ctx context.Context, words []protocol.Words, budget Budget) (func(name string) (agent.Decider, error), error) {
	deciders := map[string]agent.Decider{Rules: rules.New(words)}
	endpoints := breakers{}
	for name, m := range c.models() {
		d, err := m.decider(ctx, name, endpoints, budget)
		if err != nil {
			return nil, fmt.Errorf("models.%s: %w", name, err)
		}
		deciders[name] = d
	}
	for name := range c.Sets {
		if err := c.addSet(deciders, name, nil); err != nil {
			return nil, err
		}
	}
	return func(name string) (agent.Decider, error) {
		if name == "" {
			name = c.DefaultName()
		}
		if d, ok := deciders[name]; ok {
			return d, nil
		}
		return nil, c.unknown(name)
	}, nil
}
