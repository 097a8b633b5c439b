// Package goruntime is the skill that tells what a Go service is and what it takes:
// its build, goroutines, threads, memory, processor time and descriptors.
package goruntime

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed golang.md
var prompt string

// Skill returns the runtime skill; services are the Go services of this node by
// the names of their targets.
func Skill(services map[string]*gopprof.Service) skills.Skill {
	return skills.Skill{
		Name:    "runtime",
		Title:   "Go runtime",
		Summary: "What a Go service is and takes: build, age, goroutines, threads, memory, processor time, descriptors.",
		Prefix:  "go_",
		Sources: []skills.Source{skills.PerTarget(services, golang)},
	}
}

func golang(s *gopprof.Service) skills.Source {
	w := &watch{service: s}
	return skills.Source{Kind: skills.Go, Prompt: prompt, Metrics: metrics, Checks: checks, Calls: calls(w), Snapshot: w.snapshot}
}

var metrics = []skills.Metric{
	skills.Gauge("goroutines", protocol.Count, "Goroutines."),
	skills.Gauge("threads", protocol.Count, "Threads of the operating system; told by Prometheus metrics alone."),
	skills.Info("gomaxprocs", protocol.Count, "How many threads may run Go code at a time (GOMAXPROCS)."),
	skills.Gauge("cpu_used_pct", protocol.Percent, "Processor time since the snapshot before, of GOMAXPROCS processors."),
	skills.Gauge("cpu_cores_used", protocol.Count, "The same in processors."),
	skills.Gauge("heap_alloc_mb", protocol.Mebibytes, "Objects on the heap."),
	skills.Gauge("memory_sys_mb", protocol.Mebibytes, "Memory of the Go runtime, without what was given back to the system."),
	skills.Gauge("rss_mb", protocol.Mebibytes, "Resident memory of the process."),
	skills.Gauge("fds_open", protocol.Count, "Open file descriptors."),
	skills.Gauge("http_in_flight", protocol.Count, "HTTP requests being answered, by the usual names of that metric."),
	skills.Gauge("uptime_seconds", protocol.Seconds, "Since the service began."),
	skills.Info("program", protocol.Text, "Name of the program, without its arguments."),
	skills.Info("go_version", protocol.Text, "Go version it was built with."),
	skills.Info("module", protocol.Text, "Its main module."),
	skills.Info("module_version", protocol.Text, "The version of that."),
}

var checks = []skills.Check{
	skills.Above("cpu_used_pct", 90, 99, "service_cpu",
		"{program} uses {value} % of the processors it may have ({gomaxprocs})",
		"go_summary()",
		"A profile names the functions: trace_start(\"cpu\", 10), where the probe grants the level trace. Compare gc_cpu_pct: it may be the garbage collector."),
	skills.Above("threads", 1000, 5000, "threads",
		"{program} has {value} threads; a Go program ends itself at 10000",
		"go_summary()",
		"Threads come from calls that block in the system or in cgo (files on slow disks, DNS by cgo): bound how many go on at a time."),
}
