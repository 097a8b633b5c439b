package llm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Set is several models under one name, of the configuration file's section
// "sets". Members are names of models and other sets, and rules.
type Set struct {
	// Fallback asks the members in order until one answers.
	Fallback []string `yaml:"fallback"`
	// RoundRobin begins each decision with the next member, and goes on as
	// Fallback does.
	RoundRobin []string `yaml:"round_robin"`
	// Retry asks all of them again.
	Retry Retry `yaml:"retry"`
}

func (s Set) members() []string { return slices.Concat(s.Fallback, s.RoundRobin) }

// set is the decider of a Set.
type set struct {
	name    string
	members []agent.Decider
	rotate  bool
	turn    atomic.Uint32
}

// Name implements agent.Decider. What answered stands in the answer.
func (s *set) Name() string { return s.name }

// Decide implements agent.Decider. A member is left for the next on every error
// except the caller's own end.
func (s *set) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	begin := 0
	if s.rotate {
		begin = int((s.turn.Add(1) - 1) % uint32(len(s.members)))
	}
	var all []error
	for i := range s.members {
		m := s.members[(begin+i)%len(s.members)]
		a, err := m.Decide(ctx, v)
		if err == nil {
			if a.Model == "" {
				a.Model = m.Name()
			}
			if spent := spent(all); spent != nil && m.Name() == protocol.RulesModel {
				a.Instead = spent.Error()
			}
			return a, nil
		}
		if ctx.Err() != nil {
			return a, err
		}
		all = append(all, fmt.Errorf("%s: %w", m.Name(), err))
	}
	return protocol.Answer{}, s.failed(all)
}

// spent returns the first error that says that a budget is spent.
func spent(all []error) error {
	for _, err := range all {
		if errors.Is(err, ErrSpent) {
			return err
		}
	}
	return nil
}

// failed returns the error of a set none of whose members answered. It is final
// when all of theirs are, and asks for the shortest of their rests.
func (s *set) failed(all []error) error {
	texts := make([]string, 0, len(all))
	var soonest time.Duration
	open := 0
	for _, err := range all {
		texts = append(texts, err.Error())
		if errors.Is(err, agent.ErrFinal) {
			continue
		}
		if open++; open == 1 || rest(err) < soonest {
			soonest = rest(err)
		}
	}
	err := errors.New(strings.Join(texts, "; "))
	if open == 0 {
		return fmt.Errorf("%w: %w", err, agent.ErrFinal)
	}
	return agent.RetryAfter(resting{err, soonest}, soonest)
}

// resting is an error that asks to wait.
type resting struct {
	error
	after time.Duration
}

func (r resting) Unwrap() error { return r.error }
