package coordinator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/signals/signalstest"
)

// anomaly reports one of a node's pantry.
func (b *bench) anomaly(node string, change ...func(*protocol.Anomaly)) {
	b.t.Helper()
	now := time.Now().UTC()
	a := protocol.Anomaly{
		ID: protocol.NewID(), Node: node, Target: "host", Kind: "host", Skill: "pantry", Metric: "used_pct", Value: 97, Unit: protocol.Percent,
		Baseline: 40, Score: 20, Severity: protocol.SeverityWarning, Since: now, DetectedAt: now,
	}
	for _, c := range change {
		c(&a)
	}
	if _, err := b.Publish(b.t.Context(), bus.Outgoing{Subject: protocol.AnomalySubject(a.Node, a.Target, a.Skill), Body: a, ID: a.ID}); err != nil {
		b.t.Fatal(err)
	}
}

// asked returns the requests that coordinators took, as they come.
func (b *bench) asked() <-chan protocol.Request {
	b.t.Helper()
	out := make(chan protocol.Request, 100)
	stop, err := b.Subscribe(protocol.InvestigationSubject(protocol.Any, protocol.PhaseAccepted), func(m bus.Msg) {
		a, err := protocol.Decode[protocol.Accepted](m.Data)
		if err != nil {
			b.t.Error(err)
		}
		out <- a.Request
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(stop)
	return out
}

func next[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s came", what)
		panic("unreachable")
	}
}

// gives is a decider of coordinators that end at once, and keeps what they began with.
func gives(seen chan<- agent.CoordinatorSubject) func(string) (agent.Decider, error) {
	decide := func(v agent.View) (protocol.Answer, error) {
		if s, ok := v.State.(*agent.CoordinatorState); ok && seen != nil && v.Step <= 1 {
			seen <- s.Subject
		}
		return agenttest.Calls(agenttest.Call("done", nil))(v)
	}
	return func(string) (agent.Decider, error) { return agenttest.NewScript(decide, decide), nil }
}

func quickly(c *coordinator.Config, _ *coordinator.Deps) {
	c.Triage.Settle, c.Silence = 200*time.Millisecond, 0
}

// Behaviour: defect 23.
func TestAnomaliesOfSeveralNodesAreOneRequest(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		b.node(fmt.Sprintf("web-%d", i), "pantry")
	}
	asked, seen := b.asked(), make(chan agent.CoordinatorSubject, 10)
	// On a busy machine the three do not come within a fifth of a second.
	together := func(c *coordinator.Config, d *coordinator.Deps) { quickly(c, d); c.Triage.Settle = 2 * time.Second }
	b.coordinate("co-1", gives(seen), together)
	b.coordinate("co-2", gives(seen), together)
	for i := range 3 {
		b.anomaly(fmt.Sprintf("web-%d", i))
	}
	r := next(t, asked, "request")
	if r.Group == "" || r.ID != r.Group || !strings.Contains(r.Reason, "pantry.used_pct on 3 nodes") || !strings.Contains(r.Reason, "97 %, usually 40 %") ||
		!slices.Equal(r.Nodes, []string{"web-0", "web-1", "web-2"}) {
		t.Errorf("request %+v", r)
	}
	sub := next(t, seen, "investigation")
	notes := sub.Request.Notifications
	if len(notes) != 3 || notes[0].Origin != protocol.OriginAnomaly || !notes[0].Verified || notes[0].InvestigationID != r.ID || notes[0].Evidence[0].Baseline == nil {
		t.Errorf("it began with %+v", notes)
	}
	b.anomaly("web-1") // the same again, and another one joins
	b.anomaly("web-2", func(a *protocol.Anomaly) { a.Metric = "free_shelves" })
	waitFor(t, "the group to have it", func() bool {
		g := b.group(r.Group)
		return g.Joined == 1 && g.Repeats == 1 && g.State != ""
	})
	if len(asked) > 0 {
		t.Errorf("asked again: %+v", <-asked)
	}
}

func TestWhoLeadsDiesBetweenTheFirstSignalAndTheRequest(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	asked := b.asked()
	slowly := func(c *coordinator.Config, _ *coordinator.Deps) { c.Triage.Settle = time.Second }
	stop := b.coordinate("co-1", gives(nil), slowly)
	b.anomaly("web-1")
	waitFor(t, "the group to be kept", func() bool { return len(b.groups()) == 1 })
	stop()
	b.coordinate("co-2", gives(nil), slowly)
	b.anomaly("web-1", func(a *protocol.Anomaly) { a.Metric = "other" })
	if r := next(t, asked, "request"); !strings.Contains(r.Reason, "on web-1") {
		t.Errorf("request %+v", r)
	}
	waitFor(t, "both to be in one group", func() bool { g := b.groups(); return len(g) == 1 && len(g[0].Keys) == 2 })
	if len(asked) > 0 {
		t.Errorf("asked again: %+v", <-asked)
	}
}

func TestTheThirdGroupOfAnHourIsForTheRules(t *testing.T) {
	b := newBench(t)
	asked, tells := b.asked(), signalstest.New()
	b.coordinate("co-1", gives(nil), quickly, func(c *coordinator.Config, d *coordinator.Deps) {
		c.Triage.MaxPerHour, d.Telemetry = 2, tells.Providers
	})
	var models []string
	for i := range 3 {
		node := fmt.Sprintf("n%d", i)
		b.node(node, "pantry")
		b.anomaly(node, func(a *protocol.Anomaly) { a.Metric = fmt.Sprintf("metric_%d", i) })
		models = append(models, next(t, asked, "request").Model)
	}
	if !slices.Equal(models, []string{"", "", "rules"}) {
		t.Errorf("models %q", models)
	}
	if m, r := tells.Sum(t, signals.TriageRequests, "result=model"), tells.Sum(t, signals.TriageRequests, "result=rules"); m != 2 || r != 1 {
		t.Errorf("told are %v for the model and %v for the rules", m, r)
	}
	tells.AwaitAll(t, string(signals.Investigation), 3)
	told := tells.Events(signals.TriageAsked)
	if len(told) != 3 || told[0][string(signals.AttrCount)] != int64(1) || !strings.Contains(fmt.Sprint(told[0][string(signals.AttrReason)]), "pantry.metric_0 on n0") {
		t.Errorf("the investigations begin with %v", told)
	}
	tells.Conforms(t)
}

func TestASilentNodeIsAskedAboutOnce(t *testing.T) {
	b := newBench(t)
	asked := b.asked()
	b.coordinate("co-1", gives(nil), quickly)
	beat := func(node string, every time.Duration) {
		if _, err := b.Publish(t.Context(), bus.Outgoing{Subject: protocol.NodeSubject(node), Body: protocol.Heartbeat{
			Node: node, MachineID: node, SentAt: time.Now().UTC(), IntervalMS: every.Milliseconds(),
			Targets: []protocol.HeartbeatTarget{{Name: "host", Kind: "host", Skills: []string{"pantry"}}},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	beat("alive", time.Hour)
	beat("web-1", 100*time.Millisecond)
	r := next(t, asked, "request")
	if !strings.Contains(r.Reason, "heartbeat.silent on web-1: the node no longer reports") {
		t.Errorf("request %+v", r)
	}
	if len(b.groups()) != 1 {
		t.Errorf("groups %+v", b.groups())
	}
}

func TestSilencedAndQuietSignalsAskForNothing(t *testing.T) {
	b := newBench(t)
	for _, n := range []string{"web-1", "web-2", "web-3"} {
		b.node(n, "pantry")
	}
	silence := protocol.Silence{ID: "s-1", Nodes: []string{"web-1"}, Until: time.Now().Add(time.Hour), Reason: "maintenance", By: "ops", At: time.Now()}
	if _, err := b.Publish(t.Context(), bus.Outgoing{Subject: protocol.PeopleSubject("silence", silence.ID), Body: silence}); err != nil {
		t.Fatal(err)
	}
	asked := b.asked()
	b.coordinate("co-1", gives(nil), quickly)
	b.anomaly("web-1")
	b.anomaly("web-2", func(a *protocol.Anomaly) { a.Quiet = true })
	b.anomaly("web-3", func(a *protocol.Anomaly) { a.Metric = "marker" })
	if r := next(t, asked, "request"); !strings.Contains(r.Reason, "pantry.marker on web-3") {
		t.Errorf("request %+v", r)
	}
	for _, g := range b.groups() {
		if slices.Contains(g.Names(), "web-1") {
			t.Errorf("the silenced node is in a group: %+v", g)
		}
	}
	waitFor(t, "the count of what was kept out", func() bool {
		read, err := coordinator.ReadTriage(t.Context(), b.Conn)
		return err == nil && read.Ledger.Silenced["s-1"] == 1
	})
}

func TestTheLastWordOnASilenceCounts(t *testing.T) {
	b := newBench(t)
	for _, n := range []string{"web-1", "web-2"} {
		b.node(n, "pantry")
	}
	say := func(id, node string, until time.Duration) {
		q := protocol.Silence{ID: id, Nodes: []string{node}, Until: time.Now().Add(until), Reason: "maintenance", By: "ops", At: time.Now()}
		if _, err := b.Publish(t.Context(), bus.Outgoing{Subject: protocol.PeopleSubject("silence", id), Body: q}); err != nil {
			t.Fatal(err)
		}
	}
	say("ended", "web-1", time.Hour)
	say("ended", "web-1", -time.Second)
	say("moved", "web-1", time.Hour)
	say("moved", "web-2", time.Hour)
	asked := b.asked()
	b.coordinate("co-1", gives(nil), quickly)
	b.anomaly("web-2")
	b.anomaly("web-1")
	if r := next(t, asked, "request"); !strings.Contains(r.Reason, "on web-1") {
		t.Errorf("request %+v", r)
	}
	waitFor(t, "the count of what was kept out", func() bool {
		read, err := coordinator.ReadTriage(t.Context(), b.Conn)
		return err == nil && read.Ledger.Silenced["moved"] == 1 && len(read.Ledger.Silenced) == 1
	})
}

func TestAnAnomalyUnderTheSubjectOfAnotherNodeIsADeadLetter(t *testing.T) {
	b := newBench(t)
	b.node("web-1", "pantry")
	b.coordinate("co-1", gives(nil), quickly)
	now := time.Now().UTC()
	a := protocol.Anomaly{ID: "a-1", Node: "web-1", Target: "host", Skill: "pantry", Metric: "used_pct", Since: now, DetectedAt: now}
	if _, err := b.Publish(t.Context(), bus.Outgoing{Subject: protocol.AnomalySubject("web-9", "host", "pantry"), Body: a}); err != nil {
		t.Fatal(err)
	}
	var letter protocol.DeadLetter
	waitFor(t, "a dead letter", func() bool {
		for m, err := range b.Range(context.WithoutCancel(t.Context()), bus.DeadLetters, ">", 0) {
			if err != nil {
				return false
			}
			letter, _ = protocol.Decode[protocol.DeadLetter](m.Data)
		}
		return letter.Stream != ""
	})
	if letter.Stream != bus.Events || !strings.Contains(letter.Reason, "its subject does not") {
		t.Errorf("dead letter %+v", letter)
	}
}

// groups returns the groups that triage keeps.
func (b *bench) groups() []*triage.Group {
	b.t.Helper()
	entries, err := b.ListState(b.t.Context(), "triage.group.")
	if err != nil {
		b.t.Fatal(err)
	}
	var out []*triage.Group
	for _, e := range entries {
		g := new(triage.Group)
		if err := json.Unmarshal(e.Value, g); err != nil {
			b.t.Fatal(err)
		}
		out = append(out, g)
	}
	return out
}

func (b *bench) group(id string) triage.Group {
	b.t.Helper()
	for _, g := range b.groups() {
		if g.ID == id {
			return *g
		}
	}
	return triage.Group{}
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begin := time.Now(); !is(); {
		if time.Since(begin) > patience {
			t.Fatalf("waited in vain for %s", what)
		}
		runtime.Gosched()
	}
}

func TestAnAlertMeansTheNodeThatItsLabelsName(t *testing.T) {
	b := newBench(t)
	for _, n := range []string{"web-1.example.net", "web-2.example.net", "db-1"} {
		b.node(n, "pantry")
	}
	asked, seen := b.asked(), make(chan agent.CoordinatorSubject, 10)
	// Alertmanager may be connected long after an alert began to fire.
	alert := func(name string, labels map[string]string) {
		a := protocol.Alert{
			ID: name + labels["instance"], Source: "alertmanager", State: "firing", Name: name, Severity: protocol.SeverityCritical, Labels: labels,
			Annotations: map[string]string{"summary": "p99 is 2.1 s"}, StartsAt: time.Now().UTC().Add(-6 * time.Hour),
		}
		if _, err := b.Publish(t.Context(), bus.Outgoing{Subject: protocol.AlertSubject(a.Source), Body: a, ID: a.ID, Dedupe: true}); err != nil {
			t.Fatal(err)
		}
	}
	links := protocol.Links{Node: "db-1", Addresses: []string{"192.0.2.21"}, At: time.Now().UTC()}
	if _, err := b.Publish(t.Context(), bus.Outgoing{Subject: protocol.LinksSubject("db-1"), Body: links}); err != nil {
		t.Fatal(err)
	}
	alert("HighLatency", map[string]string{"instance": "web-1:9100"})
	alert("HighLatency", map[string]string{"instance": "192.0.2.21:9100"})
	alert("HighLatency", map[string]string{"instance": "elsewhere:9100"})
	b.coordinate("co-1", gives(seen), quickly) // it finds all three at once
	r := next(t, asked, "request")
	if !slices.Equal(r.Nodes, []string{"web-1.example.net", "db-1"}) || !strings.Contains(r.Reason, "alert.HighLatency on 2 nodes: HighLatency: p99 is 2.1 s") {
		t.Errorf("request %+v", r)
	}
	notes := next(t, seen, "investigation").Request.Notifications
	if len(notes) != 3 || notes[0].Verified || notes[0].Origin != protocol.OriginAlert || notes[2].Node != "fleet" {
		t.Errorf("it began with %+v", notes)
	}
}

func TestTwoServicesOfANodeAreTwoMatters(t *testing.T) {
	b := newBench(t)
	of := func(target string) func(*protocol.Anomaly) {
		return func(a *protocol.Anomaly) { a.Target, a.Kind = target, "go" }
	}
	b.node("web-1", "pantry")
	b.coordinate("co-1", gives(nil))
	b.anomaly("web-1", of("orders"))
	b.anomaly("web-1", of("stock"))
	b.anomaly("web-1", of("stock"))
	waitFor(t, "both to be known", func() bool {
		g := b.groups()
		return len(g) > 0 && g[0].Repeats+g[len(g)-1].Repeats > 0
	})
	var keys []string
	for _, g := range b.groups() {
		keys = append(keys, g.Keys...)
	}
	if slices.Sort(keys); !slices.Equal(keys, []string{"pantry.used_pct of orders", "pantry.used_pct of stock"}) {
		t.Errorf("reported was %q", keys)
	}
}
