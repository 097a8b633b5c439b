package kubernetes

import (
	"context"
	"net/url"
	"time"
)

// An Event is something that a controller or a kubelet said, perhaps many times.
type Event struct {
	Meta `json:"metadata"`
	Of   struct {
		Kind      string `json:"kind"`
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
		Field     string `json:"fieldPath"`
	} `json:"involvedObject"`
	Type    string    `json:"type"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Times   int       `json:"count"`
	First   time.Time `json:"firstTimestamp"`
	Last    time.Time `json:"lastTimestamp"`
	At      time.Time `json:"eventTime"`
	Series  *struct {
		Times int       `json:"count"`
		Last  time.Time `json:"lastObservedTime"`
	} `json:"series"`
}

// Seen returns when the event was seen last, and how often.
func (e Event) Seen() (last time.Time, times int) {
	last, times = e.Created, max(1, e.Times)
	for _, at := range []time.Time{e.Last, e.At} {
		if at.After(last) {
			last = at
		}
	}
	if e.Series != nil {
		times = max(times, e.Series.Times)
		if e.Series.Last.After(last) {
			last = e.Series.Last
		}
	}
	return last, times
}

// Warnings lists the events of type Warning, of one thing where a name is given. The API
// server keeps them for an hour.
func (c *Cluster) Warnings(ctx context.Context, namespace, name string) (List[Event], error) {
	selector := "type=Warning"
	if name != "" {
		selector += ",involvedObject.name=" + name
	}
	return list[Event](ctx, c, EventResource, namespace, url.Values{"fieldSelector": {selector}})
}

// A Node is a machine of the cluster.
type Node struct {
	Meta `json:"metadata"`
	Spec struct {
		Unschedulable bool `json:"unschedulable"`
		Taints        []struct {
			Key    string `json:"key"`
			Effect string `json:"effect"`
		} `json:"taints"`
	} `json:"spec"`
	Status struct {
		Conditions  []Condition         `json:"conditions"`
		Allocatable map[string]Quantity `json:"allocatable"`
		Info        struct {
			Kubelet string `json:"kubeletVersion"`
		} `json:"nodeInfo"`
	} `json:"status"`
}

// Ready returns the node's condition of that name.
func (n Node) Ready() Condition { return condition(n.Status.Conditions, "Ready") }

// Pressure returns what the node has too little of: the conditions beside Ready that hold.
func (n Node) Pressure() []Condition {
	var out []Condition
	for _, c := range n.Status.Conditions {
		if c.Type != "Ready" && c.Status == "True" {
			out = append(out, c)
		}
	}
	return out
}

// Nodes lists the nodes.
func (c *Cluster) Nodes(ctx context.Context) (List[Node], error) {
	return list[Node](ctx, c, NodeResource, "", nil)
}

// An Autoscaler is a HorizontalPodAutoscaler.
type Autoscaler struct {
	Meta `json:"metadata"`
	Spec struct {
		Min *int `json:"minReplicas"`
		Max int  `json:"maxReplicas"`
		Of  struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
	} `json:"spec"`
	Status struct {
		Current    int         `json:"currentReplicas"`
		Desired    int         `json:"desiredReplicas"`
		Conditions []Condition `json:"conditions"`
	} `json:"status"`
}

// Condition returns one of the autoscaler's.
func (a Autoscaler) Condition(kind string) Condition { return condition(a.Status.Conditions, kind) }

// Limited reports whether it would have more pods than it may.
func (a Autoscaler) Limited() bool {
	c := a.Condition("ScalingLimited")
	return c.Status == "True" && c.Reason == "TooManyReplicas"
}

// Autoscalers lists them.
func (c *Cluster) Autoscalers(ctx context.Context) (List[Autoscaler], error) {
	return list[Autoscaler](ctx, c, AutoscalerResource, "", nil)
}
