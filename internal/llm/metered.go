package llm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Budget says whether a model may be asked. It is safe for concurrent use.
type Budget interface {
	// Reserve puts aside what a call may take and returns settle, which the caller
	// calls once with what it took. The error wraps ErrSpent when nothing is left.
	Reserve(ctx context.Context, c Charge) (settle func(used protocol.Usage), err error)
}

// A Charge is what one call of a model may take at most.
type Charge struct {
	Model         string // its name in the configuration
	Investigation string // empty: none
	// InvestigationTokens is what the request allows its investigation; 0: it does not say.
	InvestigationTokens int
	// InvestigationUSD is what the request lets its investigation cost, in US dollars; 0:
	// it does not say.
	InvestigationUSD float64
	Tokens           int
	USD              *float64      // nil: no price is known
	Within           time.Duration // the call is over by then
}

// ErrSpent says that a budget has no room for another answer.
var ErrSpent = errors.New("a budget is spent")

// answerTokens is how long an answer is taken to be at most where the
// configuration does not limit it. One has a few tool calls.
const answerTokens = 2048

// metered is a decider whose answers have a price, and which asks the budget.
type metered struct {
	agent.Decider
	name   string
	model  Model
	price  *Price
	budget Budget // nil: there is none
}

// Decide implements agent.Decider.
func (m metered) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	settle, err := m.reserve(ctx, v)
	if err != nil {
		return protocol.Answer{}, err
	}
	a, err := m.Decider.Decide(ctx, v)
	if err != nil {
		a.Usage = failed(err, v)
	}
	a.Usage = m.priced(a.Usage)
	settle(a.Usage)
	return a, err
}

// Compact implements agent.Compactor.
func (m metered) Compact(ctx context.Context, v agent.View) (*protocol.Compaction, error) {
	if m.budget != nil && !agent.NeedsCompaction(v) { // nothing is asked then
		return nil, nil //nolint:nilnil // nothing is to be done, and nothing failed
	}
	settle, err := m.reserve(ctx, v)
	if err != nil {
		return nil, err
	}
	done, err := agent.Compact(ctx, m.Decider, v)
	var used protocol.Usage
	switch {
	case err != nil:
		used = failed(err, v)
	case done != nil:
		done.Usage = m.priced(done.Usage)
		used = done.Usage
	}
	settle(m.priced(used))
	return done, err
}

func (m metered) reserve(ctx context.Context, v agent.View) (func(protocol.Usage), error) {
	if m.budget == nil {
		return func(protocol.Usage) {}, nil
	}
	answer := m.model.MaxTokens
	if answer == 0 {
		answer = answerTokens
	}
	most := m.priced(protocol.Usage{InputTokens: agent.EstimateRequest(v), OutputTokens: answer, LLMCalls: 1})
	settle, err := m.budget.Reserve(ctx, Charge{
		Model: m.name, Investigation: agent.InvestigationOf(v), InvestigationTokens: v.Start.Settings.MaxTokens, InvestigationUSD: v.Start.Settings.MaxCost, Tokens: most.InputTokens + most.OutputTokens, USD: most.CostUSD,
		Within: m.model.Timeout + 30*time.Second,
	})
	switch {
	case errors.Is(err, ErrSpent):
		return nil, fmt.Errorf("%w: %w", err, agent.ErrFinal)
	case err != nil:
		return nil, fmt.Errorf("the budget could not be asked: %w", err)
	}
	return settle, nil
}

// failed returns what a call that failed is taken to have used. What a provider
// refuses it does not bill; what breaks off it may.
func failed(err error, v agent.View) protocol.Usage {
	if _, refused := errors.AsType[*StatusError](err); refused {
		return protocol.Usage{}
	}
	return protocol.Usage{InputTokens: agent.EstimateRequest(v), LLMCalls: 1}
}

func (m metered) priced(u protocol.Usage) protocol.Usage {
	if m.price != nil && u.LLMCalls > 0 {
		cost := m.price.of(u)
		u.CostUSD = &cost
	}
	return u
}
