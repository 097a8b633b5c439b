// Command coordinator takes requests, starts operators and publishes insights.
package main

import (
	"context"
	"errors"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/budget"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

const doc = `Take requests, have operators look into them, and publish insights.

It makes the streams it needs. Several coordinators share the work:

  coordinator --server nats://nats.example:4222`

// settings are a coordinator's and its models'.
type settings struct {
	coordinator.Config
	llm    llm.Config
	budget budget.Config
}

func (s *settings) Flags(fs *pflag.FlagSet) { s.Config.Flags(fs); s.llm.Flags(fs); s.budget.Flags(fs) }

func (s *settings) Sections() map[string]any {
	sections := s.llm.Sections()
	sections["recurring"] = &s.Recurring
	return sections
}

func (s *settings) Validate() error {
	return errors.Join(s.Config.Validate(), s.llm.Validate(), s.budget.Validate())
}

func main() {
	cfg := settings{coordinator.DefaultConfig(), llm.DefaultConfig(), budget.Config{}}
	proc.Main("coordinator", doc, &cfg, func(ctx context.Context, env proc.Env) error {
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
		deciders, err := cfg.llm.Deciders(ctx, words, budget.New(conn, cfg.budget, env.Log))
		if err != nil {
			return err
		}
		return coordinator.Run(ctx, cfg.Config, coordinator.Deps{
			Log: env.Log, Bus: conn, Skills: list, Deciders: deciders, Version: proc.Version(), Telemetry: env.Telemetry, Ready: env.Ready,
		})
	})
}
