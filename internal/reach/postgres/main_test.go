//go:build linux

package postgres_test

import (
	"os"
	"testing"

	"github.com/fleetlens/fleetlens/internal/pgtest"
	"github.com/fleetlens/fleetlens/internal/reach/postgres"
)

// One server for all tests of the package.
var (
	cluster *pgtest.Cluster
	absent  error
)

func TestMain(m *testing.M) {
	cluster, absent = pgtest.Start()
	code := m.Run()
	if cluster != nil {
		cluster.Stop()
	}
	os.Exit(code)
}

// server returns a client of the shared server; nil where there is none, which
// the test has told then.
func server(t *testing.T, cfg postgres.Config) *postgres.Server {
	t.Helper()
	if pgtest.Absent(t, absent) {
		return nil
	}
	if cfg.DSN == "" {
		cfg.DSN = postgres.DSN(cluster.DSN("postgres", "postgres"))
	}
	s := postgres.New(cfg)
	t.Cleanup(s.Close)
	return s
}
