package bus_test

import (
	"context"
	"testing"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestTheTraceGoesOnAcrossMessages(t *testing.T) {
	conn := natstest.Dial(t, natstest.Run(t), "test")
	heard := make(chan string, 1)
	stop, err := conn.Serve(t.Context(), bus.Service{Name: "s", Version: "0.0.1", Endpoints: []bus.Endpoint{{
		Name: "e", Subject: "e", Handler: func(ctx context.Context, _ bus.Req) (any, error) { heard <- signals.TraceParent(ctx); return nil, nil },
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, tt := range []struct{ name, parent, want string }{
		{"a question is part of its asker's trace", parent, parent},
		{"a question outside of every trace stays so", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := conn.Request(signals.WithTraceParent(t.Context(), tt.parent), "e", nil); err != nil {
				t.Fatal(err)
			}
			if got := <-heard; got != tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestWorkIsPartOfTheTraceThatAskedForIt(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan string, 2)
	go func() {
		_ = conn.Consume(ctx, 1, []bus.Consumer{bus.Requests}, func(ctx context.Context, _ *bus.Delivery) error {
			got <- signals.TraceParent(ctx)
			return nil
		})
	}()
	for _, tt := range []struct {
		name string
		out  bus.Outgoing
		in   string
		want string
	}{
		{"the context's", bus.Outgoing{}, parent, parent},
		{"the message's own goes first", bus.Outgoing{Trace: "00-11111111111111111111111111111111-2222222222222222-00"}, parent, "00-11111111111111111111111111111111-2222222222222222-00"},
		{"none", bus.Outgoing{}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.out.Subject, tt.out.Body = protocol.RequestSubject, protocol.Request{Reason: "x"}
			if _, err := conn.Publish(signals.WithTraceParent(t.Context(), tt.in), tt.out); err != nil {
				t.Fatal(err)
			}
			if have := <-got; have != tt.want {
				t.Errorf("got %q", have)
			}
		})
	}
}
