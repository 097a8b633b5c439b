package triage

import (
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// SilencedBy returns the id of the first silence that holds now and matches a signal, by
// each of nodes, labels and skills that it names; empty: none. labels are those of the
// signal's node, nil where it is not known.
func SilencedBy(list []protocol.Silence, s Signal, labels map[string]string, now time.Time) string {
	for _, q := range list {
		if now.Before(q.Until) &&
			(len(q.Nodes) == 0 || slices.Contains(q.Nodes, s.Node)) &&
			(len(q.Skills) == 0 || slices.Contains(q.Skills, s.Note.Operator)) &&
			hasAll(labels, q.Labels) {
			return q.ID
		}
	}
	return ""
}

func hasAll(have, want map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}
