package telemetry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Health says whether a process takes work. The zero value is ready to use, and
// says that the process is starting.
type Health struct {
	mu     sync.Mutex
	begun  bool
	ended  bool
	checks map[string]func() error
}

// Begun says that the process takes work from here on.
func (h *Health) Begun() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun = true
}

// Stopping says that it takes no more.
func (h *Health) Stopping() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
}

// Need adds what the process cannot work without; ok returns why it is missing.
func (h *Health) Need(name string, ok func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checks == nil {
		h.checks = map[string]func() error{}
	}
	h.checks[name] = ok
}

// Ready returns nil when the process takes work, else why not.
func (h *Health) Ready() error {
	h.mu.Lock()
	begun, ended, checks := h.begun, h.ended, maps.Clone(h.checks)
	h.mu.Unlock()
	if ended {
		return errors.New("it is stopping")
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		if err := checks[name](); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if len(errs) == 0 && !begun {
		errs = append(errs, errors.New("it is starting: it takes no work yet"))
	}
	return errors.Join(errs...)
}
