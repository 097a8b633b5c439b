// Package rules decides without a language model. The analyst follows the
// thresholds of the skills' words: it uses the same tools as a model, asks the
// callbacks that tell who is responsible, and correlates by arithmetic. What it
// says depends on what it saw alone, so the same run gives the same answer.
package rules

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An Analyst is the decider of both agents. It is safe for concurrent use.
type Analyst struct {
	words []protocol.Words
}

var _ agent.Decider = (*Analyst)(nil)

// New returns an analyst that knows the words of the skills; an operator's run
// brings its own, which hold there.
func New(words []protocol.Words) *Analyst { return &Analyst{words: words} }

// Name implements agent.Decider.
func (*Analyst) Name() string { return protocol.RulesModel }

// Decide implements agent.Decider.
func (a *Analyst) Decide(_ context.Context, v agent.View) (protocol.Answer, error) {
	var calls []protocol.ToolCall
	switch s := v.State.(type) {
	case *agent.OperatorState:
		calls = operator(s)
	case *agent.CoordinatorState:
		calls = a.coordinator(s, v)
	case *agent.Question:
		calls = []protocol.ToolCall{answer(v)}
	default:
		return protocol.Answer{}, fmt.Errorf("rules: a run of %T: %w", s, agent.ErrFinal)
	}
	if len(calls) > agent.MaxCallsPerStep {
		calls = calls[:agent.MaxCallsPerStep]
	}
	return protocol.Answer{Calls: calls, Model: a.Name()}, nil
}

// call returns a tool call; args is a struct or map of JSON values.
func call(tool string, args any) protocol.ToolCall {
	b, err := json.Marshal(args)
	if err != nil {
		panic(fmt.Sprintf("rules: arguments of %s: %v", tool, err)) // a fault of this package
	}
	return protocol.ToolCall{Tool: tool, Args: string(b)}
}

type object = map[string]any
