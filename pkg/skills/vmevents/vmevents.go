// Package vmevents is the skill of rare events that harm programs from below: what
// the kernel of a host, or the runtime of a service, did to them or could not do.
package vmevents

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/kmsg"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed host.md
var hostPrompt string

// Skill returns the skill; r reads the machine and log its kernel's log. The skill
// keeps the events it has read: make one for each machine and process.
func Skill(r *host.Reader, log *kmsg.Log) skills.Skill {
	return skills.Skill{
		Name:    "vm_events",
		Title:   "System events",
		Summary: "What the kernel or a runtime did to programs: OOM kills, hung tasks, I/O and filesystem errors, crashes, throttling; long pauses of a Go service.",
		Prefix:  "sysmon_",
		Sources: []skills.Source{hostSource(r, log)},
	}
}

func hostSource(r *host.Reader, log *kmsg.Log) skills.Source {
	w := &watcher{host: r, log: log}
	return skills.Source{
		Kind: skills.Host, Prompt: hostPrompt, Metrics: hostMetrics, Checks: hostChecks, Calls: w.calls(), Snapshot: w.snapshot,
	}
}

// Events are those of the last five minutes.
var hostMetrics = []skills.Metric{
	skills.Gauge("kernel_events_5m", protocol.Count, "Events of all types below in the kernel's log of the last five minutes."),
	skills.Info("kernel_event_latest", protocol.Text, "The newest of them, as type: subject; absent when there is none."),
	skills.Gauge("kernel_log_lost", protocol.Count, "Records of the kernel's log that were overwritten before they were read, since the snapshot before."),
	skills.Gauge("oom_kills_5m", protocol.Count, "Processes the kernel killed for want of memory, of the machine or of a container."),
	skills.Info("oom_kill_process", protocol.Text, "The last one killed, as name (pid)."),
	skills.Gauge("hung_tasks_5m", protocol.Count, "Reports of tasks that waited uninterruptibly for minutes."),
	skills.Info("hung_task_process", protocol.Text, "The last one reported, as name (pid)."),
	skills.Gauge("lockups_5m", protocol.Count, "Reports of a processor that did nothing else for many seconds."),
	skills.Info("lockup_subject", protocol.Text, "The task or processor of the last one."),
	skills.Gauge("io_errors_5m", protocol.Count, "Errors of disks."),
	skills.Info("io_error_device", protocol.Text, "The disk of the last one."),
	skills.Gauge("fs_errors_5m", protocol.Count, "Damage that filesystems found in themselves."),
	skills.Info("fs_error_device", protocol.Text, "The device of the last one."),
	skills.Gauge("fs_read_only_5m", protocol.Count, "Filesystems that went read-only because of errors."),
	skills.Info("fs_read_only_device", protocol.Text, "The device of the last one."),
	skills.Gauge("hardware_errors_5m", protocol.Count, "Errors that memory, processor or bus reported."),
	skills.Info("hardware_error_subject", protocol.Text, "What reported the last one."),
	skills.Gauge("crashes_5m", protocol.Count, "Programs ended by a fault of their own: segmentation fault, invalid instruction."),
	skills.Info("crash_process", protocol.Text, "The last one, as name (pid)."),
	skills.Gauge("throttled_5m", protocol.Count, "Reports of a processor slowed down because of heat."),
	skills.Gauge("link_downs_5m", protocol.Count, "Network interfaces that lost their link."),
	skills.Info("link_down_interface", protocol.Text, "The last one."),
	skills.Gauge("net_drops_5m", protocol.Count, "Reports of connections dropped: a full table, SYN floods, no memory for TCP."),
	skills.Info("net_drop_subject", protocol.Text, "What the last one was about."),
	skills.Gauge("server_stalls_5m", protocol.Count, "Reports of a network filesystem's server that does not answer."),
	skills.Info("server_stall_subject", protocol.Text, "The last such server."),
	skills.Gauge("affected_process_count", protocol.Count, "Processes named in those events."),
	skills.Gauge("raid_degraded_arrays", protocol.Count, "Software RAID arrays that lack a disk; absent where there are none."),
	skills.Info("raid_degraded_array", protocol.Text, "The first of them."),
}

var hostChecks = []skills.Check{
	skills.Above("oom_kills_5m", 1, 3, "memory",
		"the kernel killed {value} process(es) for want of memory in the last five minutes, {oom_kill_process} last",
		`sysmon_events("oom_kill", 10)`,
		"The event names who was killed and with how much memory: that is the largest, not always the one that grew. A limit of its container may be too low."),
	skills.Above("hung_tasks_5m", 1, 5, "disk",
		"{value} time(s) in five minutes the kernel reported a task that waited for minutes, {hung_task_process} last",
		`sysmon_events("hung_task", 10)`,
		"Such a task waits for a disk or a network filesystem that does not answer: look for I/O errors and hung mounts."),
	skills.Above("lockups_5m", 1, 3, "cpu",
		"{value} lockup(s) of a processor in five minutes, {lockup_subject} last",
		`sysmon_events("lockup", 10)`,
		"A driver or the hypervisor keeps the processor: on a virtual machine look at steal, on hardware at drivers and firmware."),
	skills.Above("io_errors_5m", 1, 20, "disk",
		"{value} I/O error(s) in five minutes, on {io_error_device} last",
		`sysmon_events("io_error", 10)`,
		"The disk or its path is failing: check its SMART data and cables, and have a backup."),
	skills.Above("fs_errors_5m", 1, 10, "filesystem",
		"{value} filesystem error(s) in five minutes, on {fs_error_device} last",
		`sysmon_events("fs_error", 10)`,
		"The filesystem is damaged: unmount and check it soon; look for I/O errors of the disk below."),
	skills.Above("fs_read_only_5m", 1, 1, "filesystem",
		"{value} filesystem(s) went read-only because of errors, {fs_read_only_device} last",
		`sysmon_events("fs_read_only", 10)`,
		"Nothing can be written there until it is checked and mounted again."),
	skills.Above("hardware_errors_5m", 1, 10, "hardware",
		"{value} hardware error(s) in five minutes, reported by {hardware_error_subject} last",
		`sysmon_events("hardware_error", 10)`,
		"Corrected errors announce uncorrected ones: move work away and have the part replaced."),
	skills.Above("crashes_5m", 3, 20, "crash",
		"{value} programs crashed in five minutes, {crash_process} last",
		`sysmon_events("crash", 10)`,
		"The same name again and again is a bug or a broken library of that program; several names at once are memory or a bad update."),
	skills.Above("throttled_5m", 1, 20, "cpu",
		"a processor was slowed down because of heat, {value} report(s) in five minutes",
		`sysmon_events("throttled", 10)`,
		"Look at fans and air flow; work that does not need to run here can move."),
	skills.Above("link_downs_5m", 1, 3, "network",
		"{value} time(s) in five minutes an interface lost its link, {link_down_interface} last",
		`sysmon_events("link_down", 10)`,
		"Cable, port or switch; again and again is a flapping link."),
	skills.Above("net_drops_5m", 1, 10, "network",
		"{value} report(s) in five minutes of dropped connections, about {net_drop_subject} last",
		`sysmon_events("net_dropped", 10)`,
		"A full table of tracked connections, a flood, or no memory for TCP: see who holds the connections."),
	skills.Above("server_stalls_5m", 1, 5, "network_filesystem",
		"{value} report(s) in five minutes that {server_stall_subject} does not answer",
		`sysmon_events("server_stalled", 10)`,
		"Everything that touches that mount waits: look at the server and the way to it."),
	skills.Above("raid_degraded_arrays", 1, 2, "disk",
		"{value} RAID array(s) lack a disk, {raid_degraded_array} among them",
		"sysmon_stats()",
		"Replace the disk: until then the next failure loses data."),
}
