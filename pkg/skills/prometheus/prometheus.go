// Package prometheus is the skill that asks a Prometheus server: what it knows of the
// fleet, in PromQL, and whether it sees all that it should.
package prometheus

import (
	_ "embed"

	reach "github.com/fleetlens/fleetlens/internal/reach/prometheus"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed prometheus.md
var prompt string

// Skill returns the prometheus skill; servers are the targets by name.
func Skill(servers map[string]*reach.Server) skills.Skill {
	return skills.Skill{
		Name:    "prometheus",
		Title:   "Prometheus",
		Summary: "What a Prometheus server knows, in PromQL: values, ranges, what moved together, alerts that fire, scrapes and rules that fail.",
		Prefix:  "prom_",
		Sources: []skills.Source{skills.PerTarget(servers, func(s *reach.Server) skills.Source {
			w := watch{s}
			return skills.Source{
				Kind:     skills.Prometheus,
				Prompt:   prompt,
				Metrics:  metrics,
				Checks:   checks,
				Calls:    w.calls(),
				Snapshot: w.snapshot,
			}
		})},
	}
}

// A watch asks one server.
type watch struct{ server *reach.Server }
