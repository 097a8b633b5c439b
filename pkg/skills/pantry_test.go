package skills_test

import (
	"context"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// pantry is a small skill in which everything occurs.
func pantry() skills.Skill {
	return skills.Skill{
		Name: "pantry", Title: "Pantry", Summary: "Room left on shelves.", Prefix: "pantry_",
		Sources: []skills.Source{{
			Kind:   skills.Host,
			Prompt: "Full shelves are bad.",
			Metrics: []skills.Metric{
				{Name: "used_pct", Unit: protocol.Percent, Kind: protocol.Gauge, Doc: "Room used."},
				{Name: "shelves_free", Unit: protocol.Count, Kind: protocol.Gauge, Doc: "Shelves with nothing on them."},
				{Name: "fullest", Unit: protocol.Text, Kind: protocol.Info, Doc: "The fullest shelf."},
			},
			Checks: []skills.Check{
				{Metric: "used_pct", Op: protocol.Above, Warn: skills.Level(85), Critical: skills.Level(95), Says: "{fullest} is {value} % full", Ask: `pantry_top(3, "jars")`},
				{Metric: "shelves_free", Op: protocol.Below, Warn: skills.Level(3), Critical: skills.Level(1), Says: "{value} shelves are free"},
			},
			Calls: []skills.Call{{
				Name: "pantry_top", Doc: "What takes most room.", Example: `pantry_top(3, "jars")`,
				Params: []skills.Param{
					{Name: "limit", Type: "integer", Default: 10.0, Min: skills.Level(1), Max: skills.Level(50)},
					{Name: "sort_by", Type: "string", Default: "jars", Enum: []string{"jars", "tins"}},
				},
				Run: func(_ context.Context, a skills.Args) (any, error) { return a.Int("limit"), nil },
			}},
			Snapshot: func(context.Context) (skills.Data, error) {
				return skills.Data{"used_pct": 50.0, "shelves_free": 4.0, "fullest": "top"}, nil
			},
		}},
	}
}
