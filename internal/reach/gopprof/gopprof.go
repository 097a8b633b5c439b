// Package gopprof reads a running Go service through what it exposes already:
// net/http/pprof, expvar and Prometheus metrics.
package gopprof

import (
	"errors"
	"fmt"
	"net/url"
)

// Config says where one Go service answers.
type Config struct {
	// URL is the base of the service's debugging endpoints: http://127.0.0.1:6060
	// where /debug/pprof/ and /debug/vars are below it.
	URL string `yaml:"url"`
}

// Validate names every wrong setting.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		return errors.New("url: it is missing: where net/http/pprof listens, as http://127.0.0.1:6060")
	case err != nil:
		return fmt.Errorf("url: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("url: %q must begin with http:// or https:// and name a host", c.URL)
	}
	return nil
}

// A Service is one Go service. It is safe for concurrent use.
type Service struct {
	cfg Config
}

// New returns a client of the service; it connects to nothing yet.
func New(c Config) *Service { return &Service{cfg: c} }
