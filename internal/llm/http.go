package llm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A StatusError is a provider's answer that is no success.
type StatusError struct {
	Status     int
	RetryAfter time.Duration // what the provider asked for; 0: nothing
	Body       string        // its beginning
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("the provider answered %d %s: %s", e.Status, http.StatusText(e.Status), e.Body)
}

// maxErrorBody is how much of a provider's error is kept, in bytes.
const maxErrorBody = 1 << 10

// maxAnswerBody is how much a provider may answer, in bytes.
const maxAnswerBody = 8 << 20

func client(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: transport{http.DefaultTransport}}
}

// transport turns answers that are no success into StatusErrors: the clients of
// the providers drop the Retry-After header otherwise. It bounds every answer.
type transport struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 400 {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswerBody), resp.Body}
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(maxErrorBody+len(key))))
	if err != nil {
		body = []byte(err.Error())
	}
	return nil, &StatusError{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()), Body: withoutKey(string(body), key)}
}

// minKey is the length from which a key is a secret: "none" is an ordinary word.
const minKey = 8

// withoutKey returns the beginning of a provider's error. Some repeat the key in
// it, and errors are logged, journaled and published.
func withoutKey(body, key string) string {
	if len(key) >= minKey {
		body = strings.ReplaceAll(body, key, "[the key]")
	}
	return strings.TrimSpace(strings.ToValidUTF8(body[:min(len(body), maxErrorBody)], ""))
}

// maxRetryAfter is how long a provider may make a run wait at a time.
const maxRetryAfter = 5 * time.Minute

// retryAfter reads seconds or an HTTP date.
func retryAfter(v string, now time.Time) time.Duration {
	var d time.Duration
	if s, err := strconv.Atoi(v); err == nil {
		d = time.Duration(s) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// classified tells the loop which errors are worth another try.
type classified struct{ agent.Decider }

// Decide implements agent.Decider.
func (c classified) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	a, err := c.Decider.Decide(ctx, v)
	var status *StatusError
	if !errors.As(err, &status) {
		return a, err
	}
	switch status.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity:
		return a, fmt.Errorf("%w: %w", err, agent.ErrFinal)
	}
	return a, agent.RetryAfter(err, status.RetryAfter)
}
