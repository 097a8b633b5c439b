package llm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// A Retry says how often one decision asks the same model or set, before a set
// moves on and before the loop, which tries a decision three times, counts a
// failure. A provider that asks for more than MaxDelay is not waited for here.
type Retry struct {
	Attempts  int           `yaml:"attempts"`   // 0 and 1: once
	BaseDelay time.Duration `yaml:"base_delay"` // after the first; each is half as long again; 0: 200 ms
	MaxDelay  time.Duration `yaml:"max_delay"`  // 0: 10 s
}

// The bounds of a Retry: a worker that stops has to hand its run back in time.
const (
	maxAttempts = 10
	maxMaxDelay = 20 * time.Second
)

// faults returns what is wrong with it, in words that follow "retry".
func (r Retry) faults() error {
	var errs []error
	if r.Attempts < 0 || r.Attempts > maxAttempts {
		errs = append(errs, fmt.Errorf("retry.attempts is %d; it may be 1 to %d", r.Attempts, maxAttempts))
	}
	if r.BaseDelay < 0 || r.BaseDelay > maxMaxDelay {
		errs = append(errs, fmt.Errorf("retry.base_delay is %s; it may be up to %s", r.BaseDelay, maxMaxDelay))
	}
	if r.MaxDelay < 0 || r.MaxDelay > maxMaxDelay {
		errs = append(errs, fmt.Errorf("retry.max_delay is %s; it may be up to %s", r.MaxDelay, maxMaxDelay))
	}
	return errors.Join(errs...)
}

// around returns a decider that asks d as often as r says.
func (r Retry) around(d agent.Decider) agent.Decider {
	if r.Attempts <= 1 {
		return d
	}
	if r.BaseDelay == 0 {
		r.BaseDelay = 200 * time.Millisecond
	}
	if r.MaxDelay == 0 {
		r.MaxDelay = 10 * time.Second
	}
	return retrying{d, r}
}

type retrying struct {
	agent.Decider
	retry Retry
}

// Decide implements agent.Decider.
func (r retrying) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	for n := 1; ; n++ {
		a, err := r.Decider.Decide(ctx, v)
		asked := rest(err)
		if err == nil || ctx.Err() != nil || n >= r.retry.Attempts || errors.Is(err, agent.ErrFinal) || asked > r.retry.MaxDelay {
			return a, err
		}
		signals.Emit(ctx, signals.LLMRetry, signals.Text(signals.AttrRequestModel, r.Name()), signals.AttrAttempt.Int(n), signals.Text(signals.AttrReason, err.Error()))
		delay := time.Duration(float64(r.retry.BaseDelay) * math.Pow(1.5, float64(n-1)))
		t := time.NewTimer(max(min(delay, r.retry.MaxDelay), asked))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return a, err
		}
	}
}
