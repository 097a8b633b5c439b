package supervisor

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/systemd"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// restarts is what is remembered of one service.
type restarts struct {
	total uint32 // as systemd counted at the last snapshot
	last  time.Time
	again []stamp
	state systemd.Service
}

// A stamp is how many restarts were seen at a snapshot.
type stamp struct {
	at time.Time
	n  int
}

func (r *restarts) count(now time.Time) int {
	n := 0
	for _, s := range r.again {
		if now.Sub(s.at) <= window {
			n += s.n
		}
	}
	return n
}

// systemd asks about the units that are in trouble, and about the services of young
// processes: a service that was not started lately was not restarted either.
func (w *watcher) systemd(ctx context.Context, d skills.Data, scan *host.Scan) error {
	troubled, err := w.units.Units(ctx, []string{"failed", "activating", "deactivating"}, []string{"*"})
	if err != nil {
		return err
	}
	failed, starting := 0, 0
	var ask []systemd.Unit
	for _, u := range troubled {
		if u.Active == "failed" {
			failed++
		} else {
			starting++
		}
		if len(ask) < mostAsked {
			ask = append(ask, u)
		}
	}
	d.Set("units_failed", float64(failed), 0)
	d.Set("units_starting", float64(starting), 0)
	for i := range scan.Processes {
		p := &scan.Processes[i]
		age, ok := scan.Age(p)
		if p.PPID != 1 || !ok || age > window || len(ask) >= 2*mostAsked {
			continue
		}
		u, ok, err := w.units.UnitOf(ctx, p.PID)
		if err != nil {
			return err
		}
		if ok && !slices.ContainsFunc(ask, func(o systemd.Unit) bool { return o.Name == u.Name }) {
			ask = append(ask, u)
		}
	}
	return w.askAbout(ctx, d, scan.At, ask)
}

// askAbout asks about each of the units and tells the worst.
func (w *watcher) askAbout(ctx context.Context, d skills.Data, now time.Time, ask []systemd.Unit) error {
	fresh := 0
	var lastFailed time.Time
	for _, u := range ask {
		s, err := w.units.Service(ctx, u)
		if err != nil {
			return err
		}
		if u.Active == "failed" && now.Sub(s.Changed) <= time.Hour {
			fresh++
			if s.Changed.After(lastFailed) {
				lastFailed = s.Changed
				d.Text("failed_unit", u.Name)
				d.Text("failed_unit_result", s.Result)
			}
		}
		w.restarted(u.Name, s, now)
	}
	d.Set("units_failed_1h", float64(fresh), 0)
	w.mu.Lock()
	defer w.mu.Unlock()
	d.Set("unit_restarts_10m", 0, 0)
	if all := w.restarting(now); len(all) > 0 {
		d.Set("unit_restarts_10m", float64(all[0].count), 0)
		d.Text("restarting_unit", all[0].name)
	}
	return nil
}

// restarted notes how often a service was restarted since it was seen last. What it
// counted before it was seen first is of unknown age, and not counted.
func (w *watcher) restarted(name string, s systemd.Service, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.services[name]
	if r == nil {
		if len(w.services) < mostKept {
			w.services[name] = &restarts{total: s.Restarts, last: now, state: s}
		}
		return
	}
	if s.Restarts > r.total {
		r.again = append(r.again, stamp{now, int(s.Restarts - r.total)})
	}
	r.again = slices.DeleteFunc(r.again, func(x stamp) bool { return now.Sub(x.at) > window })
	r.total, r.last, r.state = s.Restarts, now, s
}

// A restarting service and how often it was restarted.
type restarting struct {
	name  string
	count int
	state systemd.Service
}

// restarting returns the services that were restarted, most often first; who has
// not been asked about for long is forgotten.
func (w *watcher) restarting(now time.Time) []restarting {
	var out []restarting
	for name, r := range w.services {
		if now.Sub(r.last) > window {
			delete(w.services, name)
			continue
		}
		if n := r.count(now); n > 0 {
			out = append(out, restarting{name, n, r.state})
		}
	}
	slices.SortFunc(out, func(a, b restarting) int { return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.name, b.name)) })
	return out
}
