package reading

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Strongest returns of each node the anomaly that is the most severe and the least
// likely, and of all nodes the strongest first.
func Strongest(list []Stored[protocol.Anomaly]) []protocol.Anomaly {
	stronger := func(a, b protocol.Anomaly) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), cmp.Compare(b.Score, a.Score))
	}
	of := map[string]protocol.Anomaly{}
	for _, x := range list {
		if old, ok := of[x.Value.Node]; !ok || stronger(x.Value, old) <= 0 { // of equals the newer
			of[x.Value.Node] = x.Value
		}
	}
	out := make([]protocol.Anomaly, 0, len(of))
	for _, a := range of {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b protocol.Anomaly) int { return cmp.Or(stronger(a, b), strings.Compare(a.Node, b.Node)) })
	return out
}
