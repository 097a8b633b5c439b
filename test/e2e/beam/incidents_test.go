//go:build linux

package beam

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// An incident is something that happens on a node, and what a person asks then.
type incident struct {
	name    string
	reason  string
	node    beamtest.Options
	modules []string // of the node's program, in its language
	begin   string   // that the node does first
	again   string   // that it does between snapshots; empty: nothing
	level   string   // that its owner grants; empty: observe
	// until is what the probe must have seen before the person asks: a field of a skill
	// and its least value.
	skill, field string
	least        float64
	cause        []string // words, all of which one insight holds if it names the cause; the first one is who or what it is
	secret       string   // that must not leave the host
	control      bool     // nothing may be said; until is then how many snapshots there are
}

// An outcome is a line of the table.
type outcome struct {
	incident
	right   bool
	others  int // insights that warn of something else
	seconds float64
	told    string
}

// How long it may take until the probe has seen what there is to see, and how many
// incidents happen at a time.
const (
	late   = 30 * time.Second
	atOnce = 4
)

func TestIncidents(t *testing.T) {
	f := newFleet(t)
	var mu sync.Mutex
	var table []outcome
	turns := make(chan struct{}, atOnce)
	t.Run("at once", func(t *testing.T) {
		for n, i := range incidents {
			t.Run(i.name, func(t *testing.T) {
				t.Parallel()
				turns <- struct{}{}
				defer func() { <-turns }()
				o := f.happens(t, i, fmt.Sprintf("m-%d", n+1))
				mu.Lock()
				defer mu.Unlock()
				table = append(table, o)
			})
		}
	})
	report(t, table)
}

// happens plants an incident, asks when the probe has seen it, and judges the answer.
func (f *fleet) happens(t *testing.T, i incident, node string) outcome {
	t.Helper()
	began := time.Now()
	of := beamtest.Start(t, i.node)
	for _, m := range i.modules {
		if err := of.Load(m); err != nil {
			t.Fatal(err)
		}
	}
	if i.begin != "" {
		of.Do(i.begin)
	}
	f.probe(t, node, of, i)
	seen := box.Within(t, late, func() bool {
		if i.again != "" {
			of.Do(i.again)
		}
		return f.enough(node, i)
	})
	if !seen {
		t.Logf("the probe has not seen it: %s is %v", i.field, f.latest(node, i.skill, i.field))
	}
	result, raw := f.investigate(t, node, i.reason)
	o := outcome{incident: i, seconds: time.Since(began).Seconds()}
	o.right, o.others, o.told = judge(i, result)
	if i.secret != "" && strings.Contains(raw, i.secret) {
		t.Errorf("the secret has left the host: %s", raw)
	}
	of.Kill()
	return o
}

func (f *fleet) enough(node string, i incident) bool {
	if i.control {
		return !slices.ContainsFunc(asked, func(s string) bool { return f.count(node, s) < int(i.least) })
	}
	v, ok := f.latest(node, i.skill, i.field).(float64)
	return ok && v >= i.least
}

// probe starts a probe that looks at the node, on a machine that is well.
func (f *fleet) probe(t *testing.T, name string, of *beamtest.Node, i incident) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../testdata/host")); err != nil {
		t.Fatal(err)
	}
	cookie, config := filepath.Join(t.TempDir(), "cookie"), filepath.Join(t.TempDir(), "probe.yaml")
	text := fmt.Sprintf("targets:\n  beam:\n    shop: {node: %s, address: %q, cookie_file: %q, level: %s, cache: 100ms, max_cpu_pct: 50}\n", of.Name, of.Address, cookie, cmp.Or(i.level, "observe"))
	for file, text := range map[string]string{cookie: of.Cookie, config: text} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.start(t, "probe", "probe watches", "--node", name, "--interval", "1s", "--heartbeat", "300ms", "--config", config, "--proc", dir+"/proc", "--sys", dir+"/sys", "--root", dir)
}

// judge says whether a result is right, how many insights warn of something else, and
// what it tells.
func judge(i incident, result protocol.Result) (right bool, others int, told string) {
	if result.State != protocol.ResultDone || len(result.OperatorResults) == 0 {
		return false, 0, fmt.Sprintf("ended as %s: %s", result.State, result.Error)
	}
	var says []string
	named := false
	for _, insight := range result.Insights {
		text := insight.Summary + " | " + insight.RootCauseHypothesis
		says = append(says, fmt.Sprintf("[%s] %s", insight.Severity, text))
		switch {
		case insight.CorrelationType == protocol.None || insight.Severity == protocol.SeverityInfo:
		case names(i.cause, text, insight.RootCauseHypothesis):
			named = true
		default:
			others++
		}
	}
	for _, c := range result.OperatorResults {
		if c.Outcome != protocol.OutcomeDone {
			says = append(says, fmt.Sprintf("the operator of %s ended as %s: %s", c.Skill, c.Outcome, c.Error))
			if i.control {
				others++
			}
		}
	}
	if i.control {
		return others == 0, others, strings.Join(says, "\n")
	}
	return named, others, fmt.Sprintf("want %q\n%s", i.cause, strings.Join(says, "\n"))
}

// names says whether an insight names a cause: it has all of its words, and puts nobody
// else forward as the root.
func names(cause []string, text, root string) bool {
	if len(cause) == 0 || root != "" && !strings.Contains(root, cause[0]) {
		return false
	}
	return !slices.ContainsFunc(cause, func(word string) bool { return !strings.Contains(text, word) })
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
			controls++
			silent += map[bool]int{true: 1}[o.right]
		} else {
			faults++
			named += map[bool]int{true: 1}[o.right]
		}
		more := ""
		if o.others > 0 && !o.control {
			more = fmt.Sprintf("  and %d other(s)", o.others)
		}
		_, _ = fmt.Fprintf(&text, "%-60s %-8s %-10s %5.1f s%s\n", o.name, want, got, o.seconds, more)
		if !o.right {
			_, _ = fmt.Fprintf(&text, "    %s\n", strings.ReplaceAll(o.told, "\n", "\n    "))
		}
	}
	t.Logf("\n%scauses named: %d of %d; controls silent: %d of %d", &text, named, faults, silent, controls)
	if named*100 < faults*90 || silent < controls {
		t.Error("too few: at least 90 % of the causes are to be named, and every control is to stay silent")
	}
	for _, o := range table {
		if testing.Verbose() && o.right {
			t.Logf("%s: %s", o.name, o.told)
		}
	}
}
