package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
)

// A publisher writes headers as he likes; those that describe a stored message
// are the server's.
func TestAPublishersHeadersDoNotFoolReaders(t *testing.T) {
	s := natstest.Run(t)
	c := natstest.Setup(t, s, "test")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, h := range []map[string]string{
		{"Nats-Sequence": "0", "Nats-Subject": "changes.db-9.x", "Nats-Time-Stamp": "2001-01-01T00:00:00Z"},
		{"Status": "404"}, {"Status": "204", "Nats-Num-Pending": "0"}, {"Status": "503"}, {},
	} {
		if _, err := c.Publish(ctx, bus.Outgoing{Subject: "changes.web-1.x", Body: change("web-1", "x"), Header: h}); err != nil {
			t.Fatal(err)
		}
	}
	n := uint64(0)
	for m, err := range c.Range(ctx, bus.Events, "changes.*.*", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n > 5 {
			t.Fatal("it reads the same messages again")
		}
		if m.Subject != "changes.web-1.x" || m.Sequence != n || time.Since(m.Time) > time.Minute {
			t.Errorf("message %d reads as %s, %d, %v", n, m.Subject, m.Sequence, m.Time)
		}
	}
	if n != 5 {
		t.Errorf("read %d messages, want 5", n)
	}
	raw, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	empty := nats.NewMsg("alerts.empty")
	empty.Header.Set("Status", "503")
	if _, err := raw.RequestMsg(empty, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := c.LastDirect(ctx, bus.Events, "alerts.empty"); err != nil {
		t.Errorf("an empty message with the header Status: 503: %v", err)
	}
	for _, err := range c.Range(ctx, bus.Events, "alerts.*", 0) {
		if err != nil {
			t.Errorf("an empty message with the header Status: 503: %v", err)
		}
	}
	for _, h := range []string{"404", "503"} {
		if _, err := c.Publish(ctx, bus.Outgoing{Subject: "changes.web-2.x", Body: change("web-2", "x"), Header: map[string]string{"Status": h}}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.LastDirect(ctx, bus.Events, "changes.web-2.x"); err != nil {
			t.Errorf("a last message with the header Status: %s: %v", h, err)
		}
	}
}

// TestAServiceAnswersToInboxesOnly: its user may publish where who asks may not.
func TestAServiceAnswersToInboxesOnly(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s := natstest.Run(t)
	watch := natstest.Setup(t, s, "test")
	said := make(lines, 16)
	c, err := bus.Dial(ctx, bus.Config{InProcess: s}, "test", slog.New(slog.NewTextHandler(said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stored := make(chan bus.Msg, 2)
	unwatch, err := watch.Subscribe("insights.>", func(m bus.Msg) { stored <- m })
	if err != nil {
		t.Fatal(err)
	}
	defer unwatch()
	if err := watch.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	stop, err := c.Serve(ctx, bus.Service{Name: "fleetlens-test", Version: "1.0.0", Endpoints: []bus.Endpoint{
		{Name: "call", Subject: "probe.n.call", Handler: func(context.Context, bus.Req) (any, error) { return "yes", nil }},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	stopDeferred, err := c.ServeDeferred("investigate.run", "q", func(bus.Req, string) error { return errors.New("refused") })
	if err != nil {
		t.Fatal(err)
	}
	defer stopDeferred()
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, subject := range []string{"probe.n.call", "investigate.run"} {
		if err := c.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if err := nc.PublishRequest(subject, "insights.critical.causal.i", nil); err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-stored:
			t.Errorf("%s answered %q as an insight", subject, m.Data)
		case line := <-said:
			if !strings.Contains(line, "no inbox") {
				t.Errorf("it said %q", line)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: nothing happened", subject)
		}
	}
}

// lines passes on what is logged.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}
