package triage_test

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// fires is an alert that fires on a node.
func fires(node string) triage.Signal {
	s := signal(triage.Alert, "alert.Slow", node)
	s.Alert = "slow on " + node
	return s
}

// investigated is a board with a group of alerts that fire on nodes, looked into.
func investigated(nodes ...string) (*triage.Board, *triage.Group) {
	b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
	var g *triage.Group
	for _, n := range nodes {
		g, _ = b.Add(fires(n), t0)
	}
	b.Ask(g, t0.Add(2*time.Second))
	g.State = protocol.ResultDone
	return b, g
}

func TestAGroupEndsWithItsAlerts(t *testing.T) {
	b, g := investigated("a", "b")
	at := t0.Add(time.Minute)
	if got := b.Resolve("slow on a", at); got != g || !g.ResolvedAt.IsZero() || len(b.Sweep(at)) > 0 {
		t.Fatalf("one of two alerts is over: %+v", g)
	}
	if b.Resolve("slow on nowhere", at) != nil {
		t.Error("an alert that nobody knows is over")
	}
	b.Resolve("slow on b", at)
	if over := b.Sweep(at); len(over) != 1 || !g.Resolved() || !g.ResolvedAt.Equal(at) || len(b.Groups()) > 0 {
		t.Errorf("both are over: %+v", g)
	}
}

func TestWhatElseGoesOnKeepsAGroupOpen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(b *triage.Board, g *triage.Group)
	}{
		{"a check of the same node", func(b *triage.Board, g *triage.Group) {
			g.State = "" // it came before the investigation ended
			b.Add(signal(triage.Watch, "os.cpu", "a"), t0.Add(time.Second))
			g.State = protocol.ResultDone
		}},
		{"its investigation", func(_ *triage.Board, g *triage.Group) { g.State = "" }},
	} {
		b, g := investigated("a")
		tt.before(b, g)
		b.Resolve("slow on a", t0.Add(time.Minute))
		if over := b.Sweep(t0.Add(time.Minute)); len(over) > 0 {
			t.Errorf("%s: it ended", tt.name)
		}
		if over := b.Sweep(t0.Add(17 * time.Minute)); len(over) != 1 || !g.Resolved() {
			t.Errorf("%s: quiet for long it is %+v", tt.name, g)
		}
	}
}

func TestAnAlertThatComesAndGoesIsOneGroup(t *testing.T) {
	for _, tt := range []struct {
		name    string
		after   time.Duration
		severe  protocol.Severity
		verdict triage.Verdict
	}{
		{"soon again", 10 * time.Minute, protocol.SeverityWarning, triage.Repeated},
		{"long after", 20 * time.Minute, protocol.SeverityWarning, triage.Opened},
		{"soon, and more severe", 10 * time.Minute, protocol.SeverityCritical, triage.Opened},
	} {
		b, g := investigated("a")
		b.Resolve("slow on a", t0.Add(time.Minute))
		b.Sweep(t0.Add(time.Minute))
		b.Sweep(t0.Add(time.Minute + tt.after))
		s := fires("a")
		s.Note.Severity = tt.severe
		got, verdict := b.Add(s, t0.Add(time.Minute+tt.after))
		if verdict != tt.verdict || (got == g) != (verdict == triage.Repeated) || got.Resolved() {
			t.Errorf("%s: %s", tt.name, verdict)
		}
	}
}

func TestAGroupThatEndedBeforeItsAlertsIsResolvedWithThem(t *testing.T) {
	b, g := investigated("a")
	ended := t0.Add(5 * time.Hour)
	if over := b.Sweep(ended); len(over) != 1 || g.Resolved() {
		t.Fatalf("it went on for hours: %+v", g)
	}
	next := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{}) // of another coordinator
	next.Remember([]*triage.Group{g}, ended)
	if got := next.Resolve("slow on a", ended.Add(time.Hour)); got != g || !g.Resolved() {
		t.Errorf("its alert is over: %+v", g)
	}
}
