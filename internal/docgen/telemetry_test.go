package docgen

import (
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/signals"
)

// Behaviour: 109.
func TestTheReferencesListHas55Events(t *testing.T) {
	n, seen := 0, map[string]bool{}
	for _, e := range reference {
		if seen[e.name] {
			t.Errorf("%s stands there twice", e.name)
		}
		seen[e.name] = true
		if e.listed {
			n++
		}
	}
	if n != 55 {
		t.Errorf("%d events, the reference lists 55", n)
	}
}

func TestAnEventOfTheReferenceNeedsACounterpartOrAReason(t *testing.T) {
	without := func(name string) []signals.Signal {
		var out []signals.Signal
		for _, s := range signals.Table() {
			if s.Name != name {
				out = append(out, s)
			}
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		table []signals.Signal
		want  string
	}{
		{"all have one", signals.Table(), ""},
		{"one is missing", without("fleetlens.operator.state_change"), "nothing stands for operator.state_change"},
		{"one that does not exist", append(without(""), signals.Signal{Name: "x", For: []string{"operator.dreams"}}), "operator.dreams, which is no event"},
		{"one that has a reason already", append(without(""), signals.Signal{Name: "x", For: []string{"coordinator.caller_down"}}), "and a reason for having nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := telemetryPage(tt.table)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
