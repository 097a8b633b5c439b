package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/reach/postgres"
)

func TestAddressesAreThoseOfEveryServerOfTheConnectionString(t *testing.T) {
	for dsn, want := range map[postgres.DSN][]string{
		"postgres://me@db.example:5433/shop?sslmode=disable":      {"db.example:5433"},
		"host=/run/postgresql port=5432 user=me":                  {"/run/postgresql/.s.PGSQL.5432"},
		"postgres://me@a.example,b.example/shop?sslmode=disable":  {"a.example:5432", "b.example:5432"},
		"postgres://me@[::1]:5432/shop?sslmode=disable":           {"[::1]:5432"},
		"this is no connection string and has no = before a host": nil,
	} {
		if diff := cmp.Diff(want, postgres.Config{DSN: dsn}.Addresses()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", string(dsn), diff)
		}
	}
}
