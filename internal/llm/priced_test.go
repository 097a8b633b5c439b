package llm_test

import (
	"testing"

	"github.com/fleetlens/fleetlens/internal/llm"
)

func TestWhetherAPriceIsKnown(t *testing.T) {
	model := func(name string, price *llm.Price) llm.Model {
		return llm.Model{Provider: llm.Ollama, BaseURL: "http://127.0.0.1:1", Model: name, Price: price}
	}
	generic := llm.Model{Provider: llm.OpenAIGeneric, BaseURL: "http://127.0.0.1:1/v1", Model: "small", Retry: llm.Retry{Attempts: 3}}
	told := generic
	told.Price = &llm.Price{Input: 1, Output: 2}
	c := llm.Config{
		Models: map[string]llm.Model{"own": model("llama", nil), "generic": generic, "told": told},
		Sets: map[string]llm.Set{
			"known": {Fallback: []string{"own", "told", llm.Rules}}, "partly": {RoundRobin: []string{"told", "generic"}, Retry: llm.Retry{Attempts: 2}},
		},
	}
	deciders, err := c.Deciders(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"own": true, "generic": false, "told": true, "known": true, "partly": false, llm.Rules: true} {
		d, err := deciders(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := llm.Priced(d); got != want {
			t.Errorf("the price of %s is known: %v", name, got)
		}
	}
}
