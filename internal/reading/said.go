package reading

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Said is what people said of an insight or an investigation, oldest first. Of one
// person's feedback the newest counts.
type Said struct {
	Feedback []protocol.Feedback `json:"feedback"`
	Acks     []protocol.Ack      `json:"acks"`
	Notes    []protocol.Note     `json:"notes"`
	// Unreadable says why it could not be read, where the server's user may not.
	Unreadable string `json:"unreadable,omitempty"`
}

// SaidOf returns what people said of an id.
func SaidOf(ctx context.Context, conn *bus.Conn, id string) (Said, error) {
	out := Said{Feedback: []protocol.Feedback{}, Acks: []protocol.Ack{}, Notes: []protocol.Note{}}
	for m, err := range conn.Range(ctx, bus.People, protocol.PeopleSubject(protocol.Any, id), 0) {
		if err != nil {
			return out, err
		}
		names, err := protocol.ParseSubject(m.Subject, "people", 2)
		if err != nil {
			continue
		}
		switch names[0] {
		case "feedback":
			collect(m.Data, &out.Feedback)
		case "ack":
			collect(m.Data, &out.Acks)
		case "note":
			collect(m.Data, &out.Notes)
		}
	}
	return out, nil
}
