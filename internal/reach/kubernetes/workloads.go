package kubernetes

import (
	"cmp"
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Kinds of workloads.
const (
	Deployment  = "Deployment"
	StatefulSet = "StatefulSet"
	DaemonSet   = "DaemonSet"
)

// A Workload is a Deployment, a StatefulSet or a DaemonSet.
type Workload struct {
	Meta
	Kind       string
	Selector   string // of labels; "" where it cannot be asked for
	Images     []Image
	Paused     bool
	Desired    int
	Updated    int // of the newest template
	Ready      int
	Available  int
	Seen       bool // whether the controller has seen the last change
	Conditions []Condition
	// OnDelete: pods are replaced when somebody deletes them, so that old ones are no rollout.
	OnDelete bool
}

// An Image is what a container runs.
type Image struct {
	Container string `json:"container"`
	Image     string `json:"image"`
}

// Condition returns one of the workload's.
func (w Workload) Condition(kind string) Condition { return condition(w.Conditions, kind) }

// Rolling reports whether a rollout is under way.
func (w Workload) Rolling() bool {
	return !w.OnDelete && (!w.Seen || w.Updated < w.Desired || w.Available < w.Updated)
}

// Stuck says why a rollout goes on no more; "" when none is stuck, as far as is known:
// only Deployments tell.
func (w Workload) Stuck() string {
	if c := w.Condition("Progressing"); c.Status == "False" {
		return strings.TrimSpace(c.Reason + ": " + c.Message)
	}
	if c := w.Condition("ReplicaFailure"); c.Status == "True" {
		return strings.TrimSpace(c.Reason + ": " + c.Message)
	}
	return ""
}

// template is what is read of a pod's template.
type template struct {
	Spec struct {
		Containers []Container `json:"containers"`
		Init       []Container `json:"initContainers"`
	} `json:"spec"`
}

func (t template) images() []Image {
	var out []Image
	for _, c := range slices.Concat(t.Spec.Containers, t.Spec.Init) {
		out = append(out, Image{c.Name, c.Image})
	}
	return out
}

// workload is one of the three, as the API has it.
type workload struct {
	Meta `json:"metadata"`
	Spec struct {
		Replicas *int `json:"replicas"`
		Paused   bool `json:"paused"`
		Selector struct {
			Labels      map[string]string `json:"matchLabels"`
			Expressions []struct{}        `json:"matchExpressions"`
		} `json:"selector"`
		Template template `json:"template"`
		Update   struct {
			Type string `json:"type"`
		} `json:"updateStrategy"`
	} `json:"spec"`
	Status struct {
		Observed  int64 `json:"observedGeneration"`
		Updated   int   `json:"updatedReplicas"`
		Ready     int   `json:"readyReplicas"`
		Available int   `json:"availableReplicas"`
		// Of a DaemonSet.
		Scheduled   int         `json:"desiredNumberScheduled"`
		DSUpdated   int         `json:"updatedNumberScheduled"`
		DSReady     int         `json:"numberReady"`
		DSAvailable int         `json:"numberAvailable"`
		Conditions  []Condition `json:"conditions"`
	} `json:"status"`
}

func (w workload) of(kind string) Workload {
	out := Workload{
		Meta: w.Meta, Kind: kind, Images: w.Spec.Template.images(), Paused: w.Spec.Paused, Desired: 1, Updated: w.Status.Updated,
		Ready: w.Status.Ready, Available: w.Status.Available, Seen: w.Status.Observed >= w.Generation, Conditions: w.Status.Conditions,
		OnDelete: w.Spec.Update.Type == "OnDelete",
	}
	if w.Spec.Replicas != nil {
		out.Desired = *w.Spec.Replicas
	}
	if kind == DaemonSet {
		out.Desired, out.Updated, out.Ready, out.Available = w.Status.Scheduled, w.Status.DSUpdated, w.Status.DSReady, w.Status.DSAvailable
	}
	if len(w.Spec.Selector.Expressions) == 0 {
		var pairs []string
		for _, k := range slices.Sorted(maps.Keys(w.Spec.Selector.Labels)) {
			pairs = append(pairs, k+"="+w.Spec.Selector.Labels[k])
		}
		out.Selector = strings.Join(pairs, ",")
	}
	return out
}

// Workloads lists one kind of them.
func (c *Cluster) Workloads(ctx context.Context, kind string) (List[Workload], error) {
	r := map[string]Resource{Deployment: DeploymentResource, StatefulSet: StatefulSetResource, DaemonSet: DaemonSetResource}[kind]
	got, err := list[workload](ctx, c, r, "", nil)
	out := List[Workload]{Partial: got.Partial}
	for _, w := range got.Items {
		out.Items = append(out.Items, w.of(kind))
	}
	return out, err
}

// A Revision is what a Deployment ran once or runs: one of its ReplicaSets.
type Revision struct {
	Meta
	Deployment string // namespace/name
	Number     int
	Images     []Image
	Replicas   int
	Ready      int
}

// Revisions lists those of all Deployments, or of one, by Deployment and the newest first.
func (c *Cluster) Revisions(ctx context.Context, of *Workload) (List[Revision], error) {
	namespace, query := "", url.Values{}
	if of != nil {
		namespace = of.Namespace
		if of.Selector != "" {
			query.Set("labelSelector", of.Selector)
		}
	}
	type replicaSet struct {
		Meta `json:"metadata"`
		Spec struct {
			Template template `json:"template"`
		} `json:"spec"`
		Status struct {
			Replicas int `json:"replicas"`
			Ready    int `json:"readyReplicas"`
		} `json:"status"`
	}
	got, err := list[replicaSet](ctx, c, ReplicaSetResource, namespace, query)
	out := List[Revision]{Partial: got.Partial}
	for _, s := range got.Items {
		number, err := strconv.Atoi(s.Annotations.Revision)
		if err != nil {
			continue // nobody's, or of a Deployment that has not numbered it yet
		}
		for _, o := range s.Owners {
			if o.Kind != Deployment || !o.Controller || of != nil && o.UID != of.UID {
				continue
			}
			out.Items = append(out.Items, Revision{s.Meta, s.Namespace + "/" + o.Name, number, s.Spec.Template.images(), s.Status.Replicas, s.Status.Ready})
		}
	}
	slices.SortStableFunc(out.Items, func(a, b Revision) int {
		return cmp.Or(strings.Compare(a.Deployment, b.Deployment), cmp.Compare(b.Number, a.Number))
	})
	return out, err
}

// Changed says which images of a revision are others than before: "app: shop:1 → shop:2".
func (r Revision) Changed(before Revision) (from, to string) {
	var were, are []string
	for _, i := range r.Images {
		was := ""
		for _, old := range before.Images {
			if old.Container == i.Container {
				was = old.Image
			}
		}
		if was != i.Image {
			were, are = append(were, cmp.Or(was, "nothing")), append(are, i.Image)
		}
	}
	return strings.Join(were, ", "), strings.Join(are, ", ")
}
