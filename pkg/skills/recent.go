package skills

import (
	"slices"
	"sync"
	"time"
)

// How far a Recent reaches back, how many readings it keeps as they come, and how far
// apart those before them are.
const (
	recentFor    = time.Hour
	recentNewest = 60
	recentApart  = 20 * time.Second
)

// A Recent keeps readings of the last hour: the newest 60 as they come, and of those
// before one in 20 seconds, so that it reaches back as far however often is read and
// has at most some 240. Readings less than a second apart are passed over. The zero
// value is empty. It is safe for concurrent use.
type Recent[T any] struct {
	mu   sync.Mutex
	list []Reading[T]
}

// Add takes in a reading that is newer than those there are.
func (r *Recent[T]) Add(at time.Time, v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.list); n > 0 && at.Sub(r.list[n-1].At) < ShortestRate {
		return
	}
	old := 0
	for old < len(r.list) && at.Sub(r.list[old].At) > recentFor {
		old++
	}
	r.list = append(r.list[old:], Reading[T]{at, v})
	if i := len(r.list) - 1 - recentNewest; i > 0 && r.list[i].At.Sub(r.list[i-1].At) < recentApart {
		r.list = slices.Delete(r.list, i, i+1)
	}
}

// Since returns the readings that are not older than a time, the oldest first.
func (r *Recent[T]) Since(t time.Time) []Reading[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, x := range r.list {
		if !x.At.Before(t) {
			return append([]Reading[T]{}, r.list[i:]...)
		}
	}
	return nil
}

// Forget drops all readings: what they were of began anew.
func (r *Recent[T]) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = nil
}
