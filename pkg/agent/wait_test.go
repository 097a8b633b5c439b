package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
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
