package triage_test

import (
	"slices"
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
	if got := b.Resolve("slow on a", at); !slices.Equal(got, []*triage.Group{g}) || !g.ResolvedAt.IsZero() || len(b.Sweep(at)) > 0 {
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
	if got := next.Resolve("slow on a", ended.Add(time.Hour)); !slices.Equal(got, []*triage.Group{g}) || !g.Resolved() {
		t.Errorf("its alert is over: %+v", g)
	}
}

func TestWhenAGroupIsOver(t *testing.T) {
	const minute = time.Minute
	watch, odd, silent := signal(triage.Watch, "os.cpu", "a"), signal(triage.Anomaly, "os.cpu", "a"), signal(triage.Silence, "heartbeat.silent", "a")
	silent.Alert = "silence of a"
	type over struct {
		after time.Duration
		alert string
	}
	const never = -1
	for _, tt := range []struct {
		name  string
		in    []at
		ends  []over
		state protocol.ResultState
		from  time.Duration // when it is over, after t0
		why   string
	}{
		{"a check that is crossed no more", []at{{0, watch}, {5 * minute, watch}}, nil, protocol.ResultDone, 5 * minute, "nothing of it was reported for 15m0s"},
		{"one whose investigation failed", []at{{0, watch}}, nil, protocol.ResultFailed, 0, "nothing of it was reported for 15m0s"},
		{"an anomaly is told once, which tells nothing of its end", []at{{0, odd}}, nil, protocol.ResultDone, never, ""},
		{"an alert that still fires", []at{{0, fires("a")}}, nil, protocol.ResultDone, never, ""},
		{"an alert that is over", []at{{0, fires("a")}}, []over{{7 * minute, "slow on a"}}, protocol.ResultDone, 7 * minute, "all that it was about was reported as over"},
		{"an alert that is over long after the group was quiet", []at{{0, fires("a")}}, []over{{70 * minute, "slow on a"}}, protocol.ResultDone, 70 * minute, "all that it was about was reported as over"},
		{"a node that reports again", []at{{0, silent}}, []over{{3 * minute, "silence of a"}}, protocol.ResultDone, 3 * minute, "all that it was about was reported as over"},
		{"a node that is silent still", []at{{0, silent}}, nil, protocol.ResultDone, never, ""},
		{"an investigation that nobody heard the end of", []at{{0, watch}}, nil, "", never, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
			var g *triage.Group
			var turned []protocol.Resolution
			for after := time.Duration(0); after < 3*time.Hour; after += minute {
				now := t0.Add(after)
				for _, s := range tt.in {
					if s.after == after {
						g, _ = b.Add(s.Signal, now)
					}
				}
				if after == minute {
					b.Ask(g, now)
					g.State = tt.state
				}
				for _, e := range tt.ends {
					if e.after == after {
						b.Resolve(e.alert, now)
					}
				}
				b.Sweep(now)
				for _, u := range b.Untold() {
					turned = append(turned, u.Resolution())
					u.Told = u.Turns
				}
			}
			if tt.from == never {
				if len(turned) > 0 || g.Over() {
					t.Fatalf("it turned: %+v", turned)
				}
				return
			}
			if len(turned) != 1 || turned[0].State != protocol.Resolved || turned[0].At.Sub(t0) != tt.from || turned[0].Why != tt.why || !turned[0].Since.Equal(t0) {
				t.Errorf("%+v", turned)
			}
		})
	}
}

func TestAGroupThatLastsTooLongIsOverWithTheOneThatFollowsIt(t *testing.T) {
	b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
	watch := signal(triage.Watch, "os.cpu", "a")
	var over []string
	ids := map[string]bool{}
	for after := time.Duration(0); after < 10*time.Hour; after += 5 * time.Minute {
		now := t0.Add(after)
		if after <= 5*time.Hour {
			watch.Note.ID = after.String()
			g, _ := b.Add(watch, now)
			if ids[g.ID] = true; g.AskedAt.IsZero() {
				b.Ask(g, now)
				g.State = protocol.ResultDone
			}
		}
		b.Sweep(now)
		for _, g := range b.Untold() {
			if g.Told = g.Turns; after <= 5*time.Hour {
				t.Errorf("after %s, while it goes on, it is over", after)
			}
			over = append(over, g.ID)
		}
	}
	if len(ids) != 2 || len(over) != 2 {
		t.Errorf("%d groups, over are %v", len(ids), over)
	}
}

func TestAGroupThatComesAndGoesTurnsEachTime(t *testing.T) {
	b, g := investigated("a")
	var states []string
	ids := map[string]bool{}
	for n := range 4 {
		now := t0.Add(time.Duration(n+1) * time.Minute)
		if n%2 == 0 {
			b.Resolve("slow on a", now)
		} else {
			b.Add(fires("a"), now)
		}
		b.Sweep(now)
		for _, u := range b.Untold() {
			r := u.Resolution()
			states, ids[r.ID], u.Told = append(states, r.State), true, u.Turns
			if !r.At.Equal(now) || u != g {
				t.Errorf("%+v", r)
			}
		}
	}
	if want := []string{protocol.Resolved, protocol.Reopened, protocol.Resolved, protocol.Reopened}; !slices.Equal(states, want) || len(ids) != len(want) {
		t.Errorf("%v, ids %v", states, ids)
	}
}
