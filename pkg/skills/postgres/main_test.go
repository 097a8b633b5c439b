//go:build linux

package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/pgtest"
	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/postgres"
)

// One server for all tests of the package, with databases of their own.
var (
	cluster *pgtest.Cluster
	absent  error
)

func TestMain(m *testing.M) {
	cluster, absent = pgtest.Start("shared_preload_libraries=pg_stat_statements", "autovacuum=off", "deadlock_timeout=50ms", "max_connections=60", "work_mem=64kB")
	code := m.Run()
	if cluster != nil {
		cluster.Stop()
	}
	os.Exit(code)
}

// A target is one database, looked into by the skill.
type target struct {
	t        *testing.T
	database string
	server   *reach.Server
	skills.Source
}

// open opens the skill on a server.
func open(t *testing.T, cfg reach.Config) *target {
	t.Helper()
	server := reach.New(cfg)
	t.Cleanup(server.Close)
	s := postgres.Skill(map[string]*reach.Server{"main": server})
	if _, err := skills.NewRegistry(s); err != nil {
		t.Fatal(err)
	}
	return &target{t: t, server: server, Source: s.Sources[0].Open("main")}
}

// database opens the skill on a database of the shared server, in which some SQL
// was run; nil where there is no server, which the test has told then.
func database(t *testing.T, sql ...string) *target {
	t.Helper()
	if pgtest.Absent(t, absent) {
		return nil
	}
	name := cluster.Database(t, append([]string{"CREATE EXTENSION pg_stat_statements"}, sql...)...)
	tg := open(t, reach.Config{DSN: reach.DSN(cluster.DSN(name, "postgres"))})
	tg.database = name
	return tg
}

func (tg *target) session(application string) *pgtest.Session {
	tg.t.Helper()
	return cluster.Session(tg.t, tg.database, application)
}

// snapshot takes a snapshot, all of which must be readable.
func (tg *target) snapshot() skills.Data {
	tg.t.Helper()
	d, err := tg.Snapshot(tg.t.Context())
	if err != nil {
		tg.t.Fatalf("snapshot: %v", err)
	}
	return d
}

// window takes a snapshot, lets something happen for at least the shortest time
// over which there are rates, and takes another.
func (tg *target) window(happen func()) skills.Data {
	tg.t.Helper()
	tg.snapshot()
	began := time.Now()
	happen()
	time.Sleep(time.Until(began.Add(skills.ShortestRate + 50*time.Millisecond)))
	cluster.Exec(tg.t, "postgres", "SELECT pg_stat_force_next_flush()")
	return tg.snapshot()
}

// ask asks as a person does, and returns the answer as it travels.
func (tg *target) ask(question string) map[string]any {
	tg.t.Helper()
	v, err := tg.try(question)
	if err != nil {
		tg.t.Fatalf("%s: %v", question, err)
	}
	return v
}

func (tg *target) try(question string) (map[string]any, error) {
	tg.t.Helper()
	name, args, err := skills.ParseCall(question)
	if err != nil {
		tg.t.Fatal(err)
	}
	for _, c := range tg.Calls {
		if !c.Words().Called(name) {
			continue
		}
		a, err := skills.Bind(c.Words(), args)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(tg.t.Context(), 20*time.Second)
		defer cancel()
		v, err := c.Run(ctx, a)
		if err != nil {
			return nil, err
		}
		b, err := json.Marshal(v)
		if err != nil {
			tg.t.Fatal(err)
		}
		var out map[string]any
		if err := json.Unmarshal(b, &out); err != nil {
			tg.t.Fatal(err)
		}
		return out, nil
	}
	return nil, fmt.Errorf("there is no callback %s", name)
}

// rows returns a list of an answer.
func rows(a map[string]any, name string) []map[string]any {
	var out []map[string]any
	list, _ := a[name].([]any)
	for _, v := range list {
		row, _ := v.(map[string]any)
		out = append(out, row)
	}
	return out
}

// crossed returns what the checks say of a snapshot, by metric. Levels are those
// of the skill but for what is given: a test cannot wait for an hour.
func (tg *target) crossed(d skills.Data, warn map[string]float64) map[string]string {
	tg.t.Helper()
	out := map[string]string{}
	for _, c := range tg.Checks {
		if v, ok := warn[c.Metric]; ok {
			c.Warn, c.Critical = skills.Level(v), nil
		}
		for _, x := range skills.Evaluate([]skills.Check{c}, d) {
			out[c.Metric] = x.Says
		}
	}
	return out
}

// tells fails unless a text has every part.
func tells(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("it does not tell %q: %s", p, text)
		}
	}
}
