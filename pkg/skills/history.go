package skills

import (
	"sync"
	"time"
)

// ShortestRate is the least time over which a rate says something: the kernel
// counts processor time in hundredths of a second.
const ShortestRate = time.Second

// A History keeps the readings that rates are taken against. Snapshots alone move
// it on, so that what happened between two of them is in the second, whoever asked
// what in between. The zero value is empty. It is safe for concurrent use.
type History[T any] struct {
	mu           sync.Mutex
	last, before *Reading[T]
}

// A Reading is what was read, and when.
type Reading[T any] struct {
	At    time.Time
	Value T
}

// Base returns the reading to take rates against at a time: the newest that is
// older than ShortestRate; nil when there is none.
func (h *History[T]) Base(at time.Time) *Reading[T] {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.base(at)
}

func (h *History[T]) base(at time.Time) *Reading[T] {
	if h.last != nil && at.Sub(h.last.At) >= ShortestRate {
		return h.last
	}
	return h.before
}

// Last returns the newest reading; nil when there is none.
func (h *History[T]) Last() *Reading[T] {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// Advance makes cur the newest reading, unless the one there is is as good as new,
// and returns the reading to take rates against; nil when there is none.
func (h *History[T]) Advance(at time.Time, cur T) *Reading[T] {
	h.mu.Lock()
	defer h.mu.Unlock()
	base := h.base(at)
	if h.last == nil || at.Sub(h.last.At) >= ShortestRate {
		h.before, h.last = h.last, &Reading[T]{at, cur}
	}
	return base
}
