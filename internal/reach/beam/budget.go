package beam

import (
	"fmt"
	"sync"
	"time"
)

// How much scans may cost a node.
const (
	// reductionsPerMS is how many of its reductions a node does in a millisecond, at
	// least: a time slice has 4,000 and is meant to last one.
	reductionsPerMS = 4000
	// span is over what time the share is taken.
	span = time.Minute
	// crowd is how many processes may wait to run until scans wait too.
	crowd = 100
	// crowdEvery is how often a scan is made all the same: what overloads a node is
	// what one wants to know.
	crowdEvery = time.Minute
)

// crowdVariable is the variable of a scan that says how many processes may wait to
// run; -1: any number.
const crowdVariable = "FleetlensCrowd"

// A budget is what scans may cost a node. What one costs is known when it is over, so
// that the next one pays for it by waiting. It is safe for concurrent use.
type budget struct {
	share float64 // of one processor

	mu      sync.Mutex
	debt    time.Duration // of processor time
	at      time.Time     // when debt was so
	waited  time.Time     // when a scan was last put off because the node is crowded
	allowed time.Time     // when one was last made all the same
}

// admit returns how crowded the node may be for the next scan, or why there is none now.
func (b *budget) admit(now time.Time) (most int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(now)
	allowance := time.Duration(b.share * float64(span))
	if b.debt >= allowance {
		wait := time.Duration(float64(b.debt-allowance)/b.share) + time.Second
		return 0, fmt.Errorf("looking through it took %s of its processors of late, more than max_cpu_pct %g allows: ask again in %s",
			b.debt.Round(time.Millisecond), b.share*100, wait.Round(time.Second))
	}
	if !b.waited.IsZero() && now.Sub(b.allowed) >= crowdEvery {
		b.allowed, b.waited = now, time.Time{}
		return -1, nil
	}
	return crowd, nil
}

// settle lets the debt shrink as time goes by.
func (b *budget) settle(now time.Time) {
	if !b.at.IsZero() {
		b.debt = max(0, b.debt-time.Duration(b.share*float64(now.Sub(b.at))))
	}
	b.at = now
}

// spend counts a scan of so many reductions that took so long. It cost no more than
// either says: a process of low priority waits, and one that sleeps does nothing.
func (b *budget) spend(now time.Time, reductions float64, wall time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(now)
	b.debt += min(wall, time.Duration(reductions/reductionsPerMS*float64(time.Millisecond)))
}

// crowded notes that a scan was put off.
func (b *budget) crowded(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waited = now
}
