// Command probe watches one host with its skills and answers the operators' calls.
package main

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
)

func main() {
	cfg := probe.DefaultConfig()
	proc.Main("probe", probe.Doc, &cfg, func(ctx context.Context, env proc.Env) error {
		identity, err := probe.ReadIdentity(cfg.Proc, cfg.Root)
		if err != nil {
			return err
		}
		conn, err := env.Dial(ctx, "probe/"+cfg.Node)
		if err != nil {
			return err
		}
		defer conn.Close()
		return probe.Run(ctx, cfg, probe.Deps{
			Log: env.Log, Bus: conn, Identity: identity, Version: proc.Version(), Telemetry: env.Telemetry, Ready: env.Ready,
			Skills: all.Skills(all.Options{Proc: cfg.Proc, Sys: cfg.Sys, Root: cfg.Root}),
			Node:   hostos.Node(host.New(host.Config{Proc: cfg.Proc, Sys: cfg.Sys, Root: cfg.Root}), cfg.Node),
		})
	})
}
