package triage_test

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestASilenceMatchesByAllThatItNames(t *testing.T) {
	labels := map[string]string{"role": "db", "zone": "a"}
	for _, tt := range []struct {
		name    string
		silence protocol.Silence
		want    bool
	}{
		{"its node", protocol.Silence{Nodes: []string{"db-2", "db-1"}}, true},
		{"another node", protocol.Silence{Nodes: []string{"db-2"}}, false},
		{"its skill", protocol.Silence{Skills: []string{"os"}}, true},
		{"another skill", protocol.Silence{Skills: []string{"ports"}}, false},
		{"a label of its node", protocol.Silence{Labels: map[string]string{"role": "db"}}, true},
		{"two labels of its node", protocol.Silence{Labels: map[string]string{"role": "db", "zone": "a"}}, true},
		{"one label of two", protocol.Silence{Labels: map[string]string{"role": "db", "zone": "b"}}, false},
		{"a label that its node lacks, without a value", protocol.Silence{Labels: map[string]string{"rack": ""}}, false},
		{"its node and another skill", protocol.Silence{Nodes: []string{"db-1"}, Skills: []string{"ports"}}, false},
		{"its node, its skill and its label", protocol.Silence{Nodes: []string{"db-1"}, Skills: []string{"os"}, Labels: map[string]string{"zone": "a"}}, true},
		{"nothing named is everything", protocol.Silence{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.silence.ID, tt.silence.Until = "s-1", t0.Add(time.Minute)
			s := signal(triage.Watch, "os.memory_used_pct", "db-1")
			list := []protocol.Silence{{ID: "elsewhere", Nodes: []string{"db-9"}, Until: t0.Add(time.Hour)}, tt.silence}
			if got := triage.SilencedBy(list, s, labels, t0); (got == "s-1") != tt.want {
				t.Errorf("it is silenced by %q", got)
			}
			if got := triage.SilencedBy(list, s, labels, t0.Add(time.Minute)); got != "" {
				t.Errorf("when it has ended, it is silenced by %q", got)
			}
		})
	}
}

func TestASilenceByLabelDoesNotMatchANodeThatIsNotKnown(t *testing.T) {
	q := protocol.Silence{ID: "s-1", Labels: map[string]string{"role": "db"}, Until: t0.Add(time.Hour)}
	if got := triage.SilencedBy([]protocol.Silence{q}, signal(triage.Alert, "alert.Slow", ""), nil, t0); got != "" {
		t.Errorf("it is silenced by %q", got)
	}
}
