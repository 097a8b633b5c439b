// Package hostos is the os skill: the resources of one machine as its operating
// system accounts for them — processor, memory, filesystems, I/O, limits — and
// which processes use them. (The folder bears the skill's name, os; the package
// does not, for the sake of files that need the standard one.)
//
// It tells what is short and who holds it. Why a program wants so much is for
// the skills of that program.
package hostos

import (
	"context"
	_ "embed"
	"os"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed host.md
var hostPrompt string

// Skill returns the os skill; r reads the machine. The skill keeps the reading
// of the snapshot before, for rates: make one for each machine and process.
func Skill(r *host.Reader) skills.Skill {
	h := &history{host: r}
	return skills.Skill{
		Name:    "os",
		Title:   "System resources",
		Summary: "CPU load, memory, disks, I/O, limits and the processes that use them, on one Linux host.",
		Prefix:  "system_",
		Sources: []skills.Source{{
			Kind:     skills.Host,
			Prompt:   hostPrompt,
			Metrics:  metrics,
			Checks:   checks,
			Calls:    calls(h),
			Snapshot: h.snapshot,
		}},
	}
}

// Node returns a function that describes the machine r reads, for
// [skills.BaseCalls]. name is what the fleet calls it; empty means the name the
// kernel has.
func Node(r *host.Reader, name string) func(context.Context) (skills.Node, error) {
	return func(context.Context) (skills.Node, error) {
		n := skills.Node{Name: name, OSType: "linux", OSName: r.OSName()}
		if n.Name == "" {
			n.Name, _ = os.Hostname()
		}
		up, err := r.Uptime()
		n.UptimeSeconds = int64(up.Seconds())
		return n, err
	}
}

// Rates, shares of time and "recent" figures are over the time since the
// snapshot before; the first snapshot of a probe lacks them.
var metrics = []skills.Metric{
	skills.Gauge("cpu_load_1m", protocol.Load, "Load average over one minute: tasks that run, wait for a core, or wait uninterruptibly (mostly for a disk)."),
	skills.Gauge("cpu_load_5m", protocol.Load, "Load average over five minutes."),
	skills.Gauge("cpu_load_15m", protocol.Load, "Load average over fifteen minutes."),
	skills.Gauge("cpu_load_per_core_1m", protocol.Load, "cpu_load_1m divided by cpu_count."),
	skills.Info("cpu_count", protocol.Count, "Cores online."),
	skills.Gauge("cpu_used_pct", protocol.Percent, "Processor time used since the snapshot before, of all cores."),
	skills.Gauge("cpu_used_5m_pct", protocol.Percent, "Processor time used over about the last five minutes, of all cores; absent until there are four minutes to look back on."),
	skills.Gauge("cpu_iowait_pct", protocol.Percent, "Time in which a core had nothing to do while a task of it waited for a disk."),
	skills.Gauge("cpu_steal_pct", protocol.Percent, "Time the hypervisor gave to other machines though this one wanted it."),
	skills.Gauge("context_switches_per_sec", protocol.PerSecond, "Changes of the running task."),
	skills.Gauge("forks_per_sec", protocol.PerSecond, "Processes and threads started."),

	skills.Gauge("memory_used_pct", protocol.Percent, "Memory that programs cannot get any more: total minus available. Cache that can be dropped is not counted."),
	skills.Info("memory_total_mb", protocol.Mebibytes, "Memory of the machine."),
	skills.Gauge("memory_available_mb", protocol.Mebibytes, "Memory that programs can get without swapping."),
	skills.Gauge("swap_used_pct", protocol.Percent, "Use of the swap space; absent without any. Full swap alone is no fault: idle pages stay there."),
	skills.Gauge("swap_in_pages_per_sec", protocol.PerSecond, "Pages of 4 KiB (on most machines) read back from swap: programs wait for these."),
	skills.Gauge("swap_out_pages_per_sec", protocol.PerSecond, "Pages written to swap."),
	skills.Gauge("major_faults_per_sec", protocol.PerSecond, "Page faults that had to read from a disk."),
	skills.Counter("oom_kills", protocol.Count, "Processes the kernel killed for want of memory since boot, in any cgroup."),
	skills.Gauge("oom_kills_recent", protocol.Count, "Those of them since the snapshot before."),

	skills.Gauge("disk_max_used_pct", protocol.Percent, "Use of the fullest filesystem, of what programs that are not root's may use; read-only ones are not counted."),
	skills.Info("disk_max_mount", protocol.Text, "Where that filesystem is mounted."),
	skills.Gauge("disk_max_free_mb", protocol.Mebibytes, "What is left on it for programs that are not root's."),
	skills.Gauge("disk_root_used_pct", protocol.Percent, "Use of the root filesystem."),
	skills.Gauge("disk_hung_mounts", protocol.Count, "Filesystems that did not tell their size in time, such as NFS with its server gone."),
	skills.Info("disk_hung_mount", protocol.Text, "One of those; absent when there is none."),
	skills.Gauge("inodes_max_used_pct", protocol.Percent, "Use of inodes (files and folders) of the filesystem that has the fewest left."),
	skills.Info("inodes_max_mount", protocol.Text, "Where that filesystem is mounted."),

	skills.Gauge("psi_cpu_some_avg10", protocol.Percent, "Share of the last 10 s in which at least one task waited for a core."),
	skills.Gauge("psi_cpu_some_avg300", protocol.Percent, "The same over 300 s."),
	skills.Gauge("psi_memory_some_avg10", protocol.Percent, "Share of the last 10 s in which at least one task waited for memory (swap, reclaim)."),
	skills.Gauge("psi_memory_full_avg10", protocol.Percent, "Share of the last 10 s in which all tasks waited for memory: nothing got done."),
	skills.Gauge("psi_io_some_avg10", protocol.Percent, "Share of the last 10 s in which at least one task waited for a disk."),
	skills.Gauge("psi_io_full_avg10", protocol.Percent, "Share of the last 10 s in which all tasks waited for a disk."),
	skills.Gauge("psi_io_full_avg60", protocol.Percent, "The same over 60 s."),

	skills.Gauge("disk_read_bytes_per_sec", protocol.BytesPerSecond, "Read from all disks. Devices stacked on others (LVM, RAID) are not counted twice."),
	skills.Gauge("disk_write_bytes_per_sec", protocol.BytesPerSecond, "Written to all disks."),
	skills.Gauge("disk_busiest_util_pct", protocol.Percent, "Share of time in which the busiest disk had a request in flight. A disk that serves requests in parallel may do more at 100."),
	skills.Info("disk_busiest_device", protocol.Text, "The busiest disk; absent when none did anything."),
	skills.Gauge("net_rx_bytes_per_sec", protocol.BytesPerSecond, "Received on all interfaces but loopback and virtual ones."),
	skills.Gauge("net_tx_bytes_per_sec", protocol.BytesPerSecond, "Sent on all interfaces but loopback and virtual ones."),
	skills.Gauge("net_errors_per_sec", protocol.PerSecond, "Packets damaged on the way in or out."),
	skills.Gauge("net_drops_per_sec", protocol.PerSecond, "Packets dropped for want of room, or because nobody wanted them."),

	skills.Gauge("processes", protocol.Count, "Processes."),
	skills.Gauge("processes_zombie", protocol.Count, "Processes that ended and whose parent has not asked how."),
	skills.Gauge("processes_blocked", protocol.Count, "Tasks that waited uninterruptibly (for a disk) at this moment."),
	skills.Gauge("threads", protocol.Count, "Threads of all processes."),
	skills.Gauge("threads_used_pct", protocol.Percent, "Use of the kernel's limit on threads."),
	skills.Gauge("file_descriptors_used", protocol.Count, "Open file handles of the whole machine."),
	skills.Gauge("file_descriptors_used_pct", protocol.Percent, "Use of the machine's limit on them."),

	skills.Gauge("cgroup_memory_used_pct", protocol.Percent, "Use of the memory limit of the container or service the probe runs in, cache that can be dropped not counted; absent without a limit."),
	skills.Info("cgroup_memory_limit_mb", protocol.Mebibytes, "That limit."),
	skills.Gauge("cgroup_cpu_throttled_pct", protocol.Percent, "Share of periods in which that group used up its limit of processor time and stood still; absent without a limit."),
	skills.Counter("cgroup_oom_kills", protocol.Count, "Processes of that group killed for want of memory."),
	skills.Gauge("cgroup_oom_kills_recent", protocol.Count, "Those of them since the snapshot before."),

	skills.Info("top_cpu_process", protocol.Text, "The process that used most processor time since the snapshot before, as name (pid); absent when none used any."),
	skills.Gauge("top_cpu_pct", protocol.Percent, "What it used, of one core: 200 is two cores."),
	skills.Info("top_memory_process", protocol.Text, "The process with most resident memory, as name (pid)."),
	skills.Gauge("top_memory_mb", protocol.Mebibytes, "Its resident memory."),
	skills.Info("uptime_seconds", protocol.Seconds, "How long the machine has been up."),
}

// Thresholds are such that an idle machine, or one that builds something for a
// few minutes, crosses none. That is why the processor is judged by averages of
// one minute and more, and each core may have two tasks: a build with one job a
// core keeps the load at one a core and harms nobody.
var checks = []skills.Check{
	skills.Above("memory_used_pct", 85, 95, "memory",
		"memory is {value} % used; the largest process is {top_memory_process} with {top_memory_mb} MiB",
		`system_top_processes(5, "memory")`,
		"Find out whether the largest process grows or always was that size; limit or restart it, or give the machine more memory."),
	skills.Above("psi_memory_full_avg10", 10, 30, "memory",
		"all tasks waited for memory in {value} % of the last 10 s; the largest process is {top_memory_process} with {top_memory_mb} MiB",
		`system_top_processes(5, "memory")`,
		"Memory is too small for what runs: move or limit the largest processes."),
	skills.Above("swap_in_pages_per_sec", 1000, 10000, "memory",
		"{value} pages a second are read back from swap; memory is {memory_used_pct} % used",
		`system_top_processes(5, "memory")`,
		"Programs run from swap: free memory, or move work away."),
	skills.Above("oom_kills_recent", 1, 3, "memory",
		"the kernel killed {value} process(es) for want of memory since the last snapshot; the largest process now is {top_memory_process} with {top_memory_mb} MiB",
		"system_get_oom_kills()",
		"The kernel's log names the process that was killed and the one that asked for memory; a limit of its cgroup may be too low."),
	skills.Above("cgroup_memory_used_pct", 85, 95, "memory",
		"the container or service of the probe uses {value} % of its memory limit of {cgroup_memory_limit_mb} MiB",
		"system_get_limits()",
		"Raise the limit, or find what grows in it."),
	skills.Above("cgroup_oom_kills_recent", 1, 3, "memory",
		"{value} process(es) of the probe's container or service were killed at its memory limit since the last snapshot",
		"system_get_limits()",
		"Raise the limit, or find what grows in it."),
	skills.Above("disk_max_used_pct", 90, 95, "disk",
		"{disk_max_mount} is {value} % full, {disk_max_free_mb} MiB are left",
		"system_get_disks()",
		"Remove or move old files, rotate logs, or enlarge the filesystem. Space of deleted files comes back when the process that holds them open ends."),
	skills.Above("inodes_max_used_pct", 90, 95, "disk",
		"{inodes_max_mount} has used {value} % of its inodes: soon no file can be made there, whatever space is left",
		"system_get_disks()",
		"Many small files: look for session, cache and mail queue folders."),
	skills.Above("disk_hung_mounts", 1, 2, "disk",
		"{value} filesystem(s) do not answer, {disk_hung_mount} among them: processes that touch it hang",
		"system_get_disks()",
		"Look at the server or disk behind that mount."),
	skills.Above("psi_io_full_avg60", 30, 60, "disk_io",
		"all tasks waited for a disk in {value} % of the last 60 s; the busiest disk is {disk_busiest_device} at {disk_busiest_util_pct} %",
		"system_get_io()",
		"Find who reads or writes so much, or whether the disk itself got slow."),
	skills.Above("cpu_iowait_pct", 50, 80, "disk_io",
		"cores stood idle waiting for a disk in {value} % of the time; the busiest disk is {disk_busiest_device} at {disk_busiest_util_pct} %",
		"system_get_io()",
		"Find who reads or writes so much, or whether the disk itself got slow."),
	skills.Above("cpu_load_per_core_1m", 2, 5, "cpu",
		"{value} tasks a core run or wait (load {cpu_load_1m} on {cpu_count} cores); {top_cpu_process} uses {top_cpu_pct} % of a core",
		`system_top_processes(5, "cpu")`,
		"If cpu_used_pct is high, too much wants the processor; if not, the tasks wait for a disk."),
	skills.Above("cpu_used_5m_pct", 90, 97, "cpu",
		"the processor was {value} % used over the last five minutes; {top_cpu_process} uses {top_cpu_pct} % of a core",
		`system_top_processes(5, "cpu")`,
		"Find out whether that is the work the machine is there for; if so it needs more cores, if not stop it."),
	skills.Above("psi_cpu_some_avg300", 75, 95, "cpu",
		"tasks waited for a core in {value} % of the last 300 s; {top_cpu_process} uses {top_cpu_pct} % of a core",
		`system_top_processes(5, "cpu")`,
		"More work than cores: move some away, or give the important service a larger share."),
	skills.Above("cpu_steal_pct", 10, 25, "cpu",
		"the hypervisor withheld {value} % of the processor time",
		"system_get_cpu()",
		"Other machines on the same hardware are busy, or a credit of a burstable instance is used up: move the machine or change its type."),
	skills.Above("cgroup_cpu_throttled_pct", 25, 60, "cpu",
		"the container or service of the probe stood still in {value} % of the periods because its limit of processor time was used up",
		"system_get_limits()",
		"Raise the limit: throttling shows as slowness while the machine is idle."),
	skills.Above("threads_used_pct", 80, 95, "threads",
		"{threads} threads are {value} % of the kernel's limit: soon nothing can be started",
		`system_top_processes(5, "threads")`,
		"Find the process that leaks threads, or the parent that starts processes without end."),
	skills.Above("file_descriptors_used_pct", 80, 95, "file_descriptors",
		"{file_descriptors_used} open file handles are {value} % of the machine's limit",
		`system_top_processes(5, "fds")`,
		"Find the process that leaks descriptors; raise fs.file-max if all of them are needed."),
	skills.Above("net_errors_per_sec", 10, 100, "network",
		"{value} packets a second are damaged on the way in or out",
		"system_get_io()",
		"A cable, a port or a driver is at fault."),
	skills.Above("net_drops_per_sec", 100, 1000, "network",
		"{value} packets a second are dropped",
		"system_get_io()",
		"The machine takes packets from its network card too slowly, or a queue is too short."),
}
