package postgres

import (
	"fmt"
	"strconv"
	"strings"
)

// All that differs between PostgreSQL 12 and 18 is in this file.

func (f *Facts) since(major int) bool { return f.Version >= major*10000 }

// either returns a if the server is of that major version or later, else b.
func (f *Facts) either(major int, a, b string) string {
	if f.since(major) {
		return a
	}
	return b
}

// extensionSince says whether the extension, which an upgrade of the server leaves
// as it was, is of version 1.minor or later.
func (f *Facts) extensionSince(minor int) bool {
	_, after, _ := strings.Cut(f.Extension, ".")
	n, err := strconv.Atoi(after)
	return err == nil && n >= minor
}

// statements reads pg_stat_statements, with the texts of the queries or without.
func (f *Facts) statements(texts bool) string {
	return fmt.Sprintf("%s.pg_stat_statements(%t)", f.Schema, texts)
}

// execTime is the column of a kind (total, max, stddev) of time of execution.
func (f *Facts) execTime(kind string) string {
	if f.extensionSince(8) { // PostgreSQL 13
		return kind + "_exec_time"
	}
	return kind + "_time"
}

// waitStart is since when a lock is waited for.
func (f *Facts) waitStart() string { return f.either(14, "l.waitstart", "NULL::timestamptz") }

// lastIndexScan is when an index was last used.
func (f *Facts) lastIndexScan() string {
	return f.either(16, "s.last_idx_scan", "NULL::timestamptz")
}

// reserved are the connections that ordinary roles do not get.
func (f *Facts) reserved() string {
	return "current_setting('superuser_reserved_connections')::int" + f.either(16, " + current_setting('reserved_connections')::int", "")
}

// checkpoints selects what checkpoints did.
func (f *Facts) checkpoints() string {
	return f.either(17,
		"SELECT num_timed AS timed, num_requested AS requested, write_time AS write_ms, sync_time AS sync_ms, buffers_written AS buffers, NULL::bigint AS backend_buffers, stats_reset FROM pg_stat_checkpointer",
		"SELECT checkpoints_timed AS timed, checkpoints_req AS requested, checkpoint_write_time AS write_ms, checkpoint_sync_time AS sync_ms, buffers_checkpoint AS buffers, buffers_backend AS backend_buffers, stats_reset FROM pg_stat_bgwriter")
}

// wal selects what was written ahead.
func (f *Facts) wal() string {
	return f.either(14, "SELECT wal_bytes::float8 AS bytes, wal_buffers_full AS buffers_full FROM pg_stat_wal", "SELECT NULL::float8 AS bytes, NULL::bigint AS buffers_full")
}

// slotState is what becomes of the log that a slot keeps.
func (f *Facts) slotState() string { return f.either(13, "wal_status", "NULL::text") }

// readAll is what lets a role read the statistics of columns.
func (f Facts) readAll() string {
	return f.either(14, "GRANT pg_read_all_data TO "+f.Role+";", "GRANT SELECT on the tables TO "+f.Role+";")
}

// lsn is where the log of writes stands, on a primary and on a standby.
const lsn = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"
