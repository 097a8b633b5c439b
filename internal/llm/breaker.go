package llm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// An endpoint that failed so often in a row is left alone for so long; then one
// request finds out whether it is back.
const (
	failuresInARow = 5
	leftAlone      = 30 * time.Second
)

// An OpenError says that an endpoint was not asked, because it failed too often.
type OpenError struct {
	Endpoint string
	Until    time.Time
}

// Error implements error.
func (e *OpenError) Error() string {
	return fmt.Sprintf("%s failed %d times in a row and is left alone until %s", e.Endpoint, failuresInARow, e.Until.UTC().Format(time.RFC3339))
}

// endpoint names what shares a breaker: models of one provider at one address.
func (m Model) endpoint() string {
	at := first(m.BaseURL, m.Region, m.File, m.Project+"/"+m.Location)
	return "the provider " + m.Provider + " at " + at
}

// breakers holds one breaker for each endpoint.
type breakers map[string]*breaker

func (b breakers) of(endpoint string) *breaker {
	if b[endpoint] == nil {
		b[endpoint] = newBreaker(endpoint)
	}
	return b[endpoint]
}

// breaker is the memory of an endpoint's failures.
type breaker struct {
	endpoint string
	circuit  *gobreaker.CircuitBreaker[protocol.Answer]
	mu       sync.Mutex
	until    time.Time
}

func newBreaker(endpoint string) *breaker {
	b := &breaker{endpoint: endpoint}
	b.circuit = gobreaker.NewCircuitBreaker[protocol.Answer](gobreaker.Settings{
		Name: endpoint, Timeout: leftAlone,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failuresInARow },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if to == gobreaker.StateOpen {
				b.until = time.Now().Add(leftAlone)
			}
		},
		// A request that is refused shows that the endpoint is well.
		IsSuccessful: func(err error) bool { return err == nil || final(err) },
		IsExcluded:   func(err error) bool { _, left := errors.AsType[abandoned](err); return left },
	})
	return b
}

// abandoned is an error that says nothing of the endpoint: the caller ended.
type abandoned struct{ error }

func (a abandoned) Unwrap() error { return a.error }

// guarded is a decider behind its endpoint's breaker.
type guarded struct {
	agent.Decider
	breaker *breaker
}

// Decide implements agent.Decider.
func (g guarded) Decide(ctx context.Context, v agent.View) (protocol.Answer, error) {
	a, err := g.breaker.circuit.Execute(func() (protocol.Answer, error) {
		a, err := g.Decider.Decide(ctx, v)
		if err != nil && ctx.Err() != nil {
			err = abandoned{err}
		}
		return a, err
	})
	switch {
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		signals.Emit(ctx, signals.LLMEndpointClosed, signals.Text(signals.AttrEndpoint, g.breaker.endpoint))
		open := &OpenError{Endpoint: g.breaker.endpoint, Until: g.breaker.end()}
		return a, agent.RetryAfter(open, rest(open))
	default:
		return a, err
	}
}

// end returns until when the endpoint is left alone; a moment when another
// request is just finding out.
func (b *breaker) end() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if soon := time.Now().Add(time.Second); b.until.Before(soon) {
		return soon
	}
	return b.until
}
