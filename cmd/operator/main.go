// Command operator is a worker: it runs one agent's loop for each task it takes.
package main

import (
	"context"
	"errors"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/budget"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

const doc = `Take tasks from the work queue and find out what is wrong with their targets.

Start as many operators as there is work; they share it, and what one leaves
unfinished another goes on with:

  operator --server nats://nats.example:4222 --concurrency 8`

// settings are an operator's and its models'.
type settings struct {
	operator.Config
	llm    llm.Config
	budget budget.Config
}

func (s *settings) Flags(fs *pflag.FlagSet) { s.Config.Flags(fs); s.llm.Flags(fs); s.budget.Flags(fs) }

func (s *settings) Sections() map[string]any { return s.llm.Sections() }

func (s *settings) Validate() error {
	return errors.Join(s.Config.Validate(), s.llm.Validate(), s.budget.Validate())
}

func main() {
	cfg := settings{operator.DefaultConfig(), llm.DefaultConfig(), budget.Config{}}
	proc.Main("operator", doc, &cfg, func(ctx context.Context, env proc.Env) error {
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
		deciders, err := cfg.llm.Deciders(ctx, words, budget.New(conn, cfg.budget, env.Log))
		if err != nil {
			return err
		}
		scripts := operator.NewSandbox(env.Log)
		defer scripts.Close()
		return operator.Run(ctx, cfg.Config, operator.Deps{
			Log: env.Log, Bus: conn, Skills: list, Deciders: deciders, Version: proc.Version(), Scripts: scripts,
		})
	})
}
