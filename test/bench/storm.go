package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/fleet"
)

// stormReport is what one storm led to.
type stormReport struct {
	Nodes          int     `json:"nodes"`
	Anomalies      int     `json:"anomalies"`
	Over           float64 `json:"anomalies_over_s"`
	Kills          []kill  `json:"leaders_killed"`
	Investigations figure  `json:"investigations"`
	Insights       int     `json:"insights"`
	InsightNodes   int     `json:"nodes_of_the_largest_insight"`
	Groups         int     `json:"triage_groups"`
	GroupNodes     int     `json:"nodes_in_the_group"`
	Request        figure  `json:"first_anomaly_to_request_s"`
	Insight        float64 `json:"first_anomaly_to_insight_s"`
	Coordinator    figure  `json:"coordinator_peak_rss_mb"`
	Broker         float64 `json:"broker_peak_rss_mb"`
}

// A kill is the end of a coordinator that led.
type kill struct {
	After    float64 `json:"after_s"`    // the first anomaly
	Takeover float64 `json:"takeover_s"` // until another led
}

// storm is how a storm is made.
type storm struct {
	nodes int
	over  time.Duration
	kills []time.Duration
}

func stormCommand() *cobra.Command {
	s := storm{}
	cmd := subcommand("storm", "Anomalies of a whole fleet, while who leads is killed",
		`Simulate a fleet of probes that beat every 10 s and publish a snapshot every 30 s, and
let an anomaly come from each of them within 90 s. Coordinators with their default
configuration run in processes of their own, and so do NATS and an operator; the one that leads the
triage is killed with SIGKILL in between. How many investigations come of it is counted
on the stream. It takes about three minutes.`,
		func(ctx context.Context, b *bench) (any, error) { return b.storm(ctx, s) })
	cmd.Flags().IntVar(&s.nodes, "nodes", 10_000, "simulated probes")
	cmd.Flags().DurationVar(&s.over, "over", 90*time.Second, "within which an anomaly comes from each")
	cmd.Flags().DurationSliceVar(&s.kills, "kill", []time.Duration{45 * time.Second}, "moments after the first anomaly at which the leader is killed")
	return cmd
}

// A worker is a process of the storm.
type worker struct {
	*fleet.Process
	peak float64 // MB
}

// measure notes the most memory that the process has held.
func (w *worker) measure() {
	if m, err := readMemory(w.PID()); err == nil {
		w.peak = max(w.peak, m.peak)
	}
}

// launch starts a process under a name that says what it is.
func (b *bench) launch(ctx context.Context, workers map[string]*worker, kind, name, url string) error {
	p, err := fleet.Launch(ctx, kind, url, name, b.errOut)
	if err == nil {
		workers[name] = &worker{Process: p}
	}
	return err
}

func (b *bench) storm(ctx context.Context, s storm) (*stormReport, error) {
	server, err := b.startServer(ctx)
	if err != nil {
		return nil, err
	}
	defer server.end()
	conn, err := b.dial(ctx, bus.Config{Server: server.url})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	workers := map[string]*worker{}
	defer func() {
		for _, w := range workers {
			w.End()
		}
	}()
	for i := range len(s.kills) + 1 {
		name := fmt.Sprintf("co-%d", i)
		if err := b.launch(ctx, workers, fleet.Coordinator, name, server.url); err != nil {
			return nil, err
		}
	}
	if err := b.launch(ctx, workers, fleet.Operator, "op-0", server.url); err != nil {
		return nil, err
	}
	r := &stormReport{Nodes: s.nodes, Over: s.over.Seconds(), Kills: []kill{}}
	if err := b.rage(ctx, conn, s, workers, r); err != nil {
		return nil, err
	}
	peak := 0.0
	for name, w := range workers {
		if w.measure(); strings.HasPrefix(name, "co-") {
			peak = max(peak, w.peak)
		}
	}
	r.Coordinator = atMost(peak, 500)
	broker, err := readMemory(server.pid)
	r.Broker = round(broker.peak)
	return r, err
}

// rage lets the storm come and counts what comes of it.
func (b *bench) rage(ctx context.Context, conn *bus.Conn, s storm, workers map[string]*worker, r *stormReport) error {
	probes := stormFleet{conn: conn, nodes: s.nodes}
	b.say("%d probes begin to report", s.nodes)
	if err := probes.report(ctx, 0); err != nil {
		return err
	}
	calm, cancel := context.WithCancel(ctx)
	defer cancel()
	g, calm := errgroup.WithContext(calm)
	g.Go(func() error { return probes.keepReporting(calm) })
	if err := pause(ctx, 5*time.Second); err != nil {
		return err
	}
	var times stormTimes
	stop, err := times.watch(conn)
	if err != nil {
		return err
	}
	defer stop()
	b.say("an anomaly comes from each of them within %s", s.over)
	times.began = time.Now()
	g.Go(func() error { return probes.storm(calm, s.over) })
	for _, after := range s.kills {
		if err := pause(ctx, time.Until(times.began.Add(after))); err != nil {
			return err
		}
		k, err := b.killLeader(ctx, conn, workers)
		if err != nil {
			return err
		}
		k.After = round(after.Seconds())
		r.Kills = append(r.Kills, k)
	}
	if err := pause(ctx, time.Until(times.began.Add(s.over+20*time.Second))); err != nil {
		return err
	}
	cancel()
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return times.fill(ctx, conn, r)
}

// killLeader kills the coordinator that leads and returns when another does.
func (b *bench) killLeader(ctx context.Context, conn *bus.Conn, workers map[string]*worker) (kill, error) {
	leader, err := stormLeader(ctx, conn)
	if err != nil {
		return kill{}, err
	}
	w := workers[leader]
	if w == nil {
		return kill{}, fmt.Errorf("nobody leads (the lease names %q)", leader)
	}
	w.measure()
	b.say("%s leads, and is killed", leader)
	if err := w.Kill(); err != nil {
		return kill{}, err
	}
	began := time.Now()
	for {
		next, err := stormLeader(ctx, conn)
		if err != nil {
			return kill{}, err
		}
		if next != leader && next != "" {
			b.say("%s leads after %s", next, time.Since(began).Round(time.Millisecond))
			return kill{Takeover: round(time.Since(began).Seconds())}, nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return kill{}, fmt.Errorf("nobody leads after %s was killed: %w", leader, err)
		}
	}
}

func stormLeader(ctx context.Context, conn *bus.Conn) (string, error) {
	var lease struct {
		Holder string `json:"holder"`
	}
	_, err := conn.ReadState(ctx, "triage.leader", &lease)
	name, _, _ := strings.Cut(lease.Holder, "/")
	return name, err
}

// stormTimes is when what came of a storm was seen.
type stormTimes struct {
	began time.Time

	mu       sync.Mutex
	accepted map[string]time.Time
	insight  time.Time
	largest  int
	insights int
}

func (t *stormTimes) watch(conn *bus.Conn) (stop func(), err error) {
	t.accepted = map[string]time.Time{}
	stopA, err := conn.Subscribe(protocol.RequestSubject, func(m bus.Msg) {
		r, err := protocol.ReadRequest(m.Data)
		t.mu.Lock()
		defer t.mu.Unlock()
		if _, known := t.accepted[r.ID]; err == nil && !known {
			t.accepted[r.ID] = time.Now()
		}
	})
	if err != nil {
		return nil, err
	}
	stopI, err := conn.Subscribe(protocol.InsightSubject(protocol.Any, protocol.Any, protocol.Any), func(m bus.Msg) {
		i, err := protocol.Decode[protocol.Insight](m.Data)
		t.mu.Lock()
		defer t.mu.Unlock()
		if err != nil {
			return
		}
		if t.insights++; t.insight.IsZero() {
			t.insight = time.Now()
		}
		for _, e := range i.Evidence {
			if n, ok := e.Value.(float64); ok && e.Name == "affected_nodes" {
				t.largest = max(t.largest, int(n))
			}
		}
	})
	if err != nil {
		stopA()
		return nil, err
	}
	return func() { stopA(); stopI() }, nil
}

// fill puts what was seen into the report; investigations are counted on the stream.
func (t *stormTimes) fill(ctx context.Context, conn *bus.Conn, r *stormReport) error {
	ids := map[string]bool{}
	for m, err := range conn.Range(ctx, bus.Findings, protocol.InvestigationSubject(protocol.Any, protocol.PhaseAccepted), 0) {
		if err != nil {
			return err
		}
		ids[m.Subject] = true
	}
	r.Investigations = atMost(float64(len(ids)), 1)
	state, err := coordinator.ReadTriage(ctx, conn)
	if err != nil {
		return err
	}
	r.Groups = len(state.Groups)
	for _, g := range state.Groups {
		r.GroupNodes = max(r.GroupNodes, g.Count())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Insights, r.InsightNodes = t.insights, t.largest
	r.Anomalies, err = countSubjects(ctx, conn)
	first := time.Time{}
	for _, at := range t.accepted {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	if first.IsZero() {
		return errors.Join(err, errors.New("nothing was asked"))
	}
	r.Request = atMost(first.Sub(t.began).Seconds(), 3)
	if !t.insight.IsZero() {
		r.Insight = round(t.insight.Sub(t.began).Seconds())
	}
	return err
}

func countSubjects(ctx context.Context, conn *bus.Conn) (int, error) {
	s, err := conn.StreamState(ctx, bus.Events)
	return int(s.Messages), err
}

// stormFleet is simulated probes.
type stormFleet struct {
	conn  *bus.Conn
	nodes int
}

func (f stormFleet) name(i int) string { return fmt.Sprintf("node-%05d", i) }

var stormRoles = []string{"web", "api", "db", "cache", "batch"}

// send publishes messages without waiting for each, and returns when the server has all.
func (f stormFleet) send(list ...bus.Outgoing) error {
	var waits []func() error
	for _, out := range list {
		packed, err := f.conn.Pack(out)
		if err != nil {
			return err
		}
		wait, err := f.conn.PublishAsync(packed)
		if err != nil {
			return err
		}
		waits = append(waits, wait)
	}
	for _, wait := range waits {
		if err := wait(); err != nil {
			return err
		}
	}
	return nil
}

const beatEvery = 10 * time.Second

// report has every node beat, and every third of them publish a snapshot.
func (f stormFleet) report(ctx context.Context, round int) error {
	const slices = 100 // spread over the interval
	began := time.Now()
	for s := range slices {
		var list []bus.Outgoing
		for i := s; i < f.nodes; i += slices {
			list = append(list, f.beat(i))
			if i%3 == round%3 {
				list = append(list, f.snapshot(i))
			}
		}
		if err := f.send(list...); err != nil {
			return err
		}
		if err := pause(ctx, time.Until(began.Add(beatEvery*time.Duration(s+1)/slices))); err != nil {
			return err
		}
	}
	return nil
}

func (f stormFleet) keepReporting(ctx context.Context) error {
	for round := 1; ; round++ {
		if err := f.report(ctx, round); err != nil {
			return err
		}
	}
}

func (f stormFleet) beat(i int) bus.Outgoing {
	now := time.Now().UTC()
	return bus.Outgoing{Subject: protocol.NodeSubject(f.name(i)), At: now, Body: protocol.Heartbeat{
		Node: f.name(i), Version: "bench", MachineID: f.name(i), BootID: "1", SentAt: now, IntervalMS: beatEvery.Milliseconds(),
		Labels:  map[string]string{"role": stormRoles[i%len(stormRoles)], "zone": fmt.Sprintf("zone-%d", i%3), "env": "prod"},
		Targets: []protocol.HeartbeatTarget{{Name: "host", Kind: "host", Skills: []string{"os"}}},
	}}
}

// snapshot is of a host that crosses no check: what its detector says is not its own load.
func (f stormFleet) snapshot(i int) bus.Outgoing {
	snap := protocol.Snapshot{
		ID: protocol.NewID(), Node: f.name(i), Target: "host", Kind: "host", Skill: "os", CapturedAt: time.Now().UTC(),
		Data: map[string]any{"cpu_used_pct": 71.5, "load_1m": 3.1, "memory_used_pct": 55.5, "disk_max_used_pct": 40.0, "cpu_count": 8.0},
	}
	return bus.Outgoing{Subject: protocol.SnapshotSubject(snap.Node, snap.Target, snap.Skill), Body: snap, ID: snap.ID}
}

// storm has an anomaly come from each node.
func (f stormFleet) storm(ctx context.Context, over time.Duration) error {
	metrics := []struct {
		name            string
		value, baseline float64
		unit            protocol.Unit
	}{{"cpu_used_pct", 97, 31, protocol.Percent}, {"memory_used_pct", 91, 55, protocol.Percent}, {"load_1m", 40, 2.5, protocol.Load}}
	began := time.Now()
	for i := range f.nodes {
		if err := pause(ctx, time.Until(began.Add(over*time.Duration(i)/time.Duration(f.nodes)))); err != nil {
			return err
		}
		now, m := time.Now().UTC(), metrics[i%len(metrics)]
		a := protocol.Anomaly{
			ID: protocol.NewID(), Node: f.name(i), Target: "host", Kind: "host", Skill: "os", Metric: m.name, Value: m.value, Unit: m.unit, Baseline: m.baseline,
			Score: 12 + float64(i%50), Deviations: 8, Severity: protocol.SeverityWarning, Since: now.Add(-time.Minute), DetectedAt: now,
		}
		packed, err := f.conn.Pack(bus.Outgoing{Subject: protocol.AnomalySubject(a.Node, a.Target, a.Skill), Body: a, ID: a.ID, Dedupe: true})
		if err != nil {
			return err
		}
		if _, err := f.conn.PublishAsync(packed); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}
