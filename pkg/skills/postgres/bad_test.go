//go:build linux

package postgres_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/pgtest"
	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
)

// fails takes a snapshot that must fail within a time, and returns why, and what
// the snapshot has nevertheless.
func (tg *target) fails(within time.Duration) (why string, reachable any) {
	tg.t.Helper()
	began := time.Now()
	d, err := tg.Snapshot(tg.t.Context())
	if took := time.Since(began); took > within {
		tg.t.Errorf("it took %s", took)
	}
	if err == nil {
		tg.t.Fatalf("it works: %v", d)
	}
	for _, text := range []string{err.Error(), fmt.Sprint(d)} {
		if strings.Contains(text, pgtest.Password) {
			tg.t.Errorf("the password is told: %s", text)
		}
	}
	if reason, ok := d["unreachable_reason"]; ok {
		tells(tg.t, tg.crossed(d, nil)["reachable"], fmt.Sprint(reason))
	}
	return err.Error(), d["reachable"]
}

func TestWhatCannotBeAskedSaysWhy(t *testing.T) {
	if pgtest.Absent(t, absent) {
		return
	}
	good := cluster.DSN("postgres", "postgres")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(wrong, []byte("not it\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		cfg       reach.Config
		want      string
		reachable any // nil: it says nothing of the server
	}{
		{"a wrong password", reach.Config{DSN: reach.DSN(good), PasswordFile: wrong}, "check role and password", nil},
		{"no password file", reach.Config{DSN: reach.DSN(good), PasswordFile: wrong + ".no"}, "password_file: open", nil},
		{"a role that is not there", reach.Config{DSN: reach.DSN(cluster.DSN("postgres", "nobody"))}, "check role and password", nil},
		{"a database that is not there", reach.Config{DSN: reach.DSN(cluster.DSN("no_such_thing", "postgres"))}, "name a database in dsn that exists", nil},
		{"a server that is down", reach.Config{DSN: reach.DSN("postgres://postgres:" + pgtest.Password + "@" + dead + "/postgres")}, "nobody listens at " + dead, 0.0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tg := open(t, tt.cfg)
			why, reachable := tg.fails(5 * time.Second)
			tells(t, why, tt.want)
			if reachable != tt.reachable {
				t.Errorf("reachable is %v, want %v", reachable, tt.reachable)
			}
			if _, err := tg.try("ecto_locks(5)"); err == nil || !strings.Contains(err.Error(), "at the earliest") {
				t.Errorf("it is tried again at once: %v", err)
			}
		})
	}
}

// talker is a server of some kind: it says something to whoever connects, and no more.
func talker(t *testing.T, says string) (dsn string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			_, _ = c.Write([]byte(says))
		}
	}()
	return "postgres://postgres:" + pgtest.Password + "@" + l.Addr().String() + "/postgres?sslmode=disable"
}

func TestAServerThatAcceptsAndNeverAnswersCostsOneDeadline(t *testing.T) {
	tg := open(t, reach.Config{DSN: reach.DSN(talker(t, "")), ConnectTimeout: 300 * time.Millisecond})
	why, reachable := tg.fails(2 * time.Second)
	tells(t, why, "did not answer the connect within 300ms")
	if reachable != 0.0 {
		t.Errorf("reachable is %v", reachable)
	}
}

// Behaviour: 150.
func TestAServerOfAnotherKindIsNoPostgreSQL(t *testing.T) {
	for name, says := range map[string]string{"MySQL": "\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00", "HTTP": "HTTP/1.1 400 Bad Request\r\n\r\n", "SSH": "SSH-2.0-OpenSSH_9.2\r\n"} {
		tg := open(t, reach.Config{DSN: reach.DSN(talker(t, says)), ConnectTimeout: 500 * time.Millisecond})
		for _, c := range tg.Calls {
			if _, err := tg.try(c.Example); err == nil {
				t.Errorf("%s answers %s", name, c.Name)
			}
		}
	}
}

// A server that stops answering in the middle holds nobody for longer than a deadline.
func TestAQuestionThatTakesTooLongIsGivenUp(t *testing.T) {
	tg := database(t)
	if tg == nil {
		return
	}
	tg = open(t, reach.Config{DSN: reach.DSN(cluster.DSN(tg.database, "postgres")), StatementTimeout: 500 * time.Millisecond})
	tg.snapshot()
	look := cluster.Session(t, "postgres", "look")
	held := cluster.Session(t, "postgres", "holder")
	held.Exec("BEGIN; LOCK TABLE pg_catalog.pg_database IN ACCESS EXCLUSIVE MODE")
	began := time.Now()
	_, err := tg.try("ecto_databases(5)")
	if err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("it ended with %v after %s", err, time.Since(began))
	}
	held.Exec("ROLLBACK")
	look.Close()
	if d := tg.ask("ecto_databases(5)"); len(rows(d, "databases")) == 0 {
		t.Errorf("afterwards it tells %v", d)
	}
}

func TestARestartBetweenTwoQuestionsIsNotNoticed(t *testing.T) {
	c := pgtest.Run(t)
	if c == nil {
		return
	}
	tg := open(t, reach.Config{DSN: reach.DSN(c.DSN("postgres", "postgres"))})
	tg.snapshot()
	c.Down()
	c.Up(t)
	if v := tg.ask("ecto_connections(5)"); v["max"] == nil {
		t.Errorf("it answers %v", v)
	}
	c.Down()
	why, reachable := tg.fails(5 * time.Second)
	tells(t, why, "nobody listens")
	if reachable != 0.0 {
		t.Errorf("reachable is %v", reachable)
	}
	c.Up(t)
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err := tg.Snapshot(t.Context()); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not come back")
		}
		time.Sleep(100 * time.Millisecond) // it waits for longer and longer, a second at first
	}
}

func TestConnectionsThatAreUsedUpAreNamed(t *testing.T) {
	c := pgtest.Run(t, "max_connections=12", "superuser_reserved_connections=2")
	if c == nil {
		return
	}
	c.Role(t, "watcher", "pg_monitor")
	c.Role(t, "shop")
	tg := open(t, reach.Config{DSN: reach.DSN(c.DSN("postgres", "watcher"))})
	tg.snapshot()
	for range 9 {
		c.Session(t, "postgres", "leaky shop")
	}
	says := tg.crossed(tg.snapshot(), nil)["connections_used_pct"]
	tells(t, says, "10 of 10 connections are in use (100 %), most by leaky shop (9)")
	if g := rows(tg.ask("ecto_connections(1)"), "groups"); len(g) != 1 || g[0]["name"] != "leaky shop" || g[0]["idle"] != 9.0 {
		t.Errorf("who has them is %v", g)
	}
	late := open(t, reach.Config{DSN: reach.DSN(c.DSN("postgres", "watcher"))})
	why, reachable := late.fails(5 * time.Second)
	tells(t, why, "SQLSTATE 53300", `every connection that role "watcher" may use is taken`)
	if reachable != 0.0 {
		t.Errorf("reachable is %v", reachable)
	}
}

func TestARoleWithoutPgMonitorIsToldWhatIsMissing(t *testing.T) {
	tg := database(t, append(orders(100), "ANALYZE orders")...)
	if tg == nil {
		return
	}
	cluster.Role(t, "poor")
	cluster.Role(t, "watcher", "pg_monitor")
	look, root, waiter := tg.session("look"), tg.session("checkout"), tg.session("stock")
	root.Exec("BEGIN; LOCK TABLE orders")
	waiter.Begin(look, "SELECT * FROM orders")

	poor := open(t, reach.Config{DSN: reach.DSN(cluster.DSN(tg.database, "poor"))})
	d := poor.snapshot()
	if d["blocked_sessions"] != 1.0 || d["connections_idle"] != nil || d["connections"].(float64) < 3 {
		t.Errorf("it sees %v", d)
	}
	a := poor.ask("ecto_blocking_chain(3)")
	tells(t, fmt.Sprint(a["note"]), "GRANT pg_monitor TO poor")
	if ch := rows(a, "chains"); len(ch) != 1 || ch[0]["pid"] != float64(root.PID()) || ch[0]["query"] != nil {
		t.Errorf("the chains are %v", a)
	}
	for _, c := range poor.Calls {
		if _, err := poor.try(c.Example); err != nil {
			t.Errorf("%s: %v", c.Example, err)
		}
	}
	if sizes := rows(poor.ask("ecto_table_sizes(5)"), "tables"); len(sizes) != 1 {
		t.Errorf("a table that is locked exclusively has no size: %v", sizes)
	}
	tells(t, fmt.Sprint(poor.ask("ecto_bloat(5)")["note"]), "GRANT pg_read_all_data TO poor")

	rich := open(t, reach.Config{DSN: reach.DSN(cluster.DSN(tg.database, "watcher"))})
	if rich.snapshot(); rich.ask("ecto_blocking_chain(3)")["note"] != nil {
		t.Error("pg_monitor is not enough")
	}
}

func TestWithoutPgStatStatementsWhatRunsIsSampled(t *testing.T) {
	tg := database(t)
	if tg == nil {
		return
	}
	bare := cluster.Database(t)
	look, report := cluster.Session(t, bare, "look"), cluster.Session(t, bare, "report")
	ended := report.Begin(look, "SELECT pg_sleep(3), 'secret'")
	s := open(t, reach.Config{DSN: reach.DSN(cluster.DSN(bare, "postgres")), Samples: 5})
	a := s.ask("ecto_slow_queries(5)")
	tells(t, fmt.Sprint(a["source"], a["note"]), "sampling of pg_stat_activity", "CREATE EXTENSION pg_stat_statements")
	if q := rows(a, "queries"); len(q) != 1 || q[0]["query"] != "SELECT pg_sleep(?), ?" || q[0]["name"] != "report" || q[0]["wait"] != "Timeout:PgSleep" || a["readings"] != 5.0 {
		t.Errorf("what was seen is %v", a)
	}
	if a := s.ask("ecto_query_stats()"); a["running_now"] != 1.0 || a["query_count"] != nil {
		t.Errorf("the stats are %v", a)
	}
	look.Exec(fmt.Sprintf("SELECT pg_cancel_backend(%d)", report.PID()))
	<-ended
}

func TestAHugeQueryIsShownInPart(t *testing.T) {
	tg := database(t)
	if tg == nil {
		return
	}
	look, report := tg.session("look"), tg.session("report")
	ended := report.Begin(look, "SELECT pg_sleep(20), '"+strings.Repeat("secret ", 300_000)+"', 4711")
	text := fmt.Sprint(tg.snapshot(), tg.ask("ecto_long_running(5)"))
	if strings.Contains(text, "secret") || !strings.Contains(text, "SELECT pg_sleep(?, …") && !strings.Contains(text, "SELECT pg_sleep(?), ?") {
		t.Errorf("it tells %.2000s", text)
	}
	look.Exec(fmt.Sprintf("SELECT pg_cancel_backend(%d)", report.PID()))
	<-ended
	if q := fmt.Sprint(tg.ask(`ecto_db_slow_queries(50, "calls")`)); strings.Contains(q, "secret") {
		t.Error("a statement tells a literal")
	}
}

func TestWrongArgumentsAreRefusedWithWords(t *testing.T) {
	tg := open(t, reach.Config{DSN: "postgres://127.0.0.1:1/postgres"})
	for question, want := range map[string]string{
		`ecto_locks("many")`:                 "limit must be a whole number from 1 to 200",
		"ecto_locks(-1)":                     "from 1 to 200",
		"ecto_locks(1e300)":                  "from 1 to 200",
		"ecto_bloat(5, 6)":                   "takes 1 argument",
		`pg_db_slow_queries(5, "1; DROP x")`: `one of "total_time"`,
		"pg_long_running(5, -1)":             "min_seconds must be",
	} {
		if _, err := tg.try(question); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", question, err, want)
		}
	}
}
