package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// modelView is a model or set as it is listed.
type modelView struct {
	Name     string         `json:"name"`
	Provider string         `json:"provider"`
	Model    string         `json:"model"`
	Default  bool           `json:"default"`
	OK       bool           `json:"ok"`
	Error    string         `json:"error,omitempty"`
	TookMS   int64          `json:"took_ms"`
	Usage    protocol.Usage `json:"usage"`
}

func (a *app) models() *cobra.Command {
	cfg := llm.DefaultConfig()
	var file string
	var within time.Duration
	cmd := &cobra.Command{
		Use: "models", Short: "List the models of a configuration and check each with one short call; needs no NATS", Args: cobra.NoArgs,
		Example: "  fleetlens models --config operator.yaml",
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration `file` of operators and coordinators")
	cmd.Flags().DurationVar(&within, "timeout", 30*time.Second, "how long one check may take")
	cfg.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		sections := cfg.Sections()
		sections["recurring"] = &map[string]any{} // a coordinator's file has it too
		if err := proc.Load(cmd.Flags(), file, sections); err != nil {
			return proc.UsageError{Err: err}
		}
		if err := cfg.Validate(); err != nil {
			return proc.UsageError{Err: err}
		}
		deciders, err := cfg.Deciders(cmd.Context(), nil, nil)
		if err != nil {
			return err
		}
		views := modelViews(cfg)
		for i := range views {
			progress(cmd).printf("checking %s\n", views[i].Name)
			d, err := deciders(views[i].Name)
			if err != nil {
				return err
			}
			views[i].check(cmd.Context(), d, within)
		}
		return a.printModels(cmd, views)
	}
	return cmd
}

func modelViews(cfg llm.Config) []modelView {
	var views []modelView
	for _, name := range slices.Sorted(maps.Keys(cfg.Models)) {
		m := cfg.Models[name]
		views = append(views, modelView{Name: name, Provider: m.Provider, Model: m.Model})
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Sets)) {
		s := cfg.Sets[name]
		way := "fallback: " + strings.Join(s.Fallback, ", ")
		if len(s.RoundRobin) > 0 {
			way = "round robin: " + strings.Join(s.RoundRobin, ", ")
		}
		views = append(views, modelView{Name: name, Provider: "set", Model: way})
	}
	known := func(name string) bool {
		return slices.ContainsFunc(views, func(v modelView) bool { return v.Name == name })
	}
	if cfg.Default != llm.Rules && !known(cfg.Default) { // the one that the environment's key gives
		views = append(views, modelView{Name: cfg.Default, Provider: llm.Anthropic, Model: cfg.Default})
	}
	views = append(views, modelView{Name: llm.Rules, Provider: "none", Model: "thresholds and cause tables"})
	for i := range views {
		views[i].Default = views[i].Name == cfg.Default
	}
	return views
}

func (v *modelView) check(ctx context.Context, d agent.Decider, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	begin := time.Now()
	usage, err := agent.CheckDecider(ctx, d)
	v.TookMS, v.Usage, v.OK = time.Since(begin).Milliseconds(), usage, err == nil
	if err != nil {
		v.Error = err.Error()
	}
}

func (a *app) printModels(cmd *cobra.Command, views []modelView) error {
	failed := 0
	var rows [][]any
	for _, v := range views {
		if !v.OK {
			failed++
		}
		if a.json {
			if err := printJSON(cmd.OutOrStdout(), v); err != nil {
				return err
			}
			continue
		}
		state := "ok"
		if !v.OK {
			state = v.Error
		}
		def := ""
		if v.Default {
			def = "default"
		}
		rows = append(rows, []any{v.Name, v.Provider, v.Model, def, both{fmt.Sprintf("%d ms", v.TookMS), fmt.Sprint(v.TookMS)}, state})
	}
	if !a.json {
		out(cmd).table("Models", []string{"Name", "Provider", "Model", "Default", "Took", "Check"}, rows)
	}
	if failed > 0 {
		return proc.ExitError{Code: proc.ExitFailed, Err: fmt.Errorf("%d of %d do not work", failed, len(views))}
	}
	return nil
}
