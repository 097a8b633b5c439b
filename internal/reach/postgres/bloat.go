package postgres

import (
	"context"
	"fmt"
)

// A Bloated is a table that takes more room than its rows need.
type Bloated struct {
	Name     string  `json:"table"`
	SizeMB   float64 `json:"size_mb"`
	WastedMB float64 `json:"wasted_mb"`
	BloatPct float64 `json:"bloat_pct"`
	DeadRows float64 `json:"dead_rows"`
	Rows     float64 `json:"rows"`
	// From is what the estimate rests on: the widths of the columns, or dead rows alone.
	From string `json:"estimated_from"`
}

// columnWidths is what the better estimate rests on.
const columnWidths = "column widths"

// Bloat estimates what tables waste, most first: their size against that of their
// rows, by the widths of columns that analyze has measured. Where the role may not
// read those widths it is the share of dead rows. The note says what was missing.
func (s *Server) Bloat(ctx context.Context, limit int) (list []Bloated, note string, err error) {
	grant := ""
	list, err = rows[Bloated](ctx, s, func(f *Facts) string {
		grant = f.readAll()
		return fmt.Sprintf(`WITH widths AS (SELECT schemaname, tablename, count(*) AS columns, sum((1 - null_frac) * avg_width) AS width FROM pg_stats WHERE NOT inherited GROUP BY 1, 2),
			t AS (SELECT s.*, c.reltuples, c.relpages::float8 AS pages, w.width,
				coalesce((SELECT substring(o FROM 'fillfactor=(.*)')::float8 FROM unnest(c.reloptions) o WHERE o LIKE 'fillfactor=%%'), 100) / 100 AS fill,
				w.columns >= (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = s.relid AND a.attnum > 0 AND NOT a.attisdropped) AND c.reltuples >= 0 AS known
				FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid LEFT JOIN widths w ON w.schemaname = s.schemaname AND w.tablename = s.relname WHERE c.relpages > 0),
			e AS (SELECT t.*, CASE WHEN known THEN ceil(reltuples * (28 + ceil(width / 8) * 8) / ((%[1]d - 24) * fill))
				ELSE pages * n_live_tup / greatest(n_live_tup + n_dead_tup, 1) END AS needs FROM t)
			SELECT %[2]s AS table, round((pages * %[1]d / 1048576.0)::numeric, 1) AS size_mb, round((greatest(pages - needs, 0) * %[1]d / 1048576.0)::numeric, 1) AS wasted_mb,
			round((100 * greatest(pages - needs, 0) / pages)::numeric, 1) AS bloat_pct, n_dead_tup AS dead_rows, n_live_tup AS rows,
			CASE WHEN known THEN '%[3]s' ELSE 'dead rows' END AS estimated_from
			FROM e s ORDER BY greatest(pages - needs, 0) DESC, s.relname LIMIT %[4]d`, f.BlockSize, tableName, columnWidths, limit)
	})
	for _, b := range list {
		if b.From != columnWidths {
			note = "Where the estimate rests on dead rows, room that vacuum has freed is not seen: ANALYZE the table; the role must be allowed to read it: " + grant
		}
	}
	return list, note, err
}
