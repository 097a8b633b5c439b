// Package supervisor is the skill of who keeps whom alive: services and their
// restarts, parents and children, and processes that nobody looks after any more.
package supervisor

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/systemd"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed host.md
var hostPrompt string

// Skill returns the skill; r reads the machine, units asks its systemd. The skill
// keeps what it saw: make one for each machine and process.
func Skill(r *host.Reader, units *systemd.Manager) skills.Skill {
	w := newWatcher(r, units)
	return skills.Skill{
		Name:    "supervisor",
		Title:   "Supervision",
		Summary: "systemd units that failed or restart again and again, programs that their supervisor respawns, zombies, orphans, and the tree of processes of one Linux host.",
		Prefix:  "sup_",
		Sources: []skills.Source{{
			Kind: skills.Host, Prompt: hostPrompt, Metrics: metrics, Checks: checks, Calls: w.calls(), Snapshot: w.snapshot,
		}},
	}
}

var metrics = []skills.Metric{
	skills.Gauge("supervisor_count", protocol.Count, "Processes that have children."),
	skills.Gauge("total_children", protocol.Count, "Those children."),
	skills.Gauge("zombies", protocol.Count, "Processes that ended and whose parent has not asked how."),
	skills.Gauge("zombies_lasting", protocol.Count, "Those of them that were there a minute ago too."),
	skills.Info("zombie_parent", protocol.Text, "The parent with most zombies, as name (pid); absent when there is none."),
	skills.Gauge("zombie_parent_children", protocol.Count, "How many zombies it has."),
	skills.Gauge("orphans", protocol.Count, "Processes whose parent and session leader have ended, so that nobody waits for them."),
	skills.Gauge("respawns_10m", protocol.Count, "How often in ten minutes the child of a supervisor was seen to be another one than before, for the child with most; a snapshot sees one at most."),
	skills.Info("respawn_process", protocol.Text, "That child and its supervisor, as name of supervisor (pid); absent when there is none."),
	skills.Gauge("units_failed", protocol.Count, "systemd units in the state failed; absent where there is no systemd, as the others of units."),
	skills.Gauge("units_failed_1h", protocol.Count, "Those of them that failed in the last hour."),
	skills.Info("failed_unit", protocol.Text, "The last one that failed."),
	skills.Info("failed_unit_result", protocol.Text, "How: exit-code, signal, oom-kill, timeout, start-limit-hit."),
	skills.Gauge("units_starting", protocol.Count, "Units that are being started or wait to be restarted."),
	skills.Gauge("unit_restarts_10m", protocol.Count, "How often systemd restarted a service by itself in ten minutes, for the service with most."),
	skills.Info("restarting_unit", protocol.Text, "That service; absent when there is none."),
}

var checks = []skills.Check{
	skills.Above("unit_restarts_10m", 3, 10, "service",
		"systemd restarted {restarting_unit} {value} times in ten minutes",
		"sup_restarts(5)",
		"It crashes or is killed again and again: its log says why, and its exit code tells which."),
	skills.Above("respawns_10m", 3, 10, "service",
		"{respawn_process} was started again {value} times in ten minutes",
		"sup_restarts(5)",
		"The program ends by itself or is killed: look at its log and at kills for want of memory."),
	skills.Above("units_failed_1h", 1, 5, "service",
		"{value} unit(s) failed in the last hour, {failed_unit} last ({failed_unit_result})",
		`sup_units("failed", 10)`,
		"See its log: systemctl status and journalctl -u with its name."),
	skills.Above("zombies_lasting", 20, 500, "processes",
		"{value} zombies last; {zombie_parent} has {zombie_parent_children} of them",
		"sup_zombie_children()",
		"That parent does not wait for its children: a bug in it. Zombies use process ids only; they go when the parent ends."),
	skills.Above("orphans", 200, 2000, "processes",
		"{value} processes have lost their parent and their session",
		"sup_orphaned_processes(10)",
		"Something starts processes and dies without them, again and again: the names tell what."),
}
