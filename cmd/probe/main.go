// Command probe watches one host with its skills and answers the operators' calls.
package main

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
)

func main() {
	cfg := watch.New()
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
