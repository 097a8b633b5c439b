package llm

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// scripted is a decider that does what it is told.
type scripted struct {
	err   error
	asked int
}

func (s *scripted) Name() string { return "s" }

func (s *scripted) Decide(ctx context.Context, _ agent.View) (protocol.Answer, error) {
	s.asked++
	if ctx.Err() != nil {
		return protocol.Answer{}, ctx.Err()
	}
	return protocol.Answer{}, s.err
}

func TestABreakerClosesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{err: errors.New("down")}
		d := guarded{s, newBreaker("e")}
		fails := func(n int) {
			for range n {
				if _, err := d.Decide(t.Context(), agent.View{}); err == nil {
					t.Error("no error")
				}
			}
		}
		fails(10)
		if s.asked != failuresInARow {
			t.Errorf("asked %d times", s.asked)
		}
		time.Sleep(leftAlone + time.Second)
		fails(3) // one finds out
		if s.asked != failuresInARow+1 {
			t.Errorf("asked %d times after the first rest", s.asked)
		}
		time.Sleep(leftAlone + time.Second)
		s.err = nil
		for range 3 {
			if _, err := d.Decide(t.Context(), agent.View{}); err != nil {
				t.Error(err)
			}
		}
		if s.asked != failuresInARow+4 {
			t.Errorf("asked %d times after the second rest", s.asked)
		}
	})
}

func TestACallersEndOpensNoBreaker(t *testing.T) {
	s := &scripted{}
	d := guarded{s, newBreaker("e")}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 * failuresInARow {
		if _, err := d.Decide(ctx, agent.View{}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if _, err := d.Decide(t.Context(), agent.View{}); err != nil {
		t.Error(err)
	}
}

func TestDelaysGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{err: errors.New("down")}
		begin := time.Now()
		if _, err := (Retry{Attempts: 5, MaxDelay: 400 * time.Millisecond}).around(s).Decide(t.Context(), agent.View{}); err == nil || s.asked != 5 {
			t.Errorf("%v; asked %d times", err, s.asked)
		}
		if took, want := time.Since(begin), (200+300+400+400)*time.Millisecond; took != want {
			t.Errorf("took %s, want %s", took, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begin = time.Now()
		if _, err := (Retry{Attempts: 5}).around(s).Decide(ctx, agent.View{}); err == nil || time.Since(begin) != 100*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
	})
}
