package llm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Price is what a model costs, in US dollars for a million tokens. A model of
// the configuration may have one of its own: prices change, and contracts differ.
type Price struct {
	Input      float64 `yaml:"input"`
	Output     float64 `yaml:"output"`
	CacheRead  float64 `yaml:"cache_read"`  // of input tokens that the provider's cache held
	CacheWrite float64 `yaml:"cache_write"` // of input tokens that were written to it
}

// of returns what a usage costs, in US dollars.
func (p Price) of(u protocol.Usage) float64 {
	plain := max(0, u.InputTokens-u.CachedTokens-u.CacheWriteTokens)
	return (float64(plain)*p.Input + float64(u.CachedTokens)*p.CacheRead + float64(u.CacheWriteTokens)*p.CacheWrite +
		float64(u.OutputTokens)*p.Output) / 1e6
}

func (p Price) faults() error {
	var errs []error
	for name, v := range map[string]float64{"input": p.Input, "output": p.Output, "cache_read": p.CacheRead, "cache_write": p.CacheWrite} {
		if v < 0 {
			errs = append(errs, fmt.Errorf("price.%s is below 0", name))
		}
	}
	return errors.Join(errs...)
}

// PricesAsOf is when the table was made, from the list that the LiteLLM project
// keeps (github.com/BerriAI/litellm, model_prices_and_context_window.json).
// Long prompts, for which some models cost more, are priced as others.
const PricesAsOf = "2026-07-24"

// prices is the table: by provider and by how the model's name begins; of several
// rows the one with the longest beginning holds. A provider's regional surcharges
// are not in it, hence no rows for clouds that resell models.
var prices = []struct {
	provider, begins string
	Price
}{
	{Anthropic, "claude-haiku-4-5", Price{1, 5, 0.1, 1.25}},
	{Anthropic, "claude-sonnet-4", Price{3, 15, 0.3, 3.75}},
	{Anthropic, "claude-sonnet-5", Price{2, 10, 0.2, 2.5}},
	{Anthropic, "claude-opus-4-1", Price{15, 75, 1.5, 18.75}},
	{Anthropic, "claude-opus-4-5", Price{5, 25, 0.5, 6.25}},
	{Anthropic, "claude-opus-4-6", Price{5, 25, 0.5, 6.25}},
	{Anthropic, "claude-opus-4-7", Price{5, 25, 0.5, 6.25}},
	{Anthropic, "claude-opus-4-8", Price{5, 25, 0.5, 6.25}},
	{Anthropic, "claude-opus-5", Price{5, 25, 0.5, 6.25}},
	{OpenAI, "gpt-4.1", Price{2, 8, 0.5, 2}},
	{OpenAI, "gpt-4.1-mini", Price{0.4, 1.6, 0.1, 0.4}},
	{OpenAI, "gpt-4.1-nano", Price{0.1, 0.4, 0.025, 0.1}},
	{OpenAI, "gpt-4o", Price{2.5, 10, 1.25, 2.5}},
	{OpenAI, "gpt-4o-mini", Price{0.15, 0.6, 0.075, 0.15}},
	{OpenAI, "gpt-5", Price{1.25, 10, 0.125, 1.25}},
	{OpenAI, "gpt-5-mini", Price{0.25, 2, 0.025, 0.25}},
	{OpenAI, "gpt-5-nano", Price{0.05, 0.4, 0.005, 0.05}},
	{OpenAI, "gpt-5.1", Price{1.25, 10, 0.125, 1.25}},
	{OpenAI, "gpt-5.2", Price{1.75, 14, 0.175, 1.75}},
	{OpenAI, "gpt-5.4", Price{2.5, 15, 0.25, 2.5}},
	{OpenAI, "gpt-5.4-mini", Price{0.75, 4.5, 0.075, 0.75}},
	{OpenAI, "gpt-5.4-nano", Price{0.2, 1.25, 0.02, 0.2}},
	{OpenAI, "gpt-5.5", Price{5, 30, 0.5, 5}},
	{Ollama, "", Price{}}, // it runs on machines of one's own
}

// cost returns what a model costs; nil: it is not known.
func (m Model) cost() *Price {
	if m.Price != nil {
		return m.Price
	}
	var found *Price
	longest := -1
	for _, row := range prices {
		if row.provider == m.Provider && begins(m.Model, row.begins) && len(row.begins) > longest {
			found, longest = &row.Price, len(row.begins)
		}
	}
	return found
}

// begins reports whether a model's name is name or a version of it: gpt-5 is not
// the beginning of gpt-5.1, nor of gpt-5-pro.
func begins(model, name string) bool {
	rest, ok := strings.CutPrefix(model, name)
	if !ok || name == "" || rest == "" {
		return ok
	}
	return len(rest) > 1 && rest[0] == '-' && rest[1] >= '0' && rest[1] <= '9'
}
