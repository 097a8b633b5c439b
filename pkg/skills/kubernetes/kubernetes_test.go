package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/kubetest"
	reach "github.com/fleetlens/fleetlens/internal/reach/kubernetes"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/kubernetes"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

// open returns the skill and its source of a cluster that is in a recorded state: no
// cluster can run in a test.
func open(t *testing.T, s *kubetest.Server, namespaces ...string) (skills.Skill, skills.Source) {
	t.Helper()
	c := reach.New(reach.Config{Kubeconfig: s.Kubeconfig(t), Namespaces: namespaces})
	t.Cleanup(c.Close)
	k := kubernetes.Skill(map[string]*reach.Cluster{"prod": c})
	return k, k.Sources[0].Open("prod")
}

func TestTheSkillKeepsItsPromises(t *testing.T) {
	k, _ := open(t, kubetest.New(t, "healthy"))
	skilltest.RunTarget(t, k, skills.Target{Name: "prod", Kind: skills.Kubernetes})
}

// crossed returns what the checks say of a snapshot, by their metrics.
func crossed(src skills.Source, d skills.Data) map[string]string {
	said := map[string]string{}
	for _, x := range skills.Evaluate(src.Checks, d) {
		said[x.Check.Metric] = x.Says
	}
	return said
}

func TestWhatIsSaidOfAState(t *testing.T) {
	const image = "; shop/checkout was rolled out"
	for _, tt := range []struct {
		state string
		says  map[string][]string // by metric; no others may be crossed
		data  map[string]any
	}{
		{"healthy", nil, map[string]any{"reachable": 1.0, "server_version": "v1.34.2", "pods": 9.0, "pods_running": 9.0, "workloads": 4.0, "nodes": 3.0, "autoscalers": 1.0, "warnings_recent": 0.0, "forbidden": 0.0, "partial": 0.0}},
		{"crashloop", map[string][]string{
			"pods_crash_looping": {"2 pods crash again and again, first shop/checkout-84c6d8b7f9-kw5zd (app): OOMKilled, exit code 137, started again 6 times", image, "checkout:1.4.2 before, registry.example/checkout:1.5.0 now"},
			"oom_killed_recent":  {"2 containers were killed for want of memory", "its limit is 256 MiB"},
		}, map[string]any{"workload_short": "Deployment shop/checkout", "workload_short_missing": 1.0, "warnings_recent": 2.0, "rollouts_running": 1.0}},
		{"image", map[string][]string{
			"pods_cannot_start": {"shop/cart-75c9f4b8d5-vx6rm (app): ImagePullBackOff", "registry.example/cart:2.0.1 before, registry.example/cart:2.1.O now"},
		}, map[string]any{"pending_longest": "shop/cart-75c9f4b8d5-vx6rm"}},
		{"unschedulable", map[string][]string{
			"pods_unschedulable": {"1 pods have no node, first shop/orders-db-1: 0/3 nodes are available: 3 Insufficient memory."},
		}, map[string]any{"pending_longest": "shop/orders-db-1", "node_memory_requested_most": "worker-2", "node_memory_requested_pct": 29.7}},
		{"stuck", map[string][]string{
			"rollouts_stuck": {"first Deployment shop/checkout: ProgressDeadlineExceeded", image},
		}, map[string]any{"pods_not_ready": 2.0, "warning_first_times": 148.0}},
		{"nodes", map[string][]string{
			"nodes_not_ready":      {"1 of 3 nodes are not ready, first worker-2", "Kubelet stopped posting node status"},
			"nodes_under_pressure": {"first worker-3: DiskPressure"},
		}, map[string]any{"nodes_unschedulable": 1.0, "pods_failed": 1.0, "failed_reason": "Evicted: The node was low on resource: ephemeral-storage."}},
		{"autoscaler", map[string][]string{
			"autoscalers_limited": {"first shop/checkout, at 10"},
		}, nil},
	} {
		t.Run(tt.state, func(t *testing.T) {
			_, src := open(t, kubetest.New(t, tt.state))
			d, err := src.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			said := crossed(src, d)
			for metric, text := range said {
				for _, want := range tt.says[metric] {
					if !strings.Contains(text, want) {
						t.Errorf("%s says %q, want %q in it", metric, text, want)
					}
				}
			}
			if len(said) != len(tt.says) {
				t.Errorf("it says %v", said)
			}
			for name, want := range tt.data {
				if d[name] != want {
					t.Errorf("%s is %v, want %v", name, d[name], want)
				}
			}
		})
	}
}

func rows(a map[string]any, name string) []map[string]any {
	list, _ := a[name].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

func TestWhatIsAnswered(t *testing.T) {
	for _, tt := range []struct {
		state, call, list string
		n                 int
		first             map[string]any // of the first row
	}{
		{"healthy", `kube_pods(5, "ill")`, "pods", 0, nil},
		{"healthy", `kube_pods(50, "all", "kube-system")`, "pods", 3, map[string]any{"workload": "DaemonSet kube-system/node-agent", "ready": "1 of 1"}},
		{"crashloop", `kube_pods(5)`, "pods", 2, map[string]any{
			"pod": "shop/checkout-84c6d8b7f9-kw5zd", "state": "crash_loop", "container": "app", "restarts": 6.0, "workload": "Deployment shop/checkout", "node": "worker-1",
			"why": "OOMKilled, exit code 137, started again 6 times",
		}},
		{"crashloop", `kube_pods(5, "unschedulable")`, "pods", 0, nil},
		{"nodes", `kube_pods(5)`, "pods", 1, map[string]any{"state": "failed", "why": "Evicted: The node was low on resource: ephemeral-storage."}},
		{"crashloop", `kube_pod("shop/checkout-84c6d8b7f9-kw5zd")`, "containers", 1, map[string]any{
			"container": "app", "image": "registry.example/checkout:1.5.0", "last_end": "OOMKilled, exit code 137", "memory_limit_mb": 256.0, "cpu_request_cores": 0.25, "last_ran_seconds": 15.0,
		}},
		{"crashloop", `kube_pod("shop/checkout-84c6d8b7f9-kw5zd")`, "events", 1, map[string]any{"reason": "BackOff", "times": 31.0}},
		{"stuck", `kube_pod("shop/checkout-84c6d8b7f9-bb4wz")`, "conditions", 2, map[string]any{"condition": "ContainersReady", "status": "False"}},
		{"crashloop", `kube_restarts(1)`, "containers", 1, map[string]any{"pod": "shop/checkout-84c6d8b7f9-kw5zd", "why": "OOMKilled, exit code 137", "exit_code": 137.0, "restarts": 6.0, "memory_limit_mb": 256.0, "ran_seconds": 15.0}},
		{"unschedulable", `kube_pending(5)`, "pods", 1, map[string]any{"pod": "shop/orders-db-1", "memory_request_mb": 16384.0, "cpu_request_cores": 2.0, "state": "unschedulable"}},
		{"crashloop", `kube_events(5)`, "events", 2, map[string]any{"about": "Pod shop/checkout-84c6d8b7f9-kw5zd", "reason": "BackOff", "times": 31.0}},
		{"crashloop", `kube_events(5, "shop/checkout-84c6d8b7f9-n6m2c")`, "events", 1, map[string]any{"times": 27.0}},
		{"crashloop", `kube_rollouts(1)`, "workloads", 1, map[string]any{
			"workload": "Deployment shop/checkout", "desired": 3.0, "available": 2.0, "revision": 8.0, "rolling": true, "changed": "image registry.example/checkout:1.4.2 → registry.example/checkout:1.5.0",
		}},
		{"stuck", `kube_rollouts(5)`, "workloads", 4, map[string]any{"workload": "Deployment shop/checkout", "stuck": `ProgressDeadlineExceeded: ReplicaSet "checkout-84c6d8b7f9" has timed out progressing.`}},
		{"crashloop", `kube_history("shop/checkout")`, "revisions", 3, map[string]any{"revision": 8.0, "pods": 2.0, "ready": 0.0, "images": "app registry.example/checkout:1.5.0"}},
		{"nodes", `kube_nodes(5)`, "nodes", 3, map[string]any{"node": "worker-2", "ready": "Unknown", "why": "NodeStatusUnknown: Kubelet stopped posting node status."}},
		{"healthy", `kube_nodes(1)`, "nodes", 1, map[string]any{"node": "worker-2", "pods": 3.0, "memory_requested_mb": 2432.0, "memory_allocatable_mb": 8192.0, "memory_requested_pct": 29.7, "cpu_requested_cores": 1.35}},
		{"autoscaler", `kube_autoscalers(5)`, "autoscalers", 1, map[string]any{"autoscaler": "shop/checkout", "of": "Deployment shop/checkout", "pods": 10.0, "max": 10.0, "limited": true}},
		{"healthy", `kube_access()`, "resources", 8, map[string]any{"resource": "pods", "allowed": true}},
	} {
		t.Run(tt.state+" "+tt.call, func(t *testing.T) {
			_, src := open(t, kubetest.New(t, tt.state))
			got := rows(skilltest.Object(t, src, tt.call), tt.list)
			if len(got) != tt.n {
				t.Fatalf("%d rows: %v", len(got), got)
			}
			for k, want := range tt.first {
				if got[0][k] != want {
					t.Errorf("%s is %v, want %v in %v", k, got[0][k], want, got[0])
				}
			}
		})
	}
}

func TestWhatIsAskedWronglyIsRefused(t *testing.T) {
	_, src := open(t, kubetest.New(t, "healthy"), "shop")
	for call, says := range map[string]string{
		`kube_pod("checkout")`:                "no namespace/name",
		`kube_pod("shop/a,status.phase!=x")`:  "no namespace/name",
		`kube_pod("kube-system/node-agent")`:  "not looked into",
		`kube_pod("shop/checkout-none")`:      "not there",
		`kube_history("shop/checkuot")`:       `no Deployment "shop/checkuot" (has shop/cart, shop/checkout)`,
		`kube_events(5, "shop/../../secret")`: "no namespace/name",
		`kube_pods(5, "sick")`:                "must be one of",
	} {
		if _, err := skilltest.Raw(t, src, call); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// What a container is given of secrets stands in the recorded pods: it must not come out.
func TestNoSecretIsRead(t *testing.T) {
	s := kubetest.New(t, "crashloop")
	_, src := open(t, s)
	var told []any
	d, err := src.Snapshot(t.Context())
	told = append(told, d, err)
	for _, c := range src.Calls {
		example := strings.ReplaceAll(c.Example, "5d8f7c9b64-9bq4t", "84c6d8b7f9-kw5zd")
		v, err := skilltest.Raw(t, src, example)
		told = append(told, v, err)
	}
	b, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", "DB_PASSWORD", "api-key", kubetest.Token} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%s has left the cluster", secret)
		}
	}
	for _, a := range s.Asked() {
		if !strings.HasPrefix(a, "GET /") || strings.Contains(a, "secrets") || strings.Contains(a, "configmaps") || strings.Contains(a, "/log") {
			t.Errorf("it asked %s", a)
		}
	}
}

func TestWhatMayNotBeListedIsSaidAndTheRestGoesOn(t *testing.T) {
	s := kubetest.New(t, "crashloop")
	s.Forbid("events")
	s.Forbid("daemonsets")
	_, src := open(t, s)
	d, err := src.Snapshot(t.Context())
	if err == nil || !strings.Contains(err.Error(), `{apiGroups: [""], resources: [events], verbs: [get, list]}`) {
		t.Error(err)
	}
	if d["forbidden"] != 2.0 || d["forbidden_resources"] != "daemonsets, events" || d["pods_crash_looping"] != 2.0 || d["warnings_recent"] != nil || d["workloads"] != 3.0 || d["nodes"] != 3.0 {
		t.Errorf("the snapshot is %v", d)
	}
	access := rows(skilltest.Object(t, src, "kube_access()"), "resources")
	denied := slices.DeleteFunc(access, func(r map[string]any) bool { return r["allowed"] == true })
	if len(denied) != 2 || !strings.Contains(fmt.Sprint(denied), "daemonsets") {
		t.Errorf("denied are %v", denied)
	}
	if got := skilltest.Object(t, src, "kube_rollouts(5)"); !strings.Contains(fmt.Sprint(got["errors"]), "resources: [daemonsets]") {
		t.Errorf("it answers %v", got)
	}
	if got := skilltest.Object(t, src, `kube_pod("shop/checkout-84c6d8b7f9-kw5zd")`); !strings.Contains(fmt.Sprint(got["events_error"]), "resources: [events]") {
		t.Errorf("it answers %v", got)
	}
}

func TestAServerThatIsDownIsAFinding(t *testing.T) {
	s := kubetest.New(t, "healthy")
	_, src := open(t, s)
	s.Fail("version", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		kubetest.Status(w, http.StatusServiceUnavailable, "ServiceUnavailable", "etcd is not there")
	}))
	d, err := src.Snapshot(t.Context())
	if err == nil || len(crossed(src, d)) != 1 || !strings.Contains(crossed(src, d)["reachable"], "etcd is not there") {
		t.Errorf("%v, %v", d, err)
	}
}

func TestALargeClusterIsCutInItsAnswers(t *testing.T) {
	s := kubetest.New(t, "healthy")
	s.Many(t, 600)
	_, src := open(t, s)
	d, err := src.Snapshot(t.Context())
	if err != nil || d["pods"] != 600.0 || d["partial"] != 0.0 {
		t.Errorf("%v, %v", d, err)
	}
	if a := skilltest.Object(t, src, `kube_pods(50, "all")`); len(rows(a, "pods")) != 50 || a["truncated"] != true || a["total"] != 600.0 {
		t.Errorf("%d pods of %v, truncated %v", len(rows(a, "pods")), a["total"], a["truncated"])
	}
}
