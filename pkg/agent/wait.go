package agent

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

type waitArgs struct {
	MS int64 `json:"ms" jsonschema:"required,minimum=0,description=milliseconds"`
}

// wait is the operators' wait: nothing ends it early but the worker's stop.
func wait(ctx context.Context, c Call, a waitArgs) (Outcome, error) {
	return pause(ctx, c, a.MS, nil, nil)
}

type reportWaitArgs struct {
	MS    int64  `json:"ms" jsonschema:"required,minimum=0,description=milliseconds"`
	Until string `json:"until,omitempty" jsonschema:"enum=any,enum=all,description=any (the default): an operator reports; all: each has ended"`
}

// wait is the coordinators' wait: it ends early when an operator reports, or until
// all when each has ended, and when a person says something.
func (c *CoordinatorTools) wait(ctx context.Context, call Call, a reportWaitArgs) (Outcome, error) {
	over := c.allEnded
	if a.Until != "all" || len(c.state.Running()) == 0 {
		over = nil
	}
	return pause(ctx, call, a.MS, c.deps.Operators.Wake, over)
}

// allEnded looks at what came; Input reads it again, and records it. What cannot
// be read is left to Input too.
func (c *CoordinatorTools) allEnded(ctx context.Context) bool {
	news, err := c.deps.Operators.News(ctx, c.state.Subject.InvestigationID, c.state.Cursor)
	if err != nil || len(news.Told) > 0 {
		return true
	}
	return !slices.ContainsFunc(c.state.Running(), func(r OperatorRun) bool {
		return !slices.ContainsFunc(news.Completions, func(done protocol.Completion) bool { return done.RunID == r.RunID })
	})
}

// pause waits, without a slot. It ends early when wake is closed, unless over then
// says that it is not; without wake nothing ends it, without over the first does.
func pause(ctx context.Context, c Call, ms int64, wake func() <-chan struct{}, over func(context.Context) bool) (Outcome, error) {
	d := time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
	start := time.Now()
	d -= max(0, start.Sub(c.At)) // a wait that is taken over began when its turn came
	if deadline, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(deadline))
	}
	var woken <-chan struct{}
	if wake != nil {
		woken = wake()
	}
	if c.slot != nil {
		c.slot.Release()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	for waiting := true; waiting; {
		select {
		case <-t.C:
			waiting = false
		case <-woken:
			if waiting = over != nil && !over(ctx); waiting {
				woken = wake()
			}
		case <-c.Stopping:
			return Outcome{}, errStopping
		case <-ctx.Done():
			return Outcome{}, context.Cause(ctx)
		}
	}
	if c.slot != nil {
		if err := c.slot.Acquire(ctx); err != nil {
			return Outcome{}, err
		}
	}
	return Outcome{Content: map[string]any{"waited": time.Since(c.At).Milliseconds()}}, nil
}

type thinkArgs struct {
	Thought string `json:"thought" jsonschema:"required"`
}

func think(_ context.Context, _ Call, a thinkArgs) (Outcome, error) {
	return Outcome{Content: map[string]any{"thought": a.Thought, "recorded": true}}, nil
}
