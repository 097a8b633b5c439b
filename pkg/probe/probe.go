// Package probe runs a probe, with skills of one's own beside those that come with
// Fleetlens. It is all of a main:
//
//	func main() { probe.Main(disk.Skill()) }
//
// It is the one package for outsiders that leads into the processes: a skill in Go
// is of no use without a probe that has it (docs/adr/0019).
package probe

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Main runs a probe with these skills added, with the flags and the configuration
// file that every probe has, until it is told to stop, and exits. A skill with a
// fault, or with the name of one that is there, ends it with an error that says so.
func Main(more ...skills.Skill) {
	cfg := watch.New(more...)
	proc.Main("probe", probe.Doc, cfg, func(ctx context.Context, env proc.Env) error {
		deps, err := cfg.Deps(probe.Deps{Log: env.Log, Version: proc.Version(), Telemetry: env.Telemetry, Ready: env.Ready})
		if err != nil {
			return err
		}
		if deps.Bus, err = env.Dial(ctx, "probe/"+cfg.Node); err != nil {
			return err
		}
		defer deps.Bus.Close()
		return probe.Run(ctx, cfg.Config, deps)
	})
}
