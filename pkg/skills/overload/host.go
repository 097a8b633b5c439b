package overload

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed host.md
var hostPrompt string

func hostSource(r *host.Reader) skills.Source {
	m := &machine{host: r, since: map[string]onset{}}
	return skills.Source{
		Kind: skills.Host, Prompt: hostPrompt, Metrics: hostMetrics, Checks: hostChecks, Calls: m.calls(), Snapshot: m.snapshot,
	}
}

var hostMetrics = []skills.Metric{
	skills.Info("overload_severity", protocol.Text, "none; transient: for less than five minutes; sustained: for longer; critical: work is refused or nothing gets done."),
	skills.Info("overload_type", protocol.Text, "What is scarce first: cpu, memory, disk, accept_queue, network, or none."),
	skills.Info("bottleneck_location", protocol.Text, "Where the work waits: a disk, a listener and its process, the run queue; absent without overload."),
	skills.Gauge("overloaded_seconds", protocol.Seconds, "How long something has been overloaded without a pause, as snapshots saw it."),
	skills.Info("recommended_action", protocol.Text, "shed_load, apply_backpressure, add_buffering or monitor."),
	skills.Gauge("affected_processes", protocol.Count, "Tasks that wait at this moment: for a core beyond those that have one, or uninterruptibly for a disk."),
	skills.Gauge("total_queue_depth", protocol.Count, "Those tasks, connections not accepted, and requests at disks, together."),

	skills.Gauge("run_queue_per_core", protocol.Count, "Tasks running or waiting for a core, of each core: the smaller of this moment's and the last minute's."),
	skills.Info("top_cpu_process", protocol.Text, "While the run queue is long: who used most processor time since the snapshot before, as name (pid)."),
	skills.Gauge("blocked_tasks", protocol.Count, "Tasks that wait uninterruptibly at this moment."),
	skills.Info("blocked_process", protocol.Text, "While there are some: one of them, that with the most threads, as name (pid)."),
	skills.Gauge("direct_reclaims_per_sec", protocol.PerSecond, "How often somebody who wanted memory had to free some first."),
	skills.Gauge("memory_exhausted_in_seconds", protocol.Seconds, "When memory and swap will be used up if it goes on as in the last minutes; absent unless they have shrunk steadily."),
	skills.Gauge("disk_queue_max", protocol.Count, "Mean requests in flight at the disk with most, of disks that were busy at least 90 % of the time and took 20 ms or more a request; 0 when none is."),
	skills.Info("disk_queue_device", protocol.Text, "That disk."),
	skills.Gauge("disk_queue_await_ms", protocol.Milliseconds, "What a request took there."),
	skills.Gauge("accept_queue_waiting", protocol.Count, "Connections that wait to be accepted, at all listeners."),
	skills.Gauge("accept_queue_max_used_pct", protocol.Percent, "Use of the fullest accept queue."),
	skills.Info("accept_queue_listener", protocol.Text, "The address of that listener, with its process where it is half full or more."),
	skills.Gauge("softnet_dropped_per_sec", protocol.PerSecond, "Packets dropped before the network stack saw them: a processor could not keep up."),
	skills.Gauge("softnet_squeezed_per_sec", protocol.PerSecond, "How often a processor had to leave packets for later."),
}

var hostChecks = []skills.Check{
	skills.Above("run_queue_per_core", 4, 10, "cpu",
		"{value} tasks a core run or wait for one; {top_cpu_process} uses most",
		"overload_bottleneck()",
		"More work than cores: find out whether one process or many want them; limit it, or move work away."),
	skills.Above("accept_queue_max_used_pct", 70, 95, "accept_queue",
		"the accept queue of {accept_queue_listener} is {value} % full",
		"overload_queue_analysis()",
		"Its program does not accept fast enough: see what it waits for. Until then shed load in front of it."),
	skills.Above("disk_queue_max", 8, 64, "disk_io",
		"{value} requests wait at {disk_queue_device}, each takes {disk_queue_await_ms} ms",
		"overload_bottleneck()",
		"Find who reads or writes so much, or whether the disk got slow."),
	skills.Above("blocked_tasks", 10, 50, "disk_io",
		"{value} tasks wait uninterruptibly, {blocked_process} among them",
		"overload_bottleneck()",
		"They wait for a disk or a network filesystem: see which, and whether it answers at all."),
	skills.Above("direct_reclaims_per_sec", 50, 1000, "memory",
		"{value} times a second somebody who wants memory has to free some first",
		"overload_bottleneck()",
		"Memory is short: everything slows down before anything is killed. Move or limit the largest processes."),
	skills.Below("memory_exhausted_in_seconds", 1800, 300, "memory",
		"memory and swap will be used up in {value} s if it goes on like this",
		"overload_predict_growth()",
		"Find who grows (system_top_processes) and limit or restart it before the kernel chooses."),
	skills.Above("softnet_dropped_per_sec", 10, 1000, "network",
		"{value} packets a second are dropped before the network stack sees them",
		"overload_queue_analysis()",
		"One processor takes all packets: spread the interrupts (RSS, RPS), raise net.core.netdev_max_backlog."),
}
