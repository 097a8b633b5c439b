package bus_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func progress(text string) protocol.Progress {
	return protocol.Progress{InvestigationID: "i1", RunID: "r1", Agent: "os", Text: text, At: time.Now()}
}

func TestSetupIsIdempotentAndKeepsNewerSchemas(t *testing.T) {
	s := natstest.Run(t)
	c := natstest.Dial(t, s, "test")
	did, err := c.Setup(t.Context(), bus.SetupOptions{Skills: []string{"os"}})
	if err != nil {
		t.Fatal(err)
	}
	if did[0].Did != "created" {
		t.Errorf("first setup: %+v", did[0])
	}
	did, err = c.Setup(t.Context(), bus.SetupOptions{MaxBytes: map[string]int64{bus.Nodes: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	if did[0].Did != "updated" {
		t.Errorf("setup with another size: %+v", did[0])
	}
	did, err = c.Setup(t.Context(), bus.SetupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if did[0].Did != "kept" {
		t.Errorf("setup again, without a size: %+v", did[0])
	}
}

func TestRangeReadsBothWays(t *testing.T) {
	c := natstest.Setup(t, natstest.Run(t), "test")
	for i := range 700 { // more than one batch
		p := progress("step")
		p.Step = i
		if _, err := c.Publish(t.Context(), bus.Outgoing{Subject: protocol.InvestigationSubject("i1", protocol.PhaseProgress), Body: p}); err != nil {
			t.Fatal(err)
		}
	}
	rec := protocol.Record{RunID: "r1", N: 1, Kind: protocol.RecordCancel, At: time.Now()}
	for range 3 {
		if _, err := c.Publish(t.Context(), bus.Outgoing{Subject: protocol.JournalSubject("operator", "r1"), Body: rec}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, stream, filter string
		from                 uint64
		want                 int
	}{
		{"a direct stream, over several batches", bus.Findings, "investigations.*.progress", 0, 700},
		{"from a sequence on", bus.Findings, "investigations.i1.*", 691, 10},
		{"another subject", bus.Findings, "investigations.i2.*", 0, 0},
		{"a stream without direct get", bus.Journal, "journal.operator.r1", 0, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			for m, err := range c.Range(t.Context(), tt.stream, tt.filter, tt.from) {
				if err != nil {
					t.Fatal(err)
				}
				if env, err := protocol.ParseEnvelope(m.Header); err != nil || env.Source != "test" || m.Time.IsZero() {
					t.Fatalf("envelope %+v, time %v, err %v", env, m.Time, err)
				}
				n++
			}
			if n != tt.want {
				t.Errorf("read %d messages, want %d", n, tt.want)
			}
		})
	}
	if _, err := c.Last(t.Context(), bus.Journal, "journal.operator.none"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("the last message of an empty subject: %v, want ErrNotFound", err)
	}
	if _, err := c.LastDirect(t.Context(), bus.Nodes, "nodes.none"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("the last message of an empty subject, directly: %v, want ErrNotFound", err)
	}
}

func TestPublishRefusesAWrongLastSequence(t *testing.T) {
	c := natstest.Setup(t, natstest.Run(t), "test")
	zero := uint64(0)
	out := bus.Outgoing{Subject: "journal.operator.r", Body: protocol.Record{RunID: "r", Kind: "start", At: time.Now()}, ExpectLast: &zero}
	if _, err := c.Publish(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Publish(t.Context(), out); !errors.Is(err, bus.ErrWrongLast) {
		t.Errorf("the second publish: %v, want ErrWrongLast", err)
	}
}

func TestVerdicts(t *testing.T) {
	s := natstest.Run(t)
	c := natstest.Setup(t, s, "test", "os")
	send := func(reason string) {
		t.Helper()
		task := protocol.Task{RunID: reason, InvestigationID: "i", Skill: "os", Reason: reason, Deadline: time.Now().Add(time.Minute),
			Targets: []protocol.TargetRef{{Node: "n", Target: "host", Kind: "host"}}}
		if _, err := c.Publish(t.Context(), bus.Outgoing{Subject: protocol.TaskSubject("os"), Body: task}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	seen := map[string]int{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Consume(ctx, 2, []bus.Consumer{bus.Tasks("os")}, func(_ context.Context, d *bus.Delivery) error {
			task, err := protocol.Decode[protocol.Task](d.Data)
			if err != nil {
				return bus.Permanent(err)
			}
			mu.Lock()
			seen[task.Reason]++
			mu.Unlock()
			switch task.Reason {
			case "permanent":
				return bus.Permanent(errors.New("nobody can do this"))
			case "panic":
				panic("boom")
			case "not mine":
				return bus.ErrNotMine
			}
			return nil
		})
	}()
	if err := c.Send(protocol.TaskSubject("os"), []byte("{garbage")); err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{"fine", "permanent", "panic", "not mine"} {
		send(reason)
	}
	eventually(t, "every message was seen, and two dead letters written", func() bool {
		letters := 0
		for _, err := range c.Range(t.Context(), bus.DeadLetters, "deadletters.*", 0) {
			if err != nil {
				t.Fatal(err)
			}
			letters++
		}
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == 4 && letters == 2
	})
	eventually(t, "only the panic and the one that is another's are left", func() bool {
		st, err := c.StreamState(t.Context(), bus.Work)
		return err == nil && st.Messages == 2
	})
	cancel()
	<-done
}

func TestConsumeUsesEverySlotAndNoMore(t *testing.T) {
	c := natstest.Setup(t, natstest.Run(t), "test", "a", "b")
	ctx, cancel := context.WithCancel(t.Context())
	var busy, most, total atomic.Int32
	release := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Consume(ctx, 3, []bus.Consumer{bus.Tasks("a"), bus.Tasks("b")}, func(context.Context, *bus.Delivery) error {
			most.Store(max(most.Load(), busy.Add(1)))
			<-release
			busy.Add(-1)
			total.Add(1)
			return nil
		})
	}()
	for i := range 12 {
		if err := c.Send(protocol.TaskSubject([]string{"a", "b"}[i%2]), []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "three handlers run at a time", func() bool { return busy.Load() == 3 })
	close(release)
	eventually(t, "all are handled", func() bool { return total.Load() == 12 })
	if most.Load() != 3 {
		t.Errorf("%d handlers ran at a time, want 3", most.Load())
	}
	cancel()
	<-done
}

func TestServices(t *testing.T) {
	c := natstest.Setup(t, natstest.Run(t), "test")
	stop, err := c.Serve(t.Context(), bus.Service{
		Name: "fleetlens-test", Version: "0.1.0", Timeout: time.Second,
		Endpoints: []bus.Endpoint{{Name: "call", Subject: "probe.n.call", Handler: func(_ context.Context, r bus.Req) (any, error) {
			switch string(r.Data) {
			case `"panic"`:
				panic("boom")
			case `"refuse"`:
				return nil, bus.Refuse(404, "no such thing:\n%s", "x")
			case `"parts"`:
				for _, so := range []string{"one", "one two"} {
					if err := r.Part(protocol.AskPart{Summary: so}); err != nil {
						return nil, err
					}
				}
			case `"no part"`:
				return nil, r.Part(protocol.AskPart{})
			}
			return map[string]int{"n": 1}, nil
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if got, err := c.Request(t.Context(), "probe.n.call", "ok"); err != nil || string(got) != `{"n":1}` {
		t.Errorf("an answer: %s, %v", got, err)
	}
	var refusal bus.Refusal
	if _, err := c.Request(t.Context(), "probe.n.call", "refuse"); !errors.As(err, &refusal) || refusal.Code != 404 || refusal.Error() != "no such thing:\nx" {
		t.Errorf("a refusal: %v", err)
	}
	if _, err := c.Request(t.Context(), "probe.n.call", "panic"); err == nil {
		t.Error("a panic gave no error")
	}
	var parts []string
	part := func(body []byte) { parts = append(parts, string(body)) }
	if got, err := c.RequestParts(t.Context(), "probe.n.call", "parts", part); err != nil || string(got) != `{"n":1}` || len(parts) != 2 || !strings.Contains(parts[1], `"one two"`) {
		t.Errorf("an answer in parts: %s, %q, %v", got, parts, err)
	}
	if got, err := c.RequestParts(t.Context(), "probe.n.call", "ok", part); err != nil || string(got) != `{"n":1}` || len(parts) != 2 {
		t.Errorf("an answer without parts: %s, %q, %v", got, parts, err)
	}
	if _, err := c.RequestParts(t.Context(), "probe.n.call", "refuse", part); !errors.As(err, &refusal) || refusal.Code != 404 {
		t.Errorf("a refusal instead of parts: %v", err)
	}
	if _, err := c.RequestParts(t.Context(), "probe.n.call", "no part", part); err == nil || !strings.Contains(err.Error(), "summary") {
		t.Errorf("a part that is not valid: %v", err)
	}
	if _, err := c.RequestParts(t.Context(), "probe.other.call", "x", part); !errors.Is(err, bus.ErrNobody) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := c.Request(t.Context(), "probe.other.call", "x"); !errors.Is(err, bus.ErrNobody) {
		t.Errorf("nobody: %v", err)
	}
}

func TestErrorsNameTheFix(t *testing.T) {
	nc := natstest.Run(t)
	c := natstest.Dial(t, nc, "test")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := c.Wait(ctx, bus.Nodes)
	if err == nil || !strings.Contains(err.Error(), "fleetlens setup") {
		t.Errorf("waiting for a stream nobody makes: %v", err)
	}
	t.Setenv("NATS_CONTEXT", "none-such")
	if _, err := bus.Dial(t.Context(), bus.Config{}, "test", natstest.Log(t)); err == nil || !strings.Contains(err.Error(), "none-such") {
		t.Errorf("an unknown context: %v", err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("it never came true that %s", what)
		case <-tick.C:
		}
	}
}
