//go:build linux

package postgres_test

import (
	"os"
	"sync"
	"testing"

	"github.com/fleetlens/fleetlens/internal/pgtest"
	"github.com/fleetlens/fleetlens/internal/reach/postgres"
)

// One server for all tests of the package that want one.
var cluster *pgtest.Cluster

// absent starts it when it is first asked for, and says why there is none.
var absent = sync.OnceValue(func() (err error) {
	cluster, err = pgtest.Start()
	return err
})

func TestMain(m *testing.M) {
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
	if pgtest.Absent(t, absent()) {
		return nil
	}
	if cfg.DSN == "" {
		cfg.DSN = postgres.DSN(cluster.DSN("postgres", "postgres"))
	}
	s := postgres.New(cfg)
	t.Cleanup(s.Close)
	return s
}
