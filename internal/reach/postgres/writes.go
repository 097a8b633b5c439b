package postgres

import (
	"context"
	"fmt"
)

// Writes is what checkpoints and the log of writes cost, since the statistics were reset.
type Writes struct {
	Timed          float64  `json:"timed"`     // checkpoints because it was time
	Requested      float64  `json:"requested"` // because the log was full, or somebody asked
	WriteMS        float64  `json:"write_ms"`
	SyncMS         float64  `json:"sync_ms"`
	Buffers        float64  `json:"buffers"`
	BackendBuffers *float64 `json:"backend_buffers,omitempty"` // written by sessions themselves, until PostgreSQL 16
	Since          *string  `json:"stats_since,omitempty"`
	WALMB          *float64 `json:"wal_mb,omitempty"` // PostgreSQL 14
	WALFull        *float64 `json:"wal_buffers_full,omitempty"`
	Archived       float64  `json:"archived"`
	ArchiveFailed  float64  `json:"archive_failed"`
	// FailingSeconds is since when archiving fails: absent when the last one worked.
	FailingSeconds *float64 `json:"archive_failing_seconds,omitempty"`
	FailedWAL      string   `json:"archive_failed_wal,omitempty"`
}

// Writes returns what checkpoints and the log of writes cost.
func (s *Server) Writes(ctx context.Context) (Writes, error) {
	return row[Writes](ctx, s, func(f *Facts) string {
		return fmt.Sprintf(`SELECT c.timed, c.requested, c.write_ms, c.sync_ms, c.buffers, c.backend_buffers, c.stats_reset AS stats_since, round((w.bytes / 1048576.0)::numeric, 1) AS wal_mb, w.buffers_full AS wal_buffers_full,
			a.archived_count AS archived, a.failed_count AS archive_failed, coalesce(a.last_failed_wal, '') AS archive_failed_wal,
			CASE WHEN a.last_failed_time > coalesce(a.last_archived_time, '-infinity') THEN %s END AS archive_failing_seconds
			FROM (%s) c CROSS JOIN (%s) w CROSS JOIN pg_stat_archiver a`, seconds("coalesce(a.last_archived_time, a.last_failed_time)"), f.checkpoints(), f.wal())
	})
}

// A Setting is one of the server's.
type Setting struct {
	Name    string `json:"setting"`
	Value   string `json:"value"`
	Unit    string `json:"unit,omitempty"`
	Source  string `json:"source"` // default: nobody set it
	Restart bool   `json:"pending_restart,omitempty"`
}

// settings are those that decide how a server behaves; none of them can hold a secret.
const settings = `'autovacuum', 'autovacuum_max_workers', 'autovacuum_naptime', 'autovacuum_vacuum_cost_limit', 'autovacuum_vacuum_scale_factor', 'autovacuum_freeze_max_age', 'checkpoint_timeout',
	'deadlock_timeout', 'default_statistics_target', 'effective_cache_size', 'effective_io_concurrency', 'fsync', 'full_page_writes', 'hot_standby_feedback', 'huge_pages', 'idle_in_transaction_session_timeout', 'jit',
	'log_lock_waits', 'log_min_duration_statement', 'maintenance_work_mem', 'max_connections', 'max_parallel_workers', 'max_parallel_workers_per_gather', 'max_replication_slots', 'max_slot_wal_keep_size',
	'max_wal_senders', 'max_wal_size', 'max_worker_processes', 'random_page_cost', 'reserved_connections', 'shared_buffers', 'shared_preload_libraries', 'superuser_reserved_connections', 'synchronous_commit',
	'temp_file_limit', 'track_activity_query_size', 'track_io_timing', 'wal_buffers', 'wal_keep_size', 'wal_level', 'work_mem'`

// Settings returns the settings that decide how a server behaves, those that
// somebody set first. Those that our own session sets are left out.
func (s *Server) Settings(ctx context.Context) ([]Setting, error) {
	return rows[Setting](ctx, s, fixed(`SELECT name AS setting, coalesce(setting, '') AS value, coalesce(unit, '') AS unit, source, pending_restart
		FROM pg_settings WHERE name IN (`+settings+`) AND source NOT IN ('client', 'session') ORDER BY source = 'default', name`))
}
