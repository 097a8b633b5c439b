package postgres

import (
	"context"
	"fmt"
)

// An Age is how many transactions ago something was last frozen. At 2^31 the
// server takes no more writes.
type Age struct {
	Name    string   `json:"name"`
	Age     float64  `json:"age"` // of transactions or of multixacts, what is nearer to its end
	UsedPct float64  `json:"used_pct"`
	SizeMB  *float64 `json:"size_mb,omitempty"`
}

// lastTransaction is how many transactions or multixacts may be unfrozen.
const lastTransaction = "2147483648"

// DatabaseAges returns databases, the oldest first.
func (s *Server) DatabaseAges(ctx context.Context, limit int) ([]Age, error) {
	return rows[Age](ctx, s, fixed(fmt.Sprintf(`SELECT datname AS name, age, round(100.0 * age / %s, 1) AS used_pct
		FROM (SELECT datname, greatest(age(datfrozenxid), mxid_age(datminmxid)) AS age FROM pg_database) d ORDER BY age DESC, name LIMIT %d`, lastTransaction, limit)))
}

// TableAges returns tables of this database, the oldest first.
func (s *Server) TableAges(ctx context.Context, limit int) ([]Age, error) {
	return rows[Age](ctx, s, func(f *Facts) string {
		return fmt.Sprintf(`SELECT c.oid::regclass::text AS name, a.age, round(100.0 * a.age / %s, 1) AS used_pct, round(c.relpages * %d / 1048576.0, 1) AS size_mb
			FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
			CROSS JOIN LATERAL (SELECT greatest(age(c.relfrozenxid), mxid_age(c.relminmxid), age(t.relfrozenxid)) AS age) a
			WHERE c.relkind IN ('r', 'm') AND c.relfrozenxid <> '0'::xid ORDER BY a.age DESC, c.relpages DESC LIMIT %d`, lastTransaction, f.BlockSize, limit)
	})
}

// A Vacuumed is a table by what vacuum has to do there.
type Vacuumed struct {
	Name      string  `json:"table"`
	Rows      float64 `json:"rows"`
	Dead      float64 `json:"dead_rows"`
	DeadPct   float64 `json:"dead_pct"`
	Threshold float64 `json:"threshold"` // dead rows from which on autovacuum comes
	Over      bool    `json:"over_threshold"`
	Disabled  bool    `json:"autovacuum_off"`
	Vacuum    *string `json:"last_vacuum,omitempty"` // by hand or by itself
	Analyze   *string `json:"last_analyze,omitempty"`
	SizeMB    float64 `json:"size_mb"`
}

// option is a storage parameter of a table, or else a setting.
func option(name, setting string) string {
	return fmt.Sprintf("coalesce((SELECT substring(o FROM '=(.*)') FROM unnest(c.reloptions) o WHERE o LIKE '%s=%%'), current_setting('%s'))", name, setting)
}

// Vacuumed returns the tables with dead rows, those with most of them first.
func (s *Server) Vacuumed(ctx context.Context, limit int) ([]Vacuumed, error) {
	return rows[Vacuumed](ctx, s, func(f *Facts) string {
		return fmt.Sprintf(`SELECT %s AS table, n_live_tup AS rows, n_dead_tup AS dead_rows, round(100.0 * n_dead_tup / greatest(n_live_tup + n_dead_tup, 1), 1) AS dead_pct,
			round(v.threshold::numeric) AS threshold, n_dead_tup > v.threshold AS over_threshold, NOT v.enabled AS autovacuum_off,
			greatest(last_vacuum, last_autovacuum) AS last_vacuum, greatest(last_analyze, last_autoanalyze) AS last_analyze, round(c.relpages * %d / 1048576.0, 1) AS size_mb
			FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
			CROSS JOIN LATERAL (SELECT %s::float8 + %s::float8 * greatest(c.reltuples, 0) AS threshold, %s::bool AS enabled) v
			WHERE n_dead_tup > 0 ORDER BY n_dead_tup DESC, s.relname LIMIT %d`, tableName, f.BlockSize,
			option("autovacuum_vacuum_threshold", "autovacuum_vacuum_threshold"), option("autovacuum_vacuum_scale_factor", "autovacuum_vacuum_scale_factor"),
			option("autovacuum_enabled", "autovacuum"), limit)
	})
}

// A Vacuum is one that runs.
type Vacuum struct {
	PID     int      `json:"pid"`
	Table   string   `json:"table"`
	Phase   string   `json:"phase"`
	DonePct float64  `json:"done_pct"` // of the table's blocks, in this phase
	Seconds *float64 `json:"seconds,omitempty"`
	Auto    bool     `json:"autovacuum"`
}

// Vacuums returns the vacuums that run, the longest running first.
func (s *Server) Vacuums(ctx context.Context) ([]Vacuum, error) {
	return rows[Vacuum](ctx, s, fixed(`SELECT p.pid, CASE WHEN p.datname = current_database() THEN p.relid::regclass::text ELSE p.datname || ' ' || p.relid END AS table, p.phase,
		round(100.0 * p.heap_blks_scanned / greatest(p.heap_blks_total, 1), 1) AS done_pct, `+seconds("a.xact_start")+` AS seconds, a.backend_type = 'autovacuum worker' AS autovacuum
		FROM pg_stat_progress_vacuum p LEFT JOIN pg_stat_activity a ON a.pid = p.pid WHERE p.relid IS NOT NULL ORDER BY seconds DESC NULLS LAST LIMIT 50`))
}
