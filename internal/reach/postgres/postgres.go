// Package postgres asks a PostgreSQL server about itself: one read-only session,
// statistics only, never a row of a user's table.
//
// What leaves the package is numbers, names of objects and roles, and the shapes
// of queries ([Shape]): no literal and no parameter.
package postgres

import (
	"errors"
	"fmt"
	"time"
)

// Config says where one PostgreSQL server is.
type Config struct {
	// DSN is the connection string, a URL or key=value pairs as libpq takes them. Tables and indexes are those of the database it names.
	DSN DSN `yaml:"dsn"`
	// PasswordFile is a file with nothing but the password, read at each connect. Without it the password is that of the DSN, PGPASSWORD or ~/.pgpass.
	PasswordFile string `yaml:"password_file"`
	// StatementTimeout is how long one question may take the server; 3s when it is missing.
	StatementTimeout time.Duration `yaml:"statement_timeout"`
	// ConnectTimeout is how long a connect may take, authentication included; 3s when it is missing.
	ConnectTimeout time.Duration `yaml:"connect_timeout"`
	// SlowMS is from how many milliseconds on a query counts as slow; 100 when it is missing.
	SlowMS float64 `yaml:"slow_ms"`
	// Samples is how often a question about queries reads pg_stat_activity where pg_stat_statements is missing; 10 when it is missing.
	Samples int `yaml:"samples"`
	// SampleEvery is the time between two of these readings; 100ms when it is missing.
	SampleEvery time.Duration `yaml:"sample_every"`
}

// Bounds of the settings.
const (
	shortest, longest = 10 * time.Millisecond, time.Minute
	mostSamples       = 100
)

// Validate names every wrong setting.
func (c Config) Validate() error {
	var errs []error
	if c.DSN == "" {
		errs = append(errs, errors.New("dsn: it is missing: a connection string as postgres://fleetlens@127.0.0.1/postgres"))
	} else if _, err := c.DSN.parse(); err != nil {
		errs = append(errs, err)
	}
	for _, s := range []struct {
		name string
		is   time.Duration
	}{{"statement_timeout", c.StatementTimeout}, {"connect_timeout", c.ConnectTimeout}, {"sample_every", c.SampleEvery}} {
		if s.is != 0 && (s.is < shortest || s.is > longest) {
			errs = append(errs, fmt.Errorf("%s: %s must be from %s to %s", s.name, s.is, shortest, longest))
		}
	}
	if c.SlowMS < 0 {
		errs = append(errs, fmt.Errorf("slow_ms: %g must not be negative", c.SlowMS))
	}
	if c.Samples < 0 || c.Samples > mostSamples {
		errs = append(errs, fmt.Errorf("samples: %d must be from 1 to %d", c.Samples, mostSamples))
	}
	return errors.Join(errs...)
}

// withDefaults fills in what is missing.
func (c Config) withDefaults() Config {
	fill := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	fill(&c.StatementTimeout, 3*time.Second)
	fill(&c.ConnectTimeout, 3*time.Second)
	fill(&c.SampleEvery, 100*time.Millisecond)
	if c.SlowMS == 0 {
		c.SlowMS = 100
	}
	if c.Samples == 0 {
		c.Samples = 10
	}
	return c
}

// New returns a client of the server; it connects to nothing yet.
func New(c Config) *Server {
	return &Server{cfg: c.withDefaults(), turn: make(chan struct{}, 1)}
}

// SlowMS returns from how many milliseconds on a query counts as slow.
func (s *Server) SlowMS() float64 { return s.cfg.SlowMS }
