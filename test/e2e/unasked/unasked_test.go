//go:build linux

package unasked

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// A fault happens to a machine of its own.
type fault struct {
	name, role, program string
	says                []string // words of the insight, each a choice with |; who stands for the program and its pid, dir for its folder
	before              bool     // it happened before the probe started

	box      *box.Box
	who, dir string
	since    time.Time
	seconds  float64
	then     int // insights when the fault ended
}

func (f *fault) node() string { return "m-" + f.role }

// tell has the program of a box do something.
func (f *fault) tell(t *testing.T, what string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, what), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// named reports whether an insight tells of the fault.
func (f *fault) named(i protocol.Insight) bool {
	text := i.Summary + " | " + i.RootCauseHypothesis
	for _, choice := range f.says {
		found := false
		for word := range strings.SplitSeq(choice, "|") {
			found = found || strings.Contains(text, strings.NewReplacer("{who}", f.who, "{dir}", f.dir).Replace(word))
		}
		if !found {
			return false
		}
	}
	return strings.Contains(text, f.node())
}

func TestUnasked(t *testing.T) {
	roomy(t)
	f := newFleet(t)
	started := time.Now()
	lead := f.coordinator()
	first := f.operator("op-1")
	f.operator("op-2")

	quiet := &fault{name: "nothing at all", role: "stay", program: "app"}
	full := &fault{name: "a filesystem at 97 % before the probe started", role: "full", program: "uploads", before: true, says: []string{"{dir}/data is 97 % full"}}
	burned := &fault{name: "processors burned", role: "burn", program: "encoder", says: []string{"{who}", "cpu|CPU|processor|tasks a core"}}
	leaked := &fault{name: "memory leaked", role: "leak", program: "indexer", says: []string{"{who}", "memory"}}
	filled := &fault{name: "a filesystem filled", role: "fill", program: "uploads", says: []string{"{dir}/data is 9|disk_max_used_pct is 9"}}
	all := []*fault{quiet, full, burned, leaked, filled}
	for _, x := range all {
		if x.box, x.who, x.dir = box.New(t, box.Plan{Role: x.role, Name: x.program, Memory: boxMemory}); x.box == nil {
			return
		}
		x.since = time.Now()
		f.probe(x.node(), x.box)
	}
	ended := func(x *fault) {
		t.Helper()
		box.Eventually(t, "an insight about "+x.name, func() bool { return len(f.concluded(x.node())) > 0 })
		x.seconds = time.Since(x.since).Seconds()
		t.Logf("%5.1f s: an insight about %s", time.Since(started).Seconds(), x.name)
	}
	ended(full)
	if !box.Within(t, box.Patience+max(learning(), *idle), func() bool {
		return time.Since(started) > max(learning()+2*time.Second, *idle) && f.count(quiet.node()) > 16
	}) {
		t.Fatal("the detectors have not learned")
	}
	if *idle > 0 {
		f.quiet(all)
	}

	faults := []*fault{burned, leaked, filled}
	for _, x := range faults {
		x.since = time.Now()
		x.tell(t, beginFile)
	}
	filled.box.Again(t) // its probe does not see how the filesystem fills up
	box.Eventually(t, "the first request", func() bool {
		return slices.ContainsFunc(faults, func(x *fault) bool { return len(f.asked(x.node())) > 0 })
	})
	lead.Kill()
	first.Kill()
	f.coordinator()
	f.operator("op-3")
	for _, x := range faults {
		ended(x)
	}
	for _, x := range all {
		x.then = len(f.asked(x.node()))
		if !x.before {
			x.tell(t, endFile)
		}
	}
	at := f.count(quiet.node())
	box.Eventually(t, "nothing happens for a while", func() bool { return f.count(quiet.node()) >= at+8 })
	f.report(all)
}

// roomy ends the test where this machine's own filesystems, which every box sees too,
// are as full as a check of disks warns of: a machine on which nothing happens is not to be had there.
func roomy(t *testing.T) {
	t.Helper()
	list, err := host.New(host.Config{}).Filesystems(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, fs := range list {
		if used := fs.UsedPct(); !fs.ReadOnly && used >= 88 {
			t.Fatalf("%s of this machine is %.0f %% full: every probe would rightly tell so; make room", fs.Mount, used)
		}
	}
}

// quiet says what was raised of the machines on which nothing happened.
func (f *fleet) quiet(all []*fault) {
	f.t.Helper()
	for _, x := range all {
		if x.before {
			continue
		}
		anomalies, notices := f.said(x.node())
		requests, insights := f.asked(x.node()), f.concluded(x.node())
		f.t.Logf("%s idle, %s learned: %s: %d snapshots of os, %d anomalies, %d notifications, %d requests, %d insights",
			*idle, learning(), x.node(), f.count(x.node()), anomalies, notices, len(requests), len(insights))
		for _, r := range requests {
			f.t.Errorf("%s was asked about: %s", x.node(), r.Reason)
		}
	}
}

// report prints the table and says what is wrong with it.
func (f *fleet) report(all []*fault) {
	f.t.Helper()
	var table strings.Builder
	row := func(cells ...any) { _, _ = fmt.Fprintf(&table, "%-48s %9v %7v %8v %8v %6v %8v %8v\n", cells...) }
	row("what happened", "anomalies", "checks", "requests", "insights", "right", "after it", "seconds")
	for _, x := range all {
		anomalies, notices := f.said(x.node())
		requests, insights, right := f.asked(x.node()), f.concluded(x.node()), 0
		for _, i := range insights {
			if x.named(i) {
				right++
			}
		}
		row(x.name, anomalies, notices, len(requests), len(insights), right, len(requests)-x.then, fmt.Sprintf("%.1f", x.seconds))
		for _, i := range insights {
			_, _ = fmt.Fprintf(&table, "    [%s %s] %s\n", i.Severity, i.CorrelationType, i.Summary)
			if i.RootCauseHypothesis != "" {
				_, _ = fmt.Fprintf(&table, "        hypothesis: %s\n", i.RootCauseHypothesis)
			}
		}
		switch wrong := f.t.Errorf; {
		case x.role == "stay":
			// In an hour a number may leave its course; what counts is that nobody is woken.
			if *idle == 0 && anomalies > 0 || notices+len(requests)+len(insights) > 0 {
				wrong("%s: %d anomalies, %d notifications, %d requests, %d insights", x.name, anomalies, notices, len(requests), len(insights))
			}
		case len(requests) != 1 || right != 1:
			wrong("%s: %d investigations and %d insights that say so, want one each", x.name, len(requests), right)
		}
		if len(requests) > x.then {
			wrong := requests[x.then]
			f.t.Errorf("%s: asked again after it: %s", x.name, wrong.Reason)
		}
	}
	f.t.Logf("\n%s", &table)
	for _, x := range all {
		for _, a := range f.anomalies {
			if a.Node == x.node() && testing.Verbose() {
				f.t.Logf("%s %s.%s %v, usually %v, score %v, quiet %v", a.Node, a.Skill, a.Metric, a.Value, a.Baseline, a.Score, a.Quiet)
			}
		}
	}
}
