package fleet

import (
	"io"
	"log/slog"
	"testing"
	"time"
)

// The same at full size: go run ./test/bench fleet --nodes 300 --scenarios same-cause
func TestADiskCheckCrossedOnMostNodesIsOneInsightAlsoWhenAnOperatorIsKilled(t *testing.T) {
	list, err := Load("same-cause")
	if err != nil {
		t.Fatal(err)
	}
	s := list[0]
	s.Lasts = 400 // at most: coordinators wait in seconds, and the intervals of this test are short
	if s.Operators != 3 || len(s.Kill) != 1 {
		t.Fatalf("%d operators, %d killed", s.Operators, len(s.Kill))
	}
	r := NewRunner(Options{Nodes: 30, Seed: 1, Interval: 300 * time.Millisecond, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), ErrOut: io.Discard, Enough: 8 * time.Second})
	got, err := r.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Truth) != 20 || got.NotifiedNodes != len(got.Truth) || got.MostNotifications != 1 {
		t.Errorf("%d nodes have full disks; %d were notified of, one of them %d times", len(got.Truth), got.NotifiedNodes, got.MostNotifications)
	}
	if got.Investigations != 1 || got.Insights != 1 {
		t.Errorf("%d investigations and %d insights", got.Investigations, got.Insights)
	}
	if got.Labelled == nil || !*got.Labelled || !got.Right {
		t.Errorf("the insight says %q; it names %q, right are %q", got.Says, got.Named, got.Truth)
	}
}
