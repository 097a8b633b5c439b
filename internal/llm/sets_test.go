package llm_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// backend is a fake provider of OpenAI's format that counts who asks.
type backend struct {
	*httptest.Server
	asked  atomic.Int32
	answer atomic.Value // http.HandlerFunc
}

func newBackend(t *testing.T, answer http.HandlerFunc) *backend {
	t.Helper()
	b := &backend{}
	b.answer.Store(answer)
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		b.answer.Load().(http.HandlerFunc)(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) model() llm.Model {
	return llm.Model{Provider: llm.OpenAIGeneric, BaseURL: b.URL, Model: "m"}
}

func works(t *testing.T) http.HandlerFunc { return says(t, map[string]any{"content": "x"}, nil) }

// decider returns the decider of a configuration's default.
func decider(t *testing.T, cfg llm.Config) agent.Decider {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	deciders, err := cfg.Deciders(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := deciders("")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func models(list ...*backend) map[string]llm.Model {
	all := map[string]llm.Model{}
	for i, b := range list {
		all[string(rune('a'+i))] = b.model()
	}
	return all
}

func fallback(names ...string) map[string]llm.Set {
	return map[string]llm.Set{"main": {Fallback: names}}
}

func TestAFallbackMovesOn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"when a key is wrong", status(401, nil, "")},
		{"when a request is refused", status(400, nil, "")},
		{"when it is asked to wait", status(429, map[string]string{"Retry-After": "60"}, "")},
		{"when the provider is down", status(500, nil, "")},
		{"when the answer is nonsense", status(200, nil, "<html>")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := newBackend(t, tt.answer), newBackend(t, works(t))
			d := decider(t, llm.Config{Default: "main", Models: models(a, b), Sets: fallback("a", "b")})
			got, err := d.Decide(t.Context(), view())
			if err != nil || got.Model != "b (m)" || got.Text != "x" || a.asked.Load() != 1 {
				t.Errorf("%+v, %v; a was asked %d times", got, err, a.asked.Load())
			}
			if d.Name() != "main" {
				t.Errorf("name %q", d.Name())
			}
		})
	}
}

func TestAFallbackEndsInTheRules(t *testing.T) {
	a := newBackend(t, status(500, nil, ""))
	d := decider(t, llm.Config{Default: "main", Models: models(a), Sets: fallback("a", "rules")})
	v := view()
	v.State = &agent.OperatorState{}
	got, err := d.Decide(t.Context(), v)
	if err != nil || got.Model != protocol.RulesModel {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatASetSaysWhenNobodyAnswers(t *testing.T) {
	wait := func(s string) http.HandlerFunc { return status(429, map[string]string{"Retry-After": s}, "") }
	for _, tt := range []struct {
		name  string
		a, b  http.HandlerFunc
		final bool
		delay time.Duration
	}{
		{"both for good", status(401, nil, ""), status(400, nil, ""), true, 0},
		{"one for good", status(401, nil, ""), wait("40"), false, 40 * time.Second},
		{"the shorter rest", wait("40"), wait("20"), false, 20 * time.Second},
		{"one without a rest", wait("40"), status(500, nil, ""), false, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := decider(t, llm.Config{Default: "main", Models: models(newBackend(t, tt.a), newBackend(t, tt.b)), Sets: fallback("a", "b")})
			_, err := d.Decide(t.Context(), view())
			if err == nil || errors.Is(err, agent.ErrFinal) != tt.final || !strings.Contains(err.Error(), "a (m): ") || !strings.Contains(err.Error(), "; b (m): ") {
				t.Fatalf("error %v", err)
			}
			if tt.final {
				return
			}
			if r := restAfter(t, d); r == nil || r.DelayMS != tt.delay.Milliseconds() {
				t.Errorf("the loop rests %+v, want %s", r, tt.delay)
			}
		})
	}
}

func TestACallersEndIsNoReasonToMoveOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := newBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server notices that nobody listens only then
		cancel()
		<-r.Context().Done()
	})
	b := newBackend(t, works(t))
	d := decider(t, llm.Config{Default: "main", Models: models(a, b), Sets: fallback("a", "b")})
	if _, err := d.Decide(ctx, view()); !errors.Is(err, context.Canceled) || b.asked.Load() != 0 {
		t.Errorf("%v; b was asked %d times", err, b.asked.Load())
	}
}

func TestRoundRobinTakesTurns(t *testing.T) {
	a, b, c := newBackend(t, works(t)), newBackend(t, status(500, nil, "")), newBackend(t, works(t))
	d := decider(t, llm.Config{Default: "main", Models: models(a, b, c), Sets: map[string]llm.Set{"main": {RoundRobin: []string{"a", "b", "c"}}}})
	var got []string
	for range 6 {
		answer, err := d.Decide(t.Context(), view())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, answer.Model)
	}
	if want := []string{"a (m)", "c (m)", "c (m)", "a (m)", "c (m)", "c (m)"}; !slices.Equal(got, want) {
		t.Errorf("answered by %q, want %q", got, want)
	}
}

func TestSetsInSets(t *testing.T) {
	a, b := newBackend(t, status(500, nil, "")), newBackend(t, works(t))
	d := decider(t, llm.Config{Default: "outer", Models: models(a, b), Sets: map[string]llm.Set{"outer": {Fallback: []string{"inner", "b"}}, "inner": {RoundRobin: []string{"a"}}}})
	if got, err := d.Decide(t.Context(), view()); err != nil || got.Model != "b (m)" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestARetryOfItsOwn(t *testing.T) {
	fails := func(n int32, b **backend, then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if (*b).asked.Load() <= n {
				status(500, nil, "")(w, r)
				return
			}
			then(w, r)
		}
	}
	quick := llm.Retry{Attempts: 3, BaseDelay: time.Millisecond, MaxDelay: 2 * time.Second}
	t.Run("asks the same model again", func(t *testing.T) {
		var b *backend
		b = newBackend(t, fails(2, &b, works(t)))
		m := b.model()
		m.Retry = quick
		if got, err := decider(t, llm.Config{Default: "a", Models: map[string]llm.Model{"a": m}}).Decide(t.Context(), view()); err != nil || got.Model != "a (m)" || b.asked.Load() != 3 {
			t.Errorf("%+v, %v; asked %d times", got, err, b.asked.Load())
		}
	})
	t.Run("asks the whole set again", func(t *testing.T) {
		var b *backend
		b = newBackend(t, fails(1, &b, works(t)))
		if got, err := decider(t, llm.Config{Default: "main", Models: models(b), Sets: map[string]llm.Set{"main": {Fallback: []string{"a"}, Retry: quick}}}).Decide(t.Context(), view()); err != nil || got.Text != "x" {
			t.Errorf("%+v, %v", got, err)
		}
	})
	for name, answer := range map[string]http.HandlerFunc{
		"not when it is refused":                status(400, nil, ""),
		"not when the provider wants more rest": status(429, map[string]string{"Retry-After": "60"}, ""),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, answer)
			m := b.model()
			m.Retry = quick
			if _, err := decider(t, llm.Config{Default: "a", Models: map[string]llm.Model{"a": m}}).Decide(t.Context(), view()); err == nil || b.asked.Load() != 1 {
				t.Errorf("%v; asked %d times", err, b.asked.Load())
			}
		})
	}
	t.Run("waits as long as the provider wants", func(t *testing.T) {
		var b *backend
		b = newBackend(t, func(w http.ResponseWriter, r *http.Request) {
			if b.asked.Load() == 1 {
				status(429, map[string]string{"Retry-After": "1"}, "")(w, r)
				return
			}
			works(t)(w, r)
		})
		m := b.model()
		m.Retry = quick
		begin := time.Now()
		if _, err := decider(t, llm.Config{Default: "a", Models: map[string]llm.Model{"a": m}}).Decide(t.Context(), view()); err != nil || time.Since(begin) < time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
	})
}

func TestAnEndpointThatFailsIsLeftAlone(t *testing.T) {
	a, b := newBackend(t, status(500, nil, "")), newBackend(t, works(t))
	cfg := llm.Config{Default: "main", Models: models(a, b), Sets: fallback("a", "b")}
	cfg.Models["also-a"] = a.model()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	deciders, err := cfg.Deciders(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	main, err := deciders("main")
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if got, err := main.Decide(t.Context(), view()); err != nil || got.Model != "b (m)" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if n := a.asked.Load(); n != 5 {
		t.Errorf("a was asked %d times, want 5", n)
	}
	t.Run("by every model there, which says until when", func(t *testing.T) {
		alone, err := deciders("also-a")
		if err != nil {
			t.Fatal(err)
		}
		_, err = alone.Decide(t.Context(), view())
		open, ok := errors.AsType[*llm.OpenError](err)
		if !ok || !strings.Contains(err.Error(), a.URL+" failed 5 times in a row and is left alone until 20") || errors.Is(err, agent.ErrFinal) {
			t.Fatalf("error %v", err)
		}
		if left := time.Until(open.Until); left < 20*time.Second || left > 30*time.Second {
			t.Errorf("left alone for %s", left)
		}
		if r := restAfter(t, alone); r == nil || r.DelayMS < 20_000 {
			t.Errorf("the loop rests %+v", r)
		}
	})
}

func TestARefusalIsNoFailureOfTheEndpoint(t *testing.T) {
	a := newBackend(t, status(400, nil, ""))
	d := decider(t, llm.Config{Default: "a", Models: models(a)})
	for range 8 {
		if _, err := d.Decide(t.Context(), view()); !errors.Is(err, agent.ErrFinal) {
			t.Fatal(err)
		}
	}
	if n := a.asked.Load(); n != 8 {
		t.Errorf("asked %d times", n)
	}
}
