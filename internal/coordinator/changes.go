package coordinator

import (
	"context"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// maxChanges is how many changes are returned: the latest.
const maxChanges = 1000

// changes returns what was done to nodes since a time, oldest first, at most the
// latest 1000. Without names it is that of all nodes. Times are event times: those of
// probes are corrected by their node's clock, and none is later than its arrival.
func (f *fleet) changes(ctx context.Context, nodes []string, since time.Time) ([]protocol.Change, error) {
	subjects := []string{protocol.ChangeSubject(protocol.Any, protocol.Any)}
	if len(nodes) > 0 && len(nodes) <= maxListed { // more are faster to sort out here
		subjects = subjects[:0]
		for _, n := range slices.Compact(slices.Sorted(slices.Values(nodes))) {
			subjects = append(subjects, protocol.ChangeSubject(n, protocol.Any))
		}
	}
	in := map[string]bool{}
	for _, n := range nodes {
		in[n] = true
	}
	var out []protocol.Change
	for _, subject := range subjects {
		// What came before since cannot have happened after.
		for m, err := range f.conn.RangeSince(ctx, bus.Events, subject, since) {
			if err != nil {
				return nil, err
			}
			c, err := protocol.Decode[protocol.Change](m.Data)
			if err != nil || protocol.ChangeSubject(c.Node, c.Source) != m.Subject || len(in) > 0 && !in[c.Node] {
				continue
			}
			if c.Source == probeSource {
				c.At = f.eventTime(c.Node, c.At)
			}
			if c.At.After(m.Time) {
				c.At = m.Time
			}
			if !c.At.Before(since) {
				out = append(out, c)
			}
		}
		if len(out) > 2*maxChanges {
			out = latest(out)
		}
	}
	return latest(out), nil
}

// probeSource is what probes call themselves in changes: those bear times of the
// node's clock, others of somebody else's.
const probeSource = "probe"

func latest(list []protocol.Change) []protocol.Change {
	slices.SortStableFunc(list, func(a, b protocol.Change) int { return a.At.Compare(b.At) })
	return list[max(0, len(list)-maxChanges):]
}
