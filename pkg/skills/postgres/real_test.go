//go:build linux

package postgres_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/pgtest"
	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

// orders is a table of so many rows.
func orders(n int) []string {
	return []string{
		"CREATE TABLE orders (id int PRIMARY KEY, customer int, note text)",
		fmt.Sprintf("INSERT INTO orders SELECT i, i %% 1000, 'a note of some length' FROM generate_series(1, %d) i", n),
		"SELECT pg_stat_force_next_flush()", // or it is counted after an ANALYZE that saw the rows
	}
}

func TestTheSkillKeepsItsPromises(t *testing.T) {
	if tg := database(t, orders(100)...); tg != nil {
		server := reach.New(reach.Config{DSN: reach.DSN(cluster.DSN(tg.database, "postgres"))})
		t.Cleanup(server.Close)
		skilltest.RunTarget(t, postgres.Skill(map[string]*reach.Server{"main": server}), skills.Target{Name: "main", Kind: skills.Postgres})
	}
}

func TestAHealthyIdleDatabaseCrossesNothing(t *testing.T) {
	c := pgtest.Run(t, "shared_preload_libraries=pg_stat_statements")
	if c == nil {
		return
	}
	name := c.Database(t, append(orders(1000), "CREATE EXTENSION pg_stat_statements", "ANALYZE")...)
	tg := open(t, reach.Config{DSN: reach.DSN(c.DSN(name, "postgres"))})
	tg.snapshot()
	for range 200 {
		c.Exec(t, name, "SELECT * FROM orders WHERE id = 7")
	}
	if got := tg.crossed(tg.snapshot(), nil); len(got) > 0 {
		t.Errorf("it crosses %q", got)
	}
}

// pgbench has four clients transfer money as fast as the machine can.
func TestAHealthyBusyDatabaseCrossesNothing(t *testing.T) {
	c := pgtest.Run(t, "shared_preload_libraries=pg_stat_statements", "shared_buffers=128MB")
	if c == nil {
		return
	}
	name := c.Database(t, "CREATE EXTENSION pg_stat_statements")
	bench := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), c.Program("pgbench"), append(args, c.DSN(name, "postgres"))...).CombinedOutput(); err != nil {
			t.Fatalf("pgbench: %v\n%s", err, out)
		}
	}
	bench("--initialize", "--scale=2", "--quiet")
	tg := open(t, reach.Config{DSN: reach.DSN(c.DSN(name, "postgres"))})
	tg.snapshot()
	done := make(chan skills.Data)
	go func() {
		defer close(done)
		for range 2 { // while it runs
			time.Sleep(1200 * time.Millisecond)
			if d, err := tg.Snapshot(t.Context()); err == nil {
				done <- d
			}
		}
	}()
	load := exec.CommandContext(t.Context(), c.Program("pgbench"), "--client=4", "--time=3", "--no-vacuum", c.DSN(name, "postgres"))
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for d := range done {
		seen++
		if got := tg.crossed(d, nil); len(got) > 0 {
			t.Errorf("it crosses %q", got)
		}
		if v, ok := d["commits_per_sec"].(float64); !ok || v < 50 {
			t.Errorf("it is not busy: %v commits a second", d["commits_per_sec"])
		}
	}
	if err := load.Wait(); err != nil || seen != 2 {
		t.Errorf("%d of 2 snapshots; pgbench: %v", seen, err)
	}
}

func TestABlockingChainNamesItsRoot(t *testing.T) {
	tg := database(t, orders(10)...)
	if tg == nil {
		return
	}
	look := tg.session("look")
	root, second, third := tg.session("checkout"), tg.session("stock"), tg.session("mail")
	root.Exec("BEGIN; UPDATE orders SET customer = 1 WHERE id = 1")
	root.Exec("SELECT 'the secret' AS what")
	second.Exec("BEGIN; UPDATE orders SET customer = 2 WHERE id = 2")
	second.Begin(look, "UPDATE orders SET customer = 2 WHERE id = 1")
	third.Begin(look, "UPDATE orders SET customer = 3 WHERE id = 2")

	d := tg.snapshot()
	says := tg.crossed(d, map[string]float64{"blocked_max_seconds": 0, "idle_in_transaction_max_seconds": 0})
	who := fmt.Sprintf("checkout (%d)", root.PID())
	tells(t, says["blocked_max_seconds"], who, "2 sessions wait", "chain of 3", "idle in transaction", "SELECT ? AS what")
	tells(t, says["idle_in_transaction_max_seconds"], who)

	chains := rows(tg.ask("pg_blocking_chain(3)"), "chains")
	if len(chains) != 1 || chains[0]["pid"] != float64(root.PID()) || chains[0]["depth"] != 3.0 || chains[0]["blocked"] != 2.0 {
		t.Fatalf("the chains are %v", chains)
	}
	waiters := rows(chains[0], "waiters")
	if len(waiters) != 2 || waiters[0]["name"] != "stock" || waiters[1]["name"] != "mail" || waiters[1]["depth"] != 3.0 {
		t.Fatalf("who waits is %v", waiters)
	}
	tells(t, fmt.Sprint(waiters[0]["lock"], waiters[0]["query"]), "ShareLock on transactionid of orders", "UPDATE orders SET customer = ? WHERE id = ?")
	if locks := rows(tg.ask("ecto_locks(10)"), "locks"); len(locks) == 0 || locks[0]["granted"] != false {
		t.Errorf("the locks that are waited for do not come first: %v", locks)
	}
	if s := rows(tg.ask("ecto_long_running(5)"), "sessions"); len(s) != 3 || s[0]["name"] != "checkout" || s[0]["state"] != "idle in transaction" {
		t.Errorf("the oldest transaction is not told first: %v", s)
	}
	if p := tg.ask("ecto_pool_stats()"); p["waiting"] != 2.0 {
		t.Errorf("the queue is %v", p)
	}
}

func TestADeadlockIsCounted(t *testing.T) {
	tg := database(t, orders(10)...)
	if tg == nil {
		return
	}
	look, a, b := tg.session("look"), tg.session("a"), tg.session("b")
	d := tg.window(func() {
		a.Exec("BEGIN; UPDATE orders SET customer = 1 WHERE id = 1")
		b.Exec("BEGIN; UPDATE orders SET customer = 1 WHERE id = 2")
		ended := a.Begin(look, "UPDATE orders SET customer = 1 WHERE id = 2")
		_, err := b.Try("UPDATE orders SET customer = 1 WHERE id = 1")
		if err == nil {
			<-ended // the server chose the other one
		}
		a.Close()
		b.Close()
	})
	tells(t, tg.crossed(d, nil)["deadlocks_recent"], "1 transactions failed by a deadlock, most in "+tg.database)
}

func TestAnUnusedIndexIsNamed(t *testing.T) {
	tg := database(t, append(orders(50_000), "CREATE INDEX orders_note ON orders (note)", "CREATE INDEX orders_customer ON orders (customer)",
		"SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM orders WHERE customer = 7", "SELECT pg_stat_force_next_flush()")...)
	if tg == nil {
		return
	}
	tells(t, tg.crossed(tg.snapshot(), map[string]float64{"unused_indexes_mb": 0.1})["unused_indexes_mb"], "orders_note on orders", "1 indexes")
	list := rows(tg.ask("ecto_unused_indexes(5)"), "indexes")
	if len(list) != 2 || list[0]["index"] != "orders_note" || list[0]["scans"] != 0.0 || list[1]["scans"] != 1.0 {
		t.Errorf("the indexes are %v: the primary key enforces something, and what is seldom used comes later", list)
	}
}

func TestBloatIsMeasuredAndDeadRowsAreNamed(t *testing.T) {
	tg := database(t, append(orders(50_000), "ANALYZE orders", "DELETE FROM orders WHERE id % 5 > 0", "SELECT pg_stat_force_next_flush()")...)
	if tg == nil {
		return
	}
	tells(t, tg.crossed(tg.snapshot(), nil)["dead_tuples_max_pct"], "80 % of the rows of orders are dead (40000)", "autovacuum is off")
	if v := rows(tg.ask("ecto_autovacuum(5)"), "tables"); len(v) == 0 || v[0]["table"] != "orders" || v[0]["over_threshold"] != true || v[0]["autovacuum_off"] != true {
		t.Errorf("vacuum has to do %v", v)
	}
	cluster.Exec(t, tg.database, "VACUUM ANALYZE orders")
	b := rows(tg.ask("ecto_bloat(5)"), "tables")
	if len(b) == 0 || b[0]["table"] != "orders" || b[0]["bloat_pct"].(float64) < 70 || b[0]["bloat_pct"].(float64) > 90 || b[0]["estimated_from"] != "column widths" {
		t.Errorf("the bloat is %v, want about 80 %%", b)
	}
}

func TestAHotSequentialScanIsNamedWithItsQuery(t *testing.T) {
	tg := database(t, append(orders(100_000), "ANALYZE orders")...)
	if tg == nil {
		return
	}
	shop := tg.session("shop")
	d := tg.window(func() {
		for range 40 {
			shop.Exec("SET max_parallel_workers_per_gather = 0; SELECT count(*) FROM orders WHERE note = 'secret of mine'")
		}
		shop.Exec("SELECT pg_stat_force_next_flush()")
	})
	tells(t, tg.crossed(d, nil)["seq_scan_rows_per_sec"], "orders (", "is read from end to end")
	if d["top_query"] != "SELECT count(*) FROM orders WHERE note = ?" {
		t.Errorf("the query with most time is %v", d["top_query"])
	}
	a := tg.ask("ecto_seq_scans(5)")
	if s := rows(a, "tables"); len(s) == 0 || s[0]["table"] != "orders" || s[0]["seq_scans"].(float64) < 40 {
		t.Errorf("the tables are %v", s)
	}
	if q := rows(tg.ask(`ecto_db_slow_queries(5, "total_time")`), "queries"); len(q) == 0 {
		t.Error("no statement is told")
	}
	if u := rows(tg.ask("ecto_index_usage(5)"), "tables"); len(u) != 1 || u[0]["index_used_pct"].(float64) > 5 {
		t.Errorf("the use of indexes is %v", u)
	}
	if s := rows(tg.ask("ecto_table_sizes(5)"), "tables"); len(s) != 1 || s[0]["size_mb"].(float64) < 4 || s[0]["rows"] != 100_000.0 {
		t.Errorf("the sizes are %v", s)
	}
}

// 16 MB of shared buffers do not hold a table of three times as much.
func TestALowCacheHitIsTold(t *testing.T) {
	tg := database(t, "CREATE TABLE wide (id int, v text) WITH (fillfactor = 10)", "ALTER TABLE wide ALTER v SET STORAGE PLAIN",
		"INSERT INTO wide SELECT i, repeat('x', 700) FROM generate_series(1, 6000) i", "CHECKPOINT")
	if tg == nil {
		return
	}
	s := tg.session("report")
	d := tg.window(func() {
		for range 12 {
			s.Exec("SET max_parallel_workers_per_gather = 0; SELECT count(*) FROM wide")
		}
		s.Exec("SELECT pg_stat_force_next_flush()")
	})
	tells(t, tg.crossed(d, nil)["cache_hit_pct"], "of blocks are found in shared_buffers", "most by "+tg.database)
	if c := tg.ask("ecto_cache_hit()"); c["most_read_table"] != "wide" {
		t.Errorf("the cache is %v", c)
	}
}

func TestALongRunningQueryIsNamedByItsShape(t *testing.T) {
	tg := database(t)
	if tg == nil {
		return
	}
	look, report := tg.session("look"), tg.session("report")
	report.Begin(look, "SELECT pg_sleep(30), 'secret' AS a")
	says := tg.crossed(tg.snapshot(), map[string]float64{"longest_query_seconds": 0})["longest_query_seconds"]
	tells(t, says, fmt.Sprintf("report (%d)", report.PID()), "SELECT pg_sleep(?), ? AS a")
	look.Exec(fmt.Sprintf("SELECT pg_terminate_backend(%d)", report.PID()))
}

func TestASlowStatementIsNamedAmongManyThatAreFast(t *testing.T) {
	tg := database(t)
	if tg == nil {
		return
	}
	s := tg.session("shop")
	d := tg.window(func() {
		for range 12 {
			s.Exec("SELECT pg_sleep(0.1), 'slow' AS price")
			for range 30 {
				s.Exec("SELECT 1 AS fast")
			}
		}
	})
	tells(t, tg.crossed(d, map[string]float64{"top_query_avg_ms": 80})["top_query_avg_ms"], "ms on average: SELECT pg_sleep(?), ? AS price")
	if v := d["avg_query_time_ms"].(float64); v > 40 {
		t.Errorf("all queries took %v ms on average", v)
	}
}

func TestTemporaryFilesAreTold(t *testing.T) {
	tg := database(t)
	if tg == nil {
		return
	}
	s := tg.session("report")
	d := tg.window(func() {
		s.Exec("SELECT count(*) FROM (SELECT i FROM generate_series(1, 1000000) i ORDER BY -i) x")
		s.Exec("SELECT pg_stat_force_next_flush()")
	})
	tells(t, tg.crossed(d, map[string]float64{"temp_mb_per_sec": 1})["temp_mb_per_sec"], "most in "+tg.database)
	if q := rows(tg.ask(`pg_db_slow_queries(1, "temp")`), "queries"); len(q) != 1 || q[0]["temp_mb"].(float64) < 1 || !strings.Contains(q[0]["query"].(string), "generate_series(?, …)") {
		t.Errorf("the statement with most is %v", q)
	}
}

// A standby that has been told to replay nothing is behind, on either side of the wire.
func TestAReplicaThatIsBehindIsNamed(t *testing.T) {
	c := pgtest.Run(t)
	if c == nil {
		return
	}
	name := c.Database(t)
	s := c.Standby(t, "reports")
	look := s.Session(t, "postgres", "look")
	look.Exec("SELECT pg_wal_replay_pause()")
	c.Exec(t, name, "CREATE TABLE t AS SELECT i, repeat('x', 100) FROM generate_series(1, 50000) i")
	primary := open(t, reach.Config{DSN: reach.DSN(c.DSN("postgres", "postgres"))})
	standby := open(t, reach.Config{DSN: reach.DSN(s.DSN("postgres", "postgres"))})
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if got := look.Exec("SELECT pg_last_wal_receive_lsn() - pg_last_wal_replay_lsn() > 5000000"); got[0] == "t" {
			break
		}
		time.Sleep(10 * time.Millisecond) // nobody tells when a standby has received
	}
	tells(t, primary.crossed(primary.snapshot(), map[string]float64{"replication_lag_mb": 4})["replication_lag_mb"], "reports is ", "MiB behind")
	r := primary.ask("pg_replication()")
	if l := rows(r, "replicas"); len(l) != 1 || l[0]["name"] != "reports" || l[0]["lag_mb"].(float64) < 5 || r["standby"] != false {
		t.Errorf("the primary tells %v", r)
	}
	d := standby.snapshot()
	if d["replication_replica"] != "this standby" || d["replication_lag_mb"].(float64) < 4 {
		t.Errorf("the standby tells %v", d)
	}
	for _, q := range standby.Calls {
		if _, err := standby.try(q.Example); err != nil {
			t.Errorf("on a standby: %s: %v", q.Example, err)
		}
	}
	if r := standby.ask("pg_replication()"); r["standby"] != true || r["receiving"] != true || r["paused"] != true {
		t.Errorf("the standby tells %v", r)
	}
}

func TestASlotThatNobodyUsesIsNamed(t *testing.T) {
	c := pgtest.Run(t, "wal_level=logical")
	if c == nil {
		return
	}
	name := c.Database(t)
	c.Exec(t, name, "SELECT pg_create_physical_replication_slot('left_behind', true)", "CREATE TABLE t AS SELECT i, repeat('x', 100) FROM generate_series(1, 50000) i", "SELECT pg_switch_wal()")
	tg := open(t, reach.Config{DSN: reach.DSN(c.DSN(name, "postgres"))})
	tells(t, tg.crossed(tg.snapshot(), map[string]float64{"replication_slot_retained_mb": 1})["replication_slot_retained_mb"], "left_behind (unused)")
	if s := rows(tg.ask("ecto_replication()"), "slots"); len(s) != 1 || s[0]["slot"] != "left_behind" || s[0]["active"] != false {
		t.Errorf("the slots are %v", s)
	}
}

func TestSettingsAgesAndDatabasesAreListed(t *testing.T) {
	tg := database(t, orders(10)...)
	if tg == nil {
		return
	}
	if s := rows(tg.ask("pg_settings()"), "settings"); len(s) < 20 || s[0]["source"] == "default" {
		t.Errorf("the settings are %v", s)
	}
	w := tg.ask("pg_wraparound(3)")
	if d := rows(w, "databases"); len(d) != 3 || d[0]["age"].(float64) < 1 {
		t.Errorf("the ages are %v", w)
	}
	if d := rows(tg.ask("pg_databases(50)"), "databases"); len(d) < 2 || d[0]["commits"].(float64) < 1 {
		t.Errorf("the databases are %v", d)
	}
	if c := tg.ask("pg_checkpoints()"); c["wal_mb"] == nil {
		t.Errorf("the writes are %v", c)
	}
}
