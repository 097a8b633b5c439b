package supervisor

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func (w *beamWatch) list(ctx context.Context, limit int) (any, error) {
	s, err := w.node.Supervisors(ctx, nil, true)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	if w.last == nil {
		w.last = s
	}
	w.mu.Unlock()
	rows := []object{}
	slices.SortStableFunc(s.List, func(a, b beam.Supervisor) int {
		if a.Answers != b.Answers { // what does not answer comes first
			return map[bool]int{false: -1, true: 1}[a.Answers]
		}
		return cmp.Compare(b.Total, a.Total)
	})
	for i := range s.List[:min(limit, len(s.List))] {
		sup := &s.List[i]
		r := object{"name": sup.Name(), "pid": sup.PID.String(), "child_count": sup.Total, "active_children": sup.Active, "module": beam.Module(sup.Module), "dynamic": sup.Dynamic}
		if sup.App != nil {
			r["application"] = *sup.App
		}
		if !sup.Answers {
			r = object{"name": r["name"], "pid": r["pid"], "module": r["module"], "answers": false, "function": w.where(ctx, sup)}
		}
		rows = append(rows, r)
	}
	return object{"supervisors": rows, "total": len(s.List), "truncated": s.Truncated || len(s.List) > limit}, nil
}

// tree returns a branch by its name, or that it is not found.
func (w *beamWatch) tree(ctx context.Context, name string, depth, most int) (*beam.Branch, error) {
	b, err := w.find(ctx, name, depth, most)
	if err == nil && b == nil {
		err = notFound(name)
	}
	return b, err
}

// mostListed is how many children an answer lists.
const mostListed = 200

func (w *beamWatch) childrenOf(ctx context.Context, name string) (any, error) {
	b, err := w.tree(ctx, name, 1, mostListed+1)
	if err != nil {
		return nil, err
	}
	if !b.Answers {
		return unresponsive(b), nil
	}
	rows := []object{}
	for i := range b.Children {
		c := &b.Children[i]
		r := object{"id": beam.ChildID(c.ID), "pid": c.Process(), "type": c.Type}
		if s := c.Initial.String(); s != "" {
			r["name"], r["initial_call"] = c.Name(), s
		}
		rows = append(rows, r)
	}
	a := object{"supervisor_name": b.Name(), "supervisor_pid": b.Process(), "total_children": b.Total, "children": rows}
	if b.Truncated {
		a["truncated"] = true
	}
	return a, nil
}

func unresponsive(b *beam.Branch) object {
	return object{
		"supervisor_name": b.Name(), "supervisor_pid": b.Process(), "error": "failed_to_get_children", "function": b.Function.String(),
		"note": "it did not answer within half a second: a supervisor does nothing else while a child starts or stops",
	}
}

// treeProcesses is how many processes a tree has at most.
const treeProcesses = 300

func (w *beamWatch) treeOf(ctx context.Context, name string) (any, error) {
	b, err := w.tree(ctx, name, deepest, treeProcesses)
	if err != nil {
		return nil, err
	}
	return branchOf(b), nil
}

func branchOf(b *beam.Branch) object {
	o := object{"name": b.Name(), "pid": b.Process()}
	if b.Type == "supervisor" {
		o["type"] = b.Type
	}
	if b.Module == "" {
		return o
	}
	if !b.Answers {
		o["error"], o["function"] = "failed_to_get_children", b.Function.String()
		return o
	}
	below := []object{}
	for i := range b.Children {
		below = append(below, branchOf(&b.Children[i]))
	}
	o["children"] = below
	if b.Truncated {
		o["truncated"], o["child_count"] = true, b.Total
	}
	return o
}

// Bounds of a healthy supervisor.
const (
	beamLarge     = 100 // children
	loopsFrom     = 3   // restarts in five minutes
	mostUndefined = 0.5 // share of its children
)

func (w *beamWatch) integrity(ctx context.Context, name string) (any, error) {
	b, err := w.tree(ctx, name, 1, 1001)
	if err != nil {
		return nil, err
	}
	a := object{
		"supervisor_name": b.Name(), "supervisor_pid": b.Process(), "status": "healthy", "total_children": b.Total, "active_children": b.Active,
		"undefined_children": b.Undefined, "restarting_children": b.Restarting,
	}
	if b.Answers && b.Truncated && len(b.Children) == 0 { // too many to list
		a["undefined_children"], a["restarting_children"] = max(0, b.Total-b.Active), nil
		a["note"] = "of so many children only the number is asked: those that do not run are all told as undefined"
	}
	restarts, worst := w.restartsBelow(b)
	a["restarts_5m"] = restarts
	anomalies := []string{}
	if !b.Answers {
		anomalies = append(anomalies, "does_not_answer")
		a["function"] = b.Function.String()
	}
	if b.Restarting > 0 || worst >= loopsFrom {
		anomalies = append(anomalies, "crash_loop")
	}
	if undefined, _ := a["undefined_children"].(int); b.Total > 0 && float64(undefined) > mostUndefined*float64(b.Total) {
		anomalies = append(anomalies, "high_undefined_ratio")
	}
	if b.Total > beamLarge {
		anomalies = append(anomalies, "large_supervisor")
	}
	if len(anomalies) > 0 {
		a["status"] = "degraded"
	}
	a["anomalies"] = anomalies
	return a, nil
}

// restartsBelow returns how often children of a supervisor were started again, all of
// them and the worst.
func (w *beamWatch) restartsBelow(b *beam.Branch) (all, worst int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.restarts.worst(time.Now()) {
		if strings.HasSuffix(c.supervisor, " "+b.Process()) {
			all += len(c.again)
			worst = max(worst, len(c.again))
		}
	}
	return all, worst
}

func (w *beamWatch) restarted(ctx context.Context, limit int) (any, error) {
	if _, err := w.look(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	worst := w.restarts.worst(time.Now())
	w.mu.Unlock()
	total := len(worst)
	worst = worst[:min(limit, len(worst))]
	var pids []etf.Pid
	for _, c := range worst {
		pids = append(pids, c.pid)
	}
	list, err := w.node.Describe(ctx, pids)
	if err != nil {
		return nil, err
	}
	rows := []object{}
	for _, c := range worst {
		r := object{
			"name": c.id, "pid": c.pid.String(), "supervisor": c.supervisor, "restarts_5m": len(c.again), "last": stampOf(c.again[len(c.again)-1]),
		}
		if i := slices.IndexFunc(list, func(p beam.Process) bool { return p.PID == c.pid }); i >= 0 {
			r["function"], r["process"] = list[i].Origin(), list[i].Name()
		}
		rows = append(rows, r)
	}
	return object{"children": rows, "total": total, "truncated": total > len(rows)}, nil
}

func processRow(p *beam.Process) object {
	r := object{
		"name": p.Name(), "pid": p.PID.String(), "registered_name": nil, "initial_call": p.Origin(), "current_function": p.Function(), "function": p.Sits(),
		"message_queue_len": p.QueueLen, "memory_mb": nil,
	}
	if s := beam.Label(p.Registered); s != "" {
		r["registered_name"] = s
	}
	if p.Memory != nil {
		r["memory_mb"] = skills.Round(float64(*p.Memory)/(1<<20), 2)
	}
	return r
}

func (w *beamWatch) unlinked(ctx context.Context, limit int) (any, error) {
	u, err := w.node.Unsupervised(ctx, false, limit)
	if err != nil {
		return nil, err
	}
	list, err := w.node.Describe(ctx, u.Lone)
	if err != nil {
		return nil, err
	}
	rows := []object{}
	for i := range list {
		rows = append(rows, processRow(&list[i]))
	}
	return object{"processes": rows, "total": u.Unlinked, "truncated": u.Truncated || u.Unlinked > len(rows)}, nil
}

const olderNote = "before OTP 25 a node does not tell who started a process: only processes without links were looked at"

func (w *beamWatch) orphaned(ctx context.Context, limit int) (any, error) {
	u, err := w.node.Unsupervised(ctx, false, limit)
	if err != nil {
		return nil, err
	}
	rows, err := w.orphanRows(ctx, u, u.Left)
	if err != nil {
		return nil, err
	}
	a := object{"processes": rows, "total": u.Orphans, "truncated": u.Truncated || u.Orphans > len(rows)}
	if !u.ByParent {
		a["note"] = olderNote
	}
	return a, nil
}

// orphanRows describes orphans, of which the node told at u.At.
func (w *beamWatch) orphanRows(ctx context.Context, u *beam.Unsupervised, left []beam.Orphan) ([]object, error) {
	ages := w.ages(u)
	var pids []etf.Pid
	for _, o := range left {
		pids = append(pids, o.PID)
	}
	list, err := w.node.Describe(ctx, pids)
	if err != nil {
		return nil, err
	}
	rows := []object{}
	for i := range list {
		r := processRow(&list[i])
		at := slices.IndexFunc(left, func(o beam.Orphan) bool { return o.PID == list[i].PID })
		dead := []string{}
		for _, d := range left[at].Dead {
			dead = append(dead, beam.Label(d))
		}
		r["dead_ancestor_pids"], r["age_seconds"] = dead, skills.Round(ages[list[i].PID].Seconds(), 0)
		rows = append(rows, r)
	}
	return rows, nil
}

// mostAged is of how many orphans it is remembered since when they are seen.
const mostAged = 2000

// ages returns for how long orphans have been seen.
func (w *beamWatch) ages(u *beam.Unsupervised) map[etf.Pid]time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	next, out := map[etf.Pid]time.Time{}, map[etf.Pid]time.Duration{}
	for _, o := range u.Left {
		since, ok := w.seen[o.PID]
		if !ok {
			since = u.At
		}
		next[o.PID], out[o.PID] = since, u.At.Sub(since)
	}
	for pid, since := range w.seen { // those that were not named this time may come again
		if _, here := next[pid]; !here && len(next) < mostAged && u.At.Sub(since) < time.Hour {
			next[pid] = since
		}
	}
	w.seen = next
	return out
}

// zombieChildren lists the processes that a dead supervisor left, or all that did.
func (w *beamWatch) zombieChildren(ctx context.Context, name string) (any, error) {
	if name != "" {
		b, err := w.find(ctx, name, 0, 1)
		if err != nil {
			return nil, err
		}
		if b != nil {
			return object{"supervisor_name": b.Name(), "supervisor_pid": b.Process(), "status": "alive", "zombie_count": 0, "zombie_children": []object{}}, nil
		}
	}
	u, err := w.node.Unsupervised(ctx, false, 1000)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return w.zombiesOfAll(ctx, u)
	}
	left := slices.DeleteFunc(slices.Clone(u.Left), func(o beam.Orphan) bool {
		return !slices.ContainsFunc(o.Dead, func(d etf.Term) bool { return sameName(d, name) })
	})
	if len(left) == 0 {
		return nil, notFound(name)
	}
	rows, err := w.orphanRows(ctx, u, left[:min(100, len(left))])
	if err != nil {
		return nil, err
	}
	return object{
		"supervisor_name": skills.Cut(name), "supervisor_pid": nil, "status": "dead", "zombie_count": len(left), "zombie_children": rows,
		"truncated": u.Truncated || len(left) > len(rows) || u.Orphans > len(u.Left),
	}, nil
}

func (w *beamWatch) zombiesOfAll(ctx context.Context, u *beam.Unsupervised) (any, error) {
	of := map[string][]beam.Orphan{}
	var names []string
	for _, o := range u.Left {
		if by := o.By(); of[by] == nil {
			names = append(names, by)
		}
		of[o.By()] = append(of[o.By()], o)
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(len(of[b]), len(of[a])) })
	parents := []object{}
	for _, name := range names[:min(20, len(names))] {
		rows, err := w.orphanRows(ctx, u, of[name][:min(10, len(of[name]))])
		if err != nil {
			return nil, err
		}
		parents = append(parents, object{"supervisor_name": name, "status": "dead", "zombie_count": len(of[name]), "zombie_children": rows})
	}
	return object{"parents": parents, "zombie_count": u.Orphans, "truncated": u.Truncated || len(names) > len(parents)}, nil
}
