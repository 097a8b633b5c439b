package logger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/logger"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

// A machine has one log file, and a clock that is moved on by hand.
type machine struct {
	t    *testing.T
	file string
	at   time.Time
	src  skills.Source
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, file: filepath.Join(t.TempDir(), "app.log"), at: time.Now().Add(-24 * time.Hour)}
	cfg := logs.Config{Files: []string{m.file}, Docker: logs.Off, Pods: logs.Off}
	r := logs.NewAt(cfg, nil, func() time.Time { return m.at })
	t.Cleanup(r.Close)
	m.src = logger.Skill(r).Sources[0]
	m.write("INFO started\n")
	m.snapshot()
	return m
}

func (m *machine) write(text string) {
	m.t.Helper()
	f, err := os.OpenFile(m.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		m.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) pass(d time.Duration) { m.at = m.at.Add(d) }

func (m *machine) snapshot() skills.Data {
	m.t.Helper()
	m.pass(2 * time.Second)
	d, err := m.src.Snapshot(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return d
}

// call runs a callback as a model would write it.
func (m *machine) call(text string) (map[string]any, error) {
	m.t.Helper()
	m.pass(2 * time.Second)
	v, err := skilltest.Raw(m.t, m.src, text)
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil
}

func (m *machine) must(text string) map[string]any {
	m.t.Helper()
	v, err := m.call(text)
	if err != nil {
		m.t.Fatalf("%s: %v", text, err)
	}
	return v
}

// messages returns those of a list, in its order.
func messages(v map[string]any) []string {
	out := []string{}
	for _, e := range v["entries"].([]map[string]any) {
		out = append(out, e["message"].(string))
	}
	return out
}

func TestTheSkillKeepsItsPromises(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(file, []byte("2026-11-22 11:59:00 ERROR broken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := logs.New(logs.Config{Files: []string{file}, Docker: logs.Off, Pods: logs.Off}, nil)
	t.Cleanup(r.Close)
	skilltest.Run(t, logger.Skill(r))
}

// Behaviour: 138.
func TestStats(t *testing.T) {
	m := newMachine(t)
	m.pass(10 * time.Minute)
	for name, v := range m.must("logger_stats()") {
		if name != "window_seconds" && fmt.Sprint(v) != "0" {
			t.Errorf("without entries %s is %v, want 0", name, v)
		}
	}
	if d := m.snapshot(); d["total_logs_1m"] != 0.0 || d["error_rate_pct"] != 0.0 {
		t.Errorf("without entries the snapshot is %v", d)
	}
	m.write("ERROR a\nCRITICAL b\nALERT c\nEMERGENCY d\nWARN e\nINFO f\nDEBUG g\nplain\n")
	v := m.must("logger_stats()")
	if fmt.Sprint(v["total_count"], v["error_count"], v["warning_count"], v["info_count"], v["debug_count"], v["error_rate"]) != "8 4 1 2 1 50" {
		t.Errorf("stats %v, want 4 errors of 8: those graver than error are errors too", v)
	}
	d := m.snapshot()
	if d["total_logs_1m"] != 8.0 || d["error_count_1m"] != 4.0 || d["warning_count_1m"] != 1.0 || d["error_rate_pct"] != 50.0 || d["unique_error_modules"] != 1.0 {
		t.Errorf("snapshot %v", d)
	}
}

// Behaviour: 139.
func TestFilters(t *testing.T) {
	m := newMachine(t)
	m.write("2026-11-22 11:59:00 ERROR [main] app.Store: disk is full\n2026-11-22 11:59:01 CRITICAL [main] app.Web: no listener\n2026-11-22 11:59:02 WARN [main] app.Web: slow\n2026-11-22 11:59:03 INFO [main] app.Web: fine\n")
	for _, tt := range []struct {
		call string
		want []string
	}{
		{"logger_recent()", []string{"fine", "slow", "no listener", "disk is full", "started"}},
		{"logger_recent(2)", []string{"fine", "slow"}},
		{`logger_recent(10, "warning")`, []string{"slow", "no listener", "disk is full"}},
		{"logger_errors(10)", []string{"no listener", "disk is full"}},
		{`logger_search("^(slow|fine)$", 10)`, []string{"fine", "slow"}},
		{`logger_search("nothing like it")`, []string{}},
		{`logger_by_module("STORE")`, []string{"disk is full"}},
		{`logger_by_module("app.log", 1)`, []string{"fine"}},
		{`logger_by_module("nobody")`, []string{}},
	} {
		t.Run(tt.call, func(t *testing.T) {
			if got := messages(m.must(tt.call)); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for _, tt := range []struct{ call, want string }{
		{`logger_recent(10, "loud")`, `level must be one of "all", "emergency"`},
		{"logger_recent(0)", "limit must be a whole number from 1 to 100"},
		{`logger_search("(")`, "missing closing )"},
		{`logger_search("")`, "it must have 1 to 200"},
		{`logger_search("` + strings.Repeat("a", 201) + `")`, "pattern has 201 characters"},
	} {
		if _, err := m.call(tt.call); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s: %v, want it to say %s", tt.call, err, tt.want)
		}
	}
}

// Behaviour: 140, 146.
func TestOfManyEntriesTheNewestAreKept(t *testing.T) {
	m := newMachine(t)
	for i := range 1200 {
		m.write(fmt.Sprintf("m%d\n", i))
	}
	got := messages(m.must("logger_recent(100)"))
	if len(got) != 100 || got[0] != "m1199" || got[99] != "m1100" {
		t.Errorf("%d entries from %s to %s, want the newest hundred", len(got), got[0], got[len(got)-1])
	}
	if got := messages(m.must(`logger_search("^(started|m0|m199|m200)$")`)); !slices.Equal(got, []string{"m200"}) {
		t.Errorf("of the oldest there are %q, want m200 as the oldest of a thousand", got)
	}
}

// Behaviour: 141.
func TestALongMessageIsCut(t *testing.T) {
	m := newMachine(t)
	m.write("ERROR " + strings.Repeat("x", 3000) + "\n")
	got := messages(m.must("logger_errors(1)"))[0]
	if len(got) >= 3000 || !strings.HasSuffix(got, logs.Truncated) {
		t.Errorf("%d bytes that end with %q", len(got), got[len(got)-20:])
	}
	if d := m.snapshot(); d["lines_cut"] != 1.0 {
		t.Errorf("lines_cut is %v, want 1", d["lines_cut"])
	}
}

// Behaviour: 142, 146.
func TestAnEntryHasItsTimeAndWhoWroteIt(t *testing.T) {
	m := newMachine(t)
	m.write(m.at.UTC().Format("2006-01-02T15:04:05.000Z") + " web-1 nginx[77]: upstream 10.0.0.7 is gone\n")
	e := m.must("logger_recent(1)")["entries"].([]map[string]any)[0]
	if e["module"] != "nginx" || e["pid"] != 77 || e["message"] != "upstream 10.0.0.7 is gone" || e["source"] != m.file {
		t.Errorf("entry %v", e)
	}
	if at, err := time.Parse(time.RFC3339, e["timestamp"].(string)); err != nil || m.at.Sub(at) > time.Minute {
		t.Errorf("timestamp %v (%v), want the time that the line tells", e["timestamp"], err)
	}
}

// Behaviour: 143.
func TestWithoutAnythingToReadAnswersAreEmpty(t *testing.T) {
	r := logs.New(logs.Config{Files: []string{logs.Off}, Journal: logs.Off, Docker: logs.Off, Pods: logs.Off}, nil)
	src := logger.Skill(r).Sources[0]
	d, err := src.Snapshot(t.Context())
	if err != nil || d["total_logs_1m"] != 0.0 || d["sources_read"] != 0.0 {
		t.Errorf("snapshot %v, %v", d, err)
	}
	m := &machine{t: t, src: src}
	if got := messages(m.must("logger_recent()")); len(got) != 0 {
		t.Errorf("entries %q", got)
	}
	if v := m.must("logger_template(7)"); v["found"] != false {
		t.Errorf("template %v, want that there is none", v)
	}
}

func TestANewKindOfErrorIsSeenAndNamed(t *testing.T) {
	m := newMachine(t)
	for range 40 { // twenty minutes of ordinary life, errors among it
		m.write("INFO request 12 took 3 ms\nERROR client 10.0.0.9 went away\n")
		m.pass(30 * time.Second)
		if got := skills.Evaluate(m.src.Checks, m.snapshot()); len(got) > 0 {
			t.Fatalf("an ordinary machine crosses %+v", got[0])
		}
	}
	for i := range 60 {
		m.write(fmt.Sprintf("ERROR connection to db-1:5432 refused, attempt %d\nERROR cannot save order %d\nERROR pool has no connection for job %d\n", i, i, i))
	}
	d := m.snapshot()
	if d["new_error_templates_5m"] != 3.0 || !strings.Contains(d["new_error_template"].(string), "<*>") {
		t.Errorf("snapshot %v, want three new kinds of errors", d)
	}
	var says []string
	for _, x := range skills.Evaluate(m.src.Checks, d) {
		says = append(says, x.Check.Metric+" "+string(x.Severity)+": "+x.Says)
	}
	if len(says) != 2 || !strings.HasPrefix(says[0], "new_error_templates_5m warning: 3 kinds") || !strings.HasPrefix(says[1], "error_burst_ratio critical: 182 errors") {
		t.Errorf("checks say %q", says)
	}
	list := m.must("logger_new_templates(5, 10)")["templates"].([]map[string]any)
	if len(list) != 3 {
		t.Fatalf("new templates %v", list)
	}
	one := m.must(fmt.Sprintf("logger_template(%v)", list[0]["id"]))
	if one["total"] != uint64(60) || one["new"] != true || one["level"] != "error" || one["example"] == "" || len(one["per_minute"].([]int)) != 15 {
		t.Errorf("template %v", one)
	}
}

func TestNewErrorsThatDifferInAWordAreOneKind(t *testing.T) {
	m := newMachine(t)
	m.pass(6 * time.Minute)
	m.write("ERROR login of amy is locked\nERROR login of bob is locked\nERROR login of joe is locked\n")
	if d := m.snapshot(); d["new_error_templates_5m"] != 1.0 || d["error_count_1m"] != 3.0 {
		t.Errorf("snapshot %v, want one new kind", d)
	}
}
