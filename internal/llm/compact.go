package llm

import (
	"context"
	"errors"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// The wrappers of a model pass on that it can summarise a conversation.
var (
	_ agent.Compactor = classified{}
	_ agent.Compactor = guarded{}
	_ agent.Compactor = metered{}
	_ agent.Compactor = retrying{}
	_ agent.Compactor = (*set)(nil)
)

// Compact implements agent.Compactor; what is logged of an error holds no key.
func (c classified) Compact(ctx context.Context, v agent.View) (*protocol.Compaction, error) {
	done, err := agent.Compact(ctx, c.Decider, v)
	if err != nil {
		err = cleaned{err, shortened(without(err.Error(), c.secrets))}
	}
	return done, err
}

// Compact implements agent.Compactor.
func (g guarded) Compact(ctx context.Context, v agent.View) (*protocol.Compaction, error) {
	return agent.Compact(ctx, g.Decider, v)
}

// Compact implements agent.Compactor.
func (r retrying) Compact(ctx context.Context, v agent.View) (*protocol.Compaction, error) {
	return agent.Compact(ctx, r.Decider, v)
}

// Compact implements agent.Compactor: the first member that can does it.
func (s *set) Compact(ctx context.Context, v agent.View) (*protocol.Compaction, error) {
	var errs []error
	for _, m := range s.members {
		if _, ok := m.(agent.Compactor); !ok {
			continue
		}
		done, err := agent.Compact(ctx, m, v)
		if err == nil || ctx.Err() != nil {
			return done, err
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
