//go:build linux

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/pgtest"
)

// watched starts a fleet whose probe looks into a PostgreSQL server of the
// configuration file.
func watched(t *testing.T, c *pgtest.Cluster, database string) *fleet {
	t.Helper()
	f := newFleet(t)
	config := filepath.Join(t.TempDir(), "probe.yaml")
	yaml := fmt.Sprintf("targets:\n  postgres:\n    main:\n      dsn: %s\n      statement_timeout: 2s\n", c.DSN(database, "postgres"))
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := []string{"--threshold", "postgres.blocked_max_seconds=0.1:60"}
	ready(f.coordinator(blocked...), f.operator("op-1", blocked...), f.probe("db-1", tree(t, nil), "--config", config))
	return f
}

func TestAnInvestigationNamesWhoBlocksADatabase(t *testing.T) {
	t.Parallel()
	c := pgtest.Run(t)
	if c == nil {
		return
	}
	database := c.Database(t, "CREATE TABLE orders (id int PRIMARY KEY, customer int)", "INSERT INTO orders VALUES (1, 1), (2, 2)")
	look, root, waiter := c.Session(t, database, "look"), c.Session(t, database, "checkout"), c.Session(t, database, "stock")
	root.Exec("BEGIN; UPDATE orders SET customer = 4711 WHERE id = 1")
	waiter.Begin(look, "UPDATE orders SET customer = 7 WHERE id = 1")
	f := watched(t, c, database)

	r := request(t, f.nc, `{"reason":"why do orders hang?","skills":["postgres"],"strategy":"agent_loop"}`)
	got := about(t, r, "wait for locks")
	culprit := fmt.Sprintf("checkout (%d)", root.PID())
	if !strings.Contains(got.Summary, culprit+" blocks them, idle in transaction") || !strings.Contains(got.RootCause, culprit) {
		t.Errorf("it does not name %s: %s; hypothesis: %s", culprit, got.Summary, got.RootCause)
	}
	checkFigures(t, r.Insights...)
	stored := f.stored("FL_INSIGHTS", "insights.>")
	if len(stored) != 1 || !strings.Contains(string(stored[0].Data()), culprit) {
		t.Fatalf("%d insights are stored", len(stored))
	}
	if raw := string(stored[0].Data()); strings.Contains(raw, "4711") || strings.Contains(raw, pgtest.Password) {
		t.Errorf("a literal or the password has left the host: %s", raw)
	}

	for _, name := range []string{"ecto_blocking_chain", "pg_blocking_chain"} {
		a := fleetlens(t, "call", "--server", f.url, "--target", "main", "db-1", name, "3")
		if a.code != 0 || !strings.Contains(a.stdout, `"name": "checkout"`) {
			t.Errorf("%s ended with %d: %s%s", name, a.code, a.stdout, a.stderr)
		}
		script := filepath.Join(t.TempDir(), "who.lua")
		if err := os.WriteFile(script, []byte("return "+name+"(3).chains[1].name"), 0o600); err != nil {
			t.Fatal(err)
		}
		a = fleetlens(t, "lua", "--server", f.url, "--skill", "postgres", "--node", "db-1", script)
		if a.code != 0 || !strings.Contains(a.stdout, "checkout") {
			t.Errorf("a script with %s ended with %d: %s%s", name, a.code, a.stdout, a.stderr)
		}
	}
}

func TestAnInvestigationOfAHealthyDatabaseFindsNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.Run(t)
	if c == nil {
		return
	}
	f := watched(t, c, c.Database(t, "CREATE TABLE orders (id int PRIMARY KEY, customer int)"))
	r := request(t, f.nc, `{"reason":"is the database healthy?","skills":["postgres"],"strategy":"agent_loop"}`)
	about(t, r, "Nothing is wrong")
}

func TestAnInvestigationTellsThatADatabaseIsDown(t *testing.T) {
	t.Parallel()
	c := pgtest.Run(t)
	if c == nil {
		return
	}
	f := watched(t, c, "postgres")
	c.Down()
	r := request(t, f.nc, `{"reason":"why do orders fail?","skills":["postgres"],"strategy":"agent_loop"}`)
	got := about(t, r, "PostgreSQL cannot be asked")
	stopped := strings.Contains(got.Summary, "nobody listens at") || strings.Contains(got.Summary, "shutting down")
	if !stopped || got.Severity != "critical" {
		t.Errorf("it tells %s (%s)", got.Summary, got.Severity)
	}
}
