package coordinator

import (
	"fmt"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestSkillsThatNoNodeHasAreNotMissed(t *testing.T) {
	known := []agent.SkillInfo{{Name: "os"}, {Name: "postgres"}, {Name: "gc"}}
	beat := func(skills ...string) protocol.Heartbeat {
		return protocol.Heartbeat{Targets: []protocol.HeartbeatTarget{{Name: "host", Kind: "host", Skills: skills}}}
	}
	for _, tt := range []struct {
		name  string
		nodes []protocol.Heartbeat
		want  string
	}{
		{"those of every node, in order", []protocol.Heartbeat{beat("postgres"), beat("os", "attic")}, "[os postgres]"},
		{"all where none is known, so that each says why", []protocol.Heartbeat{beat("attic")}, "[os postgres gc]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range offered(known, tt.nodes) {
				got = append(got, s.Name)
			}
			if fmt.Sprint(got) != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}
