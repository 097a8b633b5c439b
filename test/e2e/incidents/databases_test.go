//go:build linux

package incidents

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/fleetlens/fleetlens/internal/pgtest"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// cluster is one PostgreSQL server for all incidents, started by the first.
var cluster = sync.OnceValues(func() (*pgtest.Cluster, error) {
	c, err := pgtest.Start("shared_preload_libraries=pg_stat_statements", "autovacuum=off", "max_connections=40")
	if err == nil {
		stopCluster = c.Stop
	}
	return c, err
})

// stopCluster ends the server, if one was started.
var stopCluster = func() {}

// stored returns how an incident of a database is planted: what is in it, and what
// happens to it, which returns the words that name the cause.
func stored(until func(*fleet, string) bool, holds []string, happen func(t *testing.T, c *pgtest.Cluster, s *scene, database string)) func(*testing.T) *scene {
	return func(t *testing.T) *scene {
		c, err := cluster()
		if pgtest.Absent(t, err) {
			return nil
		}
		database := c.Database(t, append([]string{"CREATE EXTENSION pg_stat_statements"}, holds...)...)
		args, _ := machine(t, nil)
		s := &scene{
			args: args, until: until,
			config: fmt.Sprintf("targets:\n  postgres:\n    main: {dsn: %q, statement_timeout: 2s}\n", c.DSN(database, "postgres")),
		}
		if happen != nil {
			happen(t, c, s, database)
		}
		return s
	}
}

// orders is a table of so many rows.
func orders(n int) []string {
	return []string{
		"CREATE TABLE orders (id int PRIMARY KEY, customer int, note text)",
		fmt.Sprintf("INSERT INTO orders SELECT i, i %% 1000, 'a note of some length' FROM generate_series(1, %d) i", n),
		"SELECT pg_stat_force_next_flush()",
		"ANALYZE orders",
	}
}

// during runs SQL again and again, in n sessions, from when the probe watches until
// the test ends.
func during(t *testing.T, c *pgtest.Cluster, s *scene, database, application string, n int, sql string) {
	stop := make(chan struct{})
	var running sync.WaitGroup
	var sessions []*pgtest.Session
	for range n {
		sessions = append(sessions, c.Session(t, database, application))
	}
	s.begin = func(*fleet, string) {
		t.Cleanup(func() { close(stop); running.Wait() })
		for _, session := range sessions {
			running.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := session.Try(sql); err != nil {
						return
					}
				}
			})
		}
	}
}

var ofADatabase = []string{"postgres", "os", "ports", "overload"}

// databases are incidents of one PostgreSQL server.
var databases = []incident{
	{
		name: "a chain of sessions that wait for one", reason: "orders hang", skills: ofADatabase,
		plant: stored(reaches("main/postgres", "blocked_max_seconds", 2), orders(10), func(t *testing.T, c *pgtest.Cluster, s *scene, database string) {
			look, root := c.Session(t, database, "look"), c.Session(t, database, "checkout")
			second, third := c.Session(t, database, "stock"), c.Session(t, database, "mail")
			root.Exec("BEGIN; UPDATE orders SET customer = 1 WHERE id = 1")
			second.Exec("BEGIN; UPDATE orders SET customer = 2 WHERE id = 2")
			second.Begin(look, "UPDATE orders SET customer = 2 WHERE id = 1")
			third.Begin(look, "UPDATE orders SET customer = 3 WHERE id = 2")
			s.cause = []string{fmt.Sprintf("checkout (%d)", root.PID()), "blocks them", "chain of 3"}
		}),
	},
	{
		name: "connections that are used up", reason: "nobody can log in", skills: ofADatabase,
		plant: stored(snapshots("main/postgres", 2), orders(10), func(t *testing.T, c *pgtest.Cluster, s *scene, database string) {
			c.Session(t, database, "report")
			for range 33 {
				c.Session(t, database, "cart")
			}
			s.cause = []string{"cart", "connections are in use", "most by cart"}
		}),
	},
	{
		name: "a transaction that was forgotten", reason: "vacuum frees nothing", skills: ofADatabase,
		plant: stored(reaches("main/postgres", "idle_in_transaction_max_seconds", 4), orders(10), func(t *testing.T, c *pgtest.Cluster, s *scene, database string) {
			report := c.Session(t, database, "report")
			report.Exec("BEGIN; SELECT count(*) FROM orders")
			s.cause = []string{fmt.Sprintf("report (%d)", report.PID()), "idle within a transaction"}
		}),
	},
	{
		name: "a table full of dead rows", reason: "orders get slower every day", skills: ofADatabase,
		plant: stored(snapshots("main/postgres", 2), append(orders(20_000), "DELETE FROM orders WHERE id % 5 > 0", "SELECT pg_stat_force_next_flush()"),
			func(_ *testing.T, _ *pgtest.Cluster, s *scene, _ string) {
				s.cause = []string{"rows of orders are dead", "autovacuum is off"}
			}),
	},
	{
		name: "a query without an index", reason: "the search is slow", skills: ofADatabase,
		plant: stored(reaches("main/postgres", "seq_scan_rows_per_sec", 1e6), orders(100_000), func(t *testing.T, c *pgtest.Cluster, s *scene, database string) {
			during(t, c, s, database, "search", 1, "SET max_parallel_workers_per_gather = 0; SELECT count(*) FROM orders WHERE note = 'mine'; SELECT pg_stat_force_next_flush()")
			s.cause = []string{"orders (", "is read from end to end"}
		}),
	},
	{
		name: "an index that nobody uses", reason: "writes are slow", skills: ofADatabase,
		plant: stored(snapshots("main/postgres", 2), append(orders(300_000), "CREATE INDEX orders_note ON orders (note, id) WITH (fillfactor = 50)", "SELECT pg_stat_force_next_flush()"),
			func(_ *testing.T, _ *pgtest.Cluster, s *scene, _ string) {
				s.cause = []string{"never used", "orders_note on orders"}
			}),
	},
	{
		name: "a statement that is slow", reason: "prices take a second", skills: ofADatabase,
		plant: stored(reaches("main/postgres", "top_query_avg_ms", 500), orders(10), func(t *testing.T, c *pgtest.Cluster, s *scene, database string) {
			during(t, c, s, database, "prices", 16, "SELECT pg_sleep(0.7), 'secret' AS price")
			s.cause = []string{"pg_sleep(?), ? AS price"}
		}),
	},
	{
		name: "a database that is idle and well", reason: "is the database well?", skills: ofADatabase, control: true,
		plant: stored(snapshots("main/postgres", 4), orders(1000), nil),
	},
	{
		name: "a database that is busy and well", reason: "is the database well?", skills: ofADatabase, control: true,
		plant: stored(snapshots("main/postgres", 4), nil, func(t *testing.T, c *pgtest.Cluster, s *scene, database string) {
			dsn := c.DSN(database, "postgres")
			if out, err := exec.CommandContext(t.Context(), c.Program("pgbench"), "--initialize", "--scale=2", "--quiet", dsn).CombinedOutput(); err != nil {
				t.Fatalf("pgbench: %v\n%s", err, out)
			}
			s.begin = func(*fleet, string) {
				box.Start(t, "pgbench", exec.Command(c.Program("pgbench"), "--client=4", "--time=30", "--no-vacuum", dsn))
			}
		}),
	},
	{ // the last one: the server is gone for a while
		name: "a database that is down", reason: "orders fail", skills: ofADatabase,
		plant: stored(func(f *fleet, node string) bool { // at first it is shutting down
			return strings.Contains(f.text(node, "main/postgres", "unreachable_reason"), "nobody listens")
		}, nil,
			func(t *testing.T, c *pgtest.Cluster, s *scene, _ string) {
				s.cause = []string{"PostgreSQL cannot be asked", "nobody listens at"}
				s.begin = func(f *fleet, node string) {
					box.Eventually(t, "the probe sees the server", func() bool { return f.count(node, "main/postgres") > 0 })
					c.Down()
				}
				t.Cleanup(func() { c.Up(t) })
			}),
	},
}
