package allocator

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
	skills.Gauge("heap_alloc_mb", protocol.Mebibytes, "Objects on the heap, garbage not yet swept included."),
	skills.Gauge("heap_inuse_mb", protocol.Mebibytes, "Spans with objects in them."),
	skills.Gauge("heap_idle_mb", protocol.Mebibytes, "Spans without objects."),
	skills.Gauge("heap_released_mb", protocol.Mebibytes, "The part of these that was given back to the system."),
	skills.Gauge("heap_sys_mb", protocol.Mebibytes, "Address space of the heap."),
	skills.Gauge("heap_objects", protocol.Count, "Objects on the heap."),
	skills.Gauge("stacks_mb", protocol.Mebibytes, "Stacks of goroutines."),
	skills.Gauge("sys_mb", protocol.Mebibytes, "All that the Go runtime has taken from the system, returned memory included."),
	skills.Gauge("rss_mb", protocol.Mebibytes, "Resident memory of the process; told by Prometheus metrics alone."),
	skills.Gauge("fragmentation_pct", protocol.Percent, "Part of the spans in use that holds no object; absent while they are less than 128 MiB."),
	skills.Info("allocator_count", protocol.Count, "Allocators of the runtime that are told."),
	skills.Gauge("fragmented_allocators", protocol.Count, "Those with at least 8 MiB of which less than half is used."),
	skills.Gauge("worst_usage_ratio", protocol.Ratio, "The lowest share in use of those with at least 8 MiB; 1 without any."),
	skills.Gauge("largest_mb", protocol.Mebibytes, "What the place that holds most holds."),
	skills.Info("largest_place", protocol.Text, "That place: function (file:line)."),

	skills.Gauge("growing_mb", protocol.Mebibytes, "What the place holds that has held steadily more; absent while there is none."),
	skills.Gauge("growing_added_mb", protocol.Mebibytes, "How much more that is than at the beginning of the growth."),
	skills.Info("growing_place", protocol.Text, "That place: function (file:line)."),
	skills.Gauge("growing_bytes_per_sec", protocol.BytesPerSecond, "How fast it grows."),
	skills.Gauge("growing_for_seconds", protocol.Seconds, "For how long it has, as far as it was seen."),
}

// Thresholds leave alone a large heap, idle memory, and a cache that filled up.
var goChecks = []skills.Check{
	skills.Above("growing_added_mb", 64, 512, "heap",
		"{growing_place} holds {growing_mb} MiB, {value} MiB more than {growing_for_seconds} seconds before, and never less between",
		"allocator_growth(5)",
		"What is allocated there stays reachable: look at the maps, slices and caches that its callers keep, and bound them. A restart frees it until then."),
	skills.Above("fragmentation_pct", 70, 85, "fragmentation",
		"{value} % of {heap_inuse_mb} MiB in use holds no object",
		"allocator_fragmentation()",
		"Few long-lived objects keep many spans after a peak: lower the peak, or restart the service in a quiet hour."),
}
