package reading

import (
	"context"
	"slices"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Silences returns the last word on each silence, those that have ended among them, in
// the order of these words. unreadable counts what could not be read.
func Silences(ctx context.Context, conn *bus.Conn) (list []protocol.Silence, unreadable int, err error) {
	for m, err := range conn.Range(ctx, bus.People, protocol.PeopleSubject("silence", protocol.Any), 0) {
		if err != nil {
			return nil, 0, err
		}
		s, err := protocol.Decode[protocol.Silence](m.Data)
		if err != nil {
			unreadable++
			continue
		}
		list = slices.DeleteFunc(list, func(old protocol.Silence) bool { return old.ID == s.ID })
		list = append(list, s)
	}
	return list, unreadable, nil
}

// KeptOut returns how many signals each silence kept out, by its id, as triage counts them.
func KeptOut(ctx context.Context, conn *bus.Conn) (map[string]int, error) {
	var ledger struct {
		Silenced map[string]int `json:"silenced"`
	}
	_, err := conn.ReadState(ctx, bus.TriageLedger, &ledger)
	return ledger.Silenced, err
}
