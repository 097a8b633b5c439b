package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrUnavailable marks errors that say something of the server: it is down, takes
// no more connections, or does not answer. Others are of the configuration.
var ErrUnavailable = errors.New("PostgreSQL cannot be asked")

// errSilent marks a question that the server did not answer in time.
var errSilent = errors.New("no answer")

// connectError says why no connection was made, and what would help.
func (s *Server) connectError(ctx context.Context, cfg *pgconn.Config, err error) error {
	where := fmt.Sprintf("%s:%d", cfg.Host, cfg.Port)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return s.refused(where, cfg, refused)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nobody listens at %s: is the server up, and is dsn right?", ErrUnavailable, where)
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return fmt.Errorf("%w: %s did not answer the connect within %s (connect_timeout)", ErrUnavailable, where, s.cfg.ConnectTimeout)
	}
	return fmt.Errorf("connect to %s: %.500s", where, s.scrub(cfg.Password, err.Error()))
}

// refused says why the server takes no connection.
func (s *Server) refused(where string, cfg *pgconn.Config, err *pgconn.PgError) error {
	hint, down := "", false
	switch err.Code {
	case "28P01", "28000":
		hint = fmt.Sprintf("check role and password of dsn or password_file, and pg_hba.conf for role %q", cfg.User)
	case "3D000":
		hint = "name a database in dsn that exists: postgres does as a rule"
	case "42501":
		hint = fmt.Sprintf("GRANT CONNECT ON DATABASE … TO %s", cfg.User)
	case "53300":
		down = true
		hint = fmt.Sprintf("every connection that role %q may use is taken; raise max_connections, or give fleetlens one of those in reserve (PostgreSQL 16: reserved_connections, and GRANT pg_use_reserved_connections TO %s)", cfg.User, cfg.User)
	case "57P03":
		down, hint = true, "it starts, stops or recovers"
	case "57P01", "57P02":
		down, hint = true, "it stops"
	}
	what := fmt.Sprintf("%s refuses: %.300s (SQLSTATE %s)", where, s.scrub(cfg.Password, err.Message), err.Code)
	if hint != "" {
		what += ": " + hint
	}
	if down {
		return fmt.Errorf("%w: %s", ErrUnavailable, what)
	}
	return errors.New("PostgreSQL at " + what)
}

// queryError says why a question failed, and what would help.
func (s *Server) queryError(ctx context.Context, err error) error {
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		hint := ""
		switch refused.Code {
		case "57014":
			hint = fmt.Sprintf(": the server is too slow for statement_timeout %s, or somebody cancelled it", s.cfg.StatementTimeout)
		case "55P03":
			hint = ": somebody holds an exclusive lock on what was asked for; fleetlens waits " + lockTimeout + " and no longer"
		case "42501":
			hint = ": GRANT pg_monitor TO the role of dsn"
		}
		return &questionError{refused.Code, fmt.Sprintf("PostgreSQL refuses: %.300s (SQLSTATE %s)%s", refused.Message, refused.Code, hint)}
	case ctx.Err() != nil || pgconn.Timeout(err):
		return fmt.Errorf("%w: %w within %s", ErrUnavailable, errSilent, s.cfg.StatementTimeout+grace)
	}
	return fmt.Errorf("%w: the connection was lost: %.300s", ErrUnavailable, s.scrub("", err.Error()))
}

// A questionError is a refusal with the server's code.
type questionError struct{ code, text string }

func (e *questionError) Error() string { return e.text }

// refusedWith says whether the server refused with a code.
func refusedWith(err error, code string) bool {
	var q *questionError
	return errors.As(err, &q) && q.code == code
}

// scrub returns a text on one line, without what is secret.
func (s *Server) scrub(password, text string) string {
	secrets, _ := s.cfg.DSN.secrets()
	for _, secret := range append(secrets, password, string(s.cfg.DSN)) {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	return strings.Join(strings.Fields(text), " ")
}
