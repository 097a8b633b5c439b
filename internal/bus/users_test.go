package bus_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func change(node, source string) protocol.Change {
	return protocol.Change{ID: "c1", Node: node, Source: source, What: "deploy", Text: "x", At: time.Now()}
}

// TestRolesCanDoTheirWork is the other half of least privilege: what is left is
// enough, over the connections that the processes use.
func TestRolesCanDoTheirWork(t *testing.T) {
	f := newFleet(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	probe, operator := f.conn(t, "probe", "db-1"), f.conn(t, "operator", "op-2")
	coordinator, client, viewer := f.conn(t, "coordinator", "co-2"), f.conn(t, "client", "cl-2"), f.conn(t, "viewer", "vi-2")
	ok := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(t *testing.T, c *bus.Conn, subject string, body protocol.Message) {
		t.Helper()
		_, err := c.Publish(ctx, bus.Outgoing{Subject: subject, Body: body, Dedupe: true})
		ok(t, err)
	}
	serve := func(t *testing.T, c *bus.Conn, service, subject string) {
		t.Helper()
		stop, err := c.Serve(ctx, bus.Service{Name: service, Version: "1.0.0", Endpoints: []bus.Endpoint{
			{Name: "it", Subject: subject, Handler: func(context.Context, bus.Req) (any, error) { return "yes", nil }},
		}})
		ok(t, err)
		t.Cleanup(stop)
		ok(t, c.Flush(ctx))
	}
	task := protocol.Task{RunID: "r", InvestigationID: "i", Skill: "os", Reason: "why", Deadline: time.Now().Add(time.Minute),
		Targets: []protocol.TargetRef{{Node: "db-1", Target: "host", Kind: "host"}}}

	t.Run("a coordinator sets up", func(t *testing.T) {
		_, err := coordinator.Setup(ctx, bus.SetupOptions{Skills: []string{"os", "gc"}, Readers: []string{"downstream"}})
		ok(t, err)
		_, err = coordinator.Setup(ctx, bus.SetupOptions{MaxBytes: map[string]int64{bus.Nodes: 1 << 20}})
		ok(t, err)
	})
	t.Run("a probe waits for its streams, publishes, and reads its last heartbeat", func(t *testing.T) {
		ok(t, probe.Wait(ctx, bus.Nodes, bus.Snapshots, bus.Events))
		put(t, probe, protocol.NodeSubject("db-1"), change("db-1", "any"))
		_, err := probe.Last(ctx, bus.Nodes, protocol.NodeSubject("db-1"))
		ok(t, err)
		put(t, probe, protocol.ChangeSubject("db-1", "packages"), change("db-1", "packages"))
	})
	t.Run("a probe answers an operator, who asks whatever node", func(t *testing.T) {
		serve(t, probe, bus.ProbeService, protocol.ProbeSubject("db-1", "call"))
		for range 3 {
			got, err := operator.Request(ctx, protocol.ProbeSubject("db-1", "call"), "q")
			ok(t, err)
			if string(got) != `"yes"` {
				t.Errorf("the answer is %s", got)
			}
		}
		if _, err := operator.Request(ctx, protocol.ProbeSubject("db-2", "call"), "q"); !errors.Is(err, bus.ErrNobody) {
			t.Errorf("a node without a probe: %v", err)
		}
	})
	t.Run("an operator says that it serves, takes a task and writes what it found", func(t *testing.T) {
		serve(t, operator, bus.OperatorService, protocol.ServesSubject("os"))
		_, err := coordinator.Request(ctx, protocol.ServesSubject("os"), nil)
		ok(t, err)
		put(t, coordinator, protocol.TaskSubject("os"), task)
		work, stop := context.WithCancel(ctx)
		var failed error
		err = operator.Consume(work, 1, []bus.Consumer{bus.Tasks("os")}, func(ctx context.Context, d *bus.Delivery) error {
			zero := uint64(0)
			_, e1 := operator.Publish(ctx, bus.Outgoing{Subject: protocol.JournalSubject("operator", "r"), ExpectLast: &zero,
				Body: protocol.Record{RunID: "r", N: 1, Kind: protocol.RecordCancel, At: time.Now()}})
			_, e2 := operator.Last(ctx, bus.Journal, protocol.JournalSubject("operator", "r"))
			e3 := operator.DeadLetter(ctx, d.Msg, "to try it")
			_, e4 := operator.LastDirect(ctx, bus.Nodes, protocol.NodeSubject("db-1"))
			_, e5 := operator.Publish(ctx, bus.Outgoing{Subject: protocol.InvestigationSubject("i", protocol.PhaseProgress), Body: progress("x")})
			failed = errors.Join(e1, e2, e3, e4, e5)
			stop()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		ok(t, failed)
		eventually(t, "the task is acknowledged", func() bool {
			st, err := coordinator.StreamState(ctx, bus.Work)
			return err == nil && st.Messages == 0
		})
	})
	t.Run("a coordinator takes requests, answers clients, and publishes insights", func(t *testing.T) {
		serve(t, coordinator, bus.CoordinatorService, protocol.StatusSubject)
		_, err := client.Request(ctx, protocol.StatusSubject, nil)
		ok(t, err)
		put(t, client, protocol.RequestSubject, protocol.Request{Reason: "why"})
		work, stop := context.WithCancel(ctx)
		err = coordinator.Consume(work, 1, []bus.Consumer{bus.Requests}, func(context.Context, *bus.Delivery) error { stop(); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		put(t, client, protocol.PeopleSubject("note", "i"), protocol.Note{ID: "i", By: "me", Text: "x", At: time.Now()})
	})
	t.Run("a viewer watches and reads back", func(t *testing.T) {
		seen := make(chan bus.Msg, 1)
		stop, err := viewer.Subscribe("investigations.*.*", func(m bus.Msg) { seen <- m })
		ok(t, err)
		defer stop()
		ok(t, viewer.Flush(ctx))
		put(t, coordinator, protocol.InvestigationSubject("i", protocol.PhaseProgress), progress("y"))
		select {
		case <-seen:
		case <-ctx.Done():
			t.Error("it saw nothing")
		}
		for stream, filter := range map[string]string{bus.Nodes: "nodes.*", bus.Findings: "investigations.>", bus.Events: "changes.>", bus.Journal: "journal.>", bus.DeadLetters: "deadletters.*"} {
			n := 0
			for _, err := range viewer.Range(ctx, stream, filter, 0) {
				ok(t, err)
				n++
			}
			if n == 0 {
				t.Errorf("it read nothing of %s", stream)
			}
		}
		_, err = viewer.Last(ctx, bus.People, "people.note.i")
		ok(t, err)
	})
	t.Run("a delivery system reports a change", func(t *testing.T) {
		put(t, f.conn(t, "ci", "github"), protocol.ChangeSubject("web", "deploy"), change("web", "deploy"))
	})
}

func TestAuthority(t *testing.T) {
	dir := t.TempDir()
	auth, err := bus.NewAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("it keeps its secrets to itself", func(t *testing.T) {
		if _, err := auth.Mint(bus.ViewerRole, "v"); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			info, err := f.Info()
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			public := f.Name() == bus.ResolverFile || strings.HasSuffix(f.Name(), ".pub")
			if !public && info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", f.Name(), info.Mode())
			}
			if public && strings.Contains(string(b), "\nS") {
				t.Errorf("%s holds a seed", f.Name())
			}
		}
	})
	t.Run("it is not overwritten", func(t *testing.T) {
		if _, err := bus.NewAuthority(dir); err == nil {
			t.Error("a second authority was made in the same folder")
		}
	})
	t.Run("who knows one role's key mints that role only", func(t *testing.T) {
		part := t.TempDir()
		for _, file := range []string{"account.pub", "role-probe.seed"} {
			b, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(part, file), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		a, err := bus.OpenAuthority(part)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Mint(bus.ProbeRole, "web-1"); err != nil {
			t.Error(err)
		}
		if _, err := a.Mint(bus.AdminRole, "me"); err == nil {
			t.Error("it minted an admin")
		}
	})
	t.Run("a name that is no token is refused with the token", func(t *testing.T) {
		if _, err := auth.Mint(bus.ProbeRole, "web.example.org"); err == nil || !strings.Contains(err.Error(), protocol.Token("web.example.org")) {
			t.Error(err)
		}
	})
	t.Run("an unknown role is refused with those there are", func(t *testing.T) {
		if _, err := auth.Mint("root", "me"); err == nil || !strings.Contains(err.Error(), bus.CoordinatorRole) {
			t.Error(err)
		}
	})
	t.Run("a folder without one is told how to make one", func(t *testing.T) {
		if _, err := bus.OpenAuthority(t.TempDir()); err == nil || !strings.Contains(err.Error(), "fleetlens creds init") {
			t.Error(err)
		}
	})
	t.Run("a resolver written anew keeps what was minted before", func(t *testing.T) {
		a, err := bus.OpenAuthority(dir)
		if err != nil {
			t.Fatal(err)
		}
		creds, err := a.Mint(bus.CoordinatorRole, "co")
		if err != nil {
			t.Fatal(err)
		}
		if err := a.WriteResolver(); err != nil {
			t.Fatal(err)
		}
		s, err := natsd.Start(natsd.Options{StoreDir: t.TempDir(), Config: filepath.Join(dir, bus.ResolverFile)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Stop)
		nc, err := nats.Connect("", nats.InProcessServer(s), nats.UserCredentialBytes(creds))
		if err != nil {
			t.Fatal(err)
		}
		nc.Close()
	})
}

func TestAGatewayMayDoItsWork(t *testing.T) {
	f := newFleet(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	coordinator, gateway := f.conn(t, "coordinator", "co-3"), f.conn(t, "gateway", "gw-3")
	if err := gateway.Wait(ctx, bus.Insights, bus.Sent); err != nil {
		t.Fatal(err)
	}
	if _, err := coordinator.Setup(ctx, bus.SetupOptions{Sinks: []string{"team"}}); err != nil {
		t.Fatal(err)
	}
	insight := protocol.Insight{ID: "n", InvestigationID: "i", Summary: "s", Model: "m", Grounding: "g", CorrelationType: protocol.None,
		Severity: protocol.SeverityInfo, Confidence: protocol.Low, CreatedAt: time.Now()}
	if _, err := coordinator.Publish(ctx, bus.Outgoing{Subject: protocol.InsightSubject("info", "none", "i"), Body: insight}); err != nil {
		t.Fatal(err)
	}
	work, stop := context.WithCancel(ctx)
	var failed error
	err := gateway.Consume(work, 1, []bus.Consumer{bus.Sink("team")}, func(ctx context.Context, _ *bus.Delivery) error {
		defer stop()
		revision, e1 := gateway.WriteKey(ctx, bus.SentBucket, "delivery.team.n", "sending", 0)
		var state string
		got, e2 := gateway.ReadKey(ctx, bus.SentBucket, "delivery.team.n", &state)
		_, e3 := gateway.LastDirect(ctx, bus.Nodes, protocol.NodeSubject("nobody"))
		if errors.Is(e3, bus.ErrNotFound) {
			e3 = nil
		}
		if failed = errors.Join(e1, e2, e3); failed == nil && (got != revision || state != "sending") {
			failed = errors.New("it did not read what it wrote")
		}
		return bus.Permanent(errors.New("to try it"))
	})
	if !errors.Is(err, context.Canceled) || failed != nil {
		t.Fatal(err, failed)
	}
	if _, err := coordinator.LastDirect(ctx, bus.DeadLetters, protocol.DeadLetterSubject(bus.Insights)); err != nil {
		t.Error(err)
	}
	if _, err := gateway.WriteState(ctx, "triage.ledger", "mine", 0); err == nil {
		t.Error("a gateway writes what coordinators share")
	}
}
