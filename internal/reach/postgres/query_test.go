//go:build linux

package postgres_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/pgtest"
	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
)

func TestAStatementOfTheHostsOwnReadsOnly(t *testing.T) {
	c := pgtest.Run(t)
	if c == nil {
		return
	}
	name := c.Database(t, "CREATE TABLE orders (id int, note text, open bool, more jsonb)", `INSERT INTO orders VALUES (1, 'a', true, '{"k": [1]}'), (2, NULL, false, NULL)`)
	s := reach.New(reach.Config{DSN: reach.DSN(c.DSN(name, "postgres"))})
	defer s.Close()
	rows, err := s.Query(t.Context(), "SELECT id, note, open, more, id * 1.5 AS half, now() > 'epoch' AS later FROM orders WHERE id >= $1 ORDER BY id", []any{1.0}, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"id": 1.0, "note": "a", "open": true, "more": map[string]any{"k": []any{1.0}}, "half": 1.5, "later": true},
		{"id": 2.0, "note": nil, "open": false, "more": nil, "half": 3.0, "later": true},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
	if rows, err := s.Query(t.Context(), "SELECT generate_series(1, 1000) AS n", nil, 3); err != nil || len(rows) != 3 {
		t.Errorf("of many rows there are %d, %v", len(rows), err)
	}
	for name, tt := range map[string]struct {
		sql  string
		args []any
		says string
	}{
		"a write":            {"DELETE FROM orders", nil, "read-only transaction"},
		"two statements":     {"SELECT 1; DELETE FROM orders", nil, "multiple commands"},
		"an end of it":       {"COMMIT; DELETE FROM orders", nil, "multiple commands"},
		"an argument as SQL": {"SELECT id FROM orders WHERE note = $1", []any{"a'; DELETE FROM orders; --"}, ""},
		"no SQL":             {"SELEKT", nil, "syntax error"},
		"a missing argument": {"SELECT $1::int", nil, "parameter"},
		"a slow one":         {"SELECT pg_sleep(60)", nil, "statement timeout"},
	} {
		_, err := s.Query(t.Context(), tt.sql, tt.args, 10)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", name, err, tt.says)
		}
	}
	if rows, err := s.Query(t.Context(), "SELECT count(*) AS n FROM orders", nil, 1); err != nil || rows[0]["n"] != 2.0 {
		t.Errorf("afterwards there are %v rows, %v", rows, err)
	}
}
