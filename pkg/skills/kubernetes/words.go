package kubernetes

import (
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

var metrics = []skills.Metric{
	skills.Gauge("reachable", protocol.Count, "1 when the API server answers, 0 when it is down or does not answer; then nothing else is there."),
	skills.Info("unreachable_reason", protocol.Text, "Why it does not."),
	skills.Info("server_version", protocol.Text, "Of the API server."),
	skills.Gauge("forbidden", protocol.Count, "Kinds of things that the probe may not list; what is made of them is absent."),
	skills.Info("forbidden_resources", protocol.Text, "Which."),
	skills.Gauge("partial", protocol.Count, "1 when a list has more than the 10,000 things that are read of it, else 0."),

	skills.Gauge("pods", protocol.Count, "Pods, of the namespaces that are looked into."),
	skills.Gauge("pods_running", protocol.Count, "Those in the phase Running."),
	skills.Gauge("pods_crash_looping", protocol.Count, "Pods with a container that ends again and again."),
	skills.Info("crash_looping", protocol.Text, "The one with most restarts, as namespace/pod (container)."),
	skills.Info("crash_reason", protocol.Text, "How that container ends: reason, exit code, how often it was started again."),
	skills.Gauge("pods_cannot_start", protocol.Count, "Pods with a container whose image or configuration is not to be had."),
	skills.Info("cannot_start", protocol.Text, "One of them, as namespace/pod (container)."),
	skills.Info("cannot_start_reason", protocol.Text, "Why it cannot."),
	skills.Gauge("pods_unschedulable", protocol.Count, "Pods for which there is no node."),
	skills.Info("unschedulable", protocol.Text, "One of them."),
	skills.Info("unschedulable_reason", protocol.Text, "What the scheduler says."),
	skills.Gauge("pods_not_ready", protocol.Count, "Pods that run and have not been ready for two minutes; crash loops left out."),
	skills.Info("not_ready", protocol.Text, "One of them, as namespace/pod (container)."),
	skills.Info("not_ready_reason", protocol.Text, "What its condition says."),
	skills.Gauge("pods_failed", protocol.Count, "Pods that ended with a failure and stay: evicted ones, and those of jobs."),
	skills.Info("failed", protocol.Text, "One of them."),
	skills.Info("failed_reason", protocol.Text, "Why."),
	skills.Gauge("pods_terminating", protocol.Count, "Pods deleted more than ten minutes ago that are still there."),
	skills.Info("terminating", protocol.Text, "One of them."),
	skills.Gauge("pending_max_seconds", protocol.Seconds, "How long the pod that waits longest has waited to be started; 0: none does."),
	skills.Info("pending_longest", protocol.Text, "That pod."),
	skills.Gauge("oom_killed_recent", protocol.Count, "Containers whose last end, less than 15 minutes ago, was for want of memory."),
	skills.Info("oom_killed", protocol.Text, "The last of them, as namespace/pod (container)."),
	skills.Info("oom_limit_mb", protocol.Mebibytes, "Its limit of memory; absent: it has none, so the node had too little."),
	skills.Gauge("restarts_recent", protocol.Count, "Restarts of containers since the snapshot before; the first snapshot of a probe lacks it."),
	skills.Info("restarting", protocol.Text, "The container with most of them, as namespace/pod (container)."),

	skills.Gauge("workloads", protocol.Count, "Deployments, StatefulSets and DaemonSets."),
	skills.Gauge("workloads_short", protocol.Count, "Those with fewer available pods than they should have."),
	skills.Info("workload_short", protocol.Text, "The worst of them, as kind namespace/name."),
	skills.Info("workload_short_missing", protocol.Count, "How many pods it lacks."),
	skills.Info("workload_short_desired", protocol.Count, "How many it should have."),
	skills.Gauge("workloads_down", protocol.Count, "Those that should have pods and have none available."),
	skills.Info("workload_down", protocol.Text, "One of them."),
	skills.Gauge("rollouts_running", protocol.Count, "Workloads that are being rolled out."),
	skills.Gauge("rollouts_stuck", protocol.Count, "Deployments whose rollout goes on no more."),
	skills.Info("rollout_stuck", protocol.Text, "One of them."),
	skills.Info("rollout_stuck_reason", protocol.Text, "What its condition says."),
	skills.Info("suspect_rollout", protocol.Text, "The Deployment of the pod that fares worst, if its last rollout changed an image."),
	skills.Info("suspect_image_from", protocol.Text, "The image before."),
	skills.Info("suspect_image_to", protocol.Text, "The image now."),
	skills.Info("suspect_rollout_seconds", protocol.Seconds, "How long ago that was."),

	skills.Gauge("nodes", protocol.Count, "Nodes of the cluster."),
	skills.Gauge("nodes_not_ready", protocol.Count, "Those that are not ready, or do not answer."),
	skills.Info("node_not_ready", protocol.Text, "One of them."),
	skills.Info("node_not_ready_reason", protocol.Text, "What its condition says."),
	skills.Info("node_not_ready_seconds", protocol.Seconds, "Since when."),
	skills.Gauge("nodes_under_pressure", protocol.Count, "Nodes that have too little memory, disk or process ids, or no network."),
	skills.Info("node_pressure", protocol.Text, "One of them."),
	skills.Info("node_pressure_of", protocol.Text, "What it has too little of: MemoryPressure, DiskPressure, PIDPressure, NetworkUnavailable."),
	skills.Gauge("nodes_unschedulable", protocol.Count, "Nodes that somebody has closed to new pods (cordon)."),
	skills.Gauge("node_cpu_requested_pct", protocol.Percent, "Processors that pods have asked for, of those that there are: the fullest node."),
	skills.Info("node_cpu_requested_most", protocol.Text, "That node."),
	skills.Gauge("node_memory_requested_pct", protocol.Percent, "The same of memory; both absent where not all namespaces are looked into."),
	skills.Info("node_memory_requested_most", protocol.Text, "That node."),

	skills.Gauge("warnings_recent", protocol.Count, "Different warnings (events) of the last 15 minutes."),
	skills.Info("warning_first", protocol.Text, "The most frequent of them."),
	skills.Info("warning_first_times", protocol.Count, "How often it was said."),
	skills.Gauge("autoscalers", protocol.Count, "HorizontalPodAutoscalers."),
	skills.Gauge("autoscalers_limited", protocol.Count, "Those that would have more pods than they may."),
	skills.Info("autoscaler_limited", protocol.Text, "One of them."),
	skills.Info("autoscaler_max", protocol.Count, "How many pods it may have."),
}

// changed is what checks say of a rollout before the trouble; it is left out where there
// was none.
const changed = "; {suspect_rollout} was rolled out {suspect_rollout_seconds} s ago: image {suspect_image_from} before, {suspect_image_to} now"

// Thresholds leave alone what a cluster does all day: pods that come and go, rollouts under
// way, requests near what a node has. What belongs to one workload is one problem.
var checks = []skills.Check{
	{
		Metric: "reachable", Op: protocol.Below, Critical: skills.Level(0), Resource: "api_server",
		Says:   "{unreachable_reason}",
		Advice: "See whether the control plane runs. Pods go on without it, and nothing is started anew.",
	},
	skills.Above("pods_crash_looping", 1, 5, "workload",
		"{value} pods crash again and again, first {crash_looping}: {crash_reason}"+changed,
		"kube_restarts(5)",
		"Read the container's last log (kubectl logs --previous). If it began with a rollout, roll back."),
	skills.Above("pods_cannot_start", 1, 10, "workload",
		"{value} pods cannot be started, first {cannot_start}: {cannot_start_reason}"+changed,
		`kube_pods(5, "cannot_start")`,
		"Check the image's name and tag, the pull secret, and that the config map or secret it names exists."),
	{
		Metric: "workloads_down", Op: protocol.Above, Critical: skills.Level(1), Resource: "workload",
		Says:   "{value} workloads have no available pod, first {workload_down}",
		Ask:    "kube_rollouts(5)",
		Advice: "See why its pods are not ready; if it began with a rollout, roll back.",
	},
	{
		Metric: "rollouts_stuck", Op: protocol.Above, Warn: skills.Level(1), Resource: "workload",
		Says:   "{value} rollouts go on no more, first {rollout_stuck}: {rollout_stuck_reason}" + changed,
		Ask:    "kube_rollouts(5)",
		Advice: "Its new pods do not get ready: see their events and probes, or roll back. The old pods still serve.",
	},
	{
		Metric: "oom_killed_recent", Op: protocol.Above, Warn: skills.Level(1), Resource: "workload",
		Says:   "{value} containers were killed for want of memory, last {oom_killed}; its limit is {oom_limit_mb} MiB",
		Ask:    "kube_restarts(5)",
		Advice: "See whether it leaks or the limit is too low for its load; a limit below what a runtime takes at its start kills it each time.",
	},
	skills.Above("pods_not_ready", 3, 20, "workload",
		"{value} pods run and are not ready, first {not_ready}: {not_ready_reason}"+changed,
		`kube_pods(5, "not_ready")`,
		"Their readiness probe fails: see what they depend on, and kube_events for the probe's answer."),
	skills.Above("restarts_recent", 5, 50, "workload",
		"containers were started again {value} times since the last snapshot, most often {restarting}",
		"kube_restarts(5)",
		"Many at once: a node, or something that all depend on. One: read its last log."),
	{
		Metric: "pods_unschedulable", Op: protocol.Above, Warn: skills.Level(1), Critical: skills.Level(10), Resource: "room",
		Says:   "{value} pods have no node, first {unschedulable}: {unschedulable_reason}",
		Ask:    "kube_pending(5)",
		Advice: "Add nodes, lower what pods request, or see which taint, affinity or volume keeps them away.",
	},
	{
		Metric: "nodes_not_ready", Op: protocol.Above, Warn: skills.Level(1), Critical: skills.Level(3), Resource: "node",
		Says:   "{value} of {nodes} nodes are not ready, first {node_not_ready} for {node_not_ready_seconds} s: {node_not_ready_reason}",
		Ask:    "kube_nodes(5)",
		Advice: "See the machine: its kubelet, its disk and its network. After five minutes its pods are started elsewhere.",
	},
	{
		Metric: "nodes_under_pressure", Op: protocol.Above, Warn: skills.Level(1), Critical: skills.Level(3), Resource: "node",
		Says:   "{value} nodes are short of something, first {node_pressure}: {node_pressure_of}",
		Ask:    "kube_nodes(5)",
		Advice: "The kubelet evicts pods until it has enough: find who fills the disk or the memory without a limit.",
	},
	{
		Metric: "pods_terminating", Op: protocol.Above, Warn: skills.Level(1), Resource: "terminating",
		Says:   "{value} pods were deleted more than ten minutes ago and are still there, first {terminating}",
		Ask:    `kube_pods(5, "terminating")`,
		Advice: "Its node is gone or its volume cannot be unmounted. A StatefulSet does not replace it until it is gone.",
	},
	{
		Metric: "autoscalers_limited", Op: protocol.Above, Warn: skills.Level(1), Resource: "autoscaler",
		Says:   "{value} autoscalers would have more pods than they may, first {autoscaler_limited}, at {autoscaler_max}",
		Ask:    "kube_autoscalers(5)",
		Advice: "Raise its maximum if the nodes have room, or see why the load is so high.",
	},
}
