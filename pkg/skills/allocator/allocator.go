// Package allocator is the skill of memory within memory: what allocators hold, how
// much of it they use, and whether what is free is of use.
package allocator

import (
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Skill returns the skill; r reads the machine. The skill keeps the reading of the
// snapshot before, for rates: make one for each machine and process.
func Skill(r *host.Reader) skills.Skill {
	return skills.Skill{
		Name:    "allocator",
		Title:   "Memory allocators",
		Summary: "What the kernel's caches hold, fragmentation of free memory and huge pages of a host; heap classes and what grew in the heap of a Go service.",
		Prefix:  "allocator_",
		Sources: []skills.Source{hostSource(r)},
	}
}
