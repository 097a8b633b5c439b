//go:build linux

package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/postgres"
)

// counts are statements that ran once each and took so long.
func counts(ms ...float64) map[reach.StatementID]reach.Count {
	out := map[reach.StatementID]reach.Count{}
	for i, v := range ms {
		id := reach.StatementID{QueryID: int64(i)}
		out[id] = reach.Count{StatementID: id, Calls: 1, TotalMS: v, MaxMS: v}
	}
	return out
}

// Behaviour: 147.
func TestWhatQueriesCost(t *testing.T) {
	w := reach.Between(nil, counts(10, 20, 30), 50)
	if w.Calls != 3 || w.AvgMS() != 20 || w.MaxMS != 30 || w.Slow != 0 {
		t.Errorf("10, 20 and 30 ms are %+v", w)
	}
	if w := reach.Between(nil, counts(10, 100, 200), 50); w.Slow != 2 {
		t.Errorf("of 10, 100 and 200 ms %v are slow at 50", w.Slow)
	}
	if w := reach.Between(counts(10, 20), counts(10, 20, 30), 50); w.Calls != 1 || w.TotalMS != 30 {
		t.Errorf("what ran before is counted: %+v", w)
	}
	began := counts(500)
	for id, c := range began {
		c.Calls, c.TotalMS = 9, 4500
		began[id] = c
	}
	if w := reach.Between(began, counts(30), 50); w.Calls != 1 || w.TotalMS != 30 {
		t.Errorf("a statement that began anew is %+v", w)
	}

	tg := database(t)
	if tg == nil {
		return
	}
	shop := tg.session("shop")
	tg.window(func() {
		for range 2 {
			if _, err := shop.Try("SELECT 1/0"); err == nil {
				t.Error("the server divides by nothing")
			}
		}
		shop.Exec("SELECT pg_sleep(0.12)")
		shop.Exec("SELECT pg_stat_force_next_flush()")
	})
	// Two snapshots are a second apart: the window begins with the first of them.
	a := tg.ask("ecto_query_stats()")
	if a["error_count"].(float64) < 2 || a["slow_count"].(float64) < 1 || a["max_time_ms"].(float64) < 120 || a["threshold_ms"] != 100.0 || a["source"] != "pg_stat_statements" {
		t.Errorf("the server tells %v", a)
	}
}

// Behaviour: 148.
func TestSlowQueriesAreSlowestFirst(t *testing.T) {
	tg := database(t)
	if tg == nil {
		return
	}
	shop := tg.session("shop")
	tg.snapshot()
	mine := func() (out []map[string]any) {
		for _, q := range rows(tg.ask("ecto_slow_queries(50)"), "queries") {
			if q["database"] == tg.database {
				out = append(out, q)
			}
		}
		return out
	}
	shop.Exec("SELECT 'fast'")
	if q := mine(); len(q) > 0 {
		t.Errorf("none was slow, but %v", q)
	}
	shop.Exec("SELECT pg_sleep(0.11)")
	shop.Exec("SELECT pg_sleep(0.2), now()")
	q := mine()
	if len(q) != 2 || q[0]["query"] != "SELECT pg_sleep(?), now()" || q[1]["query"] != "SELECT pg_sleep(?)" || q[0]["user"] != "postgres" || q[0]["max_time_ms"].(float64) < 200 {
		t.Errorf("the slow queries are %v", q)
	}
	a := tg.ask("ecto_slow_queries(1)")
	if len(rows(a, "queries")) != 1 || a["threshold_ms"] != 100.0 {
		t.Errorf("one slow query with the threshold is %v", a)
	}
}

// Behaviour: 149.
func TestWhatWaitsAmountsTo(t *testing.T) {
	for _, tt := range []struct {
		ms             []float64
		avg, max       float64
		waiting, worse int
	}{
		{[]float64{5, 10, 15}, 10, 15, 3, 0},
		{[]float64{10, 60, 100}, 56.7, 100, 3, 2},
	} {
		a := postgres.Queue(tt.ms)
		if a["avg_queue_time_ms"] != tt.avg || a["max_queue_time_ms"] != tt.max || a["waiting"] != tt.waiting || a["high_contention_count"] != tt.worse {
			t.Errorf("%v are %v", tt.ms, a)
		}
	}
	if a := postgres.Queue(nil); a["avg_queue_time_ms"] != nil || a["high_contention_count"] != 0 {
		t.Errorf("nobody waits: %v", a)
	}
	tg := database(t)
	if tg == nil {
		return
	}
	var sessions []string
	for i := range 10 {
		s := tg.session(fmt.Sprintf("app %d", i))
		s.Exec("BEGIN")
		sessions = append(sessions, fmt.Sprint(s.PID()))
	}
	a := tg.ask("ecto_long_running(5)")
	if len(rows(a, "sessions")) != 5 || a["truncated"] != true {
		t.Errorf("five of ten sessions %v are %v", sessions, a)
	}
}

// Behaviour: 150.
func TestTheReferencesDatabaseCallbacksAreThere(t *testing.T) {
	s := postgres.Skill(nil)
	arity := map[string]int{
		"ecto_query_stats": 0, "ecto_slow_queries": 1, "ecto_pool_stats": 0, "ecto_db_slow_queries": 1, "ecto_index_usage": 0, "ecto_unused_indexes": 0,
		"ecto_table_sizes": 1, "ecto_cache_hit": 0, "ecto_locks": 0, "ecto_long_running": 0, "ecto_bloat": 1, "ecto_connections": 0,
	}
	for name, n := range arity {
		for _, called := range []string{name, strings.Replace(name, "ecto_", "pg_", 1)} {
			i := slices.IndexFunc(s.Sources[0].Calls, func(c skills.Call) bool { return c.Words().Called(called) })
			if i < 0 {
				t.Errorf("there is no %s", called)
				continue
			}
			if _, err := skills.Bind(s.Sources[0].Calls[i].Words(), []any{5.0}[:n]); err != nil {
				t.Errorf("%s does not take %d arguments: %v", called, n, err)
			}
		}
	}
	if len(s.Sources) != 1 || s.Sources[0].Kind != skills.Postgres {
		t.Errorf("something other than PostgreSQL has a source: a callback there would answer for what it does not know")
	}
}
