package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/gateway"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/telemetry"
)

func (a *app) gateway() *cobra.Command {
	cfg := gateway.DefaultConfig()
	var file string
	var http telemetry.HTTP
	cmd := &cobra.Command{
		Use: "gateway", Short: "Send insights to chats, pagers, trackers and webhooks; take their alerts and changes",
		Long: `Send insights to the sinks that the section sinks of a configuration file names:

  sinks:
    team:
      type: slack
      url_env: SLACK_WEBHOOK      # an incoming webhook; a secret, so not in the file
    oncall:
      type: pagerduty
      token_env: PAGERDUTY_KEY
      when: {min_severity: critical, grounded: true}

Types: webhook (signed), alertmanager, slack, pagerduty, teams, discord, mattermost,
email, grafana, github, jira. A sink is sent what is concluded after its durable was made; where
the gateway's user may not make it, ` + "`fleetlens setup --sink NAME`" + ` does. Any number of
gateways share the work, and what one leaves unfinished another goes on with. What the far
side refuses for good, or for a day, is a dead letter (deadletters.` + bus.Insights + `).

It takes alerts and changes of other systems, too, at --alerts: each format has a path,
such as /in/grafana or /in/github. Senders give the token of --alerts-token-file; those
that sign name their secrets in the file:

  intakes:
    pagerduty: {secret_envs: [PAGERDUTY_SECRET]}

` + "`fleetlens up`" + ` has the gateway in it.`,
		Example: "  fleetlens gateway --config gateway.yaml --ui-url https://fleetlens.example\n  fleetlens gateway test team --config gateway.yaml",
		Args:    cobra.NoArgs,
	}
	cmd.PersistentFlags().StringVar(&file, "config", "", "configuration `file` (YAML) with the section sinks")
	cfg.Flags(cmd.PersistentFlags())
	cfg.Alerts.Flags(cmd.PersistentFlags())
	http.Flags(cmd.Flags(), proc.Addresses["gateway"])
	load := func(cmd *cobra.Command) error {
		if err := proc.Load(cmd.Flags(), file, cfg.Sections()); err != nil {
			return proc.UsageError{Err: err}
		}
		if err := errors.Join(cfg.Idle(), cfg.Validate()); err != nil {
			return proc.UsageError{Err: err}
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := load(cmd); err != nil {
			return err
		}
		if err := http.Validate(); err != nil {
			return proc.UsageError{Err: err}
		}
		// It says what it sends: it is no command that ends.
		if f := cmd.Flags().Lookup("log-level"); !f.Changed {
			a.logging.Level = "info"
		}
		return proc.Observed(cmd.Context(), "gateway", http, a.logging.New(os.Stderr), func(ctx context.Context, o proc.Observing) error {
			a.nats.Telemetry = o.Providers
			conn, err := bus.Dial(ctx, a.nats, "gateway", o.Log)
			if err != nil {
				return err
			}
			defer conn.Close()
			o.Health.Need("NATS", proc.Connected(conn))
			return gateway.Run(ctx, cfg, gateway.Deps{Log: o.Log, Bus: conn, Telemetry: o.Providers, Ready: o.Health.Begun})
		})
	}
	cmd.AddCommand(&cobra.Command{
		Use: "test NAME", Short: "Send one sink a message that says it is a test; needs no NATS",
		Long: `Send one sink a message that says it is a test, whatever its rules are. It needs no NATS.

The exit code is 0 when the far side took it.`,
		Example: "  fleetlens gateway test team --config gateway.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := load(cmd); err != nil {
				return err
			}
			if _, ok := cfg.Sinks[args[0]]; !ok {
				return proc.UsageError{Err: cfg.Unknown(args[0])}
			}
			ref, err := gateway.Try(cmd.Context(), cfg, args[0])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), struct {
					Sink string            `json:"sink"`
					Sent bool              `json:"sent"`
					Ref  map[string]string `json:"ref,omitempty"`
				}{args[0], true, ref})
			}
			out(cmd).printf("%s took the test message\n", args[0])
			if lacks := cfg.Sinks[args[0]].Lacks(); lacks != "" {
				out(cmd).printf("  %s\n", lacks)
			}
			return nil
		},
	})
	return cmd
}
