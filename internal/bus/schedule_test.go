package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// requests consumes what schedules deliver.
func requests(t *testing.T, c *bus.Conn) <-chan protocol.Request {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	got, done := make(chan protocol.Request, 16), make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Consume(ctx, 1, []bus.Consumer{bus.Scheduled}, func(_ context.Context, d *bus.Delivery) error {
			r, err := protocol.ReadRequest(d.Data)
			if err == nil {
				got <- r
			}
			return err
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return got
}

// Behaviour: 98.
func TestSchedules(t *testing.T) {
	c := natstest.Setup(t, natstest.Run(t), "test")
	got := requests(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	put := func(id, when string) {
		t.Helper()
		if err := c.Schedule(ctx, bus.Schedule{ID: id, When: when, Request: protocol.Request{Reason: id}}); err != nil {
			t.Fatal(err)
		}
	}
	put("cancelled", bus.At(time.Now().Add(700*time.Millisecond)))
	put("later", bus.At(time.Now().Add(time.Hour)))
	begin := time.Now()
	put("soon", bus.At(begin.Add(300*time.Millisecond)))
	if err := c.Unschedule(ctx, "cancelled"); err != nil {
		t.Fatal(err)
	}
	if err := c.Unschedule(ctx, "cancelled"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("cancelling it twice: %v", err)
	}
	select {
	case r := <-got:
		if r.Reason != "soon" || time.Since(begin) < 290*time.Millisecond {
			t.Errorf("%q came after %s", r.Reason, time.Since(begin))
		}
	case <-ctx.Done():
		t.Fatal("the scheduled request never came")
	}
	list, err := c.Schedules(ctx)
	if err != nil || len(list) != 1 || list[0].ID != "later" {
		t.Errorf("what is left: %+v, %v", list, err)
	}
}

func TestARecurringScheduleThatIsUnchangedIsLeftAlone(t *testing.T) {
	c := natstest.Setup(t, natstest.Run(t), "test")
	s := bus.Schedule{ID: "nightly", When: "0 0 3 * * *", Zone: "Europe/Berlin", Request: protocol.Request{Reason: "is all well?"}}
	last := func() uint64 {
		t.Helper()
		m, err := c.Last(t.Context(), bus.Work, protocol.ScheduleSubject("nightly"))
		if err != nil {
			t.Fatal(err)
		}
		return m.Sequence
	}
	if err := c.Schedule(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	first := last()
	if err := c.Schedule(t.Context(), s); err != nil || last() != first {
		t.Errorf("the same again: sequence %d then %d, %v", first, last(), err)
	}
	s.Zone = "Asia/Tokyo"
	if err := c.Schedule(t.Context(), s); err != nil || last() == first {
		t.Errorf("another zone: sequence %d stayed, %v", first, err)
	}
	s.When = "every full moon"
	if err := c.Schedule(t.Context(), s); err == nil {
		t.Error("a wrong time was taken")
	}
}

func TestAScheduleSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	start := func() *natsd.Server {
		s, err := natsd.Start(natsd.Options{StoreDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	c := natstest.Setup(t, s, "test")
	if err := c.Schedule(t.Context(), bus.Schedule{ID: "x", When: bus.At(time.Now().Add(time.Second)), Request: protocol.Request{Reason: "later"}}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	s.Stop()
	s = start()
	t.Cleanup(s.Stop)
	select {
	case r := <-requests(t, natstest.Dial(t, s, "test")):
		if r.Reason != "later" {
			t.Errorf("%q came", r.Reason)
		}
	case <-time.After(time.Minute):
		t.Fatal("the scheduled request never came")
	}
}
