package gopprof

import (
	"bufio"
	"context"
	"errors"
	"time"
)

// A Key names one reading of a service's runtime.
type Key int

// Readings. Sizes are in bytes, times in seconds.
const (
	GoroutineCount Key = iota
	Threads
	Processors    // GOMAXPROCS
	CPUSeconds    // of the process, since it began
	GCCPUSeconds  // of the garbage collector, as of its last run
	GCIdleSeconds // of these, on processors that had nothing else to do
	AllCPUSeconds // what GOMAXPROCS processors could give since it began, likewise
	GCCPUFraction // since the service began, 0 to 1
	StartTime     // Unix seconds
	RSS
	OpenFDs
	MaxFDs
	Sys
	HeapAlloc
	HeapSys
	HeapIdle
	HeapInuse
	HeapReleased
	HeapObjects
	StackInuse
	StackSys
	MSpanInuse
	MSpanSys
	MCacheInuse
	MCacheSys
	BuckHashSys
	GCSys
	OtherSys
	TotalAlloc
	NextGC
	LastGC // Unix seconds
	NumGC
	NumForcedGC
	PauseTotal
	PauseMax // the longest of the last 256
	GOGC
	MemoryLimit
	InFlight // HTTP requests being answered
	keys
)

// A Runtime is what a service tells of its runtime at one moment. What it does
// not tell is absent.
type Runtime struct {
	At    time.Time
	From  []string // where it was read: metrics, vars, heap, goroutine, cmdline
	Pause []Pause  // of the last 256 collections, newest first; nil where not told
	// GCPauses and SchedLatency count by how long something lasted, since the service
	// began; nil where not told.
	GCPauses, SchedLatency Histogram
	Panics                 []Counter // counters of panics among its metrics, by name
	GoVersion              string
	Module, ModuleVersion  string
	Program                string // the name of the program, without its arguments
	values                 [keys]float64
	known                  [keys]bool
}

// A Pause is how long one garbage collection stopped the service.
type Pause struct {
	Ended time.Time
	For   time.Duration
}

// Get returns a reading, and whether the service tells it.
func (r *Runtime) Get(k Key) (float64, bool) { return r.values[k], r.known[k] }

// set keeps a reading; the first source that tells one is believed.
func (r *Runtime) set(k Key, v float64) {
	if !r.known[k] {
		r.values[k], r.known[k] = v, true
	}
}

// errNothing is a service that tells nothing.
var errNothing = errors.New("neither Prometheus metrics nor expvar nor net/http/pprof are there: see url, metrics, vars and pprof in the configuration")

// Runtime reads what the service tells of its runtime: its Prometheus metrics, its
// expvar, and where that has no memory statistics those of the heap profile.
func (s *Service) Runtime(ctx context.Context) (*Runtime, error) {
	return once(ctx, s, &s.runtime, func(ctx context.Context) (*Runtime, error) {
		r, err := s.readRuntime(ctx)
		if err == nil {
			s.keepCPU(r)
		}
		return r, err
	})
}

func (s *Service) readRuntime(ctx context.Context) (*Runtime, error) {
	r := &Runtime{At: time.Now()}
	never := func() bool { return false }
	for _, from := range []struct {
		name, at string
		mayFail  bool // something else may live there
		read     func(*bufio.Reader) error
		enough   func() bool
	}{
		{"metrics", s.cfg.Metrics, true, r.readMetrics, never},
		{"vars", s.cfg.Vars, true, r.readVars, never},
		{"heap", s.cfg.Pprof + "/heap?debug=1", false, r.readHeapText, func() bool { return r.Pause != nil }},
		{"goroutine", s.cfg.Pprof + "/goroutine?debug=1", false, r.readGoroutineText, func() bool { return r.known[GoroutineCount] }},
		{"cmdline", s.cfg.Pprof + "/cmdline", true, r.readCommand, func() bool { return r.Program != "" }},
	} {
		if from.enough() {
			continue
		}
		there, err := s.there(ctx, from.at, from.read)
		switch {
		case err != nil && (s.down.err != nil || ctx.Err() != nil || !from.mayFail): // without an answer the rest would have none either
			return nil, err
		case err != nil:
			s.absent[s.address(from.at)] = time.Now()
		case there:
			r.From = append(r.From, from.name)
		}
	}
	if len(r.From) == 0 {
		return nil, errNothing
	}
	return r, nil
}
