package operator_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// shelf publishes a snapshot of a node's pantry.
func (b *bench) shelf(node string, used float64) {
	b.t.Helper()
	snap := protocol.Snapshot{
		ID: protocol.NewID(), Node: node, Target: "host", Kind: "host", Skill: "pantry", CapturedAt: time.Now().UTC(), Data: map[string]any{"used_pct": used},
	}
	if _, err := b.Publish(b.t.Context(), bus.Outgoing{Subject: protocol.SnapshotSubject(node, "host", "pantry"), Body: snap, ID: snap.ID}); err != nil {
		b.t.Fatal(err)
	}
}

// told waits until the stream has notifications of so many nodes, and returns all there are.
func (b *bench) told(nodes int) []protocol.Notification {
	b.t.Helper()
	for begin := time.Now(); ; {
		var out []protocol.Notification
		seen := map[string]bool{}
		for m, err := range b.Range(b.t.Context(), bus.Findings, protocol.NotificationSubject(protocol.Any, protocol.Any, protocol.Any), 0) {
			if err != nil {
				b.t.Fatal(err)
			}
			n, err := protocol.Decode[protocol.Notification](m.Data)
			if err != nil {
				b.t.Fatal(err)
			}
			out = append(out, n)
			seen[n.Node] = true
		}
		if len(seen) >= nodes {
			return out
		}
		if time.Since(begin) > patience {
			b.t.Fatalf("%d nodes were told of after %s, want %d", len(seen), patience, nodes)
		}
	}
}

// caughtUp waits until the watchers have seen every snapshot.
func (b *bench) caughtUp() {
	b.t.Helper()
	for begin := time.Now(); ; {
		cons, err := b.js.Consumer(b.t.Context(), bus.Snapshots, bus.Watched("pantry").Name)
		if err != nil {
			b.t.Fatal(err)
		}
		if i := cons.CachedInfo(); i.NumPending == 0 && i.NumAckPending == 0 {
			return
		} else if time.Since(begin) > patience+20*time.Second { // a worker that was killed holds some for the ack wait
			b.t.Fatalf("%d snapshots are not delivered, %d not acknowledged", i.NumPending, i.NumAckPending)
		}
	}
}

func TestACheckThatStaysCrossedIsToldOnce(t *testing.T) {
	b := newBench(t)
	b.work("op-1", nil)
	for _, used := range []float64{50, 91, 50, 50} { // a moment
		b.shelf("web-1", used)
	}
	for range 5 { // it stays
		b.shelf("web-2", 97)
	}
	b.told(1)
	b.caughtUp()
	list := b.told(1)
	if len(list) != 1 {
		t.Fatalf("%d notifications, want one: %+v", len(list), list)
	}
	n := list[0]
	if n.Node != "web-2" || n.AnomalyType != "used_pct" || n.Severity != protocol.SeverityWarning || !n.Verified || n.Hypothesis != "" ||
		n.Origin != protocol.OriginWatch || n.Observation != "97 % full" || len(n.Snapshots) != 1 || n.InvestigationID != "" {
		t.Errorf("notification %+v", n)
	}
	if e := n.Evidence; len(e) != 1 || e[0].Value != 97.0 || e[0].Threshold == nil || *e[0].Threshold != 85 || e[0].Address != n.Snapshots[0].ID+"#used_pct" {
		t.Errorf("evidence %+v", e)
	}
}

func TestAProblemThatLastsIsToldAgainAfterTheCooldown(t *testing.T) {
	b := newBench(t)
	b.work("op-1", nil, func(c *operator.Config) { c.Cooldown = time.Second })
	for begin := time.Now(); time.Since(begin) < patience; {
		b.shelf("web-1", 97)
		if len(b.told(0)) > 1 {
			return
		}
	}
	t.Error("it was told once only")
}

func TestACooldownBeginsWhenAProblemIsTold(t *testing.T) {
	const cooldown = 2 * time.Second
	b := newBench(t)
	for i := range 2 { // whoever sees a snapshot may not be who told of the one before
		b.work(fmt.Sprintf("op-%d", i), nil, func(c *operator.Config) { c.Cooldown = cooldown })
	}
	for time.Now().UnixNano()%int64(cooldown) < int64(cooldown)*3/4 { // not with the clock's own turns
		b.shelf("web-0", 50)
	}
	for begin := time.Now(); time.Since(begin) < patience; {
		b.shelf("web-1", 97)
		if list := b.told(0); len(list) > 1 {
			if gap := list[1].DetectedAt.Sub(list[0].DetectedAt); gap < cooldown*3/4 {
				t.Errorf("it was told again after %s, the cooldown is %s", gap, cooldown)
			}
			return
		}
	}
	t.Error("it was told once only")
}

func TestWatchingWorkersShareTheSnapshotsAndTellOnce(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		b.work(fmt.Sprintf("op-%d", i), nil)
	}
	for range 3 {
		for i := range 300 {
			used := 50.0
			if i%3 != 0 {
				used = 97
			}
			b.shelf(fmt.Sprintf("node-%03d", i), used)
		}
	}
	b.told(200)
	b.caughtUp()
	if n := len(b.told(200)); n != 200 {
		t.Errorf("%d notifications of 200 nodes", n)
	}
	for name, told := range b.tells {
		if n := told.Sum(t, signals.WatchSnapshots, "skill=pantry"); n < 90 {
			t.Errorf("%s evaluated %v of 900 snapshots", name, n)
		}
	}
}

func TestWithoutWatchNothingIsTold(t *testing.T) {
	b := newBench(t)
	b.work("op-1", nil, func(c *operator.Config) { c.Watch = false })
	for range 3 {
		b.shelf("web-1", 97)
	}
	b.work("op-2", nil, func(c *operator.Config) { c.Skills = []string{protocol.CustomSkill} })
	if n := len(b.told(0)); n != 0 {
		t.Errorf("%d notifications", n)
	}
}

func TestASnapshotUnderTheNameOfAnotherNodeIsNotBelieved(t *testing.T) {
	b := newBench(t)
	b.work("op-1", nil)
	for range 3 {
		snap := protocol.Snapshot{
			ID: protocol.NewID(), Node: "web-9", Target: "host", Kind: "host", Skill: "pantry", CapturedAt: time.Now().UTC(), Data: map[string]any{"used_pct": 97.0},
		}
		if _, err := b.Publish(t.Context(), bus.Outgoing{Subject: protocol.SnapshotSubject("web-1", "host", "pantry"), Body: snap}); err != nil {
			t.Fatal(err)
		}
		b.shelf("web-2", 97)
	}
	b.told(1)
	b.caughtUp()
	for _, n := range b.told(1) {
		if n.Node != "web-2" {
			t.Errorf("told of %s", n.Node)
		}
	}
}
