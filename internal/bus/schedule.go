package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Schedule is a request that the server delivers later, once or again and
// again. It lives in the stream: it survives every restart.
type Schedule struct {
	ID      string           `json:"id"`
	When    string           `json:"when"`           // "@at TIME", "@every 1h" or a cron expression of six fields
	Zone    string           `json:"zone,omitempty"` // of a cron expression: "Europe/Berlin"; empty: UTC
	Request protocol.Request `json:"request"`
}

// At returns the When of a moment. The client library's own truncates to seconds.
func At(t time.Time) string { return "@at " + t.UTC().Format(time.RFC3339Nano) }

// Schedule stores a schedule; one of the same id is replaced. One that is there
// already, to the letter, is left alone, so that its next time stays.
func (c *Conn) Schedule(ctx context.Context, s Schedule) error {
	if have, err := c.schedule(ctx, s.ID); err == nil && same(have, s) {
		return nil
	}
	header := map[string]string{jetstream.ScheduleHeader: s.When, jetstream.ScheduleTargetHeader: ScheduledSubject}
	if s.Zone != "" {
		header[jetstream.ScheduleTimeZoneHeader] = s.Zone
	}
	_, err := c.Publish(ctx, Outgoing{Subject: protocol.ScheduleSubject(s.ID), Body: s.Request, Header: header})
	if err != nil {
		return fmt.Errorf("schedule %s (%s): %w", s.ID, s.When, err)
	}
	return nil
}

func same(a, b Schedule) bool {
	x, errX := protocol.Encode(a.Request)
	y, errY := protocol.Encode(b.Request)
	return errX == nil && errY == nil && a.When == b.When && a.Zone == b.Zone && string(x) == string(y)
}

func (c *Conn) schedule(ctx context.Context, id string) (Schedule, error) {
	m, err := c.Last(ctx, Work, protocol.ScheduleSubject(id))
	if err != nil {
		return Schedule{}, err
	}
	return readSchedule(m)
}

func readSchedule(m Msg) (Schedule, error) {
	parts, err := protocol.ParseSubject(m.Subject, "schedule", 1)
	if err != nil {
		return Schedule{}, err
	}
	r, err := protocol.Decode[protocol.Request](m.Data)
	s := Schedule{ID: parts[0], Request: r}
	if v := m.Header[jetstream.ScheduleHeader]; len(v) > 0 {
		s.When = v[0]
	}
	if v := m.Header[jetstream.ScheduleTimeZoneHeader]; len(v) > 0 {
		s.Zone = v[0]
	}
	return s, err
}

// Schedules returns what is scheduled, in the order it was stored.
func (c *Conn) Schedules(ctx context.Context) ([]Schedule, error) {
	list := []Schedule{}
	for m, err := range c.Range(ctx, Work, "schedule.>", 0) {
		if err != nil {
			return nil, err
		}
		s, err := readSchedule(m)
		if err != nil {
			c.log.Warn("a schedule cannot be read", "subject", m.Subject, "err", err)
			continue
		}
		list = append(list, s)
	}
	return list, nil
}

// Unschedule removes a schedule. It is ErrNotFound when there is none.
func (c *Conn) Unschedule(ctx context.Context, id string) error {
	if _, err := c.schedule(ctx, id); errors.Is(err, ErrNotFound) {
		return err
	}
	stream, err := c.js.Stream(ctx, Work)
	if err != nil {
		return fmt.Errorf("schedule %s: %w", id, c.explain(err))
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject(protocol.ScheduleSubject(id))); err != nil {
		return fmt.Errorf("schedule %s: %w", id, c.explain(err))
	}
	return nil
}
