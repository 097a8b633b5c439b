// Package nats is the skill that watches NATS servers: connections and who is too slow,
// what JetStream stores and against which limits, which consumers fall behind, and
// whether the cluster is whole.
//
// It reads the monitoring endpoints only: no message, and no user.
package nats

import (
	_ "embed"

	reach "github.com/fleetlens/fleetlens/internal/reach/nats"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed nats.md
var prompt string

// Skill returns the nats skill; servers are the targets by name. The skill keeps the
// reading of the snapshot before, for rates.
func Skill(servers map[string]*reach.Server) skills.Skill {
	return skills.Skill{
		Name:    "nats",
		Title:   "NATS",
		Summary: "Connections, slow consumers, streams and their limits, consumers that fall behind, cluster and leaf nodes of one NATS server.",
		Prefix:  "nats_",
		Sources: []skills.Source{skills.PerTarget(servers, func(s *reach.Server) skills.Source {
			w := &watch{server: s}
			return skills.Source{
				Kind:     skills.NATS,
				Prompt:   prompt,
				Metrics:  metrics,
				Checks:   checks,
				Calls:    calls(w),
				Snapshot: w.snapshot,
			}
		})},
	}
}
