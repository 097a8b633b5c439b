package agent

import (
	"context"
	"math"
	"time"
)

type waitArgs struct {
	MS int64 `json:"ms" jsonschema:"required,minimum=0,description=milliseconds"`
}

// waitTool returns the wait tool. It ends early when wake is closed or the worker stops.
func waitTool(wake func() <-chan struct{}) func(context.Context, Call, waitArgs) (Outcome, error) {
	return func(ctx context.Context, c Call, a waitArgs) (Outcome, error) {
		d := time.Duration(min(a.MS, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
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
		select {
		case <-t.C:
		case <-woken:
		case <-c.Stopping:
			return Outcome{}, errStopping
		case <-ctx.Done():
			return Outcome{}, context.Cause(ctx)
		}
		if c.slot != nil {
			if err := c.slot.Acquire(ctx); err != nil {
				return Outcome{}, err
			}
		}
		return Outcome{Content: map[string]any{"waited": time.Since(c.At).Milliseconds()}}, nil
	}
}

type thinkArgs struct {
	Thought string `json:"thought" jsonschema:"required"`
}

func think(_ context.Context, _ Call, a thinkArgs) (Outcome, error) {
	return Outcome{Content: map[string]any{"thought": a.Thought, "recorded": true}}, nil
}
