package vmevents

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
	skills.Gauge("long_gc_events_5m", protocol.Count, "Garbage collections that stopped the service for 50 ms or more, in the last five minutes."),
	skills.Gauge("max_gc_duration_ms", protocol.Milliseconds, "The longest of them; 0 without any."),
	skills.Gauge("long_schedule_events_5m", protocol.Count, "Times that a goroutine was ready and waited 100 ms or more for a processor, in the last five minutes; the runtime counts one in eight."),
	skills.Gauge("max_schedule_duration_ms", protocol.Milliseconds, "The longest of them, as the lower border of its bucket; 0 without any."),
	skills.Gauge("sched_latency_p99_ms", protocol.Milliseconds, "What 99 % of the waits for a processor stayed below since the snapshot before."),
	skills.Gauge("restarts_5m", protocol.Count, "How often the service began anew in the last five minutes, as far as it was watched."),
}

var goChecks = []skills.Check{
	skills.Above("long_gc_events_5m", 3, 20, "gc_pause",
		"{value} times in five minutes a garbage collection stopped the service for 50 ms or more, at most for {max_gc_duration_ms} ms",
		`sysmon_events("long_gc", 10)`,
		"Something could not be interrupted (a large copy, a system call in a locked thread), or the machine had no processor for the service: compare the load of the host."),
	skills.Above("long_schedule_events_5m", 20, 2000, "service_cpu",
		"{value} times in five minutes a goroutine waited 100 ms or more for a processor, at most for {max_schedule_duration_ms} ms",
		`sysmon_events("long_schedule", 10)`,
		"More work than processors: see what computes (the tracer), whether the container is throttled, and who else is on the machine."),
	skills.Above("restarts_5m", 2, 5, "service_restarts",
		"the service began anew {value} times in five minutes",
		`sysmon_events("restart", 10)`,
		"It crashes or is killed: look at its logs, at the out-of-memory killer, and at what restarts it."),
}
