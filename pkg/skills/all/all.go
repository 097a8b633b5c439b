// Package all lists the skills that come with Fleetlens, by hand and in order.
package all

import (
	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/kmsg"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/allocator"
	"github.com/fleetlens/fleetlens/pkg/skills/gc"
	"github.com/fleetlens/fleetlens/pkg/skills/goruntime"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
	"github.com/fleetlens/fleetlens/pkg/skills/overload"
	"github.com/fleetlens/fleetlens/pkg/skills/ports"
	"github.com/fleetlens/fleetlens/pkg/skills/tracer"
	"github.com/fleetlens/fleetlens/pkg/skills/vmevents"
)

// Options say where the machine that the skills read has its trees. The zero
// value is the machine the process runs on.
type Options struct {
	Proc string // the proc filesystem; empty means /proc
	Sys  string // the sys filesystem; empty means /sys
	Root string // where the machine's root is mounted, when it is not the process's own
	Targets
}

// Skills returns every skill, in the order people see them. It reads nothing
// yet, so it is also the way to get the skills' words.
func Skills(o Options) []skills.Skill {
	machine := host.New(host.Config{Proc: o.Proc, Sys: o.Sys, Root: o.Root})
	services := clients(o.Go, gopprof.New) // one client each, whatever the skill
	return []skills.Skill{
		hostos.Skill(machine),
		with(ports.Skill(machine), ports.GoSource(services)),
		with(overload.Skill(machine), overload.GoSource(services)),
		with(vmevents.Skill(machine, kmsg.Open("")), vmevents.GoSource(services)),
		goruntime.Skill(services),
		gc.Skill(services),
		allocator.Skill(services),
		tracer.Skill(services),
	}
}

// with returns a skill that has one more source.
func with(s skills.Skill, src skills.Source) skills.Skill {
	s.Sources = append(s.Sources, src)
	return s
}
