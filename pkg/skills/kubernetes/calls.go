package kubernetes

import (
	"context"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	podDoc = "pod (namespace/name), phase, state (crash_loop, cannot_start, unschedulable, failed, not_ready, terminating, pending, done, ok), container (to blame), why, ready, restarts, workload, node, age_seconds"
	more   = " truncated. partial."
)

func (w *watch) calls() []skills.Call {
	namespace := skills.Param{Name: "namespace", Type: "string", Doc: "of this namespace only", Default: ""}
	return []skills.Call{
		{
			Name: "kube_pods", Example: `kube_pods(5, "ill")`,
			Doc: "Pods, the worst first. pods: " + podDoc + ". total." + more,
			Params: []skills.Param{
				skills.Limit(10, 50, "how many pods"),
				{Name: "state", Type: "string", Doc: "ill: those that are not well", Default: "ill", Enum: []string{
					"ill", "all", string(crashLoop), string(cannotStart), string(unschedulable), string(failed), string(notReady), string(terminating),
				}},
				namespace,
			},
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.pods(ctx, a.Int("limit"), a.String("state"), a.String("namespace"))
			},
		},
		{
			Name: "kube_pod", Example: `kube_pod("shop/checkout-5d8f7c9b64-9bq4t")`,
			Doc: "One pod, as in kube_pods, and containers: container, image, state, ready, restarts, running_seconds, last_end, last_end_seconds_ago, last_ran_seconds, memory_request_mb, memory_limit_mb, cpu_request_cores, cpu_limit_cores; " +
				"conditions (those that do not hold): condition, status, why, seconds; events, as in kube_events.",
			Params: []skills.Param{{Name: "pod", Type: "string", Doc: "namespace/name"}},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.pod(ctx, a.String("pod")) },
		},
		{
			Name: "kube_restarts", Example: "kube_restarts(5)",
			Doc:    "Containers that were started again, the last one first. containers: pod, container, restarts, why (how it ended: reason, exit code), exit_code, ended_seconds_ago, ran_seconds, memory_limit_mb, workload, node. total." + more,
			Params: []skills.Param{skills.Limit(10, 50, "how many containers")},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.restartsOf(ctx, a.Int("limit")) },
		},
		{
			Name: "kube_pending", Example: "kube_pending(5)",
			Doc:    "Pods that wait, the longest first, and what they ask for. pods: as in kube_pods, and cpu_request_cores, memory_request_mb. total." + more,
			Params: []skills.Param{skills.Limit(10, 50, "how many pods")},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.pending(ctx, a.Int("limit")) },
		},
		{
			Name: "kube_events", Example: "kube_events(5)",
			Doc: "Warnings of the last hour, those of the last 15 minutes first, of these the most frequent. events: about, reason, why, times, seconds_ago (the last time), since_seconds. total." + more,
			Params: []skills.Param{
				skills.Limit(10, 50, "how many events"),
				{Name: "about", Type: "string", Doc: "of this pod or workload only: namespace/name", Default: ""},
			},
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.events(ctx, a.Int("limit"), a.String("about"))
			},
		},
		{
			Name: "kube_rollouts", Example: "kube_rollouts(5)",
			Doc: "Deployments, StatefulSets and DaemonSets: those that lack pods or are being rolled out first, then the last changed. workloads: workload, desired, updated, ready, available, rolling, stuck (why it goes on no more), paused, images, " +
				"and of Deployments revision, rolled_out_seconds_ago, changed (image before → now). total. errors (what may not be read)." + more,
			Params: []skills.Param{skills.Limit(10, 50, "how many workloads")},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.rollouts(ctx, a.Int("limit")) },
		},
		{
			Name: "kube_history", Example: `kube_history("shop/checkout")`,
			Doc:    "What one Deployment ran, the newest first, at most 10. workload; revisions: revision, replica_set, created_seconds_ago, pods, ready, images, changed (image before → now; absent: something else changed). truncated.",
			Params: []skills.Param{{Name: "deployment", Type: "string", Doc: "namespace/name"}},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.history(ctx, a.String("deployment")) },
		},
		{
			Name: "kube_nodes", Example: "kube_nodes(5)",
			Doc: "Nodes, those that are not ready first, then those under pressure. nodes: node, ready (True, False, Unknown), why, not_ready_seconds, unschedulable, pods, cpu_requested_cores, cpu_allocatable_cores, cpu_requested_pct, " +
				"memory_requested_mb, memory_allocatable_mb, memory_requested_pct, kubelet. What is requested is absent where not all namespaces are looked into." + more,
			Params: []skills.Param{skills.Limit(10, 100, "how many nodes")},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.nodes(ctx, a.Int("limit")) },
		},
		{
			Name: "kube_autoscalers", Example: "kube_autoscalers(5)",
			Doc:    "Autoscalers (HPA), those nearest to their maximum first. autoscalers: autoscaler, of, pods, wanted, min, max, limited (it would have more than it may), why (it cannot tell how many). total." + more,
			Params: []skills.Param{skills.Limit(10, 50, "how many autoscalers")},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.autoscalers(ctx, a.Int("limit")) },
		},
		{
			Name: "kube_access", Example: "kube_access()",
			Doc: "What the probe may list. resources: resource, allowed, why (the rule that is missing).",
			Run: func(ctx context.Context, _ skills.Args) (any, error) { return w.access(ctx) },
		},
	}
}
