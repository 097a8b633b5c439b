package agent_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestAWaitBeginsWhenTheCallBeforeItHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, began := newOperatorRun("web-1"), time.Now()
		wait := func(ms int) agenttest.Step {
			return agenttest.Calls(agenttest.Call("wait", map[string]any{"ms": ms}), agenttest.Call("wait", map[string]any{"ms": 5000}))
		}
		r.play(t, wait(2000))
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("waits of 2 s and 5 s in one answer took %s", took)
		}
	})
}

// slow is two operators of which the first ends after a minute and the second
// after two; a person may say something in between.
type slow struct {
	*operators
	began time.Time
	told  time.Duration // when; 0: never
}

func (s *slow) News(_ context.Context, _ string, since agent.Cursor) (agent.News, error) {
	passed := time.Since(s.began)
	n := agent.News{Cursor: since}
	for i, task := range s.tasks {
		if uint64(i) >= since.Completions && passed >= time.Duration(i+1)*time.Minute {
			n.Completions, n.Cursor.Completions = append(n.Completions, done(task)), uint64(i)+1
		}
	}
	if s.told > 0 && passed >= s.told && since.Told == 0 {
		n.Told, n.Cursor.Told = []protocol.Told{{ID: "t1", InvestigationID: "inv-1", Text: "hurry", By: "dana"}}, 1
	}
	return n, nil
}

// Wake is closed when the next of them comes.
func (s *slow) Wake() <-chan struct{} {
	c := make(chan struct{})
	for _, at := range []time.Duration{time.Minute, 2 * time.Minute, s.told} {
		if d := at - time.Since(s.began); d > 0 {
			time.AfterFunc(d, func() {
				select {
				case <-c:
				default:
					close(c)
				}
			})
		}
	}
	return c
}

func TestAWaitUntilAllEndsWhenEachOperatorHasEnded(t *testing.T) {
	for _, tt := range []struct {
		name string
		args map[string]any
		told time.Duration
		want time.Duration
	}{
		{"until all", map[string]any{"ms": 600_000, "until": "all"}, 0, 2 * time.Minute},
		{"until any", map[string]any{"ms": 600_000, "until": "any"}, 0, time.Minute},
		{"any is the default", map[string]any{"ms": 600_000}, 0, time.Minute},
		{"all, but not longer than it was told", map[string]any{"ms": 90_000, "until": "all"}, 0, 90 * time.Second},
		{"all, and a person says something", map[string]any{"ms": 600_000, "until": "all"}, 70 * time.Second, 70 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1"), "gc": hosts("web-1")})
				r.operators.report = nil
				r.news = &slow{r.operators, time.Now(), tt.told}
				var waited time.Duration
				r.play(t,
					agenttest.Calls(agenttest.Call("invoke_operators", map[string]any{"skills": []string{"os", "gc"}}), agenttest.Call("wait", tt.args)),
					func(agent.View) (protocol.Answer, error) {
						waited = time.Since(r.news.(*slow).began)
						return say(think), nil
					},
					agenttest.Calls(agenttest.Call("wait", map[string]any{"ms": 600_000, "until": "all"})), agenttest.Conclude())
				if waited != tt.want {
					t.Errorf("the wait took %s, want %s", waited, tt.want)
				}
			})
		})
	}
}
