package kubernetes

import (
	"testing"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/kubernetes"
)

func TestRestartsAreThoseSinceTheSnapshotBefore(t *testing.T) {
	pods := func(times ...int) []reach.Pod {
		out := make([]reach.Pod, len(times))
		for i, n := range times {
			out[i].Name, out[i].UID = string(rune('a'+i)), string(rune('a'+i))
			out[i].Status.Containers = []reach.ContainerStatus{{Name: "app", Restarts: n}}
		}
		return out
	}
	w := &watch{}
	now := time.Now()
	for _, tt := range []struct {
		name string
		pods []reach.Pod
		want any
		who  any
	}{
		{"the first one has none before it", pods(7, 0), nil, nil},
		{"none", pods(7, 0), 0.0, nil},
		{"of two pods", pods(8, 3), 4.0, "b (app)"},
		{"a pod that is gone", pods(8), 0.0, nil},
		{"a new pod that crashed", pods(8, 0, 2), 2.0, "c (app)"},
	} {
		l := &look{fields: fields{}, now: now, pods: tt.pods}
		w.restarts(l)
		if l.fields["restarts_recent"] != tt.want || l.fields["restarting"] != tt.who {
			t.Errorf("%s: %v", tt.name, l.fields)
		}
		now = now.Add(30 * time.Second)
	}
}
