// Package all lists the skills that come with Fleetlens, by hand and in order.
package all

import (
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/kmsg"
	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/exception"
	"github.com/fleetlens/fleetlens/pkg/skills/logger"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
	"github.com/fleetlens/fleetlens/pkg/skills/overload"
	"github.com/fleetlens/fleetlens/pkg/skills/ports"
	"github.com/fleetlens/fleetlens/pkg/skills/vmevents"
)

// Options say where the machine that the skills read has its trees. The zero
// value is the machine the process runs on.
type Options struct {
	Proc string // the proc filesystem; empty means /proc
	Sys  string // the sys filesystem; empty means /sys
	Root string // where the machine's root is mounted, when it is not the process's own
	Targets

	Logs    logs.Config  // which logs are read
	Journal logs.Journal // opens the machine's journal; nil where it is not read
}

// Skills returns every skill, in the order people see them. It reads nothing
// yet, so it is also the way to get the skills' words.
func Skills(o Options) []skills.Skill {
	machine := host.New(host.Config{Proc: o.Proc, Sys: o.Sys, Root: o.Root})
	o.Logs.Root = o.Root
	written := logs.New(o.Logs, o.Journal)
	return []skills.Skill{
		hostos.Skill(machine),
		ports.Skill(machine),
		overload.Skill(machine),
		vmevents.Skill(machine, kmsg.Open("")),
		logger.Skill(written),
		exception.Skill(written),
	}
}
