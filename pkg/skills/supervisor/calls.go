package supervisor

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

const processDoc = "pid, name, state (as ps shows it: R, S, D, Z, T, I), age_seconds, rss_mb, threads"

func (w *watcher) calls() []skills.Call {
	name := skills.Param{Name: "name", Type: "string", Doc: "a process's name, or its pid as text"}
	every := name
	every.Default, every.Doc = "", "a parent's name, or its pid as text; empty: all parents"
	return []skills.Call{
		{
			Name:    "sup_list",
			Doc:     "parents by number of children: pid, name, child_count, active_children (that are no zombies).",
			Params:  []skills.Param{skills.Limit(20, 100, "how many parents")},
			Example: "sup_list(20)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.list(ctx, a.Int("limit")) },
		},
		{
			Name:    "sup_children",
			Doc:     "children of a process, youngest first, 100 at most: " + processDoc + "; total_children.",
			Params:  []skills.Param{name},
			Example: `sup_children("1")`,
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.childrenOf(ctx, a.String("name")) },
		},
		{
			Name:    "sup_tree",
			Doc:     "a process and what is below it: pid, name, state, children; at depth 3, and after 200 processes, truncated is true and child_count tells how many there are.",
			Params:  []skills.Param{name},
			Example: `sup_tree("1")`,
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.treeOf(ctx, a.String("name")) },
		},
		{
			Name:    "sup_tree_integrity",
			Doc:     "supervisor_name, supervisor_pid, status (healthy or degraded), total_children, active_children, zombie_children, respawns_10m, anomalies: crash_loop (three respawns or more), zombie_children (20 or more), large_supervisor (more than 1000 children).",
			Params:  []skills.Param{name},
			Example: `sup_tree_integrity("1")`,
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.integrity(ctx, a.String("name")) },
		},
		{
			Name:    "sup_zombie_children",
			Doc:     "zombies by their parent, most first: supervisor_name, supervisor_pid, zombie_count, zombies (pid, name, zombie_seconds: for how long it was seen; 20 at most).",
			Params:  []skills.Param{every},
			Example: "sup_zombie_children()",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.zombieChildren(ctx, a.String("name")) },
		},
		{
			Name:    "sup_orphaned_processes",
			Doc:     "processes whose parent and session leader have ended, youngest first: " + processDoc + "; total, by_name (how many of each name).",
			Params:  []skills.Param{skills.Limit(20, 100, "how many processes")},
			Example: "sup_orphaned_processes(10)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.orphaned(ctx, a.Int("limit")) },
		},
		{
			Name:    "sup_unlinked_processes",
			Doc:     "children of the first process that belong to no service, session or container (by their control group), largest memory first: " + processDoc + "; total.",
			Params:  []skills.Param{skills.Limit(20, 100, "how many processes")},
			Example: "sup_unlinked_processes(10)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.unlinked(ctx, a.Int("limit")) },
		},
		{
			Name: "sup_restarts",
			Doc: "what was started again in ten minutes, most often first: services (unit, restarts_10m, restarts_total, result, exit_code, state_changed (UTC)), " +
				"respawned (program, supervisor, supervisor_pid, respawns_10m, last (UTC)).",
			Params:  []skills.Param{skills.Limit(10, 100, "how many of each")},
			Example: "sup_restarts(5)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.restarts(ctx, a.Int("limit")) },
		},
		{
			Name: "sup_units",
			Doc:  "systemd units in a state: unit, description, load, active, sub; total. Failed ones also have result, exit_code, state_changed (UTC). systemd is false where there is none.",
			Params: []skills.Param{
				{Name: "state", Type: "string", Doc: "active, failed, activating, running, exited, auto-restart; empty: all services", Default: "failed"},
				skills.Limit(20, 200, "how many units"),
			},
			Example: `sup_units("failed", 10)`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.listUnits(ctx, a.String("state"), a.Int("limit"))
			},
		},
		{
			Name:    "sup_unit",
			Doc:     "one systemd unit: unit, description, load, active, sub, result, exit_code, main_pid, restarts_total, restart_wait_seconds, memory_mb, tasks, state_changed (UTC). systemd is false where there is none.",
			Params:  []skills.Param{{Name: "unit", Type: "string", Doc: "its name, as nginx.service"}},
			Example: `sup_unit("dbus.service")`,
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.unit(ctx, a.String("unit")) },
		},
	}
}

func stampOf(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}
