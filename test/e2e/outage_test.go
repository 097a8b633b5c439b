//go:build linux

package e2e_test

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/test/e2e/box"
)

func TestADeadNodeIsLookedIntoByItsLastSnapshot(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	dead := f.probe("db-1", tree(t, memoryFault))
	ready(f.coordinator(), f.operator("op-1"), f.probe("web-1", tree(t, nil)), dead)
	box.Eventually(t, "db-1 has published", func() bool { return len(f.stored("FL_SNAPSHOTS", "snapshots.db-1.host.os")) > 0 })
	dead.Kill()
	box.Eventually(t, "db-1 is silent", func() bool {
		a := fleetlens(t, "nodes", "--json", "--server", f.url)
		return strings.Contains(a.stdout, `"silent"`)
	})
	r := request(t, f.nc, `{"reason":"the database is away"}`)
	if r.State != "done" || len(r.Insights) != 1 {
		t.Fatalf("got %+v", r)
	}
	got := r.Insights[0]
	if !slices.Equal(got.Nodes, []string{"db-1"}) || !strings.Contains(got.Summary, "java (4711)") {
		t.Errorf("it says of %v: %s", got.Nodes, got.Summary)
	}
	said := strings.Join(got.NotChecked, "; ")
	if !strings.Contains(said, "db-1") {
		t.Errorf("that db-1 does not answer is not said: not checked are %q", said)
	}
	checkFigures(t, got)
}

func TestNATSAwayInTheMiddleOfAnInvestigationLosesNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	g := newGate(1)
	model := newModel(t, g.before(diligent))
	probe := f.probe("web-1", tree(t, memoryFault))
	ready(f.coordinator(), f.operator("op-1", "--config", model.config(t)), probe)
	results := f.begin(`{"reason":"checkout is slow","skills":["os"]}`)
	g.await(t)

	f.nats.Stop()
	probe.Says("NATS is away")
	away := time.Now()
	close(g.open) // the model answers while NATS is away
	wait := time.NewTimer(2500 * time.Millisecond)
	defer wait.Stop()
	select {
	case <-results:
		t.Fatal("a result came without NATS")
	case <-wait.C:
	}
	back := time.Now()
	u, err := url.Parse(f.url)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	f.startNATS(port)
	if f.nats.URL() != f.url {
		t.Fatalf("NATS is back at %s, not at %s", f.nats.URL(), f.url)
	}

	r := await(t, results)
	if r.State != "done" || len(r.Insights) != 1 {
		t.Fatalf("got %+v", r)
	}
	f.checkOnce(r.InvestigationID)
	// What the probe saw meanwhile has come.
	box.Eventually(t, "the snapshots of the time without NATS are stored", func() bool {
		for _, s := range decodeAll[struct {
			At time.Time `json:"captured_at"`
		}](t, f.stored("FL_SNAPSHOTS", "snapshots.web-1.host.os")) {
			if s.At.After(away) && s.At.Before(back) {
				return true
			}
		}
		return false
	})
	if r := request(t, f.nc, `{"reason":"and now?"}`); r.State != "done" {
		t.Errorf("got %+v", r)
	}
}
