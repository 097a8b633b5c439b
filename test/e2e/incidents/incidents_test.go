//go:build linux

package incidents

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// An incident is something that happens to a machine, and what a person asks then.
type incident struct {
	name    string
	reason  string
	skills  []string // that are asked for: those that see it, and some that must not be misled
	control bool     // nothing may be said
	slow    bool     // takes its time: it is planted first and asked about last
	plant   func(t *testing.T) *scene
}

// A scene is an incident that has begun.
type scene struct {
	config string   // of the probe, YAML
	args   []string // of the probe
	box    *box.Box // that the probe runs in; nil: it runs beside the test
	cause  []string // words, all of which one insight holds if it names the cause; the first one is who or what it is
	begin  func(f *fleet, node string)
	until  func(f *fleet, node string) bool // what the person, or rather the probe, must have seen first
}

// snapshots waits for the n-th snapshot of a skill on a target: "host/ports".
func snapshots(skill string, n int) func(*fleet, string) bool {
	return func(f *fleet, node string) bool { return f.count(node, skill) >= n }
}

// reaches waits until a figure is as large as told.
func reaches(skill, field string, least float64) func(*fleet, string) bool {
	return func(f *fleet, node string) bool { return f.value(node, skill, field) >= least }
}

// An outcome is a line of the table.
type outcome struct {
	incident
	right   bool
	others  int // insights that warn of something else
	seconds float64
	told    string
}

// late is how long it may take until the probe has seen what there is to see; then
// the person asks all the same.
const late = 25 * time.Second

// A row is an incident on its way.
type row struct {
	incident
	*scene
	node  string
	since time.Time
}

// open plants an incident and starts the probe.
func (f *fleet) open(t *testing.T, i incident) row {
	t.Helper()
	f.mu.Lock()
	f.names++
	node := fmt.Sprintf("m-%d", f.names)
	f.mu.Unlock()
	r := row{incident: i, node: node, since: time.Now(), scene: i.plant(t)}
	if r.scene == nil { // this machine cannot have it, which was told
		return r
	}
	f.probe(t, node, r.scene)
	if r.begin != nil {
		r.begin(f, node)
	}
	return r
}

// conclude waits until the probe has seen enough, asks, and judges the answer.
func (f *fleet) conclude(t *testing.T, r row) (o outcome, ok bool) {
	t.Helper()
	if r.scene == nil {
		return o, false
	}
	most := late
	if r.slow {
		most = 3 * late
	}
	if !box.Within(t, most, func() bool { return r.until(f, r.node) }) {
		t.Logf("the probe has not seen it: %v", f.latest(r.node, r.skills[0]))
	}
	result := f.investigate(t, r.node, r.reason, r.skills)
	o = outcome{incident: r.incident, seconds: time.Since(r.since).Seconds()}
	o.right, o.others, o.told = judge(r, result)
	return o, true
}

// judge says whether a result is right, how many insights warn of something else,
// and what it tells.
func judge(r row, result protocol.Result) (right bool, others int, told string) {
	if result.State != protocol.ResultDone || len(result.OperatorResults) == 0 {
		return false, 0, fmt.Sprintf("ended as %s: %s", result.State, result.Error)
	}
	for _, c := range result.OperatorResults {
		if c.Outcome != protocol.OutcomeDone {
			return false, 0, fmt.Sprintf("the operator of %s ended as %s: %s", c.Skill, c.Outcome, c.Error)
		}
	}
	var says []string
	named := false
	for _, i := range result.Insights {
		text := i.Summary + " | " + i.RootCauseHypothesis
		says = append(says, fmt.Sprintf("[%s] %s", i.Severity, text))
		if i.CorrelationType == protocol.None || i.Severity == protocol.SeverityInfo {
			continue
		}
		if names(r.cause, text, i.RootCauseHypothesis) {
			named = true
		} else {
			others++
		}
	}
	if r.control {
		return others == 0, others, strings.Join(says, "\n")
	}
	return named, others, fmt.Sprintf("want %q\n%s", r.cause, strings.Join(says, "\n"))
}

// names says whether an insight names a cause: it has all of its words, and puts
// nobody else forward as the root.
func names(cause []string, text, root string) bool {
	if len(cause) == 0 || root != "" && !strings.Contains(root, cause[0]) {
		return false
	}
	return !slices.ContainsFunc(cause, func(word string) bool { return !strings.Contains(text, word) })
}

// lanes run beside each other, the incidents of one after another: what happens to
// a whole machine is in one lane, services that are looked into by themselves are
// in the other.
var lanes = map[string][]incident{
	"machines": slices.Concat(boxes, kernel, logFiles, files, databases),
	"services": slices.Concat(services, customSkills),
}

func TestIncidents(t *testing.T) {
	f := newFleet(t)
	var mu sync.Mutex
	var table []outcome
	conclude := func(t *testing.T, r row) {
		if o, ok := f.conclude(t, r); ok {
			mu.Lock()
			table = append(table, o)
			mu.Unlock()
		}
	}
	t.Run("lane", func(t *testing.T) {
		for lane, list := range lanes {
			t.Run(lane, func(t *testing.T) {
				t.Parallel()
				var waiting []row
				for _, i := range list {
					if i.slow { // it lasts as long as the lane, and is asked for by its name all the same
						t.Run(i.name, func(*testing.T) { waiting = append(waiting, f.open(t, i)) })
					}
				}
				for _, i := range list {
					if !i.slow {
						t.Run(i.name, func(t *testing.T) { conclude(t, f.open(t, i)) })
					}
				}
				for _, r := range waiting {
					conclude(t, r)
				}
			})
		}
	})
	report(t, table)
}

// report prints the table and fails where too much of it is wrong.
func report(t *testing.T, table []outcome) {
	t.Helper()
	slices.SortStableFunc(table, func(a, b outcome) int {
		if a.control != b.control {
			return map[bool]int{false: -1, true: 1}[a.control]
		}
		return cmp.Compare(a.name, b.name)
	})
	var faults, named, controls, silent int
	var text strings.Builder
	for _, o := range table {
		want, got := "cause", map[bool]string{true: "named", false: "NOT NAMED"}[o.right]
		if o.control {
			want, got = "silence", map[bool]string{true: "silent", false: "NOT SILENT"}[o.right]
		}
		more := ""
		if o.others > 0 && !o.control {
			more = fmt.Sprintf("  and %d other(s)", o.others)
		}
		_, _ = fmt.Fprintf(&text, "%-60s %-8s %-10s %5.1f s%s\n", o.name, want, got, o.seconds, more)
		switch {
		case o.control:
			controls++
			silent += map[bool]int{true: 1}[o.right]
		default:
			faults++
			named += map[bool]int{true: 1}[o.right]
		}
		if !o.right {
			_, _ = fmt.Fprintf(&text, "    %s\n", strings.ReplaceAll(o.told, "\n", "\n    "))
		}
	}
	t.Logf("\n%scauses named: %d of %d; controls silent: %d of %d", &text, named, faults, silent, controls)
	if named*100 < faults*90 || silent*100 < controls*95 {
		t.Error("too few: at least 90 % of the causes are to be named, and 95 % of the controls to stay silent")
	}
	for _, o := range table {
		if testing.Verbose() && o.right {
			t.Logf("%s: %s", o.name, o.told)
		}
	}
}
