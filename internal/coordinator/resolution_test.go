package coordinator_test

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// resolutions returns what was told of groups that are over.
func (b *bench) resolutions() []protocol.Resolution {
	b.t.Helper()
	var out []protocol.Resolution
	for m, err := range b.Range(b.t.Context(), bus.Insights, protocol.ResolutionSubject(protocol.Any), 0) {
		if err != nil {
			b.t.Fatal(err)
		}
		r, err := protocol.Decode[protocol.Resolution](m.Data)
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// TestThatAGroupIsOverIsToldOnce: whatever step the coordinator before died at.
func TestThatAGroupIsOverIsToldOnce(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	alert := protocol.Alert{ID: "a2", Source: "alertmanager", State: "resolved", Name: "Slow", Severity: protocol.SeverityWarning, StartsAt: now.Add(-time.Minute), EndsAt: now}
	fires := func() *triage.Group {
		return &triage.Group{
			ID: "g1", OpenedAt: now.Add(-time.Minute), GrownAt: now.Add(-time.Minute), LastAt: now, AskedAt: now.Add(-50 * time.Second), Earliest: now.Add(-time.Minute),
			Firing: map[string]bool{alert.Identity(): true}, Keys: []string{"alert.Slow"}, Nodes: map[string]uint32{}, Kinds: map[string]int{triage.Alert: 1},
			State: protocol.ResultDone, Insights: []string{"c1"}, Severity: protocol.SeverityWarning,
		}
	}
	over := func() *triage.Group {
		g := fires()
		g.Firing, g.ResolvedAt, g.ClosedAt, g.Turns, g.TurnedAt, g.Why = nil, now, now, 1, now, "all that it was about was reported as over"
		return g
	}
	for _, tt := range []struct {
		name  string
		kept  *triage.Group
		tells bool // the coordinator before told it already
		ends  bool // the alert ends now
	}{
		{"nobody died", fires(), false, true},
		{"it died before it told it", over(), false, false},
		{"it died before it kept that it told it", over(), true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			if _, err := b.WriteState(t.Context(), "triage.group.g1", tt.kept, 0); err != nil {
				t.Fatal(err)
			}
			if tt.tells {
				r := tt.kept.Resolution()
				if _, err := b.Publish(t.Context(), bus.Outgoing{Subject: protocol.ResolutionSubject("g1"), Body: r, ID: r.ID, Dedupe: true}); err != nil {
					t.Fatal(err)
				}
			}
			b.coordinate("co-1", gives(nil), quickly)
			if tt.ends {
				if _, err := b.Publish(t.Context(), bus.Outgoing{Subject: protocol.AlertSubject(alert.Source), Body: alert, ID: alert.ID, Dedupe: true}); err != nil {
					t.Fatal(err)
				}
			}
			waitFor(t, "the group to be told of", func() bool { return b.group("g1").Told == 1 })
			got := b.resolutions()
			if len(got) != 1 || got[0].Group != "g1" || got[0].State != protocol.Resolved || len(got[0].Insights) != 1 || got[0].Why == "" || !got[0].Since.Equal(now.Add(-time.Minute)) {
				t.Errorf("%+v", got)
			}
		})
	}
}
