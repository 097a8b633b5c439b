// Package postgres is the skill that watches PostgreSQL servers: what queries
// cost, who blocks whom, what is about to run full, and what vacuum, indexes and
// replicas lack.
//
// It reads statistics and catalogs only. What it tells of queries is their shape:
// no literal and no parameter.
package postgres

import (
	_ "embed"

	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed postgres.md
var prompt string

// Skill returns the postgres skill; servers are the targets by name. The skill
// keeps the reading of the snapshot before, for rates.
func Skill(servers map[string]*reach.Server) skills.Skill {
	return skills.Skill{
		Name:    "postgres",
		Title:   "PostgreSQL",
		Summary: "Queries, locks and who blocks whom, connections, cache, indexes, bloat, vacuum, wraparound and replication of one PostgreSQL server.",
		Prefix:  "ecto_",
		Sources: []skills.Source{skills.PerTarget(servers, func(s *reach.Server) skills.Source {
			h := &history{server: s}
			return skills.Source{
				Kind:     skills.Postgres,
				Prompt:   prompt,
				Metrics:  metrics,
				Checks:   checks,
				Calls:    calls(h),
				Snapshot: h.snapshot,
			}
		})},
	}
}
