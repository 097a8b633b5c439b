package kubernetes

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Meta is what every thing has. Of its labels and annotations only those are kept that are
// named here: annotations may hold a whole manifest.
type Meta struct {
	Name      string     `json:"name"`
	Namespace string     `json:"namespace"`
	UID       string     `json:"uid"`
	Created   time.Time  `json:"creationTimestamp"`
	Deleted   *time.Time `json:"deletionTimestamp"`
	Labels    struct {
		TemplateHash string `json:"pod-template-hash"`
	} `json:"labels"`
	Annotations struct {
		Revision string `json:"deployment.kubernetes.io/revision"`
	} `json:"annotations"`
	Owners []struct {
		Kind       string `json:"kind"`
		Name       string `json:"name"`
		UID        string `json:"uid"`
		Controller bool   `json:"controller"`
	} `json:"ownerReferences"`
	Generation int64 `json:"generation"`
}

// Path is namespace/name, or the name of what is in none.
func (m Meta) Path() string {
	if m.Namespace == "" {
		return m.Name
	}
	return m.Namespace + "/" + m.Name
}

// A Condition is one of a thing's.
type Condition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"` // True, False or Unknown
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Since   time.Time `json:"lastTransitionTime"`
	Updated time.Time `json:"lastUpdateTime"`
}

// condition returns one of a type; the zero value when there is none.
func condition(list []Condition, kind string) Condition {
	for _, c := range list {
		if c.Type == kind {
			return c
		}
	}
	return Condition{}
}

// A Container is what a pod was asked to run. Environment and arguments are not read.
type Container struct {
	Name      string `json:"name"`
	Image     string `json:"image"`
	Resources struct {
		Requests map[string]Quantity `json:"requests"`
		Limits   map[string]Quantity `json:"limits"`
	} `json:"resources"`
	RestartPolicy string `json:"restartPolicy"`
}

// An Ended is how a container ended.
type Ended struct {
	ExitCode int       `json:"exitCode"`
	Signal   int       `json:"signal"`
	Reason   string    `json:"reason"` // OOMKilled, Error, Completed, …
	Started  time.Time `json:"startedAt"`
	Finished time.Time `json:"finishedAt"`
}

// A ContainerState is what a container is doing: one of the three.
type ContainerState struct {
	Waiting *struct {
		Reason  string `json:"reason"` // CrashLoopBackOff, ImagePullBackOff, …
		Message string `json:"message"`
	} `json:"waiting"`
	Running *struct {
		Started time.Time `json:"startedAt"`
	} `json:"running"`
	Terminated *Ended `json:"terminated"`
}

// A ContainerStatus is what became of a container.
type ContainerStatus struct {
	Name     string         `json:"name"`
	Image    string         `json:"image"`
	Ready    bool           `json:"ready"`
	Restarts int            `json:"restartCount"`
	State    ContainerState `json:"state"`
	Last     ContainerState `json:"lastState"`
}

// A Pod is one pod.
type Pod struct {
	Meta `json:"metadata"`
	Spec struct {
		Node       string      `json:"nodeName"`
		Containers []Container `json:"containers"`
		Init       []Container `json:"initContainers"`
	} `json:"spec"`
	Status struct {
		Phase      string            `json:"phase"`
		Reason     string            `json:"reason"` // Evicted, …
		Message    string            `json:"message"`
		Conditions []Condition       `json:"conditions"`
		Containers []ContainerStatus `json:"containerStatuses"`
		Init       []ContainerStatus `json:"initContainerStatuses"`
	} `json:"status"`
}

// Condition returns one of the pod's.
func (p Pod) Condition(kind string) Condition { return condition(p.Status.Conditions, kind) }

// Workload is what the pod belongs to, as kind and namespace/name: of a Deployment that,
// not its ReplicaSet. A pod without an owner is its own.
func (p Pod) Workload() (kind, path string) {
	for _, o := range p.Owners {
		if !o.Controller {
			continue
		}
		if hash := p.Labels.TemplateHash; o.Kind == "ReplicaSet" && hash != "" && strings.HasSuffix(o.Name, "-"+hash) {
			return "Deployment", p.Namespace + "/" + strings.TrimSuffix(o.Name, "-"+hash)
		}
		return o.Kind, p.Namespace + "/" + o.Name
	}
	return "Pod", p.Path()
}

// Pods lists the pods.
func (c *Cluster) Pods(ctx context.Context) (List[Pod], error) {
	return list[Pod](ctx, c, PodResource, "", nil)
}

// Pod returns one pod.
func (c *Cluster) Pod(ctx context.Context, namespace, name string) (Pod, error) {
	got, err := list[Pod](ctx, c, PodResource, namespace, url.Values{"fieldSelector": {"metadata.name=" + name}})
	if err == nil && len(got.Items) == 0 {
		err = fmt.Errorf("pod %s/%s: %w", namespace, name, ErrNotFound)
	}
	if err != nil {
		return Pod{}, err
	}
	return got.Items[0], nil
}

// Try lists one thing of a resource: whether it may be listed.
func (c *Cluster) Try(ctx context.Context, r Resource) error {
	_, err := list[struct{}](ctx, c, r, "", url.Values{"limit": {"1"}, "fieldSelector": {"metadata.name=fleetlens-probe"}})
	return err
}
