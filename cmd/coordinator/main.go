// Command coordinator takes requests, starts operators and publishes insights.
package main

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/budget"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

func main() {
	cfg := programs.NewCoordinator()
	proc.Main("coordinator", programs.CoordinatorDoc, cfg, func(ctx context.Context, env proc.Env) error {
		list := all.Skills(all.Options{})
		words, err := skills.Words(list, cfg.Thresholds)
		if err != nil {
			return proc.UsageError{Err: err}
		}
		conn, err := env.Dial(ctx, "coordinator")
		if err != nil {
			return err
		}
		defer conn.Close()
		deciders, err := cfg.LLM.Deciders(ctx, words, budget.New(conn, cfg.Budget, env.Log))
		if err != nil {
			return err
		}
		return coordinator.Run(ctx, cfg.Config, coordinator.Deps{
			Log: env.Log, Bus: conn, Skills: list, Deciders: deciders, Version: proc.Version(), Telemetry: env.Telemetry, Ready: env.Ready,
		})
	})
}
