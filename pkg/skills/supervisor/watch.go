package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/systemd"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	window    = 10 * time.Minute // of restarts
	lasting   = time.Minute      // from which on a zombie lasts
	mostKept  = 512              // children and units that are remembered
	mostAsked = 20               // units that are asked about at one snapshot
)

// A watcher remembers who was there, so that it can tell who was started again. It
// is safe for concurrent use.
type watcher struct {
	host  *host.Reader
	units *systemd.Manager

	mu       sync.Mutex
	children map[childKey]*child
	services map[string]*restarts
	zombies  map[int32]seen
}

func newWatcher(r *host.Reader, units *systemd.Manager) *watcher {
	return &watcher{host: r, units: units, children: map[childKey]*child{}, services: map[string]*restarts{}, zombies: map[int32]seen{}}
}

// seen is when a process was seen first, which its start tells from another of its number.
type seen struct {
	start uint64
	at    time.Time
}

// A childKey names the children of one supervisor that run the same program.
type childKey struct {
	parent int32
	start  uint64 // of the parent
	name   string
}

// A child is what is remembered of them.
type child struct {
	supervisor string // its name
	pids       map[int32]uint64
	last       time.Time   // when one was seen
	again      []time.Time // when one was seen that was not there before, in place of one that was
}

// supervisors are programs that start their children again when they end. Process
// names are cut to 15 bytes by the kernel.
var supervisors = map[string]bool{
	"supervisord": true, "runsv": true, "s6-supervise": true, "svscan": true, "supervise": true, "monit": true, "god": true, "circusd": true,
	"PM2 v": true, "perpd": true, "daemontools": true, "immortal": true, "dinit": true, "openrc-run": true, "supervise-daemon": true, "overmind": true,
	"containerd-shim": true, "conmon": true, "docker-init": true, "forever": true,
}

// look lists the processes and takes in what changed.
func (w *watcher) look(ctx context.Context) (*host.Scan, error) {
	scan, err := w.host.Scan(ctx, 0)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.respawns(scan)
	w.buried(scan)
	return scan, nil
}

// respawns notes children of supervisors that took the place of others.
func (w *watcher) respawns(scan *host.Scan) {
	starts := map[int32]*host.Process{}
	for i := range scan.Processes {
		if p := &scan.Processes[i]; supervises(p.Name()) {
			starts[p.PID] = p
		}
	}
	now := map[childKey]map[int32]uint64{}
	for i := range scan.Processes {
		p := &scan.Processes[i]
		parent := starts[p.PPID]
		if parent == nil || p.State == 'Z' {
			continue
		}
		key := childKey{parent.PID, parent.Start, p.Name()}
		if now[key] == nil {
			now[key] = map[int32]uint64{}
		}
		now[key][p.PID] = p.Start
	}
	for key, pids := range now {
		c := w.children[key]
		if c == nil {
			if len(w.children) < mostKept {
				w.children[key] = &child{supervisor: starts[key.parent].Name(), pids: pids, last: scan.At}
			}
			continue
		}
		gone, fresh := 0, 0
		for pid, start := range c.pids {
			if pids[pid] != start {
				gone++
			}
		}
		for pid, start := range pids {
			if c.pids[pid] != start {
				fresh++
			}
		}
		for range min(gone, fresh) {
			c.again = append(c.again, scan.At)
		}
		c.pids, c.last = pids, scan.At
	}
	for key, c := range w.children {
		c.again = since(c.again, scan.At)
		if scan.At.Sub(c.last) > window {
			delete(w.children, key)
		}
	}
}

func supervises(name string) bool {
	return supervisors[name] || len(name) >= 5 && name[:5] == "PM2 v"
}

// since drops the times that are older than the window.
func since(times []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) > window })
}

// buried keeps since when there are which zombies.
func (w *watcher) buried(scan *host.Scan) {
	now := map[int32]seen{}
	for i := range scan.Processes {
		p := &scan.Processes[i]
		if p.State != 'Z' || len(now) >= 1<<16 {
			continue
		}
		z, ok := w.zombies[p.PID]
		if !ok || z.start != p.Start {
			z = seen{p.Start, scan.At}
		}
		now[p.PID] = z
	}
	w.zombies = now
}

// snapshot reads the processes and, where there is one, asks systemd.
func (w *watcher) snapshot(ctx context.Context) (skills.Data, error) {
	scan, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	d := skills.Data{}
	w.tree(d, scan)
	if err := w.systemd(ctx, d, scan); err != nil && !errors.Is(err, systemd.ErrAbsent) {
		return d, err
	}
	return d, nil
}

func (w *watcher) tree(d skills.Data, scan *host.Scan) {
	parents, zombies := map[int32]int{}, map[int32]int{}
	dead := 0
	for i := range scan.Processes {
		p := &scan.Processes[i]
		if p.PPID > 0 {
			parents[p.PPID]++
		}
		if p.State == 'Z' {
			dead++
			zombies[p.PPID]++
		}
	}
	children := 0
	for _, n := range parents {
		children += n
	}
	d.Set("supervisor_count", float64(len(parents)), 0)
	d.Set("total_children", float64(children), 0)
	d.Set("zombies", float64(dead), 0)
	d.Set("orphans", float64(len(orphans(scan))), 0)
	if dead > 0 {
		parent, n := most(zombies)
		d.Text("zombie_parent", w.label(parent))
		d.Set("zombie_parent_children", float64(n), 0)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	old := 0
	for _, z := range w.zombies {
		if scan.At.Sub(z.at) >= lasting {
			old++
		}
	}
	d.Set("zombies_lasting", float64(old), 0)
	all := w.worst()
	d.Set("respawns_10m", 0, 0)
	if len(all) > 0 {
		d.Set("respawns_10m", float64(all[0].count), 0)
		d.Text("respawn_process", all[0].label())
	}
}

func (w *watcher) label(pid int32) string {
	return fmt.Sprintf("%s (%d)", w.host.ProcessName(pid), pid)
}

// most returns the key with the highest count, the smallest of several.
func most(counts map[int32]int) (key int32, n int) {
	for k, c := range counts {
		if c > n || c == n && k < key {
			key, n = k, c
		}
	}
	return key, n
}

// A respawn is a program that was started again.
type respawn struct {
	name, supervisor string
	parent           int32
	count            int
	last             time.Time
}

func (r respawn) label() string { return fmt.Sprintf("%s of %s (%d)", r.name, r.supervisor, r.parent) }

// worst returns the programs that were started again, most often first.
func (w *watcher) worst() []respawn {
	var out []respawn
	for key, c := range w.children {
		if n := len(c.again); n > 0 {
			out = append(out, respawn{key.name, c.supervisor, key.parent, n, c.again[n-1]})
		}
	}
	slices.SortFunc(out, func(a, b respawn) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.name, b.name), cmp.Compare(a.parent, b.parent))
	})
	return out
}

// orphans returns the processes whose session's leader has ended and whose parent is
// of another session: it took them over. Old-style daemons, which fork twice, look the same.
func orphans(scan *host.Scan) []*host.Process {
	session := map[int32]int32{} // of those that are alive
	for i := range scan.Processes {
		if p := &scan.Processes[i]; p.State != 'Z' {
			session[p.PID] = p.Session
		}
	}
	var out []*host.Process
	for i := range scan.Processes {
		p := &scan.Processes[i]
		if p.State == 'Z' || p.Session <= 0 || p.Session == p.PID {
			continue
		}
		_, led := session[p.Session]
		parent, known := session[p.PPID]
		if !led && known && parent != p.Session {
			out = append(out, p)
		}
	}
	return out
}
