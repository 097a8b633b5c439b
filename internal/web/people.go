package web

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Said is what people said, as it is read.
type Said = reading.Said

func (s *Server) saidOf(ctx context.Context, q *query) (any, error) {
	id := q.id("id")
	if q.err() != nil {
		return nil, nil
	}
	return reading.SaidOf(ctx, s.bus, id)
}

// A SilenceView is a silence that holds.
type SilenceView struct {
	protocol.Silence
	Kept int `json:"kept_out"` // signals that it kept out
}

// silences lists those that hold, the newest word about each.
func (s *Server) silences(ctx context.Context, _ *query) (any, error) {
	list, unreadable, err := reading.Silences(ctx, s.bus)
	if err != nil {
		return nil, err
	}
	kept, err := reading.KeptOut(ctx, s.bus)
	if err != nil {
		return nil, err
	}
	page := Page[SilenceView]{Items: []SilenceView{}, Unreadable: unreadable}
	for _, q := range list {
		if time.Now().Before(q.Until) {
			page.Items = append(page.Items, SilenceView{q, kept[q.ID]})
		}
	}
	return page, nil
}

// writes takes what a person says of an id and publishes it. Who and when are filled in
// where they are missing. The id of the message makes a double click one.
func writes[T protocol.Message](s *Server, verb string) func(context.Context, *query) (any, error) {
	return func(ctx context.Context, q *query) (any, error) {
		fields := map[string]any{"by": by, "at": time.Now().UTC()}
		q.body(&fields)
		id, _ := fields["id"].(string)
		if id == "" && verb == "silence" {
			id = protocol.NewID()
			fields["id"] = id
		}
		raw, err := json.Marshal(fields)
		if err != nil {
			return nil, err
		}
		v, err := protocol.Decode[T](raw)
		if err != nil {
			q.wrong = append(q.wrong, err)
		}
		if q.err() != nil {
			return nil, nil
		}
		once := q.Header.Get("Idempotency-Key")
		out := bus.Outgoing{Subject: protocol.PeopleSubject(verb, id), Body: v}
		if once != "" {
			out.ID, out.Dedupe = protocol.EffectID("people", verb, id, once), true
		}
		_, err = s.bus.Publish(ctx, out)
		return nil, err
	}
}
