package gopprof

import (
	"context"
	"time"
)

// CPU is how busy a service was.
type CPU struct {
	Pct   float64       // of its processors (GOMAXPROCS)
	Cores float64       // processors in use
	Over  time.Duration // between which readings; 0 when Cores is not known
	Known bool          // whether Pct is
	Why   string        // why it is not
}

// keepCPU keeps the readings that the processor use is taken against.
func (s *Service) keepCPU(r *Runtime) {
	s.cpuMu.Lock()
	defer s.cpuMu.Unlock()
	if last := s.cpu[1]; last == nil || r.At.Sub(last.At) >= time.Second {
		s.cpu[0], s.cpu[1] = last, r
	}
}

// CPU returns how busy the service has been since the last reading of its runtime
// that is at least a second old; where there is none it waits for one.
func (s *Service) CPU(ctx context.Context) (CPU, error) {
	now, err := s.Runtime(ctx)
	if err != nil {
		return CPU{}, err
	}
	if cpu, ok := s.cpuSince(now); ok {
		return cpu, nil
	}
	t := time.NewTimer(max(s.cfg.Cache, time.Second) + 50*time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return CPU{}, ctx.Err()
	case <-t.C:
	}
	if now, err = s.Runtime(ctx); err != nil {
		return CPU{}, err
	}
	if cpu, ok := s.cpuSince(now); ok {
		return cpu, nil
	}
	return CPU{Why: "no two readings of its processor time are a second apart"}, nil
}

// cpuSince reports false when another reading has to be waited for.
func (s *Service) cpuSince(now *Runtime) (CPU, bool) {
	s.cpuMu.Lock()
	defer s.cpuMu.Unlock()
	for _, prev := range []*Runtime{s.cpu[1], s.cpu[0]} {
		if prev != nil && now.At.Sub(prev.At) >= time.Second {
			return CPUBetween(prev, now), true
		}
	}
	if _, told := now.Get(CPUSeconds); !told {
		return CPUBetween(now, now), true
	}
	return CPU{}, false
}

// CPUBetween returns how busy the service was between two readings.
func CPUBetween(prev, now *Runtime) CPU {
	a, ok := prev.Get(CPUSeconds)
	b, ok2 := now.Get(CPUSeconds)
	n, ok3 := now.Get(Processors)
	over := now.At.Sub(prev.At)
	switch {
	case !ok || !ok2:
		return CPU{Why: "the service does not tell its processor time (process_cpu_seconds_total among its Prometheus metrics)"}
	case b < a || over <= 0:
		return CPU{Why: "the service began anew"}
	}
	cpu := CPU{Cores: (b - a) / over.Seconds(), Over: over}
	if !ok3 || n < 1 {
		cpu.Why = "the service does not tell its number of processors (go_sched_gomaxprocs_threads among its Prometheus metrics)"
		return cpu
	}
	cpu.Pct, cpu.Known = min(100, 100*cpu.Cores/n), true // a reading takes a moment
	return cpu
}
