package llm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// classified tells the loop which errors are worth another try, and keeps keys
// out of them.
type classified struct {
	agent.Decider
	secrets []string
}

// Decide implements agent.Decider.
func (c classified) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	a, err := c.Decider.Decide(ctx, v)
	if err == nil {
		return a, nil
	}
	if text := shortened(without(err.Error(), c.secrets)); text != err.Error() {
		err = cleaned{err, text}
	}
	if final(err) {
		return a, fmt.Errorf("%w: %w", err, agent.ErrFinal)
	}
	return a, agent.RetryAfter(err, rest(err))
}

// maxErrorText is how long the text of an error may be, in bytes: some clients
// put the whole answer into it.
const maxErrorText = 2 << 10

func shortened(text string) string {
	if len(text) <= maxErrorText {
		return text
	}
	return strings.ToValidUTF8(text[:maxErrorText], "") + "…"
}

// final says whether no repetition will mend an error.
func final(err error) bool {
	if errors.Is(err, agent.ErrFinal) {
		return true
	}
	status, ok := errors.AsType[*StatusError](err)
	if !ok {
		return false
	}
	switch status.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// rest returns how long an error asks to wait before the next try; 0: it does not.
func rest(err error) time.Duration {
	if r, ok := errors.AsType[resting](err); ok {
		return r.after
	}
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.RetryAfter
	}
	if open, ok := errors.AsType[*OpenError](err); ok {
		return max(time.Until(open.Until), 0)
	}
	return 0
}

// cleaned is an error whose text is another.
type cleaned struct {
	error
	text string
}

func (c cleaned) Error() string { return c.text }
func (c cleaned) Unwrap() error { return c.error }
