package coordinator_test

import (
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/coordinator"
)

func TestACauseIsThatOfNodesThereWasNoRoomToLookAt(t *testing.T) {
	list := strings.Fields
	for _, tt := range []struct {
		name, together, looked string
		alike                  []string
		want                   string
	}{
		{"when all that were looked at have it", "a b c d e", "a b c d e x", []string{"a b c d e f g", "x y"}, "a b c d e f g"},
		{"not when many have it not", "a b c", "a b c d e", []string{"a b c d e f g"}, "a b c"},
		{"not by a few", "a b", "a b", []string{"a b c d"}, "a b"},
		{"not of a single node", "a", "a b c d e", []string{"a b c d e f"}, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var alike [][]string
			for _, a := range tt.alike {
				alike = append(alike, list(a))
			}
			if got := strings.Join(coordinator.WithOthers(list(tt.together), list(tt.looked), alike), " "); got != tt.want {
				t.Errorf("it is that of %q, want %q", got, tt.want)
			}
		})
	}
}
