package exception_test

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
	"github.com/fleetlens/fleetlens/pkg/skills/exception"
	"github.com/fleetlens/fleetlens/pkg/skills/logger"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

const (
	javaTrace = `2026-11-22 12:00:00 ERROR [main] shop.Web: could not save: java.io.IOException: disk is full
	at shop.Store.write(Store.java:41)
	at shop.Web.save(Web.java:12)
Caused by: java.nio.file.FileSystemException: no space left
	... 2 more
`
	goTrace = `panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x47]

goroutine 1 [running]:
main.(*shop).price(0x0, 0x5)
	/src/shop/price.go:31 +0x1d
main.main()
	/src/shop/main.go:12 +0x44
exit status 2
`
	pythonTrace = `Traceback (most recent call last):
  File "/src/shop.py", line 9, in <module>
    price(17)
  File "/src/shop.py", line 5, in price
    return prices[item]
KeyError: 17
`
	elixirTrace = `12:00:00.000 [error] Process #PID<0.1.0> terminating
** (exit) shutdown
    (shop 0.1.0) lib/shop/cart.ex:21: Shop.Cart.price/1
    some frame that nobody knows
`
)

// A machine has one log file, and a clock that is moved on by hand.
type machine struct {
	t       *testing.T
	file    string
	at      time.Time
	src     skills.Source
	logging skills.Source // of the logger skill, which shares the reader
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, file: filepath.Join(t.TempDir(), "app.log"), at: time.Now().Add(-24 * time.Hour)}
	r := logs.NewAt(logs.Config{Files: []string{m.file}, Docker: logs.Off, Pods: logs.Off}, nil, func() time.Time { return m.at })
	t.Cleanup(r.Close)
	m.src, m.logging = exception.Skill(r).Sources[0], logger.Skill(r).Sources[0]
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

func (m *machine) snapshot() skills.Data { return m.snapshotOf(m.src) }

func (m *machine) snapshotOf(src skills.Source) skills.Data {
	m.t.Helper()
	m.at = m.at.Add(2 * time.Second)
	d, err := src.Snapshot(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return d
}

// call runs a callback as a model would write it.
func (m *machine) call(text string) (map[string]any, error) {
	m.t.Helper()
	m.at = m.at.Add(2 * time.Second)
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

// types returns those of a list, in its order.
func types(v map[string]any) []string {
	out := []string{}
	for _, e := range v["exceptions"].([]map[string]any) {
		out = append(out, e["type"].(string))
	}
	return out
}

func TestTheSkillKeepsItsPromises(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(file, []byte(goTrace), 0o600); err != nil {
		t.Fatal(err)
	}
	r := logs.New(logs.Config{Files: []string{file}, Docker: logs.Off, Pods: logs.Off}, nil)
	t.Cleanup(r.Close)
	skilltest.Run(t, exception.Skill(r))
}

// Behaviour: 138, 143.
func TestWithoutExceptionsCountsAreZero(t *testing.T) {
	m := newMachine(t)
	v := m.must("exception_stats()")
	if v["total_count"] != 0 || v["type_count"] != 0 || len(v["top_types"].([]map[string]any)) != 0 {
		t.Errorf("stats %v", v)
	}
	if d := m.snapshot(); d["total_exceptions_5m"] != 0.0 || d["top_exception_count"] != 0.0 || d["top_exception_type"] != nil {
		t.Errorf("snapshot %v", d)
	}
	if got := m.must("exception_stacktrace(7)"); got["found"] != false {
		t.Errorf("trace %v, want that there is none", got)
	}
}

// Behaviour: 139, 144, 146.
func TestExceptionsAreCountedFilteredAndShown(t *testing.T) {
	m := newMachine(t)
	m.write(javaTrace + goTrace + pythonTrace + elixirTrace)
	m.snapshot()
	m.write(javaTrace)
	v := m.must("exception_stats()")
	if fmt.Sprint(v["total_count"], v["type_count"], v["by_kind"], v["by_language"]) != "5 4 map[exception:3 exit:1 panic:1] map[elixir:1 go:1 java:2 python:1]" {
		t.Errorf("stats %v", v)
	}
	if top := v["top_types"].([]map[string]any); len(top) != 4 || top[0]["type"] != "java.io.IOException" || top[0]["count"] != 2 {
		t.Errorf("top types %v", top)
	}
	for _, tt := range []struct {
		call string
		want []string
	}{
		{"exception_recent(1)", []string{"java.io.IOException"}},
		{`exception_recent(10, "panic")`, []string{"runtime error: invalid memory address or nil pointer dereference"}},
		{`exception_recent(10, "exit")`, []string{"exit"}},
		{`exception_recent(10, "core_dump")`, []string{}},
		{`exception_by_type("filesystem")`, []string{"java.io.IOException", "java.io.IOException"}},
		{`exception_by_type("nothing")`, []string{}},
		{`exception_search("price$|^17$")`, []string{"KeyError", "runtime error: invalid memory address or nil pointer dereference"}},
	} {
		t.Run(tt.call, func(t *testing.T) {
			got := types(m.must(tt.call))
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for _, tt := range []struct{ call, want string }{
		{`exception_recent(10, "loud")`, `kind must be one of "all", "exception"`},
		{`exception_search("(")`, "missing closing )"},
		{"exception_stacktrace(0)", "id must be a whole number from 1"},
	} {
		if _, err := m.call(tt.call); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want it to say %s", tt.call, err, tt.want)
		}
	}
	m.traceIsWhole()
}

func (m *machine) traceIsWhole() {
	m.t.Helper()
	last := m.must(`exception_by_type("IOException", 1)`)["exceptions"].([]map[string]any)[0]
	if last["message"] != "disk is full" || last["where"] != "shop.Store.write (Store.java:41)" || last["cause"] != "java.nio.file.FileSystemException: no space left" {
		m.t.Errorf("exception %v", last)
	}
	whole := m.must(fmt.Sprintf("exception_stacktrace(%v)", last["id"]))
	frames := whole["frames"].([]map[string]any)
	if len(frames) != 2 || fmt.Sprint(frames[1]) != "map[file:Web.java function:shop.Web.save line:12]" || whole["found"] != true || whole["truncated"] != false {
		m.t.Errorf("trace %v", whole)
	}
}

// Behaviour: 140, 141.
func TestOfManyTracesTheNewestAreKept(t *testing.T) {
	m := newMachine(t)
	for i := range 200 {
		m.write(strings.ReplaceAll(pythonTrace, "KeyError: 17", fmt.Sprintf("KeyError: %d %s", i, strings.Repeat("x", 3000))))
	}
	list := m.must("exception_recent(50)")["exceptions"].([]map[string]any)
	message := list[0]["message"].(string)
	if len(list) != 50 || !strings.HasPrefix(message, "199 ") || len(message) > 300 || !strings.HasSuffix(message, "…") {
		t.Errorf("%d traces, the newest of %d bytes: %.40s", len(list), len(message), message)
	}
	groups := m.must("exception_groups()")
	if g := groups["groups"].([]map[string]any); groups["total"] != 1 || g[0]["total"] != 200 {
		t.Errorf("groups %v, want one of 200", groups)
	}
}

func TestALineOfATraceIsNoEntryOfTheLog(t *testing.T) {
	m := newMachine(t)
	m.write(javaTrace + goTrace + pythonTrace + "INFO done\n")
	if d := m.snapshotOf(m.logging); d["total_logs_1m"] != 4.0 || d["error_count_1m"] != 3.0 {
		t.Errorf("%v entries, %v errors: want one for each trace, and the line after them", d["total_logs_1m"], d["error_count_1m"])
	}
}

func TestANewPanicIsSeenAndNamed(t *testing.T) {
	m := newMachine(t)
	for range 20 { // ten minutes in which a service throws what it always does
		m.write(javaTrace)
		m.at = m.at.Add(30 * time.Second)
		if got := skills.Evaluate(m.src.Checks, m.snapshot()); len(got) > 0 {
			t.Fatalf("an ordinary machine crosses %+v", got[0])
		}
	}
	m.write(goTrace + pythonTrace)
	d := m.snapshot()
	if d["panics_5m"] != 1.0 || d["new_exception_groups_5m"] != 2.0 || d["top_exception_type"] != "java.io.IOException" {
		t.Errorf("snapshot %v", d)
	}
	crossed := skills.Evaluate(m.src.Checks, d)
	if len(crossed) != 2 || !strings.Contains(crossed[0].Says, "nil pointer dereference at main.(*shop).price (price.go:31)") {
		t.Errorf("crossings %+v", crossed)
	}
	groups := m.must("exception_groups(5, true)")
	if groups["total"] != 2 {
		t.Errorf("new groups %v", groups)
	}
}
