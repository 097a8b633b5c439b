// Package overload is the skill of work that comes faster than it is done: where it
// waits, since when, and what stands in its way.
package overload

import (
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Skill returns the skill; r reads the machine. The skill keeps earlier readings:
// make one for each machine and process.
func Skill(r *host.Reader) skills.Skill {
	return skills.Skill{
		Name:    "overload",
		Title:   "Overload",
		Summary: "Where work piles up, since when and behind what: run queue, memory, disks, accept queues, packets of a host; goroutines and locks of a Go service.",
		Prefix:  "overload_",
		Sources: []skills.Source{hostSource(r)},
	}
}
