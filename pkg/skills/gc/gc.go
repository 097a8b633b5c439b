// Package gc is the skill that watches garbage collection: what it costs, how long
// it stops a service, and whose allocations it works for.
package gc

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed golang.md
var prompt string

// Skill returns the gc skill; services are the Go services of this node by the
// names of their targets.
func Skill(services map[string]*gopprof.Service) skills.Skill {
	return skills.Skill{
		Name:    "gc",
		Title:   "Garbage collection",
		Summary: "What garbage collection costs: processor time, pauses, frequency, heap against its goal and limit, and who allocates.",
		Prefix:  "gc_",
		Sources: []skills.Source{skills.PerTarget(services, golang)},
	}
}

func golang(s *gopprof.Service) skills.Source {
	w := &watch{service: s}
	return skills.Source{Kind: skills.Go, Prompt: prompt, Metrics: metrics, Checks: checks, Calls: calls(w), Snapshot: w.snapshot}
}

// Rates are over the time since the snapshot before; the first snapshot of a
// probe lacks them.
var metrics = []skills.Metric{
	skills.Counter("gc_count", protocol.Count, "Garbage collections since the service began."),
	skills.Gauge("gcs_per_sec", protocol.PerSecond, "Garbage collections."),
	skills.Gauge("gc_cpu_pct", protocol.Percent, "Share of the processors (GOMAXPROCS) that the garbage collector takes, idle ones left out."),
	skills.Info("gc_cpu_over", protocol.Text, "Over which time that is: recent (since the snapshot before), or since start where the service tells no more."),
	skills.Gauge("gc_pause_max_ms", protocol.Milliseconds, "Longest time for which a collection stopped the service since the snapshot before; of the last 256 collections where the service tells no more."),
	skills.Gauge("gc_pause_pct", protocol.Percent, "Share of the time in which the service was stopped."),
	skills.Gauge("gc_forced_per_sec", protocol.PerSecond, "Collections that the service's own code asked for (runtime.GC, debug.FreeOSMemory)."),
	skills.Gauge("heap_live_mb", protocol.Mebibytes, "Heap in use, with what has become garbage since the last collection."),
	skills.Gauge("heap_goal_mb", protocol.Mebibytes, "Heap size at which the next collection begins."),
	skills.Gauge("alloc_bytes_per_sec", protocol.BytesPerSecond, "Bytes allocated on the heap."),
	skills.Info("top_allocator", protocol.Text, "Who allocated most since the snapshot before: function (file:line)."),
	skills.Gauge("top_allocator_pct", protocol.Percent, "Its share of what was allocated."),
	skills.Info("gogc_pct", protocol.Percent, "GOGC: how much the heap may grow between collections; absent when off or not told."),
	skills.Info("memory_limit_mb", protocol.Mebibytes, "GOMEMLIMIT; absent when there is none or it is not told."),
	skills.Gauge("memory_limit_used_pct", protocol.Percent, "Memory of the Go runtime, of that limit."),
}

// Thresholds leave alone a service that allocates much and is collected often:
// what counts is the processor time it costs.
var checks = []skills.Check{
	skills.Above("gc_cpu_pct", 20, 40, "gc",
		"the garbage collector takes {value} % of the processors, with {gcs_per_sec} collections a second; most is allocated by {top_allocator}",
		"gc_top_allocators(5)",
		"Allocate less there (use buffers again, sync.Pool, sized slices), or give the heap more room: a higher GOGC, or GOMEMLIMIT further above what is live."),
	skills.Above("gc_forced_per_sec", 0.5, 5, "gc",
		"the service's own code asks for {value} garbage collections a second",
		"gc_stats()",
		"Find who calls runtime.GC or debug.FreeOSMemory and take it out: each goes through the whole heap."),
	skills.Above("gc_pause_max_ms", 100, 1000, "gc_pause",
		"a garbage collection stopped the service for {value} ms",
		"gc_get_long_gcs(5)",
		"To stop a Go service takes microseconds: something could not be interrupted (a large copy, a long system call in a locked thread), or the machine had no processor for it."),
	skills.Above("memory_limit_used_pct", 100, 110, "gc_limit",
		"the service's memory is at {value} % of its limit (GOMEMLIMIT): the garbage collector cannot hold it",
		"gc_pressure()",
		"What is live does not fit: raise the limit, or find what holds the memory (the allocator skill)."),
}
