package coordinator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Triage is what triage knows, for people.
type Triage struct {
	Groups []*triage.Group `json:"groups"` // the oldest first, those that ended among them
	Ledger triage.Ledger   `json:"ledger"`
}

// ReadTriage reads what triage keeps, from wherever NATS can be reached.
func ReadTriage(ctx context.Context, conn *bus.Conn) (Triage, error) {
	t := Triage{Groups: []*triage.Group{}, Ledger: triage.Ledger{Silenced: map[string]int{}}}
	entries, err := conn.ListState(ctx, triageGroups)
	if err != nil {
		return t, err
	}
	for _, e := range entries {
		g := new(triage.Group)
		if err := json.Unmarshal(e.Value, g); err != nil {
			return t, fmt.Errorf("%s: %w", e.Key, err)
		}
		t.Groups = append(t.Groups, g)
	}
	slices.SortFunc(t.Groups, func(a, b *triage.Group) int { return a.OpenedAt.Compare(b.OpenedAt) })
	_, err = conn.ReadState(ctx, triageLedger, &t.Ledger)
	return t, err
}

// readGroup reads a group as it was kept last.
func readGroup(ctx context.Context, conn *bus.Conn, id string) (*triage.Group, error) {
	g := new(triage.Group)
	revision, err := conn.ReadState(ctx, triageGroups+protocol.Token(id), g)
	if err == nil && revision == 0 {
		err = fmt.Errorf("no triage group %q is known: only triage asks for groups", id)
	}
	return g, err
}
