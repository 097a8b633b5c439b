// Command operator is a worker: it runs one agent's loop for each task it takes.
package main

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/budget"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

func main() {
	cfg := programs.NewOperator()
	proc.Main("operator", programs.OperatorDoc, cfg, func(ctx context.Context, env proc.Env) error {
		list := all.Skills(all.Options{})
		words, err := skills.Words(list, cfg.Thresholds)
		if err != nil {
			return proc.UsageError{Err: err}
		}
		if _, err := cfg.Serves(words); err != nil {
			return proc.UsageError{Err: err}
		}
		conn, err := env.Dial(ctx, "operator")
		if err != nil {
			return err
		}
		defer conn.Close()
		deciders, err := cfg.LLM.Deciders(ctx, words, budget.New(conn, cfg.Budget, env.Log))
		if err != nil {
			return err
		}
		scripts := operator.NewSandbox(env.Log)
		defer scripts.Close()
		return operator.Run(ctx, cfg.Config, operator.Deps{
			Log: env.Log, Bus: conn, Skills: list, Deciders: deciders, Version: proc.Version(),
			Scripts: scripts, Telemetry: env.Telemetry, Ready: env.Ready,
		})
	})
}
