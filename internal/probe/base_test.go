package probe_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Behaviour: 162.
func TestTimeAndNodeAreToldUnderEverySkill(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	before := time.Now().Truncate(time.Millisecond)
	start(t, conn, config(), skill("pantry", one), skill("cellar", one))
	for _, of := range []string{"pantry", "cellar"} {
		r, err := ask[protocol.CallReply](t, conn, "call", protocol.Call{Skill: of, Callback: "get_current_time"})
		if err != nil {
			t.Fatal(err)
		}
		said := r.Value.(map[string]any)
		at, err := time.Parse(time.RFC3339Nano, said["timestamp"].(string))
		if err != nil || at.Location() != time.UTC || at.Before(before) || at.After(time.Now()) {
			t.Errorf("under %s: %v, %v", of, said, err)
		}
		if ms := said["unix_ms"].(float64); ms != float64(at.UnixMilli()) {
			t.Errorf("under %s the milliseconds are %v, the text says %d", of, ms, at.UnixMilli())
		}
		r, err = ask[protocol.CallReply](t, conn, "call", protocol.Call{Skill: of, Callback: "get_node_info"})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"node": "web 1", "uptime_seconds": 7.0, "os_type": "unix", "os_name": "linux"}
		if diff := cmp.Diff(want, r.Value); diff != "" {
			t.Errorf("under %s (-want +got):\n%s", of, diff)
		}
	}
}
