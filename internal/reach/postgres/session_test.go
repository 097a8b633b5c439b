//go:build linux

package postgres_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/fleetlens/fleetlens/internal/pgtest"
	"github.com/fleetlens/fleetlens/internal/reach/postgres"
)

func TestTheSessionMayOnlyRead(t *testing.T) {
	s := server(t, postgres.Config{StatementTimeout: 2 * time.Second})
	if s == nil {
		return
	}
	got, err := postgres.Ask(t.Context(), s, `SELECT current_setting('transaction_read_only') AS read_only, current_setting('default_transaction_read_only') AS always,
		current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock, current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('application_name') AS name`)
	if err != nil {
		t.Fatal(err)
	}
	want := "[map[always:on idle:10s lock:100ms name:fleetlens read_only:on statement:2s]]"
	if fmt.Sprint(got) != want {
		t.Errorf("the session has %v, want %s", got, want)
	}
	cluster.Exec(t, "postgres", "CREATE SEQUENCE numbers")
	if _, err := postgres.Ask(t.Context(), s, "SELECT nextval('numbers')"); err == nil || !strings.Contains(err.Error(), "read-only transaction") {
		t.Errorf("it writes: %v", err)
	}
}

func TestOneQuestionAtATimeOverOneConnection(t *testing.T) {
	if pgtest.Absent(t, absent()) {
		return
	}
	look, database := cluster.Session(t, "postgres", "look"), cluster.Database(t)
	s := server(t, postgres.Config{DSN: postgres.DSN(cluster.DSN(database, "postgres"))})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := s.Connections(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := look.Exec("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fleetlens' AND datname = '" + database + "'"); n[0] != "1" {
		t.Errorf("eight questions at once made %s connections", n[0])
	}
	done := make(chan error, 1)
	go func() { _, err := postgres.Ask(t.Context(), s, "SELECT pg_sleep(1)"); done <- err }()
	for len(look.Exec("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")) == 0 {
		time.Sleep(time.Millisecond) // the server tells nobody who waits
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Connections(ctx); err == nil || !strings.Contains(err.Error(), "another question is still being answered") {
		t.Errorf("who waits in vain is told %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("the other question: %v", err)
	}
}

func TestASlowQuestionEndsAtTheServersTimeout(t *testing.T) {
	s := server(t, postgres.Config{StatementTimeout: 50 * time.Millisecond})
	if s == nil {
		return
	}
	_, err := postgres.Ask(t.Context(), s, "SELECT pg_sleep(20)")
	if err == nil || !strings.Contains(err.Error(), "too slow for statement_timeout 50ms") {
		t.Errorf("it ended with %v", err)
	}
	if _, err := s.Connections(t.Context()); err != nil {
		t.Errorf("the next question: %v", err)
	}
}

func TestAnAnswerOfAnySizeIsBounded(t *testing.T) {
	s := server(t, postgres.Config{})
	if s == nil {
		return
	}
	if _, err := postgres.Ask(t.Context(), s, "SELECT repeat('x', 20000000) AS x"); err == nil {
		t.Error("20 MB are taken")
	}
	if _, err := s.Connections(t.Context()); err != nil {
		t.Errorf("the next question: %v", err)
	}
}

// between is something between client and server: it passes on what they say until
// it is told to say nothing any more, and looks at the first message.
type between struct {
	net.Listener
	mu     sync.Mutex
	silent bool
	starts []map[string]string
}

func (b *between) hush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.silent = true
}

func (b *between) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.silent {
		return 0, io.ErrClosedPipe // what the server says is lost; nobody closes the connection
	}
	return len(p), nil
}

// listen starts one before the shared server, and returns how to connect to it.
func listen(t *testing.T, serve func(b *between, client net.Conn, server string)) (*between, postgres.DSN) {
	t.Helper()
	u, err := url.Parse(cluster.DSN("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	b := &between{Listener: l}
	behind := u.Host
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go serve(b, c, behind)
		}
	}()
	u.Host = l.Addr().String()
	return b, postgres.DSN(u.String())
}

func TestAServerThatFallsSilentCostsOneDeadline(t *testing.T) {
	if pgtest.Absent(t, absent()) {
		return
	}
	b, dsn := listen(t, func(b *between, client net.Conn, server string) {
		s, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = s.Close() })
		go func() { _, _ = io.Copy(s, client) }()
		_, _ = io.Copy(client, io.TeeReader(s, b))
	})
	s := server(t, postgres.Config{DSN: dsn, StatementTimeout: 100 * time.Millisecond, ConnectTimeout: time.Second})
	if _, err := s.Connections(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.hush()
	began := time.Now()
	_, err := s.Connections(t.Context())
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "no answer within 1.1s") || took > 3*time.Second {
		t.Errorf("it ended with %v after %s", err, took)
	}
}

// A pooler of transactions knows no settings but its own.
func TestAPoolerThatRefusesSettingsIsAskedWithoutThem(t *testing.T) {
	if pgtest.Absent(t, absent()) {
		return
	}
	b, dsn := listen(t, func(b *between, client net.Conn, server string) {
		backend := pgproto3.NewBackend(client, client)
		m, err := backend.ReceiveStartupMessage()
		start, ok := m.(*pgproto3.StartupMessage)
		if err != nil || !ok {
			return
		}
		b.mu.Lock()
		b.starts = append(b.starts, start.Parameters)
		b.mu.Unlock()
		if _, set := start.Parameters["statement_timeout"]; set {
			backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01", Message: "unsupported startup parameter: statement_timeout"})
			_ = backend.Flush()
			_ = client.Close()
			return
		}
		s, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = s.Close() })
		front := pgproto3.NewFrontend(s, s)
		front.Send(start)
		_ = front.Flush()
		go func() { _, _ = io.Copy(s, client) }()
		_, _ = io.Copy(client, s)
	})
	s := server(t, postgres.Config{DSN: dsn, StatementTimeout: time.Second})
	got, err := postgres.Ask(t.Context(), s, "SELECT current_setting('transaction_read_only') AS read_only, current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock")
	if err != nil || fmt.Sprint(got) != "[map[lock:100ms read_only:on statement:1s]]" {
		t.Errorf("a question has %v, %v", got, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.starts) != 2 || b.starts[1]["application_name"] != "fleetlens" {
		t.Errorf("it connected with %v", b.starts)
	}
}
