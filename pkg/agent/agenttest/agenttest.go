package agenttest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Step returns the answer of one step. It may read the run that it is part of,
// for instance to cite the id of the snapshot that was just taken.
type Step func(v agent.View) (protocol.Answer, error)

// A Script decides by a fixed list of steps: the n-th step of every run gets the
// n-th answer, and steps past the end call done. It is safe for concurrent use.
type Script struct {
	Steps []Step
	Delay time.Duration // how long each decision takes

	mu    sync.Mutex
	asked int
}

var _ agent.Decider = (*Script)(nil)

// NewScript returns a script of the steps.
func NewScript(steps ...Step) *Script { return &Script{Steps: steps} }

// Name implements agent.Decider.
func (*Script) Name() string { return "script" }

// Asked returns how many decisions were asked for, over all runs.
func (s *Script) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// Decide implements agent.Decider.
func (s *Script) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	if s.Delay > 0 {
		t := time.NewTimer(s.Delay)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return protocol.Answer{}, context.Cause(ctx)
		case <-t.C:
		}
	}
	if v.Step > len(s.Steps) {
		return protocol.Answer{Calls: []protocol.ToolCall{Call("done", nil)}, Model: s.Name()}, nil
	}
	a, err := s.Steps[v.Step-1](v)
	if a.Model == "" {
		a.Model = s.Name()
	}
	return a, err
}

// Call returns a tool call; args is anything that JSON can express, nil for none.
func Call(tool string, args any) protocol.ToolCall {
	if args == nil {
		return protocol.ToolCall{Tool: tool, Args: "{}"}
	}
	b, err := json.Marshal(args)
	if err != nil {
		panic(fmt.Sprintf("agenttest: arguments of %s: %v", tool, err))
	}
	return protocol.ToolCall{Tool: tool, Args: string(b)}
}

// Calls returns a step that makes these calls.
func Calls(calls ...protocol.ToolCall) Step {
	return func(agent.View) (protocol.Answer, error) { return protocol.Answer{Calls: calls}, nil }
}

// Fail returns a step that fails.
func Fail(err error) Step {
	return func(agent.View) (protocol.Answer, error) { return protocol.Answer{}, err }
}

// Notify returns a step that sends a notification about the latest snapshot of
// the run's first target. observation may use {metric} for the snapshot's values.
func Notify(kind string, severity protocol.Severity, observation func(s protocol.Snapshot) string) Step {
	return func(v agent.View) (protocol.Answer, error) {
		state, ok := v.State.(*agent.OperatorState)
		if !ok {
			return protocol.Answer{}, fmt.Errorf("agenttest: Notify is a step of operators, not of %T: %w", v.State, agent.ErrFinal)
		}
		snap, ok := state.Latest(state.Subject.Task.Targets[0])
		if !ok {
			return protocol.Answer{}, fmt.Errorf("agenttest: no snapshot was taken: %w", agent.ErrFinal)
		}
		return protocol.Answer{Calls: []protocol.ToolCall{Call("send_notification", map[string]any{
			"type": kind, "severity": severity, "context": "a scripted run", "observation": observation(snap), "snapshot_ids": []string{snap.ID},
		})}}, nil
	}
}

// Conclude returns a step of coordinators that puts every unresolved notification
// into one insight, or says that nothing is wrong.
func Conclude() Step {
	return func(v agent.View) (protocol.Answer, error) {
		state, ok := v.State.(*agent.CoordinatorState)
		if !ok {
			return protocol.Answer{}, fmt.Errorf("agenttest: Conclude is a step of coordinators, not of %T: %w", v.State, agent.ErrFinal)
		}
		args := map[string]any{
			"notification_ids": []string{}, "correlation_type": protocol.None, "summary": "nothing is wrong",
			"matched_observations": []string{}, "hypothesis_grounded": false, "confidence": protocol.Medium,
		}
		var ids, observations []string
		for _, n := range state.Unresolved() {
			ids, observations = append(ids, n.ID), append(observations, n.Observation)
		}
		if len(ids) > 0 {
			args["notification_ids"], args["matched_observations"] = ids, observations
			args["correlation_type"], args["summary"] = protocol.Temporal, observations[0]
		}
		return protocol.Answer{Calls: []protocol.ToolCall{Call("produce_insight", args)}}, nil
	}
}

// By returns a decider that uses one for operators and another for coordinators.
func By(operators, coordinators agent.Decider) agent.Decider { return by{operators, coordinators} }

type by struct{ operators, coordinators agent.Decider }

func (b by) Name() string { return b.operators.Name() }

func (b by) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	if _, ok := v.State.(*agent.CoordinatorState); ok {
		return b.coordinators.Decide(ctx, v)
	}
	return b.operators.Decide(ctx, v)
}
