package coordinator_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func (b *bench) publish(subject string, body protocol.Message) {
	b.t.Helper()
	if _, err := b.Publish(b.t.Context(), bus.Outgoing{Subject: subject, Body: body}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) links(node, address string, peers ...protocol.LinkPeer) {
	b.t.Helper()
	b.publish(protocol.LinksSubject(node), protocol.Links{
		Node: node, Addresses: []string{address}, Listens: []protocol.Listener{{Port: 80, Process: node + "d"}}, Peers: peers, At: time.Now().UTC(),
	})
}

func (b *bench) gather(file string) coordinator.Evidence {
	b.t.Helper()
	e, stop, err := coordinator.Gather(b.t.Context(), natstest.Dial(b.t, b.server, "coordinator"), natstest.Log(b.t), file)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(stop)
	return e
}

func edgesOf(e coordinator.Evidence, now time.Time) []string {
	out := []string{}
	for _, x := range e.Edges(now) {
		out = append(out, x.From+" -> "+x.To)
	}
	return out
}

func TestACoordinatorKnowsWhoDependsOnWhom(t *testing.T) {
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(file, []byte("- {from: role=web, to: db}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.publish(protocol.NodeSubject("web"), protocol.Heartbeat{Node: "web", MachineID: "web", SentAt: time.Now().UTC(), IntervalMS: 3_600_000, Labels: map[string]string{"role": "web"}})
	b.links("web", "10.0.0.1", protocol.LinkPeer{Address: "10.0.0.2", Port: 80, Process: "app", Connections: 1})
	b.links("cache", "10.0.0.2")
	// A probe that speaks of another node is not believed.
	b.publish(protocol.LinksSubject("evil"), protocol.Links{Node: "cache", Addresses: []string{"10.0.0.9"}, At: time.Now().UTC()})
	e := b.gather(file)
	if diff := cmp.Diff([]string{"web -> cache", "web -> db"}, edgesOf(e, time.Now())); diff != "" {
		t.Errorf("what was said before it started (-want +got):\n%s", diff)
	}
	b.links("cache", "10.0.0.2", protocol.LinkPeer{Address: "10.0.0.1", Port: 80, Process: "app", Connections: 1})
	if err := e.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cache -> web", "web -> cache", "web -> db"}, edgesOf(e, time.Now().Add(time.Minute))); diff != "" {
		t.Errorf("what is said now (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"web -> db"}, edgesOf(e, time.Now().Add(25*time.Hour))); diff != "" {
		t.Errorf("after a day without a word (-want +got):\n%s", diff)
	}
	if _, _, err := coordinator.Gather(t.Context(), b.Conn, natstest.Log(t), "/nowhere.yaml"); err == nil {
		t.Error("a file that is not there is taken")
	}
	cfg := coordinator.DefaultConfig()
	cfg.Topology = "/nowhere.yaml"
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "--topology") {
		t.Errorf("its setting: %v", err)
	}
}

func TestChangesBearTheTimeAtWhichTheyHappened(t *testing.T) {
	b := newBench(t)
	now := time.Now().UTC()
	for node, ahead := range map[string]time.Duration{"web": 0, "skewed": time.Hour} {
		b.publish(protocol.NodeSubject(node), protocol.Heartbeat{Node: node, MachineID: node, SentAt: time.Now().UTC().Add(ahead), IntervalMS: 3_600_000})
	}
	change := func(subject, node, source string, at time.Time) {
		b.publish(subject, protocol.Change{ID: protocol.NewID(), Node: node, Source: source, What: "restart", Text: "text of " + node + " by " + source, At: at})
	}
	change(protocol.ChangeSubject("web", "probe"), "web", "probe", now.Add(-10*time.Minute))
	change(protocol.ChangeSubject("web", "probe"), "web", "probe", now.Add(-3*time.Hour)) // it was cut off
	change(protocol.ChangeSubject("skewed", "probe"), "skewed", "probe", now.Add(55*time.Minute))
	change(protocol.ChangeSubject("skewed", "ci"), "skewed", "ci", now.Add(-20*time.Minute))
	change(protocol.ChangeSubject("evil", "probe"), "web", "probe", now)
	e := b.gather("")
	says := func(nodes []string, since time.Duration) []string {
		t.Helper()
		list, err := e.Changes(t.Context(), nodes, now.Add(-since))
		if err != nil {
			t.Fatal(err)
		}
		out := []string{}
		for _, c := range list {
			out = append(out, fmt.Sprintf("%s by %s %.0f minutes ago", c.Node, c.Source, now.Sub(c.At).Minutes()))
		}
		return out
	}
	if diff := cmp.Diff([]string{"skewed by ci 20 minutes ago", "web by probe 10 minutes ago", "skewed by probe 5 minutes ago"}, says(nil, time.Hour)); diff != "" {
		t.Errorf("of all nodes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"web by probe 180 minutes ago", "web by probe 10 minutes ago"}, says([]string{"web"}, 4*time.Hour)); diff != "" {
		t.Errorf("of one node (-want +got):\n%s", diff)
	}
	if got := says([]string{"nobody"}, time.Hour); len(got) != 0 {
		t.Errorf("of a node without changes: %v", got)
	}
	// A storm of anomalies does not hide them from a model.
	for i := range 600 {
		b.publish(protocol.AnomalySubject("web", "host", "os"), protocol.Anomaly{ID: fmt.Sprint("a", i), Node: "web", Target: "host", Kind: "host", Skill: "os", Metric: "m", Severity: protocol.SeverityWarning, DetectedAt: now})
	}
	seen, err := e.Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(seen)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(raw); strings.Count(text, " change on ") != 3 || strings.Count(text, " anomaly on ") != 20 || !strings.Contains(text, "text of skewed by ci") {
		t.Errorf("the overview is %s", text)
	}
}
