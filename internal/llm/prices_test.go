package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestPrices(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", key)
	t.Setenv("OPENAI_API_KEY", key)
	for _, tt := range []struct {
		name  string
		model llm.Model
		want  float64 // in millionths of a dollar; below 0: not known
	}{
		// 100 plain, 900 read, 200 written, 34 of output.
		{"the default model", llm.Model{Provider: llm.Anthropic, Model: llm.DefaultModel}, 100 + 90 + 250 + 170},
		{"a model of a family by its date", llm.Model{Provider: llm.Anthropic, Model: "claude-sonnet-4-5-20250929"}, 300 + 270 + 750 + 510},
		{"a price of one's own", llm.Model{Provider: llm.Anthropic, Model: "claude-x", Price: &llm.Price{Input: 2, Output: 1}}, 200 + 34},
		{"a model that nobody priced", llm.Model{Provider: llm.Anthropic, Model: "claude-x"}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newCounted(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(claudeWhole(said{calls: []called{{"call_1", "done", `{}`}}}))
			})
			no := false
			tt.model.BaseURL, tt.model.Stream = p.URL, &no
			usage := decide(t, tt.model, nil).Usage
			if tt.want < 0 {
				if usage.CostUSD != nil {
					t.Errorf("cost %v, want none", *usage.CostUSD)
				}
				return
			}
			if usage.CostUSD == nil || math.Abs(*usage.CostUSD*1e6-tt.want) > 1e-6 {
				raw, _ := json.Marshal(usage)
				t.Errorf("usage %s, want a cost of %v millionths", raw, tt.want)
			}
		})
	}
}

func TestAVersionIsNoOtherModel(t *testing.T) {
	for model, priced := range map[string]bool{
		"gpt-5": true, "gpt-5-2025-08-07": true, "gpt-5-mini": true, "gpt-5-mini-2025-08-07": true, "gpt-5.1": true,
		"gpt-5-pro": false, "gpt-5.9": false, "gpt-50": false, "claude-haiku-4-5": false,
	} {
		t.Run(model, func(t *testing.T) {
			if got := llm.CostOf(llm.Model{Provider: llm.OpenAI, Model: model}) != nil; got != priced {
				t.Errorf("priced %v, want %v", got, priced)
			}
		})
	}
}

func TestAWrongPriceIsNamed(t *testing.T) {
	check(t, llm.Config{Default: llm.Rules, Models: map[string]llm.Model{"small": {Provider: llm.Ollama, Model: "m", Price: &llm.Price{Input: -1}}}},
		"models.small: ", []string{"price.input is below 0"})
}

// decide asks a model once, with a budget.
func decide(t *testing.T, m llm.Model, b llm.Budget) protocol.Answer {
	t.Helper()
	a, err := metered(t, m, b).Decide(t.Context(), view())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func metered(t *testing.T, m llm.Model, b llm.Budget) agent.Decider {
	t.Helper()
	cfg := llm.Config{Default: "small", Models: map[string]llm.Model{"small": m}}
	deciders, err := cfg.Deciders(t.Context(), nil, b)
	if err != nil {
		t.Fatal(err)
	}
	d, err := deciders("")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// counted is a server that counts its requests.
type counted struct {
	*httptest.Server
	requests atomic.Int32
}

func (c *counted) asked() int { return int(c.requests.Load()) }

func newCounted(t *testing.T, answer http.HandlerFunc) *counted {
	t.Helper()
	c := &counted{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		answer(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

// purse is a budget in memory.
type purse struct {
	err      error
	reserved []llm.Charge
	settled  []protocol.Usage
}

func (p *purse) Reserve(_ context.Context, c llm.Charge) (func(protocol.Usage), error) {
	p.reserved = append(p.reserved, c)
	return func(u protocol.Usage) { p.settled = append(p.settled, u) }, p.err
}

func TestACallIsReservedBeforeAndSettledAfter(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", key)
	no := false
	for _, tt := range []struct {
		name    string
		answer  func(w http.ResponseWriter)
		settled int // tokens of input; below 0: what was estimated
	}{
		{"an answer costs what the provider says", func(w http.ResponseWriter) { _, _ = w.Write(claudeWhole(said{text: "x"})) }, 1200},
		{"a refusal costs nothing", func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, 0},
		{"what breaks off costs its input", func(w http.ResponseWriter) { _, _ = w.Write([]byte("{")) }, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newCounted(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				tt.answer(w)
			})
			b := &purse{}
			d := metered(t, llm.Model{Provider: llm.Anthropic, Model: llm.DefaultModel, BaseURL: p.URL, Stream: &no, MaxTokens: 500}, b)
			_, _ = d.Decide(t.Context(), view())
			if len(b.reserved) != 1 || len(b.settled) != 1 {
				t.Fatalf("%d reserved, %d settled, want one each", len(b.reserved), len(b.settled))
			}
			estimate := agent.EstimateRequest(view())
			if got := b.reserved[0]; got.Tokens != estimate+500 || got.Model != "small" || got.Within < time.Minute || got.USD == nil {
				t.Errorf("reserved %+v, want %d tokens and a price", got, estimate+500)
			}
			want := tt.settled
			if want < 0 {
				want = estimate
			}
			if b.settled[0].InputTokens != want {
				t.Errorf("settled %+v, want %d tokens of input", b.settled[0], want)
			}
		})
	}
}

func TestASpentBudgetAsksNobody(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", key)
	p := newCounted(t, func(http.ResponseWriter, *http.Request) {})
	d := metered(t, llm.Model{Provider: llm.Anthropic, Model: llm.DefaultModel, BaseURL: p.URL}, &purse{err: llm.ErrSpent})
	_, err := d.Decide(t.Context(), view())
	if !errors.Is(err, llm.ErrSpent) || !errors.Is(err, agent.ErrFinal) || p.asked() != 0 {
		t.Errorf("asked %d times, got %v; want a final error and nobody asked", p.asked(), err)
	}
}

func TestASetThatFallsToRulesSaysThatItsBudgetIsSpent(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", key)
	p := newCounted(t, func(http.ResponseWriter, *http.Request) {})
	cfg := llm.Config{
		Default: "main", Models: map[string]llm.Model{"small": {Provider: llm.Anthropic, Model: llm.DefaultModel, BaseURL: p.URL}},
		Sets: map[string]llm.Set{"main": {Fallback: []string{"small", "rules"}}},
	}
	deciders, err := cfg.Deciders(t.Context(), nil, &purse{err: llm.ErrSpent})
	if err != nil {
		t.Fatal(err)
	}
	d, err := deciders("")
	if err != nil {
		t.Fatal(err)
	}
	v := view()
	v.State = &agent.Question{Text: "why?"}
	a, err := d.Decide(t.Context(), v)
	if err != nil || a.Model != protocol.RulesModel || !strings.Contains(a.Instead, "a budget is spent") {
		t.Errorf("got %+v, %v", a, err)
	}
}
