// Package gopprof reads a running Go service through what it exposes already:
// net/http/pprof, expvar and Prometheus metrics.
//
// A service is asked one thing at a time, and what it answers is bounded: in
// bytes, in entries and in time. Profiles are reduced to places in the code as
// soon as they are read, and dropped.
package gopprof

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Config says where one Go service answers, and how it may be asked.
type Config struct {
	// URL is the base of the service's debugging endpoints: http://127.0.0.1:6060
	// where /debug/pprof/ and /debug/vars are below it.
	URL string `yaml:"url"`
	// Pprof is where net/http/pprof is served, a path below url or a URL of its own
	// (default /debug/pprof).
	Pprof string `yaml:"pprof"`
	// Vars is where expvar is served, a path or a URL (default /debug/vars); - is nowhere.
	Vars string `yaml:"vars"`
	// Metrics is where Prometheus metrics are served, a path or a URL (default
	// /metrics); - is nowhere.
	Metrics string `yaml:"metrics"`
	// TokenFile is a file with a bearer token to send; it is read anew for each request.
	TokenFile string `yaml:"token_file"`
	// Timeout is how long one answer may take (default 4s, at most 30s).
	Timeout time.Duration `yaml:"timeout"`
	// Cache is how long an answer serves other skills too (default 3s, at most 30s).
	Cache time.Duration `yaml:"cache"`
	// MaxCPU is how busy the service may be, in percent of its processors, when the
	// tracer takes a profile of it (default 80).
	MaxCPU float64 `yaml:"max_cpu_pct"`
}

// Validate names every wrong setting.
func (c Config) Validate() error {
	var errs []error
	base, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		errs = append(errs, errors.New("url: it is missing: where net/http/pprof listens, as http://127.0.0.1:6060"))
	case err != nil:
		errs = append(errs, errors.New("url: it is no URL: write it as http://127.0.0.1:6060")) // the cause would show a password
	default:
		errs = append(errs, checkURL("url", base))
	}
	for _, at := range []struct{ key, value string }{{"pprof", c.Pprof}, {"vars", c.Vars}, {"metrics", c.Metrics}} {
		u, err := url.Parse(at.value)
		switch {
		case at.value == "" || at.value == "-" && at.key != "pprof" || err == nil && u.Host == "" && strings.HasPrefix(at.value, "/"):
		case err != nil || u.Host == "":
			errs = append(errs, fmt.Errorf("%s: it must be a path that begins with / or a URL", at.key))
		default:
			errs = append(errs, checkURL(at.key, u))
		}
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"timeout", c.Timeout}, {"cache", c.Cache}} {
		if d.value < 0 || d.value > 30*time.Second {
			errs = append(errs, fmt.Errorf("%s: %s must be from 0 to 30s; 0 is the default", d.key, d.value))
		}
	}
	if !(c.MaxCPU >= 0 && c.MaxCPU <= 100) {
		errs = append(errs, fmt.Errorf("max_cpu_pct: %g must be from 0 to 100; 0 is the default", c.MaxCPU))
	}
	return errors.Join(errs...)
}

// Addresses returns where the service is asked, as host:port. It is for
// configurations that Validate has passed.
func (c Config) Addresses() []string {
	var out []string
	for _, at := range []string{c.URL, c.Pprof} {
		u, err := url.Parse(at)
		if err != nil || u.Host == "" {
			continue
		}
		port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
		out = append(out, net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)))
	}
	return out
}

func checkURL(key string, u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%s: %q must begin with http:// or https:// and name a host", key, u.Redacted())
	case u.User != nil:
		return fmt.Errorf("%s: it has a user or password in it: put a bearer token into token_file", key)
	}
	return nil
}

// A Service is one Go service. It is safe for concurrent use.
type Service struct {
	cfg    Config
	client *http.Client

	turn   chan struct{} // holds one token: one question at a time; what follows is under it
	down   failure
	absent map[string]time.Time // addresses that answered 404, and when

	goroutines cached[*Goroutines]
	heap       cached[*Heap]
	runtime    cached[*Runtime]

	session session
	cpuMu   sync.Mutex
	cpu     [2]*Runtime // readings to take the processor use against, oldest first
}

// New returns a client of the service; it connects to nothing yet.
func New(c Config) *Service {
	c.Pprof = strings.TrimSuffix(cmp.Or(c.Pprof, "/debug/pprof"), "/")
	c.Vars, c.Metrics = cmp.Or(c.Vars, "/debug/vars"), cmp.Or(c.Metrics, "/metrics")
	c.Timeout, c.Cache, c.MaxCPU = cmp.Or(c.Timeout, 4*time.Second), cmp.Or(c.Cache, 3*time.Second), cmp.Or(c.MaxCPU, 80)
	return &Service{cfg: c, client: newClient(), turn: make(chan struct{}, 1), absent: map[string]time.Time{}}
}

// address returns the URL of a path, or of what is a URL already.
func (s *Service) address(at string) string {
	if strings.HasPrefix(at, "/") {
		return strings.TrimSuffix(s.cfg.URL, "/") + at
	}
	return at
}

// pprof returns the URL of a profile.
func (s *Service) pprof(profile string) string { return s.address(s.cfg.Pprof) + "/" + profile }

// A failure is why the service did not answer, for those who would ask again at once.
type failure struct {
	err error
	at  time.Time
}

// A cached value is what the service answered, and when.
type cached[T any] struct {
	value T
	at    time.Time
}

// once returns what was read a moment ago, or reads it. One question at a time
// goes to a service: who comes meanwhile waits, and then has the same answer.
func once[T any](ctx context.Context, s *Service, c *cached[T], read func(ctx context.Context) (T, error)) (T, error) {
	var none T
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return none, fmt.Errorf("%s is still being asked something else: %w", s.cfg.URL, ctx.Err())
	}
	if c != nil && !c.at.IsZero() && time.Since(c.at) < s.cfg.Cache {
		return c.value, nil
	}
	if s.down.err != nil && time.Since(s.down.at) < s.cfg.Cache {
		return none, s.down.err
	}
	s.down = failure{}
	v, err := read(ctx)
	if err != nil {
		return none, err
	}
	if c != nil {
		c.value, c.at = v, time.Now()
	}
	return v, nil
}
