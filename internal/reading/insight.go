package reading

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An InsightView is a conclusion with all that stands behind it.
type InsightView struct {
	Insight protocol.Insight `json:"insight"`
	// Facts are the notifications that it names, those that were verified first. Some
	// may have expired: the insight holds its evidence itself.
	Facts   []protocol.Notification `json:"facts"`
	Expired []string                `json:"expired,omitempty"` // ids of those that have
	Runs    []Run                   `json:"runs"`
	Said    Said                    `json:"said"`
	// SupersededBy is the id of a later conclusion of the same matter.
	SupersededBy string `json:"superseded_by,omitempty"`
}

// FindInsight returns the insight of an id, or of the beginning of one, and all that are
// kept. The error may be a MissingError or an AmbiguousError.
func FindInsight(ctx context.Context, conn *bus.Conn, id string) (i protocol.Insight, all []protocol.Insight, err error) {
	if all, _, err = Insights(ctx, conn); err != nil {
		return i, nil, err
	}
	i, err = Among(all, id)
	if errors.Is(err, bus.ErrNotFound) {
		err = &MissingError{fmt.Sprintf("no insight %q in the last 30 days", id)}
	}
	return i, all, err
}

// ViewInsight is FindInsight with what stands behind the insight.
func ViewInsight(ctx context.Context, conn *bus.Conn, id string) (v InsightView, all []protocol.Insight, err error) {
	i, all, err := FindInsight(ctx, conn, id)
	if err != nil {
		return v, nil, err
	}
	v = InsightView{Insight: i, Facts: []protocol.Notification{}}
	for _, other := range all {
		if other.Supersedes == i.ID {
			v.SupersededBy = other.ID
		}
	}
	found, err := findingsOf(ctx, conn, i.InvestigationID)
	if err != nil {
		return v, nil, err
	}
	for _, id := range i.NotificationIDs {
		k := slices.IndexFunc(found.notifications, func(n protocol.Notification) bool { return n.ID == id })
		if k < 0 {
			v.Expired = append(v.Expired, id)
			continue
		}
		v.Facts = append(v.Facts, found.notifications[k])
	}
	slices.SortStableFunc(v.Facts, func(a, b protocol.Notification) int { return rankFact(a) - rankFact(b) })
	v.Runs = found.runs()
	v.Said, err = SaidOf(ctx, conn, i.ID)
	return v, all, err
}

// rankFact puts what was verified first.
func rankFact(n protocol.Notification) int {
	if n.Verified {
		return 0
	}
	return 1
}
