package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A Server is one PostgreSQL server. It has one connection, made when it is first
// asked, and asks one question at a time. It is safe for concurrent use.
type Server struct {
	cfg  Config
	turn chan struct{} // holds a token while somebody asks; what follows is his

	conn    *pgconn.PgConn
	bare    bool // a pooler refused the session's settings at connect
	facts   *Facts
	factsAt time.Time

	failed error // of the last connect
	again  time.Time
	pause  time.Duration
}

// Bounds of what is read and waited for.
const (
	maxAnswer   = 8 << 20     // bytes of one message of the server
	grace       = time.Second // beyond the server's own timeout, then the connection is given up
	lockTimeout = "100ms"     // nobody waits behind a question of ours for longer
	firstPause  = time.Second // after a connect failed, doubled each time
	longestWait = 30 * time.Second
	factsFor    = time.Minute // privileges and extensions may change
)

// session are the settings of the session.
func (c Config) session() map[string]string {
	return map[string]string{
		"application_name":                    "fleetlens",
		"default_transaction_read_only":       "on",
		"statement_timeout":                   strconv.FormatInt(c.StatementTimeout.Milliseconds(), 10),
		"lock_timeout":                        lockTimeout,
		"idle_in_transaction_session_timeout": "10s",
	}
}

// within begins each question: a pooler of transactions may give each to another
// session, which has none of the settings. All of a text is one transaction, and
// the simple protocol prepares nothing that a pooler would have to remember.
func (c Config) within() string {
	return fmt.Sprintf("SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = '%s'; ", c.StatementTimeout.Milliseconds(), lockTimeout)
}

// Close ends the connection. The next question opens another.
func (s *Server) Close() {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_ = s.conn.Close(ctx)
	s.conn, s.facts = nil, nil
}

// rows asks a question and returns what it selects, a T a row. Sql makes the
// question for the server that there is.
func rows[T any](ctx context.Context, s *Server, sql func(f *Facts) string) ([]T, error) {
	text, err := s.answer(ctx, sql)
	if err != nil {
		return nil, err
	}
	var out []T
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("read the server's answer: %w", err)
	}
	return out, nil
}

// row is rows where there is one.
func row[T any](ctx context.Context, s *Server, sql func(f *Facts) string) (T, error) {
	list, err := rows[T](ctx, s, sql)
	var none T
	if err != nil || len(list) == 0 {
		return none, err
	}
	return list[0], nil
}

// fixed is a question that is the same for every server.
func fixed(sql string) func(*Facts) string { return func(*Facts) string { return sql } }

// answer waits for its turn and asks. A connection that was lost since the last
// question, as by a restart, is made again once.
func (s *Server) answer(ctx context.Context, sql func(f *Facts) string) ([]byte, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("another question is still being answered: %w", ctx.Err())
	}
	defer func() { <-s.turn }()
	for retried := false; ; retried = true {
		if err := s.connected(ctx); err != nil {
			return nil, err
		}
		text, err := s.ask(ctx, sql)
		if err == nil || retried || !s.conn.IsClosed() || ctx.Err() != nil || errors.Is(err, errSilent) {
			return text, err
		}
	}
}

// ours marks our own questions, which the server counts among the others.
const ours = "/* fleetlens */"

// ask asks a question once, with facts of the server.
func (s *Server) ask(ctx context.Context, sql func(f *Facts) string) ([]byte, error) {
	if s.facts == nil || time.Since(s.factsAt) > factsFor {
		f, err := s.readFacts(ctx)
		if err != nil {
			return nil, err
		}
		s.facts, s.factsAt = f, time.Now()
	}
	return s.exec(ctx, "SELECT "+ours+" coalesce(json_agg(r), '[]') FROM ("+sql(s.facts)+") r")
}

// exec runs a text and returns the first field of its last result. The deadline is
// the server's own and a second more.
func (s *Server) exec(ctx context.Context, sql string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.StatementTimeout+grace)
	defer cancel()
	var out []byte
	results := s.conn.Exec(ctx, s.cfg.within()+sql)
	for results.NextResult() {
		r := results.ResultReader()
		out = nil
		if r.NextRow() && len(r.Values()) > 0 {
			out = slices.Clone(r.Values()[0])
		}
		if _, err := r.Close(); err != nil {
			break // Close below tells it too
		}
	}
	if err := results.Close(); err != nil {
		return nil, s.queryError(ctx, err)
	}
	if out == nil {
		return nil, errors.New("the server answered with no row")
	}
	return out, nil
}

// connected makes a connection where there is none. After a failure it waits
// longer and longer before it tries again.
func (s *Server) connected(ctx context.Context) error {
	if s.conn != nil && !s.conn.IsClosed() {
		return nil
	}
	s.conn, s.facts = nil, nil
	if left := time.Until(s.again); left > 0 {
		return fmt.Errorf("%w (tried again in %s at the earliest)", s.failed, left.Round(100*time.Millisecond))
	}
	conn, err := s.connect(ctx)
	if err != nil {
		s.pause = min(max(2*s.pause, firstPause), longestWait)
		s.failed, s.again = err, time.Now().Add(s.pause)
		return err
	}
	s.conn, s.failed, s.pause, s.again = conn, nil, 0, time.Time{}
	return nil
}

func (s *Server) connect(ctx context.Context) (*pgconn.PgConn, error) {
	cfg, err := s.cfg.connectConfig()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	defer cancel()
	if s.bare {
		s.strip(cfg)
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil && !s.bare && refusesSettings(err) {
		s.bare = true
		s.strip(cfg)
		conn, err = pgconn.ConnectConfig(ctx, cfg)
	}
	if err != nil {
		return nil, s.connectError(ctx, cfg, err)
	}
	return conn, nil
}

// strip leaves out the session's settings but its name; each question sets them.
func (s *Server) strip(cfg *pgconn.Config) {
	maps.DeleteFunc(cfg.RuntimeParams, func(name, _ string) bool {
		_, set := s.cfg.session()[name]
		return set && name != "application_name"
	})
}

// refusesSettings says whether it is a pooler that takes no settings at connect.
func refusesSettings(err error) bool {
	return strings.Contains(err.Error(), "unsupported startup parameter")
}
