package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/systemd"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func (w *watcher) restarts(ctx context.Context, limit int) (any, error) {
	if _, err := w.look(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	services, respawned := []object{}, []object{}
	for _, r := range w.restarting(time.Now()) {
		if len(services) < limit {
			o := object{"unit": r.name, "restarts_10m": r.count, "restarts_total": r.state.Restarts}
			ended(o, r.state)
			services = append(services, o)
		}
	}
	for _, r := range w.worst() {
		if len(respawned) < limit {
			respawned = append(respawned, object{"program": r.name, "supervisor": r.supervisor, "supervisor_pid": r.parent, "respawns_10m": r.count, "last": stampOf(r.last)})
		}
	}
	return object{"services": services, "respawned": respawned}, nil
}

// ended adds how a service ended the last time.
func ended(o object, s systemd.Service) {
	o["result"], o["exit_code"], o["state_changed"] = s.Result, s.ExitCode, stampOf(s.Changed)
}

func unitOf(u systemd.Unit) object {
	return object{"unit": u.Name, "description": skills.Cut(u.Description), "load": u.Load, "active": u.Active, "sub": u.Sub}
}

func (w *watcher) listUnits(ctx context.Context, state string, limit int) (any, error) {
	states, patterns := []string{state}, []string{"*"}
	if state == "" {
		states, patterns = nil, []string{"*.service"}
	}
	units, err := w.units.Units(ctx, states, patterns)
	if errors.Is(err, systemd.ErrAbsent) {
		return object{"systemd": false, "units": []object{}, "total": 0}, nil
	}
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, u := range units[:min(limit, len(units))] {
		o := unitOf(u)
		if u.Active == "failed" {
			s, err := w.units.Service(ctx, u)
			if err != nil {
				return nil, err
			}
			ended(o, s)
		}
		out = append(out, o)
	}
	return object{"systemd": true, "units": out, "total": len(units)}, nil
}

func (w *watcher) unit(ctx context.Context, name string) (any, error) {
	units, err := w.units.Units(ctx, nil, []string{name})
	if errors.Is(err, systemd.ErrAbsent) {
		return object{"systemd": false}, nil
	}
	if err != nil {
		return nil, err
	}
	if len(units) == 0 {
		return nil, fmt.Errorf("systemd has loaded no unit %q (its full name, as nginx.service)", skills.Cut(name))
	}
	s, err := w.units.Service(ctx, units[0])
	if err != nil {
		return nil, err
	}
	o := unitOf(units[0])
	ended(o, s)
	o["systemd"], o["main_pid"], o["restarts_total"], o["restart_wait_seconds"] = true, s.MainPID, s.Restarts, s.RestartAfter.Seconds()
	if s.Memory > 0 {
		o["memory_mb"] = skills.Round(float64(s.Memory)/(1<<20), 1)
	}
	if s.Tasks > 0 {
		o["tasks"] = s.Tasks
	}
	return o, nil
}
