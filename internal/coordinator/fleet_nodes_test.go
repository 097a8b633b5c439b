package coordinator

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/signals/signalstest"
)

func TestNobodyIsWokenForANodeThatIsSilentForAMoment(t *testing.T) {
	now := time.Now()
	for name, tt := range map[string]struct {
		every, silent, heard time.Duration // between beats; since the last; since we listen
		fell                 bool
	}{
		"three beats of a second":         {time.Second, 5 * time.Second, time.Hour, false},
		"more than ten seconds":           {time.Second, 11 * time.Second, time.Hour, true},
		"less than three beats of ten":    {10 * time.Second, 25 * time.Second, time.Hour, false},
		"three beats of ten seconds":      {10 * time.Second, 31 * time.Second, time.Hour, true},
		"nobody has listened for so long": {time.Second, time.Minute, 5 * time.Second, false},
		"it is gone for hours":            {time.Second, 30 * time.Hour, 40 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fleet{nodes: map[string]*node{"web-1": {beat: protocol.Heartbeat{IntervalMS: tt.every.Milliseconds()}, arrived: now.Add(-tt.silent)}}}
			fell, back := f.fellSilent(now, now.Add(-tt.heard), 10*time.Second, time.Hour, nil)
			if (len(fell) == 1) != tt.fell || len(back) > 0 {
				t.Errorf("fell %v, back %v", fell, back)
			}
		})
	}
}

func TestTheNodesAreCounted(t *testing.T) {
	now := time.Now()
	f := &fleet{nodes: map[string]*node{}}
	for name, ago := range map[string]time.Duration{"web-1": time.Second, "web-2": 2 * time.Second, "db-1": time.Hour} {
		f.nodes[name] = &node{beat: protocol.Heartbeat{IntervalMS: 10_000}, arrived: now.Add(-ago)}
	}
	tells := signalstest.New()
	stop := newTells(tells.Providers).watchNodes(f)
	defer stop()
	for state, want := range map[string]float64{"alive": 2, "silent": 1} {
		if got := tells.Sum(t, signals.KnownNodes, "state="+state); got != want {
			t.Errorf("%v are %s, want %v", got, state, want)
		}
	}
}
