package bus_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// forgetful shortens for how long a stream knows message ids.
func forgetful(t *testing.T, s *natsd.Server, stream string, window time.Duration) {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	have, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := have.CachedInfo().Config
	cfg.Duplicates = window
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

func TestAnEffectIsStoredOnceHoweverLateItIsRepeated(t *testing.T) {
	s := natstest.Run(t)
	c := natstest.Setup(t, s, "test")
	forgetful(t, s, bus.Findings, 100*time.Millisecond)
	subject := protocol.InvestigationSubject("i1", protocol.PhaseFinished)
	once := func(id string) bus.Receipt {
		t.Helper()
		got, err := c.PublishOnce(t.Context(), bus.Findings, bus.Outgoing{Subject: subject, Body: progress("an effect"), ID: id})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first, second := once("first"), once("second")
	if first.Duplicate || second.Duplicate || second.Sequence != first.Sequence+1 {
		t.Fatalf("got %+v and %+v", first, second)
	}
	// The server has forgotten the ids when it stores one that came later again.
	for elsewhere := protocol.InvestigationSubject("i2", protocol.PhaseFinished); ; {
		got, err := c.Publish(t.Context(), bus.Outgoing{Subject: elsewhere, Body: progress("a clock"), ID: "clock", Dedupe: true})
		if err != nil {
			t.Fatal(err)
		}
		if !got.Duplicate && got.Sequence > second.Sequence+1 {
			break
		}
	}
	for id, want := range map[string]bus.Receipt{"first": first, "second": second} {
		if got := once(id); !got.Duplicate || got.Sequence != want.Sequence {
			t.Errorf("%s came again as %+v, it is at %d", id, got, want.Sequence)
		}
	}
	if third := once("third"); third.Duplicate {
		t.Errorf("a new effect counts as a repeat: %+v", third)
	}
	n := 0
	for _, err := range c.Range(t.Context(), bus.Findings, subject, 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d effects are stored, want 3", n)
	}
}

func TestWhatAClusterMendsItselfIsWorthAnotherTry(t *testing.T) {
	for code, want := range map[jetstream.ErrorCode]bool{
		10008: true,  // no leader yet
		10158: true,  // the first message of this id is under way
		10163: true,  // the subject's last sequence is not known yet
		10023: false, // no room
		jetstream.JSErrCodeStreamWrongLastSequence: false,
	} {
		if got := bus.Transient(fmt.Errorf("publish: %w", &jetstream.APIError{ErrorCode: code})); got != want {
			t.Errorf("code %d: %v, want %v", code, got, want)
		}
	}
}

func TestWhoSubscribesWithoutJetStreamSeesEachEffectOnce(t *testing.T) {
	s := natstest.Run(t)
	c := natstest.Setup(t, s, "test")
	reader := natstest.Dial(t, s, "reader")
	subject := protocol.InvestigationSubject("i1", protocol.PhaseFinished)
	seen := make(chan string, 100)
	stop, err := reader.Subscribe(subject, func(m bus.Msg) { seen <- m.Header[protocol.HeaderID][0] })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := reader.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "c", "b", "a"} { // repeats, as a worker that takes over makes them
		if _, err := c.PublishOnce(t.Context(), bus.Findings, bus.Outgoing{Subject: subject, Body: progress("an effect"), ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Publish(t.Context(), bus.Outgoing{Subject: subject, Body: progress("the end"), ID: "end", Dedupe: true}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for id := range seen {
		if id == "end" {
			break
		}
		got = append(got, id)
	}
	if fmt.Sprint(got) != "[a b c]" {
		t.Errorf("it saw %v", got)
	}
}
