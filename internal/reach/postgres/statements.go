package postgres

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A StatementID is how pg_stat_statements knows a statement: who runs it, where.
type StatementID struct {
	UserID     uint32 `json:"u"`
	DatabaseID uint32 `json:"d"`
	QueryID    int64  `json:"q"`
}

// A Count is what a statement has cost since the statistics were reset.
type Count struct {
	StatementID
	Calls   float64 `json:"c"`
	TotalMS float64 `json:"t"`
	MaxMS   float64 `json:"m"`
	Temp    float64 `json:"w"` // blocks written to temporary files
}

// maxStatements is how many statements are compared; pg_stat_statements keeps
// 5000 unless somebody sets it otherwise.
const maxStatements = 10_000

// nothing is a question without an answer.
const nothing = "SELECT 1 WHERE false"

// Counts returns what each statement has cost. It reads no texts.
func (s *Server) Counts(ctx context.Context) (map[StatementID]Count, error) {
	list, err := rows[Count](ctx, s, func(f *Facts) string {
		if f.NoStatements != "" {
			return nothing
		}
		return fmt.Sprintf(`SELECT userid::bigint AS u, dbid::bigint AS d, coalesce(queryid, 0) AS q, sum(calls) AS c, round(sum(%s)::numeric, 3) AS t, round(max(%s)::numeric, 3) AS m, sum(temp_blks_written) AS w
			FROM %s GROUP BY 1, 2, 3 ORDER BY t DESC LIMIT %d`, f.execTime("total"), f.execTime("max"), f.statements(false), maxStatements)
	})
	if err != nil {
		return nil, err
	}
	out := make(map[StatementID]Count, len(list))
	for _, c := range list {
		out[c.StatementID] = c
	}
	return out, nil
}

// A Window is what statements cost between two readings.
type Window struct {
	Calls   float64
	TotalMS float64
	// MaxMS is what the slowest execution took at least: statistics keep the slowest
	// ever, and the average.
	MaxMS float64
	Slow  float64 // executions of statements that took slow_ms or more on average
	Top   []Count // by time, most first; Calls, TotalMS, MaxMS and Temp are those of the window
}

// AvgMS is the average of all executions.
func (w Window) AvgMS() float64 { return w.TotalMS / math.Max(1, w.Calls) }

// Between returns what happened between two readings. A statement whose counts
// fell began anew in between.
func Between(before, after map[StatementID]Count, slowMS float64) Window {
	var w Window
	for id, c := range after {
		prev := before[id]
		if c.Calls < prev.Calls {
			prev = Count{}
		}
		d := Count{StatementID: id, Calls: c.Calls - prev.Calls, TotalMS: math.Max(0, c.TotalMS-prev.TotalMS), Temp: math.Max(0, c.Temp-prev.Temp)}
		if d.Calls == 0 {
			continue
		}
		d.MaxMS = d.TotalMS / d.Calls
		if d.MaxMS >= slowMS {
			w.Slow += d.Calls
		}
		if c.MaxMS > prev.MaxMS {
			d.MaxMS = math.Max(d.MaxMS, c.MaxMS)
		}
		w.Calls += d.Calls
		w.TotalMS += d.TotalMS
		w.MaxMS = math.Max(w.MaxMS, d.MaxMS)
		w.Top = append(w.Top, d)
	}
	slices.SortFunc(w.Top, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.TotalMS, a.TotalMS), cmp.Compare(a.QueryID, b.QueryID), cmp.Compare(a.UserID, b.UserID))
	})
	return w
}

// A Statement is one of pg_stat_statements, since its statistics were reset.
type Statement struct {
	ID         StatementID `json:"-"`
	Query      string      `json:"query"` // its shape; empty when it may not be read
	User       string      `json:"user,omitempty"`
	Database   string      `json:"database,omitempty"`
	Calls      float64     `json:"calls"`
	TotalMS    float64     `json:"total_time_ms"`
	AvgMS      float64     `json:"avg_time_ms"`
	MaxMS      float64     `json:"max_time_ms"`
	DeviatesMS float64     `json:"stddev_time_ms"`
	TimePct    float64     `json:"time_pct"`
	Rows       float64     `json:"rows"`
	HitPct     *float64    `json:"cache_hit_pct,omitempty"`
	ReadMB     float64     `json:"read_mb"`
	TempMB     float64     `json:"temp_mb"`
}

// orders are what statements may be sorted by.
var orders = map[string]string{"total_time": "t", "avg_time": "t / greatest(c, 1)", "max_time": "m", "calls": "c", "reads": "read", "temp": "temp", "rows": "r"}

// Orders returns what statements may be sorted by.
func Orders() []string {
	return []string{"total_time", "avg_time", "max_time", "calls", "reads", "temp", "rows"}
}

// longestRead is how many characters of a text the server sends.
const longestRead = 4000

// Statements returns statements with their shapes, our own left out, sorted by one
// of [Orders], most first; or those of ids, when there are some. It is empty where
// [Facts] say that pg_stat_statements cannot be read.
func (s *Server) Statements(ctx context.Context, order string, limit int, ids ...StatementID) ([]Statement, error) {
	where := "true"
	if len(ids) > 0 {
		var list []string
		for _, id := range ids {
			list = append(list, fmt.Sprintf("(%d,%d,%d)", id.UserID, id.DatabaseID, id.QueryID))
		}
		where = "(userid, dbid, queryid) IN (" + strings.Join(list, ",") + ")"
	}
	type found struct {
		StatementID
		Statement
		Cut bool `json:"cut"`
	}
	list, err := rows[found](ctx, s, func(f *Facts) string {
		if f.NoStatements != "" {
			return nothing
		}
		return fmt.Sprintf(`WITH total AS (SELECT greatest(sum(%[1]s), 0.001) AS ms FROM %[2]s),
			one AS (SELECT userid, dbid, queryid, query, calls AS c, %[1]s AS t, %[3]s AS m, %[4]s AS dev, rows AS r, shared_blks_hit AS hit, shared_blks_read AS read, temp_blks_written AS temp
				FROM %[5]s WHERE (%[6]s) AND query NOT LIKE '%%%[7]s%%'),
			s AS (SELECT * FROM one ORDER BY %[8]s DESC, queryid LIMIT %[9]d)
			SELECT userid::bigint AS u, dbid::bigint AS d, coalesce(queryid, 0) AS q, nullif(left(query, %[10]d), '%[11]s') AS query, length(query) > %[10]d AS cut, pg_get_userbyid(userid) AS "user", b.datname AS database,
			c AS calls, round(t::numeric, 1) AS total_time_ms, round((t / greatest(c, 1))::numeric, 2) AS avg_time_ms, round(m::numeric, 1) AS max_time_ms, round(dev::numeric, 2) AS stddev_time_ms,
			round((100 * t / total.ms)::numeric, 1) AS time_pct, r AS rows, CASE WHEN hit + read > 0 THEN round(100.0 * hit / (hit + read), 1) END AS cache_hit_pct,
			round(read * %[12]d / 1048576.0, 1) AS read_mb, round(temp * %[12]d / 1048576.0, 1) AS temp_mb
			FROM s CROSS JOIN total LEFT JOIN pg_database b ON b.oid = dbid ORDER BY %[8]s DESC, queryid`,
			f.execTime("total"), f.statements(false), f.execTime("max"), f.execTime("stddev"), f.statements(true), where, ours, orders[order], limit, longestRead, hiddenQuery, f.BlockSize)
	})
	out := make([]Statement, 0, len(list))
	for _, l := range list {
		l.ID, l.Query = l.StatementID, Shape(l.Query, l.Cut)
		out = append(out, l.Statement)
	}
	return out, err
}
