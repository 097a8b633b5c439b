package agent

import (
	"context"
	"errors"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Decider chooses the next step of a run. It must be safe for concurrent use
// by several runs.
type Decider interface {
	// Name is what insights say decided: a model's name, or protocol.RulesModel.
	Name() string
	// Decide returns what to say and which tools to call. It reads v and keeps
	// nothing of it. An error is tried again, see RetryAfter.
	Decide(ctx context.Context, v View) (protocol.Answer, error)
}

// A View is what a decider sees of a run.
type View struct {
	RunID   string
	Start   protocol.Start
	Records []protocol.Record // the whole journal so far, oldest first
	Tools   []Tool
	// State is *OperatorState or *CoordinatorState, for deciders that read the run
	// itself rather than its conversation.
	State any
	Step  int       // the step being decided, from 1
	Now   time.Time // the journal's time

	memory *memory // of the conversation, for the run's own decider
}

// retryAfter carries what a provider asked for.
type retryAfter struct {
	error
	after time.Duration
}

func (r retryAfter) Unwrap() error { return r.error }

// RetryAfter marks an error of Decide with how long to wait before the next try.
func RetryAfter(err error, after time.Duration) error { return retryAfter{err, after} }

// ErrFinal marks an error of Decide that no repetition will mend: wrong
// credentials, a model that does not exist.
var ErrFinal = errors.New("will not be tried again")

// attempts is how often a decision is tried, and backoff how long it rests after
// the n-th failure, unless the provider says otherwise.
const attempts = 3

func backoff(err error, n int) time.Duration {
	var r retryAfter
	if errors.As(err, &r) && r.after > 0 {
		return r.after
	}
	return time.Second << (n - 1)
}
