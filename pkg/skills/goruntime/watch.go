package goruntime

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A watch reads one service and keeps the reading before.
type watch struct {
	service *gopprof.Service
	skills.History[*gopprof.Runtime]
}

func (w *watch) snapshot(ctx context.Context) (skills.Data, error) {
	r, err := w.service.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	d := fields(r)
	if base := w.Advance(r.At, r); base != nil {
		d.cpu(gopprof.CPUBetween(base.Value, r))
	}
	return skills.Data(d), nil
}

type data skills.Data

func fields(r *gopprof.Runtime) data {
	d := skills.Data{}
	for name, k := range map[string]gopprof.Key{
		"goroutines": gopprof.GoroutineCount, "threads": gopprof.Threads, "gomaxprocs": gopprof.Processors,
		"fds_open": gopprof.OpenFDs, "http_in_flight": gopprof.InFlight,
	} {
		if v, ok := r.Get(k); ok {
			d.Set(name, v, 0)
		}
	}
	for name, k := range map[string]gopprof.Key{"heap_alloc_mb": gopprof.HeapAlloc, "rss_mb": gopprof.RSS} {
		if v, ok := r.Get(k); ok {
			d.Set(name, v/(1<<20), 1)
		}
	}
	sys, ok := r.Get(gopprof.Sys)
	released, ok2 := r.Get(gopprof.HeapReleased)
	if ok && ok2 {
		d.Set("memory_sys_mb", (sys-released)/(1<<20), 1)
	}
	if start, ok := r.Get(gopprof.StartTime); ok {
		d.Set("uptime_seconds", r.At.Sub(time.UnixMilli(int64(start*1000))).Seconds(), 0)
	}
	d.Text("program", r.Program)
	d.Text("go_version", r.GoVersion)
	d.Text("module", r.Module)
	d.Text("module_version", r.ModuleVersion)
	return data(d)
}

func (d data) cpu(c gopprof.CPU) {
	if c.Over > 0 {
		skills.Data(d).Set("cpu_cores_used", c.Cores, 2)
	}
	if c.Known {
		skills.Data(d).Set("cpu_used_pct", c.Pct, 1)
	}
}
