package postgres

import (
	"context"
	"strings"

	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	sessionDoc = "name (application, else role), pid, user, database, client (address), state, state_seconds, query_seconds (while it runs), transaction_seconds, wait (type:event), " +
		"query (its shape, or that of its last one when idle). "
	statementDoc = "query (shape), user, database, calls, total_time_ms, avg_time_ms, max_time_ms, rows"
	sampledDoc   = "When sampled: query, user, database, name, seen, seen_pct, max_time_ms, wait; also readings and sampled_seconds. "
	tableDoc     = "table, size_mb, index_mb, total_mb, rows (estimate), seq_scans, seq_rows_read, index_scans, index_used_pct (of scans). "
	sourceDoc    = "source: pg_stat_statements, or sampling of pg_stat_activity. "
	noteDoc      = "note. " // the prompt tells what these two are
	cutDoc       = "truncated. "
)

// call returns the callback ecto_name, which is pg_name too.
func call(name, args, doc string, run func(ctx context.Context, a skills.Args) (any, error), params ...skills.Param) skills.Call {
	return skills.Call{
		Name: "ecto_" + name, Aliases: []string{"pg_" + name}, Doc: strings.TrimSpace(doc), Example: "ecto_" + name + "(" + args + ")", Params: params, Run: run,
	}
}

// without makes a callback's function of one that takes no arguments.
func without(f func(ctx context.Context) (any, error)) func(context.Context, skills.Args) (any, error) {
	return func(ctx context.Context, _ skills.Args) (any, error) { return f(ctx) }
}

// limited makes a callback's function of one that takes a limit.
func limited(f func(ctx context.Context, limit int) (any, error)) func(context.Context, skills.Args) (any, error) {
	return func(ctx context.Context, a skills.Args) (any, error) { return f(ctx, a.Int("limit")) }
}

func calls(h *history) []skills.Call {
	return append(append(queryCalls(h), sessionCalls(h)...), serverCalls(h)...)
}

func queryCalls(h *history) []skills.Call {
	return []skills.Call{
		call("query_stats", "", "Queries since the snapshot before: query_count, avg_time_ms, max_time_ms (at least), slow_count (of statements slow on average), error_count (transactions rolled back), threshold_ms, window_seconds. "+
			"No percentiles: the server keeps sums. Without pg_stat_statements what runs is looked at: running_now, and max_time_ms of that. "+sourceDoc+noteDoc, without(h.queryStats)),
		call("slow_queries", "5", "Queries since the snapshot before that took threshold_ms or more, slowest first. queries: "+statementDoc+" (rows since reset). "+sampledDoc+sourceDoc+noteDoc,
			limited(h.slowQueries), skills.Limit(10, 50, "how many queries")),
		call("db_slow_queries", `5, "total_time"`, "Statements since pg_stat_statements was reset, of all databases, sorted. queries: "+statementDoc+", stddev_time_ms, time_pct (of all statements), cache_hit_pct, read_mb, temp_mb. "+sampledDoc+sourceDoc+cutDoc+noteDoc,
			func(ctx context.Context, a skills.Args) (any, error) {
				return h.statements(ctx, a.Int("limit"), a.String("sort_by"))
			},
			skills.Limit(10, 50, "how many statements"),
			skills.Param{Name: "sort_by", Type: "string", Doc: "most of this first", Default: "total_time", Enum: reach.Orders()}),
	}
}

func sessionCalls(h *history) []skills.Call {
	return []skills.Call{
		call("blocking_chain", "3", "Who blocks whom. chains, most blocked first; each is the session that blocks and waits for nobody, with the fields of ecto_long_running and depth (levels), blocked (sessions below it), longest_wait_seconds, cycle (a deadlock about to be ended), "+
			"waiters (nearest first, at most 20): the same and depth, blocked_by (pids), lock (what it waits for), wait_seconds. "+cutDoc+noteDoc, limited(h.blockingChain), skills.Limit(5, 20, "how many chains")),
		call("locks", "10", "Locks, those waited for first, then the strongest, of the oldest transactions. locks: name, pid, user, relation, locktype, mode, granted, state, transaction_seconds. "+cutDoc+noteDoc,
			limited(h.locks), skills.Limit(50, 200, "how many locks")),
		call("long_running", "5", "Sessions within a transaction, oldest first, idle ones too. sessions: "+sessionDoc+cutDoc+noteDoc,
			func(ctx context.Context, a skills.Args) (any, error) {
				return h.longRunning(ctx, a.Int("limit"), a.Number("min_seconds"))
			},
			skills.Limit(20, 100, "how many sessions"),
			skills.Param{Name: "min_seconds", Type: "number", Doc: "age of the transaction", Default: 0.0, Min: skills.Level(0), Max: skills.Level(1e9)}),
		call("connections", "5", "Who has the connections, most first. groups: name (application, else role), pid (of its oldest), user, database, client, connections, active, idle, idle_in_transaction, longest_idle_seconds. "+
			"Also used, max (max_connections), reserved (for others), used_pct, active, idle, idle_in_transaction, hidden (whose state may not be seen). "+cutDoc+noteDoc, limited(h.connections), skills.Limit(20, 100, "how many groups")),
		call("pool_stats", "", "How long sessions wait now for a lock, this being the server's queue; an application's own pool is not seen: waiting, avg_queue_time_ms, max_queue_time_ms, p95_queue_time_ms, high_contention_count (50 ms or more); "+
			"and used, max, reserved, used_pct, active, idle, idle_in_transaction as in ecto_connections. "+noteDoc, without(h.poolStats)),
	}
}

func serverCalls(h *history) []skills.Call {
	return []skills.Call{
		call("index_usage", "10", "Tables of 1000 rows and more, those that use indexes least first. tables: "+tableDoc+cutDoc, limited(h.tables(reach.ByIndexDisuse)), skills.Limit(20, 100, "how many tables")),
		call("unused_indexes", "5", "Indexes, enforcing nothing, with fewer than 50 scans since statistics began, never used and largest first. indexes: index, table, size_mb, scans, table_writes, last_scan (PostgreSQL 16), valid. "+
			"stats_hours: since statistics were reset, absent: never. "+cutDoc, limited(h.unusedIndexes), skills.Limit(20, 100, "how many indexes")),
		call("table_sizes", "10", "Largest tables. tables: as in ecto_index_usage. "+cutDoc, limited(h.tables(reach.BySize)), skills.Limit(20, 100, "how many tables")),
		call("seq_scans", "5", "Tables by rows read by sequential scans since statistics began. tables: as in ecto_index_usage. queries: the five statements with most time, as in ecto_db_slow_queries. "+cutDoc+noteDoc,
			limited(h.seqScans), skills.Limit(10, 50, "how many tables")),
		call("cache_hit", "", "table_hit_pct and index_hit_pct (blocks found in shared_buffers since statistics began), most_read_table and most_read_share_pct (of all blocks that were not), shared_buffers_mb; "+
			"databases, most read first: database, hit_pct, blocks_read. ", without(h.cacheHit)),
		call("bloat", "5", "Tables that take more room than their rows need, an estimate; indexes are not estimated. tables, most wasted first: table, size_mb, wasted_mb, bloat_pct, dead_rows, rows, "+
			"estimated_from (column widths; or dead rows, where the role may not read the columns' statistics). "+cutDoc+noteDoc, limited(h.bloat), skills.Limit(10, 50, "how many tables")),
		call("autovacuum", "5", "Tables by dead rows, and the vacuums that run. tables: table, rows, dead_rows, dead_pct, threshold (dead rows from which on autovacuum comes), over_threshold, autovacuum_off, last_vacuum, last_analyze, size_mb. "+
			"vacuums: pid, table, phase, done_pct, seconds, autovacuum. "+cutDoc+noteDoc, limited(h.autovacuum), skills.Limit(10, 50, "how many tables")),
		call("wraparound", "5", "How old unfrozen rows are. databases, and tables (of the dsn's database), oldest first: name, age (transactions), used_pct (of those before writes are refused), size_mb. holders: sessions with the oldest transactions, as in ecto_long_running. "+
			noteDoc, limited(h.wraparound), skills.Limit(5, 50, "how many of each")),
		call("replication", "", "replicas: name, pid, client, state, sync_state, lag_seconds (absent: nothing to replay, or not measured), lag_mb. slots: slot, type, database, active, retained_mb, wal_status. standby; and on one: lag_seconds, lag_mb, receiving, paused. "+noteDoc,
			without(h.replication)),
		call("checkpoints", "", "Checkpoints and the log of writes since statistics began: timed, requested, write_ms, sync_ms, buffers, backend_buffers, wal_mb, wal_buffers_full, archived, archive_failed, archive_failing_seconds, archive_failed_wal, stats_since. ",
			without(h.checkpoints)),
		call("databases", "5", "Databases, busiest first: database, size_mb, connections, commits, rollbacks, blocks_hit, blocks_read, temp_mb, temp_files, deadlocks, stats_since. "+cutDoc,
			limited(h.databases), skills.Limit(20, 100, "how many databases")),
		call("settings", "", "Settings that decide how the server behaves, those that somebody set first. settings: setting, value, unit, source, pending_restart. ", without(h.settings)),
	}
}
