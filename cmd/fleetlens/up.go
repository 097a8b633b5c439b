package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/agentproto"
	"github.com/fleetlens/fleetlens/internal/allinone"
	"github.com/fleetlens/fleetlens/internal/budget"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/gateway"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
	"github.com/fleetlens/fleetlens/internal/telemetry"
	"github.com/fleetlens/fleetlens/internal/web"
)

// localSettings are the settings of everything in one process.
type localSettings struct {
	probe       *watch.Settings
	operator    operator.Config
	coordinator coordinator.Config
	llm         llm.Config
	budget      budget.Config
	gateway     gateway.Config
	file        string
}

func newLocalSettings() *localSettings {
	return &localSettings{
		probe: watch.New(), operator: operator.DefaultConfig(), coordinator: coordinator.DefaultConfig(), llm: llm.DefaultConfig(),
	}
}

// flags declares those that make sense for one process; the rest keep their defaults.
func (l *localSettings) flags(fs *pflag.FlagSet) {
	fs.StringVar(&l.probe.Proc, "proc", l.probe.Proc, "`folder` of the host's /proc")
	fs.StringVar(&l.probe.Sys, "sys", l.probe.Sys, "`folder` of the host's /sys")
	fs.StringVar(&l.probe.Root, "root", l.probe.Root, "`folder` of the host's / when it is mounted elsewhere")
	fs.StringVar(&l.probe.Custom, "custom-skills", "", "`folder` with skills of one's own, a YAML file each")
	fs.StringVar(&l.file, "config", "", "configuration `file` (YAML) with the sections of all processes")
	fs.BoolVar(&l.operator.Execute, "execute", l.operator.Execute, "let models run Lua, in a child process with resource limits; --execute=false takes it away")
	proc.ThresholdFlag(fs, &l.operator.Thresholds)
	l.budget.Flags(fs)
}

func (l *localSettings) options(cmd *cobra.Command, a *app) (allinone.Options, error) {
	sections := l.llm.Sections()
	maps.Copy(sections, l.probe.Sections())
	maps.Copy(sections, l.gateway.Sections())
	maps.Copy(sections, l.coordinator.Alerts.Sections()) // one of them takes alerts
	err := proc.Load(cmd.Flags(), l.file, sections)
	err = errors.Join(err, l.probe.Validate(), l.operator.Validate(), l.coordinator.Validate(), l.llm.Validate(), l.budget.Validate())
	l.coordinator.Thresholds = l.operator.Thresholds
	if err != nil {
		return allinone.Options{}, proc.UsageError{Err: err}
	}
	return allinone.Options{Probe: l.probe, Operator: l.operator, Coordinator: l.coordinator, LLM: l.llm, Budget: l.budget, Log: a.logging.New(os.Stderr)}, nil
}

func (a *app) up() *cobra.Command {
	l := newLocalSettings()
	var data, host string
	var port int
	var http telemetry.HTTP
	cmd := &cobra.Command{
		Use: "up", Short: "Run everything in one process, NATS included",
		Long: `Run NATS, a probe of this host, an operator and a coordinator in one process, and a
gateway where the file of --config has sinks.

It listens on 127.0.0.1:4222, so that nats and fleetlens find it without flags.
More probes and operators may join from other processes.`,
		Example: "  fleetlens up\n  fleetlens up --data /var/lib/fleetlens --listen 0.0.0.0",
		Args:    cobra.NoArgs,
	}
	l.flags(cmd.Flags())
	cmd.Flags().StringVar(&l.probe.Node, "node", "", "name of this node (default: the host's name)")
	cmd.Flags().StringToStringVar(&l.probe.Labels, "label", nil, "labels of this node: role=web,zone=a")
	cmd.Flags().DurationVar(&l.probe.Interval, "interval", l.probe.Interval, "time between two snapshots")
	l.llm.Flags(cmd.Flags())
	l.gateway.Flags(cmd.Flags())
	http.Flags(cmd.Flags(), proc.Addresses["fleetlens"])
	ui := web.Config{Listen: web.DefaultListen}
	ui.Flags(cmd.Flags())
	l.coordinator.Alerts.Flags(cmd.Flags())
	agentproto.Flag(cmd.Flags(), &l.coordinator.Fleet)
	cmd.Flags().IntVar(&l.coordinator.Triage.MaxPerHour, "max-triggers-per-hour", l.coordinator.Triage.MaxPerHour, "groups an hour that may be investigated with a model; the rules analyst has the rest")
	cmd.Flags().StringVar(&data, "data", "", "`folder` to keep data in, the probe's baselines too (default: a temporary one, removed at the end)")
	cmd.Flags().StringVar(&l.coordinator.Topology, "topology", "", "`file` (YAML) with who depends on whom, beside what the nodes' connections show")
	cmd.Flags().StringVar(&host, "listen", "127.0.0.1", "`host` to listen on")
	cmd.Flags().IntVar(&port, "port", 4222, "port to listen on; a free one is taken when it is in use")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o, err := l.options(cmd, a)
		if err := errors.Join(err, http.Validate(), ui.Validate(), l.gateway.Validate()); err != nil {
			return proc.UsageError{Err: err}
		}
		o.DataDir, o.Listen, o.Port, o.Gateway = data, host, port, l.gateway
		if data != "" && o.Probe.State == "" {
			o.Probe.State = filepath.Join(data, "probe")
		}
		return proc.Observed(cmd.Context(), "fleetlens", http, o.Log, func(ctx context.Context, watched proc.Observing) error {
			o.Log, o.Telemetry = watched.Log, watched.Providers
			stack, err := allinone.Start(ctx, o)
			if err != nil {
				return err
			}
			defer stack.Stop()
			watched.Health.Need("NATS", proc.Connected(stack.Bus))
			watched.Health.Begun()
			ended, seen := make(chan error, 2), make(chan uiAddress, 1)
			go func() { ended <- stack.Wait() }()
			var at uiAddress
			if ui.Listen != "" {
				// Where somebody else serves already this one takes a free port, unless it was asked for.
				served := free(ui, cmd.Flags().Changed("ui"))
				go func() { ended <- a.serveUI(ctx, stack.Bus, served, func(at uiAddress) { seen <- at }) }()
				select {
				case at = <-seen:
				case err := <-ended:
					return err
				}
			}
			if err := a.announce(cmd, stack.Server.URL(), data, l, at); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				progress(cmd).printf("stopping\n")
				return nil
			case err := <-ended:
				return err
			}
		})
	}
	return cmd
}

// free returns the configuration with a free port, where that of the default is taken.
func free(c web.Config, asked bool) web.Config {
	l, err := net.Listen("tcp", c.Listen)
	if err == nil {
		_ = l.Close()
	} else if !asked {
		c.Listen = "127.0.0.1:0"
	}
	return c
}

func (a *app) announce(cmd *cobra.Command, url, data string, l *localSettings, ui uiAddress) error {
	if a.json {
		return printJSON(cmd.OutOrStdout(), map[string]any{"url": url, "node": l.probe.Node, "data": data, "model": l.llm.Default, "ui": ui.UI, "token": ui.Token})
	}
	server := ""
	if url != "nats://127.0.0.1:4222" {
		server = " --server " + url
	}
	kept := "in a temporary folder, gone at the end"
	if data != "" {
		kept = "in " + data
	}
	out(cmd).printf(`Fleetlens is up at %s (data %s).
  node %s · decided by %s

Ask from another terminal:
  fleetlens investigate "is this host healthy?"%s
  fleetlens insights --follow%s
or, with the nats command line:
  nats pub investigate.request '{"reason":"checkout is slow"}'%s
  nats sub 'insights.>'%s
`, url, kept, l.probe.Node, decidedBy(l.llm.Default), server, server, server, server)
	if ui.UI != "" {
		out(cmd).printf("\n%s\n", ui)
	}
	return nil
}

func decidedBy(model string) string {
	if model == llm.Rules {
		return "rules, no LLM (name a model with --config and --model)"
	}
	return fmt.Sprintf("the model %q", model)
}
