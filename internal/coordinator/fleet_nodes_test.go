package coordinator

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
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
