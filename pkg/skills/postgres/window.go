package postgres

import (
	"context"
	"math"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
)

// since sets what counters tell without a reading before.
func (d fields) since(cur reading) {
	size, known := 0.0, false
	for _, db := range cur.databases {
		if db.SizeMB != nil {
			size, known = size+*db.SizeMB, true
		}
	}
	if known {
		d.set("database_size_mb", size, 1)
	}
	d["archive_failing_seconds"] = 0.0
	d.setKnown("archive_failing_seconds", cur.writes.FailingSeconds)
}

// What is told of queries comes from one of two places.
const (
	sourceStatements = "pg_stat_statements"
	sourceActivity   = "sampling of pg_stat_activity"
)

// window sets what happened between two readings.
func (d fields) window(ctx context.Context, s *reach.Server, f reach.Facts, prev, cur reading, elapsed time.Duration) error {
	sec := elapsed.Seconds()
	d.counters(prev.databases, cur.databases, sec)
	d.scans(prev.scanned, cur.scanned, sec)
	d.grown("checkpoints_requested", prev.writes.Requested, cur.writes.Requested, 1, 0)
	if a, b := prev.writes.WALMB, cur.writes.WALMB; a != nil && b != nil {
		d.grown("wal_mb_per_sec", *a, *b, sec, 2)
	}
	if f.NoStatements != "" {
		d["query_source"] = sourceActivity
		return nil
	}
	d["query_source"] = sourceStatements
	if len(prev.counts) == 0 { // it could not be read then
		return nil
	}
	return d.queries(ctx, s, reach.Between(prev.counts, cur.counts, s.SlowMS()), sec)
}

// grown sets how much a counter has grown by; one that fell was reset.
func (d fields) grown(name string, prev, cur, over float64, decimals int) {
	if cur >= prev {
		d.set(name, (cur-prev)/over, decimals)
	}
}

// leastBlocks is from how many blocks a second on a share of them says something.
const leastBlocks = 1000

func (d fields) counters(prev, cur []reach.Database, sec float64) {
	before := map[string]reach.Database{}
	for _, db := range prev {
		before[db.Name] = db
	}
	var commits, rollbacks, hits float64
	var deadlocks, reads, temp top
	for _, db := range cur {
		b, known := before[db.Name]
		if !known || db.Commits < b.Commits { // it is new, or its statistics are
			continue
		}
		commits += db.Commits - b.Commits
		rollbacks += math.Max(0, db.Rollbacks-b.Rollbacks)
		hits += math.Max(0, db.Hits-b.Hits)
		deadlocks.add(db.Name, db.Deadlocks-b.Deadlocks)
		reads.add(db.Name, db.Reads-b.Reads)
		temp.add(db.Name, db.TempMB-b.TempMB)
	}
	d.set("commits_per_sec", commits/sec, 1)
	d.set("error_count", rollbacks, 0)
	d.set("deadlocks_recent", deadlocks.sum, 0)
	d.text("deadlocks_database", deadlocks.name)
	d.set("blocks_read_per_sec", reads.sum/sec, 1)
	d.text("blocks_read_database", reads.name)
	d.set("temp_mb_per_sec", temp.sum/sec, 2)
	d.text("temp_database", temp.name)
	if all := hits + reads.sum; all/sec >= leastBlocks {
		d.set("cache_hit_pct", 100*hits/all, 1)
	}
}

// top is a sum, and who has most of it.
type top struct {
	sum, most float64
	name      string
}

func (t *top) add(name string, v float64) {
	if v <= 0 {
		return
	}
	if t.sum += v; v > t.most {
		t.most, t.name = v, name
	}
}

// A scan counts when its table is no small one and is scanned again and again.
const (
	mostScanned  = 200    // tables that are compared
	leastScanned = 10_000 // rows of one scan
	leastScans   = 0.1    // a second
)

func (d fields) scans(prev, cur []reach.Scanned, sec float64) {
	before := map[uint32]reach.Scanned{}
	for _, t := range prev {
		before[t.ID] = t
	}
	d["seq_scan_rows_per_sec"] = 0.0
	most := 0.0
	for _, t := range cur {
		b, known := before[t.ID]
		if !known && len(prev) == mostScanned { // it may have been there, further down
			continue
		}
		scans, read := t.Scans-b.Scans, t.Read-b.Read
		if scans/sec < leastScans || read/scans < leastScanned || read <= most {
			continue
		}
		most = read
		d.set("seq_scan_rows_per_sec", read/sec, 0)
		d.set("seq_scans_per_sec", scans/sec, 1)
		d.set("seq_scan_table_mb", t.MB, 1)
		d.text("seq_scan_table", t.Name)
	}
}

// leastQueries is from how many queries on an average says something.
const leastQueries = 10

func (d fields) queries(ctx context.Context, s *reach.Server, w reach.Window, sec float64) error {
	d.set("query_count_1m", 60*w.Calls/sec, 0)
	d.set("slow_query_count", w.Slow, 0)
	d.set("max_query_time_ms", w.MaxMS, 1)
	d.set("query_time_pct", w.TotalMS/sec/10, 1)
	if w.Calls >= leastQueries {
		d.set("avg_query_time_ms", w.AvgMS(), 2)
	}
	if w.TotalMS/sec < 10 { // a hundredth of the time: nothing to name
		return nil
	}
	list, err := statementsOf(ctx, s, w, 1)
	if len(list) > 0 {
		d.text("top_query", list[0].Query)
		d.set("top_query_time_pct", 100*list[0].TotalMS/w.TotalMS, 1)
		if list[0].Calls >= leastQueries {
			d.set("top_query_avg_ms", list[0].AvgMS, 1)
		}
	}
	return err
}

// statementsOf returns the first statements of a window, our own left out, with
// what they cost in it.
func statementsOf(ctx context.Context, s *reach.Server, w reach.Window, limit int) ([]reach.Statement, error) {
	top := w.Top[:min(limit+20, len(w.Top))] // some of them may be our own
	if len(top) == 0 {
		return nil, nil
	}
	ids := make([]reach.StatementID, len(top))
	for i, c := range top {
		ids[i] = c.StatementID
	}
	texts, err := s.Statements(ctx, "total_time", len(ids), ids...)
	if err != nil {
		return nil, err
	}
	known := map[reach.StatementID]reach.Statement{}
	for _, t := range texts {
		known[t.ID] = t
	}
	var out []reach.Statement
	for _, c := range top {
		if t, ok := known[c.StatementID]; ok && len(out) < limit {
			t.Calls, t.TotalMS, t.AvgMS, t.MaxMS = c.Calls, c.TotalMS, c.TotalMS/c.Calls, c.MaxMS
			out = append(out, t)
		}
	}
	return out, nil
}
