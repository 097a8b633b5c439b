//go:build linux

package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var databases atomic.Int64

// Database makes a database with a name of its own, and runs SQL in it. It ends
// with the cluster.
func (c *Cluster) Database(t testing.TB, sql ...string) string {
	t.Helper()
	name := fmt.Sprintf("shop%d", databases.Add(1))
	c.Exec(t, "postgres", "CREATE DATABASE "+name)
	if len(sql) > 0 {
		c.Exec(t, name, sql...)
	}
	return name
}

// Role makes a role that may log in, with what is granted to it.
func (c *Cluster) Role(t testing.TB, name string, granted ...string) {
	t.Helper()
	c.Exec(t, "postgres", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", name, Password))
	for _, g := range granted {
		c.Exec(t, "postgres", "GRANT "+g+" TO "+name)
	}
}

// Exec runs SQL in a database as its owner, each text in a transaction of its own.
func (c *Cluster) Exec(t testing.TB, database string, sql ...string) {
	t.Helper()
	s := c.Session(t, database, "setup")
	defer s.Close()
	for _, text := range sql {
		s.Exec(text)
	}
}

// A Session is one connection of the cluster's owner.
type Session struct {
	t    testing.TB
	conn *pgconn.PgConn
	stop func() // ends what Begin began, and waits for its end
}

// Session connects as an application of a name; it ends with the test at the latest.
func (c *Cluster) Session(t testing.TB, database, application string) *Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgconn.Connect(ctx, c.DSN(database, "postgres")+"&application_name="+url.PathEscape(application))
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{t, conn, func() {}}
	t.Cleanup(s.Close)
	return s
}

// PID is that of the process that serves the session.
func (s *Session) PID() int { return int(s.conn.PID()) }

// Close ends the session; what it has begun is rolled back.
func (s *Session) Close() {
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx)
}

// Exec runs SQL and returns the first column of its last rows.
func (s *Session) Exec(sql string) []string {
	s.t.Helper()
	out, err := s.Try(sql)
	if err != nil {
		s.t.Fatalf("%.200s: %v", sql, err)
	}
	return out
}

// Try is Exec where the error is of interest.
func (s *Session) Try(sql string) ([]string, error) {
	return s.try(context.Background(), sql)
}

func (s *Session) try(ctx context.Context, sql string) ([]string, error) {
	results, err := s.conn.Exec(ctx, sql).ReadAll()
	var out []string
	if len(results) > 0 {
		for _, row := range results[len(results)-1].Rows {
			out = append(out, string(row[0]))
		}
	}
	return out, err
}

// Begin runs SQL that will wait, for a lock or as pg_sleep does, and returns once
// the server says that it waits. What is returned is closed when it has ended,
// however it did. Other is a session that looks.
func (s *Session) Begin(other *Session, sql string) (ended chan struct{}) {
	s.t.Helper()
	ended = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		_, _ = s.try(ctx, sql)
	}()
	look := fmt.Sprintf("SELECT 1 FROM pg_stat_activity WHERE pid = %d AND state = 'active' AND wait_event_type IN ('Lock', 'Timeout')", s.PID())
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if len(other.Exec(look)) == 1 {
			return ended
		}
		time.Sleep(2 * time.Millisecond) // the server tells nobody who waits: it must be asked again
	}
	s.t.Fatalf("%.100s does not wait", sql)
	return ended
}
