// Package kubernetes is the skill that watches a Kubernetes cluster: which pods do not run
// and why, what was rolled out before it began, and whether nodes have room.
//
// It reads lists of the API only, with get and list.
package kubernetes

import (
	_ "embed"

	reach "github.com/fleetlens/fleetlens/internal/reach/kubernetes"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed kubernetes.md
var prompt string

// Skill returns the kubernetes skill; clusters are the targets by name. The skill keeps
// the restarts of the snapshot before, to tell which are new.
func Skill(clusters map[string]*reach.Cluster) skills.Skill {
	return skills.Skill{
		Name:    "kubernetes",
		Title:   "Kubernetes",
		Summary: "Pods that crash, wait or are not ready and why, what was rolled out, restarts, events, node pressure and autoscalers of one Kubernetes cluster.",
		Prefix:  "kube_",
		Sources: []skills.Source{skills.PerTarget(clusters, func(c *reach.Cluster) skills.Source {
			w := &watch{cluster: c}
			return skills.Source{
				Kind:     skills.Kubernetes,
				Prompt:   prompt,
				Metrics:  metrics,
				Checks:   checks,
				Calls:    w.calls(),
				Snapshot: w.snapshot,
			}
		})},
	}
}

// A watch asks one cluster and keeps how often its containers had been started again.
type watch struct {
	cluster *reach.Cluster
	skills.History[restarts]
}

// restarts are by pod and container.
type restarts map[string]int
