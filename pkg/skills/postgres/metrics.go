package postgres

import (
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Rates and what happened "in the window" are over the time since the snapshot
// before; the first snapshot of a probe lacks them.
var metrics = []skills.Metric{
	skills.Gauge("reachable", protocol.Count, "1 when the server answers, 0 when it is down, takes no connection or does not answer; then nothing else is there."),
	skills.Info("unreachable_reason", protocol.Text, "Why it does not."),
	skills.Info("server_version", protocol.Text, "Of the server."),
	skills.Gauge("uptime_seconds", protocol.Seconds, "Since the server was started, to a minute."),

	skills.Gauge("query_count_1m", protocol.Count, "Queries a minute in the window, of all databases, this skill's own among them. Absent, as the next seven, without pg_stat_statements."),
	skills.Gauge("avg_query_time_ms", protocol.Milliseconds, "Average time of a query in the window; absent below 10 queries."),
	skills.Gauge("max_query_time_ms", protocol.Milliseconds, "What the slowest query of the window took at least."),
	skills.Gauge("slow_query_count", protocol.Count, "Queries of the window whose statement is slow on average."),
	skills.Gauge("query_time_pct", protocol.Percent, "Time of all queries in the window, of one processor or disk: 250 means that two or three ran at any time."),
	skills.Info("top_query", protocol.Text, "The statement with most of that time; absent when it took little."),
	skills.Gauge("top_query_time_pct", protocol.Percent, "Its share."),
	skills.Gauge("top_query_avg_ms", protocol.Milliseconds, "What it takes on average; absent below 10 executions in the window."),
	skills.Gauge("error_count", protocol.Count, "Transactions rolled back in the window, by an error or by the application."),
	skills.Gauge("commits_per_sec", protocol.PerSecond, "Transactions committed."),
	skills.Info("query_source", protocol.Text, "pg_stat_statements, or sampling of pg_stat_activity where that is missing."),

	skills.Gauge("connections", protocol.Count, "Connections of all databases."),
	skills.Info("connections_max", protocol.Count, "What ordinary roles may have of max_connections."),
	skills.Gauge("connections_used_pct", protocol.Percent, "Use of that."),
	skills.Info("connections_top", protocol.Text, "Who has most, as name (how many)."),
	skills.Gauge("connections_active", protocol.Count, "Those that run a query."),
	skills.Gauge("connections_idle", protocol.Count, "Those that do nothing."),
	skills.Gauge("connections_idle_in_transaction", protocol.Count, "Those that do nothing within a transaction, which keeps its locks."),
	skills.Gauge("idle_in_transaction_max_seconds", protocol.Seconds, "How long the longest of those has done nothing; absent when there is none."),
	skills.Info("idle_in_transaction_session", protocol.Text, "That session, as name (pid)."),

	skills.Gauge("longest_query_seconds", protocol.Seconds, "How long the longest running query has run; absent when none runs."),
	skills.Info("longest_query_session", protocol.Text, "Its session, as name (pid)."),
	skills.Info("longest_query", protocol.Text, "Its shape."),
	skills.Gauge("oldest_transaction_seconds", protocol.Seconds, "Age of the oldest transaction; vacuum removes no row that died since."),

	skills.Gauge("blocked_sessions", protocol.Count, "Sessions that wait for a lock."),
	skills.Gauge("blocked_max_seconds", protocol.Seconds, "How long the longest of them has waited; absent when there is none."),
	skills.Gauge("blocking_chain_depth", protocol.Count, "Levels of the longest chain of sessions that wait for one another, who blocks them included."),
	skills.Info("blocker", protocol.Text, "The session at the root of most waits, as name (pid)."),
	skills.Info("blocker_state", protocol.Text, "What it does: active, or idle in transaction."),
	skills.Info("blocker_seconds", protocol.Seconds, "For how long."),
	skills.Info("blocker_query", protocol.Text, "The shape of its query, or of its last one when it is idle."),
	skills.Info("blocked_lock", protocol.Text, "What the first of those that wait for it waits for."),
	skills.Gauge("deadlocks_recent", protocol.Count, "Deadlocks in the window, each of which failed a transaction."),
	skills.Info("deadlocks_database", protocol.Text, "The database with most of them."),

	skills.Gauge("cache_hit_pct", protocol.Percent, "Blocks found in shared_buffers in the window, of those read; absent below 1000 blocks a second."),
	skills.Gauge("blocks_read_per_sec", protocol.PerSecond, "Blocks (8 KiB) asked of the operating system."),
	skills.Info("blocks_read_database", protocol.Text, "The database that asked for most."),
	skills.Gauge("temp_mb_per_sec", protocol.Mebibytes, "Written to temporary files a second, by sorts and hashes larger than work_mem."),
	skills.Info("temp_database", protocol.Text, "The database that wrote most."),
	skills.Gauge("database_size_mb", protocol.Mebibytes, "Size of all databases whose size may be asked for."),

	skills.Gauge("seq_scan_rows_per_sec", protocol.PerSecond, "Rows read by sequential scans of the table with most, of those of 10,000 rows and more that are scanned at least once in ten seconds; 0 when there is none."),
	skills.Info("seq_scan_table", protocol.Text, "That table."),
	skills.Info("seq_scan_table_mb", protocol.Mebibytes, "Its size."),
	skills.Gauge("seq_scans_per_sec", protocol.PerSecond, "How often it is scanned."),
	skills.Gauge("unused_indexes", protocol.Count, "Indexes, enforcing nothing, that were never used since statistics began; absent when that was less than a day ago."),
	skills.Gauge("unused_indexes_mb", protocol.Mebibytes, "Their size."),
	skills.Info("unused_index_largest", protocol.Text, "The largest, with its table."),

	skills.Gauge("dead_tuples_max_pct", protocol.Percent, "Dead rows of the table with the largest share, of those with 10,000 dead rows and more than autovacuum waits for; 0 when there is none."),
	skills.Gauge("dead_tuples", protocol.Count, "How many."),
	skills.Info("dead_tuples_table", protocol.Text, "That table."),
	skills.Info("dead_tuples_autovacuum", protocol.Text, "Whether autovacuum is on or off for it."),
	skills.Gauge("wraparound_used_pct", protocol.Percent, "Transactions since the oldest row was frozen, of those there may be; autovacuum begins at about 10, at 100 the server takes no more writes."),
	skills.Info("wraparound_database", protocol.Text, "The database with that row."),

	skills.Gauge("replication_lag_seconds", protocol.Seconds, "How far the farthest replica, or this standby, is behind; 0 when it has replayed all, absent when the server has not measured it."),
	skills.Gauge("replication_lag_mb", protocol.Mebibytes, "The same in what is to be replayed."),
	skills.Info("replication_replica", protocol.Text, "That replica; this standby is called so."),
	skills.Gauge("replication_slot_retained_mb", protocol.Mebibytes, "Log of writes that is kept for the slot with most."),
	skills.Info("replication_slot", protocol.Text, "That slot, and whether anybody uses it."),
	skills.Gauge("archive_failing_seconds", protocol.Seconds, "Since when the log of writes cannot be archived, 0 when it can; it piles up until then."),
	skills.Gauge("checkpoints_requested", protocol.Count, "Checkpoints in the window that did not wait for their time, mostly because max_wal_size was reached."),
	skills.Gauge("wal_mb_per_sec", protocol.Mebibytes, "Log of writes a second; PostgreSQL 14 and later."),
}
