package gopprof

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Kinds are the profiles that a Trace may be of.
var Kinds = []string{"cpu", "heap", "goroutine", "mutex", "block"}

// What a trace may last: the longest, and the shortest.
const (
	LongestTrace  = time.Minute
	ShortestTrace = time.Second
)

// A Trace is one profile over a time: being taken, or the last that was.
type Trace struct {
	Kind    string
	For     time.Duration // as long as it was to last
	Began   time.Time
	Ended   time.Time // zero while it is taken
	Stopped bool      // somebody stopped it: there is no result
	Err     error     // why there is no result
	Top     *Top      // what it came to; nil without a result
	CPU     CPU       // of the service as it began
}

// Active reports whether it is being taken.
func (t Trace) Active() bool { return !t.Began.IsZero() && t.Ended.IsZero() }

// A session holds the one trace there is of a service.
type session struct {
	mu       sync.Mutex
	trace    Trace
	count    int
	cancel   context.CancelFunc
	reserved bool // somebody is about to start one
}

// Trace returns the trace that is being taken, or the last that was, and how many
// have begun.
func (s *Service) Trace() (Trace, int) {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	return s.session.trace, s.session.count
}

// StartTrace begins a profile that lasts for a time, and returns once it has begun.
// There is one at a time, and none of a service that is busier than its
// configuration allows.
func (s *Service) StartTrace(ctx context.Context, kind string, length time.Duration) (Trace, error) {
	if columns[kind] == "" {
		return Trace{}, fmt.Errorf("kind must be one of %s, got %q", strings.Join(Kinds, ", "), kind)
	}
	if length < ShortestTrace || length > LongestTrace {
		return Trace{}, fmt.Errorf("a trace lasts from %s to %s, got %s", ShortestTrace, LongestTrace, length)
	}
	if err := s.reserve(); err != nil {
		return Trace{}, err
	}
	cpu, err := s.CPU(ctx)
	if err == nil && cpu.Known && cpu.Pct > s.cfg.MaxCPU {
		err = fmt.Errorf("the service uses %.0f %% of its processors, and may be traced up to %g %% (max_cpu_pct in the configuration)", cpu.Pct, s.cfg.MaxCPU)
	}
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	s.session.reserved = false
	if err != nil {
		return Trace{}, err
	}
	t := Trace{Kind: kind, For: length, Began: time.Now().UTC(), CPU: cpu}
	// It goes on when the call that began it is over, and ends by itself.
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), length+2*s.cfg.Timeout)
	s.session.trace, s.session.cancel = t, cancel
	s.session.count++
	go s.take(running, t)
	return t, nil
}

// reserve refuses a second trace.
func (s *Service) reserve() error {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	if t := s.session.trace; t.Active() {
		return fmt.Errorf("a trace is already active: %s for %s, begun %s ago", t.Kind, t.For, time.Since(t.Began).Round(time.Second))
	}
	if s.session.reserved {
		return errors.New("a trace is already active: another one is just beginning")
	}
	s.session.reserved = true
	return nil
}

// take reads the profile and keeps what it came to.
func (s *Service) take(ctx context.Context, t Trace) {
	top, err := s.top(ctx, t.Kind, t.For)
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	if s.session.trace.Began != t.Began || s.session.trace.Stopped { // nobody waits for it any more
		return
	}
	s.session.cancel()
	s.session.trace.Top, s.session.trace.Err, s.session.trace.Ended = top, err, time.Now().UTC()
}

func (s *Service) top(ctx context.Context, kind string, length time.Duration) (t *Top, err error) {
	defer func() { // nobody above it would catch it
		if r := recover(); r != nil {
			t, err = nil, fmt.Errorf("the profile could not be read: %v", r)
		}
	}()
	question := fmt.Sprintf("%s?seconds=%d", kind, int(length.Seconds()))
	switch kind {
	case "cpu":
		question = fmt.Sprintf("profile?seconds=%d", int(length.Seconds()))
	case "goroutine": // where they stand; over a time there would be the difference
		question, length = kind, 0
	}
	p, err := s.profile(ctx, question, length+time.Second)
	if err != nil {
		return nil, err
	}
	return topOf(p, kind)
}

// StopTrace ends the trace that is being taken, and returns the last one. What
// was recorded is lost, since a service answers at the end.
func (s *Service) StopTrace() (Trace, int) {
	s.session.mu.Lock()
	defer s.session.mu.Unlock()
	if s.session.trace.Active() {
		s.session.trace.Ended, s.session.trace.Stopped = time.Now().UTC(), true
		s.session.cancel()
	}
	return s.session.trace, s.session.count
}
