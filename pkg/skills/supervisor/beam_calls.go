package supervisor

import (
	"context"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

const beamProcessDoc = "name, pid, registered_name, initial_call (what it began as), current_function, function (that, and who called it), message_queue_len, memory_mb (null where a queue of more than 10,000 would have to be gone through)"

func beamCalls(w *beamWatch) []skills.Call {
	name := skills.Param{Name: "supervisor_name", Type: "string", Doc: `a name or pid of sup_list: "Shop.Supervisor", "<0.123.0>"`}
	every := name
	every.Default, every.Doc = "", "a supervisor that died, by name or pid; empty: all that left something"
	limit := skills.Limit(20, 100, "how many processes")
	return []skills.Call{
		{
			Name: "sup_list",
			Doc: "supervisors, those that do not answer first, then those with most children: name (registered, else its module), pid, child_count, active_children, module, application, " +
				"dynamic (its children come and go), or answers false and function (where it stands); total. truncated: there are, or may be, more.",
			Params:  []skills.Param{skills.Limit(50, 500, "how many supervisors")},
			Example: "sup_list(20)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.list(ctx, a.Int("limit")) },
		},
		{
			Name: "sup_children",
			Doc: "children of a supervisor, 200 at most: id (_ stands for text in it), pid (a process, undefined or restarting), type (worker, supervisor), name, initial_call; supervisor_name, supervisor_pid, total_children. " +
				"error failed_to_get_children, with function and note, when it does not answer.",
			Params:  []skills.Param{name},
			Example: `sup_children("kernel_sup")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.childrenOf(ctx, a.String("supervisor_name"))
			},
		},
		{
			Name:    "sup_tree",
			Doc:     "a supervisor and what is below it: name, pid, type (of supervisors), children; at depth 3, after 300 processes, and where there are more than 1000 children, truncated is true and child_count tells how many there are.",
			Params:  []skills.Param{name},
			Example: `sup_tree("kernel_sup")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.treeOf(ctx, a.String("supervisor_name"))
			},
		},
		{
			Name:    "sup_unlinked_processes",
			Doc:     "processes with neither links nor monitors, those of the runtime left out, longest queue first: " + beamProcessDoc + "; total. truncated: there are more.",
			Params:  []skills.Param{limit},
			Example: "sup_unlinked_processes(10)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.unlinked(ctx, a.Int("limit")) },
		},
		{
			Name: "sup_orphaned_processes",
			Doc: "processes of which an ancestor has died (as proc_lib notes them: gen_server, Task, …), longest queue first: " + beamProcessDoc +
				", dead_ancestor_pids (pids or names), age_seconds (for how long the probe has seen it); total. note: what an old release does not tell. truncated: there are more.",
			Params:  []skills.Param{limit},
			Example: "sup_orphaned_processes(10)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.orphaned(ctx, a.Int("limit")) },
		},
		{
			Name: "sup_tree_integrity",
			Doc: "supervisor_name, supervisor_pid, status (healthy or degraded), total_children, active_children, undefined_children, restarting_children, restarts_5m (that snapshots saw), " +
				"anomalies: crash_loop (a child is restarting, or was restarted three times), high_undefined_ratio (more than half do not run), large_supervisor (more than 100 children), does_not_answer (then function: where it stands). note: what is not told of more than 1000 children.",
			Params:  []skills.Param{name},
			Example: `sup_tree_integrity("kernel_sup")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.integrity(ctx, a.String("supervisor_name"))
			},
		},
		{
			Name: "sup_zombie_children",
			Doc: "what a supervisor that died left behind: supervisor_name, supervisor_pid, status (alive, dead), zombie_count, zombie_children (100 at most, as in sup_orphaned_processes). " +
				"Without a name parents: the same for each dead ancestor, most first, 10 children each.",
			Params:  []skills.Param{every},
			Example: "sup_zombie_children()",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.zombieChildren(ctx, a.String("supervisor_name"))
			},
		},
		{
			Name: "sup_restarts",
			Doc: "children that were seen to be another process than before in five minutes, most often first: name (the child's id), pid (now), process (its name), function (what it began as), supervisor (name <pid>), " +
				"restarts_5m (a snapshot sees one at most), last (UTC); total. truncated: there are more.",
			Params:  []skills.Param{skills.Limit(10, 100, "how many children")},
			Example: "sup_restarts(5)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.restarted(ctx, a.Int("limit")) },
		},
	}
}
