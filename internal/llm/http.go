package llm

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
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

// client returns an HTTP client for a provider: whole is the time one request
// may take, stall the time its answer may stand still once it has begun.
func client(whole, stall time.Duration) *http.Client {
	return &http.Client{Timeout: whole, Transport: transport{http.DefaultTransport, stall}}
}

// transport turns answers that are no success into StatusErrors: the clients of
// the providers drop the Retry-After header otherwise. It bounds every answer,
// and gives up one that stands still.
type transport struct {
	http.RoundTripper
	stall time.Duration
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := watch(t.RoundTripper, r, t.stall)
	if err != nil || resp.StatusCode < 400 {
		return resp, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	secrets := sent(r.Header)
	room := maxErrorBody
	for _, s := range secrets {
		room = max(room, maxErrorBody+len(s))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(room)))
	if err != nil {
		body = []byte(err.Error())
	}
	return nil, &StatusError{
		Status: resp.StatusCode, RetryAfter: asked(resp.Header, body, time.Now()),
		Body: beginning(without(string(body), secrets)),
	}
}

// secretHeaders are where the providers expect their keys.
var secretHeaders = []string{"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "X-Amz-Security-Token"}

// sent returns the secrets of a request.
func sent(h http.Header) []string {
	var list []string
	for _, name := range secretHeaders {
		list = append(list, strings.TrimPrefix(h.Get(name), "Bearer "))
	}
	return list
}

// minKey is the length from which a key is a secret: "none" is an ordinary word.
const minKey = 8

// without returns a text without secrets: some providers repeat the key in their
// errors, which are logged, journaled and published.
func without(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) >= minKey {
			text = strings.ReplaceAll(text, s, "[the key]")
		}
	}
	return text
}

// beginning returns as much of a provider's error as is kept.
func beginning(body string) string {
	return strings.TrimSpace(strings.ToValidUTF8(body[:min(len(body), maxErrorBody)], ""))
}

// maxRetryAfter is how long a provider may make a run wait at a time.
const maxRetryAfter = 5 * time.Minute

// retryDelay is how Google asks for time, in the body of its error:
// https://cloud.google.com/apis/design/errors#error_details (google.rpc.RetryInfo).
var retryDelay = regexp.MustCompile(`"retryDelay":\s*"([0-9]{1,9}(?:\.[0-9]+)?s)"`)

// asked returns how long a provider wants to be left alone.
func asked(h http.Header, body []byte, now time.Time) time.Duration {
	if d := retryAfter(h.Get("Retry-After"), now); d > 0 {
		return d
	}
	if m := retryDelay.FindSubmatch(body); m != nil {
		if d, err := time.ParseDuration(string(m[1])); err == nil {
			return min(d, maxRetryAfter)
		}
	}
	return 0
}

// retryAfter reads seconds or an HTTP date.
func retryAfter(v string, now time.Time) time.Duration {
	var d time.Duration
	if s, err := strconv.Atoi(v); err == nil {
		d = time.Duration(min(s, int(maxRetryAfter/time.Second))) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
