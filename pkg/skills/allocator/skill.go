// Package allocator is the skill that watches memory: how it is divided, how much
// of what is reserved is used, and who holds more and more of it.
package allocator

import (
	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Skill returns the allocator skill; services are the Go services of this node.
func Skill(services map[string]*gopprof.Service) skills.Skill {
	return skills.Skill{
		Name:    "allocator",
		Title:   "Memory allocators",
		Summary: "How memory is divided and used: allocators, fragmentation, idle against returned memory, and which code holds more and more.",
		Prefix:  "allocator_",
		Sources: []skills.Source{GoSource(services)},
	}
}
