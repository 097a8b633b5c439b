package agent

import (
	"errors"
	"fmt"
)

// decider returns what decides the next step.
func (l *loop) decider() Decider {
	if l.instead != "" && l.spec.Instead != nil {
		return l.spec.Instead
	}
	return l.spec.Decider
}

// standIn lets Spec.Instead decide from here on. The reason is journaled with its
// first answer, so that whoever takes the run over goes on with it too: a run
// never goes back to a decider that failed it.
func (l *loop) standIn(reason error) {
	l.instead = reason.Error()
	l.spec.Log.Warn("another decider takes the run over", "run", l.spec.RunID, "step", l.step+1, "decider", l.spec.Instead.Name(), "err", reason)
}

// spent reports whether the run has used the tokens that it may use.
func (l *loop) spent() bool {
	return l.start.Settings.MaxTokens > 0 && l.usage.InputTokens+l.usage.OutputTokens >= l.start.Settings.MaxTokens
}

func (l *loop) spentError() error {
	return fmt.Errorf("%d tokens were used, %d are allowed", l.usage.InputTokens+l.usage.OutputTokens, l.start.Settings.MaxTokens)
}

// failedAfter says how a decider failed for good. An error that was final at the
// first try says all by itself.
func failedAfter(d Decider, tries int, err error) error {
	if tries == 1 && errors.Is(err, ErrFinal) {
		return fmt.Errorf("%s: %w", d.Name(), err)
	}
	return fmt.Errorf("%s failed %d times: %w", d.Name(), tries, err)
}
