package skills_test

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

func TestRecentReachesBackAnHourHoweverOftenIsRead(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	for _, every := range []time.Duration{time.Second, 15 * time.Second, time.Minute} {
		var r skills.Recent[int]
		n := int(3 * time.Hour / every)
		for i := range n {
			r.Add(began.Add(time.Duration(i)*every), i)
		}
		last := began.Add(time.Duration(n-1) * every)
		list := r.Since(time.Time{})
		if len(list) > 240 || list[len(list)-1].Value != n-1 {
			t.Errorf("every %s: %d readings, the last of them %d", every, len(list), list[len(list)-1].Value)
		}
		if back := last.Sub(list[0].At); back > time.Hour || back < 50*time.Minute {
			t.Errorf("every %s: it reaches back %s", every, back)
		}
		for i := 1; i < len(list); i++ {
			if !list[i].At.After(list[i-1].At) {
				t.Fatalf("every %s: reading %d is not newer than the one before", every, i)
			}
		}
		if got := r.Since(last.Add(-2 * every)); len(got) != 3 {
			t.Errorf("every %s: %d readings of the last three", every, len(got))
		}
	}
}

func TestRecentPassesOverWhatIsAsGoodAsNew(t *testing.T) {
	var r skills.Recent[int]
	began := time.Unix(1_700_000_000, 0)
	r.Add(began, 1)
	r.Add(began.Add(time.Second/2), 2)
	if got := r.Since(time.Time{}); len(got) != 1 || got[0].Value != 1 {
		t.Errorf("it keeps %v", got)
	}
	if r.Forget(); r.Since(time.Time{}) != nil {
		t.Error("it remembers")
	}
}
