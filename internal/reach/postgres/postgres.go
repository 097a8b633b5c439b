// Package postgres asks a PostgreSQL server about itself: one read-only session,
// statistics only, never a row of a user's table.
package postgres

import "errors"

// Config says where one PostgreSQL server is.
type Config struct {
	// DSN is the connection string, a URL or key=value pairs as libpq takes them.
	DSN string `yaml:"dsn"`
}

// Validate names every wrong setting.
func (c Config) Validate() error {
	if c.DSN == "" {
		return errors.New("dsn: it is missing: a connection string as postgres://fleetlens@127.0.0.1/postgres")
	}
	return nil
}

// A Server is one PostgreSQL server. It is safe for concurrent use.
type Server struct {
	cfg Config
}

// New returns a client of the server; it connects to nothing yet.
func New(c Config) *Server { return &Server{cfg: c} }
