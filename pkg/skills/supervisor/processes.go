package supervisor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

type object = map[string]any

// listed is how many processes an answer without a limit names.
const listed = 100

func describe(scan *host.Scan, p *host.Process) object {
	o := object{
		"pid": p.PID, "name": p.Name(), "state": string(rune(p.State)), "rss_mb": skills.Round(float64(p.RSS)/(1<<20), 1), "threads": p.Threads,
	}
	if age, ok := scan.Age(p); ok {
		o["age_seconds"] = skills.Round(age.Seconds(), 0)
	}
	return o
}

// find returns the process of a name or a pid: of several, the one with most children.
func find(scan *host.Scan, name string) (*host.Process, error) {
	pid, err := strconv.ParseInt(name, 10, 32)
	isPID := err == nil
	kids := map[int32]int{}
	for i := range scan.Processes {
		kids[scan.Processes[i].PPID]++
	}
	var found *host.Process
	for i := range scan.Processes {
		p := &scan.Processes[i]
		if isPID && int64(p.PID) == pid {
			return p, nil
		}
		if !isPID && p.Name() == name && (found == nil || kids[p.PID] > kids[found.PID]) {
			found = p
		}
	}
	if found == nil {
		return nil, fmt.Errorf("supervisor_not_found: no process has the name or pid %q (names are cut to 15 bytes by the kernel)", skills.Cut(name))
	}
	return found, nil
}

func childrenOf(scan *host.Scan, pid int32) []*host.Process {
	var out []*host.Process
	for i := range scan.Processes {
		if p := &scan.Processes[i]; p.PPID == pid && p.PID != pid {
			out = append(out, p)
		}
	}
	return out
}

func youngestFirst(list []*host.Process) {
	slices.SortFunc(list, func(a, b *host.Process) int {
		return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(b.PID, a.PID))
	})
}

func rows(scan *host.Scan, list []*host.Process, limit int) []object {
	out := []object{}
	for _, p := range list[:min(limit, len(list))] {
		out = append(out, describe(scan, p))
	}
	return out
}

func (w *watcher) list(ctx context.Context, limit int) (any, error) {
	scan, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	all, active := map[int32]int{}, map[int32]int{}
	for i := range scan.Processes {
		p := &scan.Processes[i]
		all[p.PPID]++
		if p.State != 'Z' {
			active[p.PPID]++
		}
	}
	var parents []*host.Process
	for i := range scan.Processes {
		if all[scan.Processes[i].PID] > 0 {
			parents = append(parents, &scan.Processes[i])
		}
	}
	slices.SortFunc(parents, func(a, b *host.Process) int {
		return cmp.Or(cmp.Compare(all[b.PID], all[a.PID]), cmp.Compare(a.PID, b.PID))
	})
	out := []object{}
	for _, p := range parents[:min(limit, len(parents))] {
		out = append(out, object{"pid": p.PID, "name": p.Name(), "child_count": all[p.PID], "active_children": active[p.PID]})
	}
	return object{"supervisors": out, "total": len(parents)}, nil
}

// on looks at the processes and answers about the one that is named.
func (w *watcher) on(ctx context.Context, name string, answer func(*host.Scan, *host.Process) any) (any, error) {
	scan, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	p, err := find(scan, name)
	if err != nil {
		return nil, err
	}
	return answer(scan, p), nil
}

func (w *watcher) childrenOf(ctx context.Context, name string) (any, error) {
	return w.on(ctx, name, func(scan *host.Scan, p *host.Process) any {
		kids := childrenOf(scan, p.PID)
		youngestFirst(kids)
		return object{"supervisor_name": p.Name(), "supervisor_pid": p.PID, "total_children": len(kids), "children": rows(scan, kids, listed)}
	})
}

// Bounds of a tree.
const (
	deepest = 3
	widest  = 200
)

func (w *watcher) treeOf(ctx context.Context, name string) (any, error) {
	return w.on(ctx, name, func(scan *host.Scan, p *host.Process) any {
		left := widest
		return branch(scan, p, 0, &left)
	})
}

func branch(scan *host.Scan, p *host.Process, depth int, left *int) object {
	o := object{"pid": p.PID, "name": p.Name(), "state": string(rune(p.State))}
	kids := childrenOf(scan, p.PID)
	if len(kids) == 0 {
		return o
	}
	if depth == deepest {
		o["truncated"], o["child_count"] = true, len(kids)
		return o
	}
	below := []object{}
	for _, k := range kids {
		if *left--; *left < 0 {
			o["truncated"], o["child_count"] = true, len(kids)
			break
		}
		below = append(below, branch(scan, k, depth+1, left))
	}
	o["children"] = below
	return o
}

func (w *watcher) integrity(ctx context.Context, name string) (any, error) {
	return w.on(ctx, name, func(scan *host.Scan, p *host.Process) any {
		kids := childrenOf(scan, p.PID)
		zombies, respawns := 0, 0
		for _, k := range kids {
			if k.State == 'Z' {
				zombies++
			}
		}
		w.mu.Lock()
		for _, r := range w.worst() {
			if r.parent == p.PID {
				respawns += r.count
			}
		}
		w.mu.Unlock()
		anomalies := []string{}
		if respawns >= 3 {
			anomalies = append(anomalies, "crash_loop")
		}
		if zombies >= 20 {
			anomalies = append(anomalies, "zombie_children")
		}
		if len(kids) > 1000 {
			anomalies = append(anomalies, "large_supervisor")
		}
		status := "healthy"
		if len(anomalies) > 0 {
			status = "degraded"
		}
		return object{
			"supervisor_name": p.Name(), "supervisor_pid": p.PID, "status": status, "total_children": len(kids), "active_children": len(kids) - zombies,
			"zombie_children": zombies, "respawns_10m": respawns, "anomalies": anomalies,
		}
	})
}

func (w *watcher) zombieChildren(ctx context.Context, name string) (any, error) {
	scan, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	only := int32(0)
	if name != "" {
		p, err := find(scan, name)
		if err != nil {
			return nil, err
		}
		only = p.PID
	}
	of := map[int32][]*host.Process{}
	for i := range scan.Processes {
		if p := &scan.Processes[i]; p.State == 'Z' && (only == 0 || p.PPID == only) {
			of[p.PPID] = append(of[p.PPID], p)
		}
	}
	parents := make([]int32, 0, len(of))
	for pid := range of {
		parents = append(parents, pid)
	}
	slices.SortFunc(parents, func(a, b int32) int { return cmp.Or(cmp.Compare(len(of[b]), len(of[a])), cmp.Compare(a, b)) })
	w.mu.Lock()
	defer w.mu.Unlock()
	out, total := []object{}, 0
	for _, pid := range parents {
		total += len(of[pid])
		if len(out) == listed {
			continue
		}
		dead := []object{}
		for _, z := range of[pid][:min(20, len(of[pid]))] {
			dead = append(dead, object{"pid": z.PID, "name": z.Name(), "zombie_seconds": skills.Round(scan.At.Sub(w.zombies[z.PID].at).Seconds(), 0)})
		}
		out = append(out, object{"supervisor_name": w.host.ProcessName(pid), "supervisor_pid": pid, "zombie_count": len(of[pid]), "zombies": dead})
	}
	return object{"parents": out, "zombie_count": total}, nil
}

func (w *watcher) orphaned(ctx context.Context, limit int) (any, error) {
	scan, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	list := orphans(scan)
	youngestFirst(list)
	names := map[string]int{}
	for _, p := range list {
		if len(names) < listed || names[p.Name()] > 0 {
			names[p.Name()]++
		}
	}
	return object{"processes": rows(scan, list, limit), "total": len(list), "by_name": names}, nil
}

// unlinked lists children of the first process that belong to nothing that would
// look after them.
func (w *watcher) unlinked(ctx context.Context, limit int) (any, error) {
	scan, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	var list []*host.Process
	for _, p := range childrenOf(scan, 1) {
		if group := w.host.Owner(p.PID).Cgroup; !supervised(group) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *host.Process) int { return cmp.Or(cmp.Compare(b.RSS, a.RSS), cmp.Compare(a.PID, b.PID)) })
	return object{"processes": rows(scan, list, limit), "total": len(list)}, nil
}

// supervised reports whether a control group, by the last part of its path, is that of
// a service, a session or a container, not a mere folder of them.
func supervised(group string) bool {
	return group != "" && group != "init.scope" && !strings.HasSuffix(group, ".slice")
}
