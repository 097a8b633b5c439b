package rollouts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/kubetest"
	"github.com/fleetlens/fleetlens/internal/reach/kubernetes"
	"github.com/fleetlens/fleetlens/internal/rollouts"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

type memory map[string][]byte

func (m memory) Read(name string) ([]byte, error)     { return m[name], nil }
func (m memory) Write(name string, data []byte) error { m[name] = data; return nil }

func clusters(t *testing.T, s *kubetest.Server) map[string]*kubernetes.Cluster {
	t.Helper()
	return map[string]*kubernetes.Cluster{"prod": kubernetes.New(kubernetes.Config{Kubeconfig: s.Kubeconfig(t)})}
}

// look returns what a watch finds, and keeps it unless the probe dies first.
func look(t *testing.T, w *rollouts.Watch, keep memory, dies bool) []protocol.Change {
	t.Helper()
	found, done, err := w.Changes(t.Context(), keep)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range found {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
	if !dies {
		if err := done(); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func TestARolloutIsToldOnceWithBothImages(t *testing.T) {
	s, keep := kubetest.New(t, "healthy"), memory{}
	of := clusters(t, s)
	if got := look(t, rollouts.New("probe-1", of), keep, false); len(got) != 0 {
		t.Errorf("rollouts of last week are told: %v", got)
	}
	s.Become(t, "crashloop")
	first := look(t, rollouts.New("probe-1", of), keep, true) // of a new process
	if len(first) != 1 {
		t.Fatalf("it finds %v", first)
	}
	c := first[0]
	if c.Target != "prod" || c.What != "deploy" || c.From != "registry.example/checkout:1.4.2" || c.To != "registry.example/checkout:1.5.0" || !strings.HasPrefix(c.Text, "shop/checkout was rolled out: image ") {
		t.Errorf("it tells %+v", c)
	}
	if ago := time.Since(c.At); ago < 5*time.Minute || ago > 7*time.Minute {
		t.Errorf("it was %s ago", ago)
	}
	w := rollouts.New("probe-1", of)
	if again := look(t, w, keep, false); len(again) != 1 || again[0].ID != c.ID {
		t.Errorf("what was not kept is told as %v", again)
	}
	if got := look(t, w, keep, false); len(got) != 0 {
		t.Errorf("it is told again: %v", got)
	}
}

func TestTheFirstLookTellsOfTheLastHour(t *testing.T) {
	if got := look(t, rollouts.New("probe-1", clusters(t, kubetest.New(t, "crashloop"))), memory{}, false); len(got) != 1 {
		t.Errorf("it finds %v", got)
	}
}

func TestAClusterThatCannotBeReadForgetsNothing(t *testing.T) {
	s, keep := kubetest.New(t, "healthy"), memory{}
	w := rollouts.New("probe-1", clusters(t, s))
	look(t, w, keep, false)
	s.Forbid("replicasets")
	_, done, err := w.Changes(t.Context(), keep)
	if err == nil || !strings.Contains(err.Error(), "rollouts of prod") || !strings.Contains(err.Error(), "resources: [replicasets]") {
		t.Error(err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	s.Fail("replicasets", nil)
	if got := look(t, w, keep, false); len(got) != 0 {
		t.Errorf("it finds %v", got)
	}
}
