package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Facts are what is known of a server and of what the role may see.
type Facts struct {
	Version       int    `json:"version"` // server_version_num: 150018
	VersionText   string `json:"version_text"`
	Database      string `json:"database"`
	Role          string `json:"role"`
	ReadsStats    bool   `json:"reads_stats"` // the states and queries of other roles
	QuerySize     int    `json:"query_size"`  // bytes that the server keeps of a running query
	BlockSize     int    `json:"block_size"`  // bytes
	UptimeSeconds int64  `json:"uptime_seconds"`
	Extension     string `json:"extension"` // the version of pg_stat_statements in this database
	Schema        string `json:"schema"`    // where it is
	// NoStatements says why pg_stat_statements cannot be read; empty when it can.
	NoStatements string `json:"-"`
}

// readFacts asks for the facts of the session there is.
func (s *Server) readFacts(ctx context.Context) (*Facts, error) {
	text, err := s.exec(ctx, `SELECT `+ours+` json_build_object(
		'version', current_setting('server_version_num')::int, 'version_text', current_setting('server_version'),
		'database', current_database(), 'role', current_user,
		'reads_stats', pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
		'query_size', (SELECT setting::int FROM pg_settings WHERE name = 'track_activity_query_size'),
		'block_size', current_setting('block_size')::int,
		'uptime_seconds', extract(epoch FROM now() - pg_postmaster_start_time())::bigint,
		'extension', e.extversion, 'schema', quote_ident(n.nspname))
		FROM (SELECT 1) one LEFT JOIN pg_extension e ON e.extname = 'pg_stat_statements' LEFT JOIN pg_namespace n ON n.oid = e.extnamespace`)
	if err != nil {
		return nil, err
	}
	f := &Facts{}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("read the server's facts: %w", err)
	}
	return f, s.tryStatements(ctx, f)
}

// tryStatements finds out whether pg_stat_statements can be read.
func (s *Server) tryStatements(ctx context.Context, f *Facts) error {
	if f.Extension == "" {
		f.NoStatements = fmt.Sprintf("pg_stat_statements is not in database %s: put it into shared_preload_libraries, restart, and CREATE EXTENSION pg_stat_statements there.", f.Database)
		return nil
	}
	_, err := s.exec(ctx, "SELECT "+ours+" count(*) FROM (SELECT 1 FROM "+f.statements(false)+" LIMIT 1) s")
	var refused *questionError
	switch {
	case refusedWith(err, "55000"):
		f.NoStatements = "pg_stat_statements is not loaded: put it into shared_preload_libraries and restart the server."
	case refusedWith(err, "42501"):
		f.NoStatements = fmt.Sprintf("pg_stat_statements may not be read: GRANT USAGE ON SCHEMA %s TO %s;", f.Schema, f.Role)
	case errors.As(err, &refused): // the rest can be told all the same
		f.NoStatements = "pg_stat_statements cannot be read: " + refused.text + "."
	default:
		return err
	}
	return nil
}

// Facts returns what is known of the server; it connects when it has to, and asks
// it whether it answers.
func (s *Server) Facts(ctx context.Context) (Facts, error) {
	var f Facts
	_, err := rows[struct{}](ctx, s, func(known *Facts) string {
		f = *known
		return "SELECT 1 AS alive"
	})
	return f, err
}

// Note says what the role may not see and how to grant it; empty when that is nothing.
func (f Facts) Note() string {
	if f.ReadsStats {
		return ""
	}
	return fmt.Sprintf("Queries, states and waits of other roles are hidden: GRANT pg_monitor TO %s;", f.Role)
}
