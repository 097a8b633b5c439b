package overload

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed golang.md
var goPrompt string

// GoSource returns the source of Go services, by the names of their targets.
func GoSource(services map[string]*gopprof.Service) skills.Source {
	return skills.PerTarget(services, func(s *gopprof.Service) skills.Source {
		w := &goWatch{service: s}
		return skills.Source{
			Kind: skills.Go, Prompt: goPrompt, Metrics: goMetrics, Checks: goChecks, Calls: goCalls(w), Snapshot: w.snapshot,
		}
	})
}

var goMetrics = []skills.Metric{
	skills.Gauge("goroutines", protocol.Count, "Goroutines."),
	skills.Gauge("goroutines_running", protocol.Count, "Goroutines that run or could run."),
	skills.Gauge("goroutines_blocked", protocol.Count, "Goroutines that want to go on and cannot: in lock, semacquire or chan send."),
	skills.Gauge("largest_goroutines", protocol.Count, "Goroutines at the place with most of them."),
	skills.Info("largest_place", protocol.Text, "That place: function (file:line)."),
	skills.Info("largest_state", protocol.Text, "What they wait for there."),

	skills.Gauge("growing_goroutines", protocol.Count, "Goroutines at the place where they have become steadily more; absent while there is none."),
	skills.Gauge("growing_added", protocol.Count, "How many more they are than at the beginning of the growth."),
	skills.Info("growing_place", protocol.Text, "That place: function (file:line)."),
	skills.Info("growing_state", protocol.Text, "What they wait for there."),
	skills.Gauge("growing_per_sec", protocol.PerSecond, "How fast they become more."),
	skills.Gauge("growing_for_seconds", protocol.Seconds, "For how long they have, as far as it was seen."),

	skills.Gauge("blocked_pile_up", protocol.Count, "Goroutines in lock, semacquire or chan send at the place with most of them, in this snapshot and the one before."),
	skills.Info("blocked_place", protocol.Text, "That place: function (file:line)."),
	skills.Info("blocked_state", protocol.Text, "What they wait for there."),
	skills.Info("blocked_holder", protocol.Text, "Who seems to hold what they wait for: the place of a goroutine within the same function or type, and its state; absent when none is found."),
	skills.Gauge("blocked_for_seconds", protocol.Seconds, "For how long goroutines have stood there, as far as it was seen."),

	skills.Info("overload_severity", protocol.Text, "none, transient, sustained (10000 goroutines, or for five minutes) or critical (50000)."),
	skills.Info("overload_type", protocol.Text, "none, goroutine_leak, lock_contention, downstream_blocking or queue_overflow."),
}

// Thresholds leave alone what a busy service has: thousands of connections, pools
// of workers, a lock that some wait for now and then.
var goChecks = []skills.Check{
	skills.Above("growing_added", 100, 10_000, "goroutines",
		"goroutines pile up at {growing_place} ({growing_state}): {growing_goroutines} stand there, {value} more than {growing_for_seconds} seconds before",
		"overload_goroutines(5)",
		"Nobody ends these goroutines: look at what they wait for at that line, and who should close the channel, cancel the context or set a deadline. A restart frees them until then."),
	skills.Above("blocked_pile_up", 100, 10_000, "blocked_goroutines",
		"{value} goroutines wait in {blocked_state} at {blocked_place}; who holds it: {blocked_holder}",
		"overload_bottleneck()",
		"Find who holds what they wait for. If it waits for another service, give the call a deadline and bound how many may wait; if it computes, hold the lock for less."),
	skills.Above("goroutines", 50_000, 500_000, "goroutines",
		"the service has {value} goroutines, {largest_goroutines} of them at {largest_place} ({largest_state})",
		"overload_goroutines(5)",
		"Each takes at least 2 KiB and is looked at by every garbage collection: bound how many there may be."),
}
