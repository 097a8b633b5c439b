// Package nodetest is what the tests of skills share that look at real Erlang and Elixir
// nodes.
package nodetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

// Target is what the node is called among the probe's targets.
const Target = "shop"

// Patience is how long something may take until it holds.
const Patience = 30 * time.Second

// Client returns a client of a node at a level, observe when none is given. It keeps no
// answer for later, and may scan as much as a test needs. It is closed with the test.
func Client(t testing.TB, of *beamtest.Node, level ...beam.Level) *beam.Node {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(file, []byte(of.Cookie), 0o600); err != nil {
		t.Fatal(err)
	}
	c := beam.Config{Node: of.Name, Address: of.Address, CookieFile: file, Timeout: 20 * time.Second, Cache: time.Millisecond, MaxCPU: 50}
	if len(level) > 0 {
		c.Level = level[0]
	}
	n := beam.New(c)
	t.Cleanup(n.Close)
	return n
}

// Open starts a node and opens a source of it at a level, once the source has kept the
// promises of all, see [skilltest.RunTarget].
func Open(t *testing.T, o beamtest.Options, level beam.Level, skill, prefix string, source func(map[string]*beam.Node) skills.Source) (*beamtest.Node, *beam.Node, skills.Source) {
	t.Helper()
	of := beamtest.Start(t, o)
	n := Client(t, of, level)
	s := skills.Skill{Name: skill, Title: "t", Summary: "s", Prefix: prefix, Sources: []skills.Source{source(map[string]*beam.Node{Target: n})}}
	skilltest.RunTarget(t, s, skills.Target{Name: Target, Kind: skills.Beam})
	return of, n, s.Sources[0].Open(Target)
}

// Until waits for something to hold.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !holds(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Snapshot takes a snapshot, all of which must be readable.
func Snapshot(t testing.TB, src skills.Source) skills.Data {
	t.Helper()
	d, err := src.Snapshot(t.Context())
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	return d
}

// SnapshotUntil takes snapshots until one is as it should be.
func SnapshotUntil(t testing.TB, src skills.Source, what string, is func(skills.Data) bool) skills.Data {
	t.Helper()
	d := Snapshot(t, src)
	for end := time.Now().Add(Patience); !is(d); d = Snapshot(t, src) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s; the snapshot is %v", Patience, what, d)
		}
		<-time.After(50 * time.Millisecond)
	}
	return d
}

// Rounds takes snapshots a little more than a second apart, which is the least that
// growth is told over, and lets something happen before each.
func Rounds(t testing.TB, src skills.Source, n int, happen func()) skills.Data {
	t.Helper()
	d := Snapshot(t, src)
	for range n {
		happen()
		<-time.After(skills.ShortestRate + 20*time.Millisecond)
		d = Snapshot(t, src)
	}
	return d
}

// Says returns what the checks say of a snapshot that is taken now, a line each.
func Says(t testing.TB, src skills.Source) string {
	t.Helper()
	var out []string
	for _, x := range skills.Evaluate(src.Checks, Snapshot(t, src)) {
		out = append(out, string(x.Severity)+": "+x.Says)
	}
	return strings.Join(out, "\n")
}

// Crossed returns what the checks say of a snapshot, by metric, with lower levels where
// they are given: a test does not plant as much as a night does.
func Crossed(src skills.Source, d skills.Data, warn map[string]float64) map[string]string {
	out := map[string]string{}
	for _, c := range src.Checks {
		if v, ok := warn[c.Metric]; ok {
			c.Warn, c.Critical = skills.Level(v), nil
		}
		for _, x := range skills.Evaluate([]skills.Check{c}, d) {
			out[c.Metric] = x.Says
		}
	}
	return out
}

// Rows returns a list of an answer.
func Rows(answer map[string]any, name string) []map[string]any {
	var out []map[string]any
	list, _ := answer[name].([]any)
	for _, v := range list {
		row, _ := v.(map[string]any)
		out = append(out, row)
	}
	return out
}
