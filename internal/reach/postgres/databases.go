package postgres

import (
	"context"
	"fmt"
)

// A Database is one database with its counters, which grow until they are reset.
type Database struct {
	Name      string   `json:"database"`
	SizeMB    *float64 `json:"size_mb,omitempty"` // absent when the role may not ask for it
	Sessions  int      `json:"connections"`
	Commits   float64  `json:"commits"`
	Rollbacks float64  `json:"rollbacks"`
	Hits      float64  `json:"blocks_hit"`  // found in shared_buffers
	Reads     float64  `json:"blocks_read"` // asked of the operating system
	TempMB    float64  `json:"temp_mb"`     // written to temporary files
	TempFiles float64  `json:"temp_files"`
	Deadlocks float64  `json:"deadlocks"`
	Reset     *string  `json:"stats_since,omitempty"`
}

// Databases returns the databases, those that were busiest first.
func (s *Server) Databases(ctx context.Context, limit int) ([]Database, error) {
	return rows[Database](ctx, s, fixed(fmt.Sprintf(`SELECT d.datname AS database, numbackends AS connections, xact_commit AS commits, xact_rollback AS rollbacks,
		blks_hit AS blocks_hit, blks_read AS blocks_read, round(temp_bytes / 1048576.0, 1) AS temp_mb, temp_files, deadlocks, stats_reset AS stats_since,
		CASE WHEN has_database_privilege(d.datname, 'CONNECT') OR pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') THEN round(pg_database_size(d.oid) / 1048576.0, 1) END AS size_mb
		FROM pg_stat_database s JOIN pg_database d ON d.oid = s.datid WHERE d.datallowconn ORDER BY xact_commit + xact_rollback DESC LIMIT %d`, limit)))
}

// CacheHits is how much of what was read was in shared_buffers.
type CacheHits struct {
	TableHits  float64 `json:"table_hits"`
	TableReads float64 `json:"table_reads"`
	IndexHits  float64 `json:"index_hits"`
	IndexReads float64 `json:"index_reads"`
	// Table is the one with most blocks that were not there, and MostPct its share.
	Table    string  `json:"table"`
	MostPct  float64 `json:"most_pct"`
	SharedMB float64 `json:"shared_mb"`
}

// CacheHits counts blocks of tables and indexes of this database.
func (s *Server) CacheHits(ctx context.Context) (CacheHits, error) {
	return row[CacheHits](ctx, s, fixed(`SELECT coalesce(sum(heap_blks_hit), 0) AS table_hits, coalesce(sum(heap_blks_read), 0) AS table_reads,
		coalesce(sum(idx_blks_hit), 0) AS index_hits, coalesce(sum(idx_blks_read), 0) AS index_reads,
		coalesce((array_agg(`+tableName+` ORDER BY heap_blks_read DESC) FILTER (WHERE heap_blks_read > 0))[1], '') AS table,
		coalesce(round(100.0 * max(heap_blks_read) / nullif(sum(heap_blks_read), 0), 1), 0) AS most_pct,
		(SELECT round(setting::bigint * current_setting('block_size')::int / 1048576.0, 1) FROM pg_settings WHERE name = 'shared_buffers') AS shared_mb
		FROM pg_statio_user_tables s`))
}
