package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/keys"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/luasandbox"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

// maxScript is how much of a script is read: more than any sandbox takes.
const maxScript = 1 << 20

func (a *app) lua() *cobra.Command {
	var nodes []string
	var skill string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "lua FILE", Short: "Run a script as a model's would run", Args: cobra.ExactArgs(1),
		Long: `Run a script as a model's would run: in the same sandbox, with the same limits
and the same functions. - reads it from the standard input.

With --node it may ask those nodes, all of them when it is *: every callback of
the skill is a function, on("web-1", "system_get_memory") asks one of several,
fleet("system_get_memory") all at once, targets() lists them. Without --node it
asks nobody, and needs no NATS.`,
		Example: `  echo 'return 6 * 7' | fleetlens lua -
  echo 'return fleet("system_get_memory")' | fleetlens lua --node '*' -`,
	}
	cmd.Flags().StringSliceVar(&nodes, "node", nil, "nodes that the script may ask, separated by commas; * for all")
	cmd.Flags().StringVar(&skill, "skill", "os", "skill whose callbacks it may ask")
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "how long one question to a node may take")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		code, err := readScript(cmd, args[0])
		if err != nil {
			return err
		}
		var funcs []luasandbox.Func
		if len(nodes) > 0 {
			conn, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer conn.Close()
			if funcs, err = fleetFuncs(cmd.Context(), conn, nodes, skill, timeout); err != nil {
				return err
			}
		}
		sandbox := luasandbox.New(luasandbox.DefaultLimits(), luasandbox.Ahead(0))
		defer sandbox.Close()
		if err := luasandbox.Check(); err != nil {
			progress(cmd).printf("%v\n", err)
		}
		res, err := sandbox.Run(cmd.Context(), code, funcs)
		return a.printScript(cmd, res, err)
	}
	return cmd
}

func readScript(cmd *cobra.Command, file string) (string, error) {
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxScript))
	return string(raw), err
}

// fleetFuncs returns the functions by which a script asks nodes.
func fleetFuncs(ctx context.Context, conn *bus.Conn, nodes []string, skill string, timeout time.Duration) ([]luasandbox.Func, error) {
	words, err := skills.Words(all.Skills(all.Options{}), nil)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, w := range words {
		known = append(known, w.Skill)
	}
	if !slices.Contains(known, skill) {
		return nil, proc.Usage("--skill: unknown skill %q; the nearest is %q (have %s)", skill, keys.Nearest(skill, known), strings.Join(slices.Compact(known), ", "))
	}
	if slices.Contains(nodes, "*") {
		nodes = nil
	}
	targets, err := targetsOf(ctx, conn, skill, nodes)
	if err != nil {
		return nil, err
	}
	calls := &agent.FleetCalls{Targets: targets, Probes: operator.NewProbes(conn, timeout)}
	for _, w := range words {
		if w.Skill == skill && w.Kind == targets[0].Kind {
			calls.Docs = w.Calls
		}
	}
	var funcs []luasandbox.Func
	for _, name := range calls.Names() {
		funcs = append(funcs, luasandbox.Func{Name: name, Call: func(ctx context.Context, args []any) (any, error) {
			return calls.Call(ctx, name, args)
		}})
	}
	return funcs, nil
}

// printScript prints what a script printed, and what it returned or met.
func (a *app) printScript(cmd *cobra.Command, res luasandbox.Result, err error) error {
	if a.json {
		said := ""
		if err != nil {
			said = err.Error()
		}
		if err := printJSON(cmd.OutOrStdout(), map[string]any{
			"value": res.Value, "output": res.Output, "output_cut": res.OutputCut, "error": said, "usage": map[string]any{
				"wall_ms": res.Usage.Wall.Milliseconds(), "callback_ms": res.Usage.CallbackTime.Milliseconds(),
				"callbacks": res.Usage.Callbacks, "instructions": res.Usage.Instructions,
			},
		}); err != nil {
			return err
		}
		if err != nil {
			return proc.ExitError{Code: proc.ExitFailed}
		}
		return nil
	}
	p := out(cmd)
	p.printf("%s", cleanLines(res.Output))
	if res.OutputCut {
		progress(cmd).printf("it printed more than that\n")
	}
	if err != nil {
		if _, limit := errors.AsType[*luasandbox.LimitError](err); limit {
			return fmt.Errorf("the script was ended: %w", err)
		}
		return err
	}
	if res.Value == nil {
		return nil
	}
	pretty, err := json.MarshalIndent(res.Value, "", "  ")
	if err != nil {
		return err
	}
	p.printf("%s\n", cleanLines(string(pretty)))
	return nil
}

// cleanLines cleans each line of a text.
func cleanLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}
