package beam

import (
	"context"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

func mb(bytes int64) float64 { return skills.Round(mebibytes(bytes), 2) }

func (w *watch) getMemory(ctx context.Context) (any, error) {
	v, err := w.node.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	a := map[string]float64{}
	for _, name := range []string{"total", "processes", "processes_used", "system", "binary", "ets", "code", "atom"} {
		a[name+"_mb"] = mb(v.Memory[name])
	}
	return a, nil
}

func (w *watch) getProcesses(ctx context.Context) (any, error) {
	v, err := w.node.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]int{"process_count": v.Processes, "process_limit": v.ProcessLimit, "port_count": v.Ports, "port_limit": v.PortLimit}, nil
}

func (w *watch) getSchedulers(ctx context.Context) (any, error) {
	v, err := w.node.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]int{
		"schedulers": v.Schedulers, "schedulers_online": v.Online, "dirty_cpu_schedulers_online": v.DirtyCPU, "dirty_io_schedulers": v.DirtyIO, "run_queue": v.RunQueue,
	}, nil
}

func (w *watch) getAtoms(ctx context.Context) (any, error) {
	v, err := w.node.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]any{"atom_count": v.Atoms, "atom_limit": v.AtomLimit, "atom_mb": mb(v.Memory["atom"]), "atom_used_mb": mb(v.Memory["atom_used"])}, nil
}

func (w *watch) getSystem(ctx context.Context) (any, error) {
	v, err := w.node.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return map[string]any{
		"node": w.node.Name(), "otp_release": v.Release, "elixir_version": v.Elixir, "uptime_seconds": v.UptimeMS / 1000, "schedulers_online": v.Online,
		"restarts_per_hour": len(w.restarts),
	}, nil
}

func (w *watch) getPersistentTerms(ctx context.Context) (any, error) {
	v, err := w.node.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]any{"count": v.Persistent.Count, "memory_mb": mb(v.Persistent.Memory)}, nil
}
