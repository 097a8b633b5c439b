package postgres

import (
	"context"
	"fmt"
)

// What is asked of tables and indexes is of the database that the DSN names, the
// server's own catalogs left out. Sizes in snapshots are those of the last vacuum
// or analyze: to measure one takes a lock, for which one might have to wait.

// tableName names a table as people do.
const tableName = "CASE WHEN s.schemaname = 'public' THEN '' ELSE s.schemaname || '.' END || s.relname"

// unlocked measures a table that nobody holds exclusively, and estimates others.
func (f *Facts) unlocked(measure, pages string) string {
	return fmt.Sprintf(`CASE WHEN EXISTS (SELECT 1 FROM pg_locks l WHERE l.mode = 'AccessExclusiveLock' AND l.granted AND l.relation = s.relid) THEN (%s)::bigint * %d ELSE %s(s.relid) END`,
		pages, f.BlockSize, measure)
}

// A Table is one table with how it is read, and its sizes.
type Table struct {
	Name         string   `json:"table"`
	SizeMB       float64  `json:"size_mb"` // without indexes
	IndexMB      float64  `json:"index_mb"`
	TotalMB      float64  `json:"total_mb"`
	Rows         float64  `json:"rows"` // as the server estimates
	SeqScans     float64  `json:"seq_scans"`
	SeqRows      float64  `json:"seq_rows_read"`
	IndexScans   float64  `json:"index_scans"`
	IndexUsedPct *float64 `json:"index_used_pct,omitempty"` // the share of scans that used an index
}

// TableOrder is what tables are sorted by.
type TableOrder string

// Orders of tables, most first.
const (
	BySize    TableOrder = "t.relpages + coalesce(x.pages, 0)"
	BySeqRows TableOrder = "s.seq_tup_read"
	// ByIndexDisuse has those that use indexes least first, of 1000 rows and more.
	ByIndexDisuse TableOrder = "CASE WHEN s.n_live_tup >= 1000 THEN coalesce(s.seq_scan::float8 / nullif(s.seq_scan + coalesce(s.idx_scan, 0), 0), 0) ELSE -1 END DESC, s.n_live_tup"
)

// Tables returns tables in an order.
func (s *Server) Tables(ctx context.Context, order TableOrder, limit int) ([]Table, error) {
	return rows[Table](ctx, s, func(f *Facts) string {
		return fmt.Sprintf(`WITH s AS (SELECT s.*, t.relpages, coalesce(x.pages, 0) AS index_pages, row_number() OVER (ORDER BY %s DESC, s.relname) AS place
				FROM pg_stat_user_tables s JOIN pg_class t ON t.oid = s.relid
				LEFT JOIN (SELECT i.indrelid, sum(c.relpages) AS pages FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid GROUP BY 1) x ON x.indrelid = s.relid
				ORDER BY place LIMIT %d),
			m AS (SELECT s.*, %s AS heap, %s AS total FROM s)
			SELECT %s AS table, round(heap / 1048576.0, 1) AS size_mb, round(greatest(total - heap, 0) / 1048576.0, 1) AS index_mb, round(total / 1048576.0, 1) AS total_mb,
			n_live_tup AS rows, seq_scan AS seq_scans, seq_tup_read AS seq_rows_read, coalesce(idx_scan, 0) AS index_scans,
			CASE WHEN seq_scan + coalesce(idx_scan, 0) > 0 THEN round(100.0 * coalesce(idx_scan, 0) / (seq_scan + coalesce(idx_scan, 0)), 1) END AS index_used_pct
			FROM m s ORDER BY place`, order, limit, f.unlocked("pg_table_size", "s.relpages"), f.unlocked("pg_total_relation_size", "s.relpages + s.index_pages"), tableName)
	})
}

// A Scanned is how often a table was read from end to end.
type Scanned struct {
	ID    uint32  `json:"id"`
	Name  string  `json:"table"`
	Scans float64 `json:"scans"`
	Read  float64 `json:"read"` // rows
	MB    float64 `json:"mb"`
}

// Scanned returns the tables with most rows read by sequential scans.
func (s *Server) Scanned(ctx context.Context, limit int) ([]Scanned, error) {
	return rows[Scanned](ctx, s, func(f *Facts) string {
		return fmt.Sprintf(`SELECT s.relid::bigint AS id, %s AS table, s.seq_scan AS scans, s.seq_tup_read AS read, round(c.relpages * %d / 1048576.0, 1) AS mb
			FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid WHERE s.seq_tup_read > 0 ORDER BY s.seq_tup_read DESC LIMIT %d`, tableName, f.BlockSize, limit)
	})
}

// An Index is one index and how much it is used.
type Index struct {
	Name        string  `json:"index"`
	Table       string  `json:"table"`
	SizeMB      float64 `json:"size_mb"`
	Scans       float64 `json:"scans"`
	TableWrites float64 `json:"table_writes"`
	LastScan    *string `json:"last_scan,omitempty"` // PostgreSQL 16
	Valid       bool    `json:"valid"`
}

// Unused counts the indexes that nothing has used.
type Unused struct {
	Count      int      `json:"count"`
	MB         float64  `json:"mb"`
	Largest    string   `json:"largest"`
	StatsHours *float64 `json:"stats_hours"` // since the statistics were reset; nil: never
}

// unused are indexes that enforce nothing.
const unused = "NOT i.indisunique AND NOT i.indisexclusion AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = s.indexrelid)"

// seldom is below how many scans since the statistics were reset an index counts
// as unused in the list.
const seldom = 50

// UnusedIndexes returns indexes with fewer than 50 scans, those never used and the
// largest first.
func (s *Server) UnusedIndexes(ctx context.Context, limit int) ([]Index, error) {
	return rows[Index](ctx, s, func(f *Facts) string {
		return fmt.Sprintf(`SELECT s.indexrelname AS index, %s AS table, round(c.relpages * %d / 1048576.0, 1) AS size_mb, s.idx_scan AS scans,
			t.n_tup_ins + t.n_tup_upd + t.n_tup_del AS table_writes, %s AS last_scan, i.indisvalid AS valid
			FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid) JOIN pg_class c ON c.oid = s.indexrelid JOIN pg_stat_user_tables t ON t.relid = s.relid
			WHERE s.idx_scan < %d AND %s ORDER BY s.idx_scan > 0, c.relpages DESC, s.indexrelname LIMIT %d`, tableName, f.BlockSize, f.lastIndexScan(), seldom, unused, limit)
	})
}

// Unused counts the indexes without a single scan.
func (s *Server) Unused(ctx context.Context) (Unused, error) {
	return row[Unused](ctx, s, func(f *Facts) string {
		return fmt.Sprintf(`SELECT count(*) AS count, coalesce(round(sum(c.relpages) * %d / 1048576.0, 1), 0) AS mb,
			coalesce((array_agg(s.indexrelname || ' on ' || %s ORDER BY c.relpages DESC))[1], '') AS largest,
			(SELECT round(extract(epoch FROM now() - stats_reset)::numeric / 3600, 1) FROM pg_stat_database WHERE datname = current_database()) AS stats_hours
			FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid) JOIN pg_class c ON c.oid = s.indexrelid WHERE s.idx_scan = 0 AND %s`, f.BlockSize, tableName, unused)
	})
}
