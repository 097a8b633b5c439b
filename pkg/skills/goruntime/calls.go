package goruntime

import (
	"context"
	"strings"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func calls(w *watch) []skills.Call {
	return []skills.Call{
		{
			Name: "go_summary",
			Doc: "The fields of the snapshot as they are now, processor use since the last snapshot, and: read_from (metrics, vars, heap, goroutine, cmdline: what answered). " +
				"note: what is not told and what would tell it.",
			Example: "go_summary()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.summary(ctx) },
		},
		{
			Name:    "go_build",
			Doc:     "What runs: program, go_version, module, module_version. note: what is not told and what would tell it.",
			Example: "go_build()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.build(ctx) },
		},
		{
			Name: "go_memory",
			Doc: "What the memory of the Go runtime is used for. classes: name (heap_objects, heap_unused_in_spans, heap_idle, heap_released, stacks, spans, caches, profiling, gc, other), mb, pct (of all), the largest first. " +
				"sys_mb: all of it, returned memory included; rss_mb: of the process, where it is told.",
			Example: "go_memory()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.memory(ctx) },
		},
	}
}

func (w *watch) summary(ctx context.Context) (any, error) {
	r, err := w.service.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	d := fields(r)
	var notes []string
	cpu := gopprof.CPU{Why: "processor use needs a snapshot before"}
	if base := w.Base(r.At); base != nil {
		cpu = gopprof.CPUBetween(base.Value, r)
	}
	d.cpu(cpu)
	if cpu.Why != "" {
		notes = append(notes, cpu.Why)
	}
	if note := lacks(r); note != "" {
		notes = append(notes, note)
	}
	d["read_from"] = r.From
	if len(notes) > 0 {
		d["note"] = strings.Join(notes, "; ")
	}
	return d, nil
}

// lacks says what the service would have to serve for the rest.
func lacks(r *gopprof.Runtime) string {
	if _, ok := r.Get(gopprof.Threads); !ok {
		return "threads, descriptors, age and versions are told by Prometheus metrics (collectors.NewGoCollector, NewProcessCollector, NewBuildInfoCollector)"
	}
	return ""
}

func (w *watch) build(ctx context.Context) (any, error) {
	r, err := w.service.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	d := skills.Data{}
	d.Text("program", r.Program)
	d.Text("go_version", r.GoVersion)
	d.Text("module", r.Module)
	d.Text("module_version", r.ModuleVersion)
	d.Text("note", lacks(r))
	return d, nil
}
