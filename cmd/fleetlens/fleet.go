package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

func (a *app) skills() *cobra.Command {
	return &cobra.Command{
		Use: "skills [NAME]", Short: "List the skills, or all that is known of one; needs no NATS", Args: cobra.MaximumNArgs(1),
		Example: "  fleetlens skills\n  fleetlens skills os",
		RunE: func(cmd *cobra.Command, args []string) error {
			registry, err := skills.NewRegistry(all.Skills(all.Options{})...)
			if err != nil {
				return err
			}
			list := registry.Words()
			if len(args) == 1 {
				if _, err := registry.Lookup(args[0]); err != nil {
					return proc.UsageError{Err: err}
				}
				list = slices.DeleteFunc(list, func(w protocol.Words) bool { return w.Skill != args[0] })
			}
			if a.json {
				for _, w := range list {
					if err := printJSON(cmd.OutOrStdout(), w); err != nil {
						return err
					}
				}
				return nil
			}
			p := out(cmd)
			if len(args) == 0 {
				var rows [][]any
				for _, w := range list {
					rows = append(rows, []any{w.Skill, w.Kind, w.Title, len(w.Metrics), len(w.Checks), len(w.Calls), w.Summary})
				}
				p.table("Skills", []string{"Skill", "Kind", "Title", "Metrics", "Checks", "Callbacks", "Summary"}, rows)
				return nil
			}
			for _, w := range list {
				p.words(w)
			}
			return nil
		},
	}
}

func (p printer) words(w protocol.Words) {
	p.printf("%s\n%s\n", p.bold(w.Skill+" on "+w.Kind+": "+w.Title), w.Summary)
	p.printf("\n%s\n", p.bold("Callbacks"))
	for _, c := range w.Calls {
		p.printf("  %s\n      %s\n", c.Example, c.Doc)
		if len(c.Aliases) > 0 {
			p.printf("      Also called %s.\n", strings.Join(c.Aliases, ", "))
		}
	}
	var rows [][]any
	for _, c := range w.Checks {
		rows = append(rows, []any{c.Metric, string(c.Op), number(level(c.Warn)), number(level(c.Critical)), c.Ask})
	}
	p.printf("\n%s\n", p.bold("Thresholds"))
	p.table("", []string{"Metric", "Op", "Warning", "Critical", "Asks"}, rows)
	rows = nil
	for _, m := range w.Metrics {
		rows = append(rows, []any{m.Name, string(m.Unit), string(m.Kind), m.Doc})
	}
	p.printf("\n%s\n", p.bold("Metrics"))
	p.table("", []string{"Name", "Unit", "Kind", "Means"}, rows)
}

func level(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%g", *v)
}

func (a *app) call() *cobra.Command {
	var target string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "call NODE CALLBACK [ARGS]", Short: "Ask a host one read-only question",
		Long:    "Ask a host one read-only question. Arguments are JSON values: numbers, true, false, or words taken as strings.",
		Example: "  fleetlens call web-1 system_get_memory\n  fleetlens call web-1 system_top_processes 5 memory\n  fleetlens call web-1 'system_top_processes(5, \"memory\")'",
		Args:    cobra.MinimumNArgs(2),
	}
	cmd.Flags().StringVar(&target, "target", "", "target on the node (default: the host)")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "how long to wait")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, values, err := readArgs(args[1:])
		if err != nil {
			return proc.UsageError{Err: err}
		}
		conn, err := a.dial(cmd)
		if err != nil {
			return err
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(cmd.Context(), timeout+time.Second)
		defer cancel()
		c := protocol.Call{Target: target, Callback: name, DeadlineMS: timeout.Milliseconds()}
		if len(values) > 0 {
			c.Args = values
		}
		raw, err := conn.Request(ctx, protocol.ProbeSubject(args[0], "call"), c)
		if err != nil {
			return callError(args[0], err)
		}
		if a.json {
			return printJSON(cmd.OutOrStdout(), json.RawMessage(raw))
		}
		reply, err := protocol.Decode[protocol.CallReply](raw)
		if err != nil {
			return err
		}
		pretty, err := json.MarshalIndent(reply.Value, "", "  ")
		if err != nil {
			return err
		}
		out(cmd).lines(string(pretty))
		if reply.Truncated {
			progress(cmd).printf("the answer was cut to fit\n")
		}
		return nil
	}
	return cmd
}

// callError says what was wrong; a question that the probe does not take is the caller's.
func callError(node string, err error) error {
	var refusal bus.Refusal
	switch {
	case errors.Is(err, bus.ErrNobody):
		return fmt.Errorf("no probe answers as %q: `fleetlens nodes` lists those there are", node)
	case errors.As(err, &refusal) && refusal.Code < 500:
		return proc.Usage("node %s: %w", node, err)
	}
	return fmt.Errorf("node %s: %w", node, err)
}

// readArgs reads name(args) as one word, or the name and each argument as a word.
func readArgs(words []string) (name string, values []any, err error) {
	if len(words) == 1 && strings.Contains(words[0], "(") {
		return skills.ParseCall(words[0])
	}
	for _, w := range words[1:] {
		var v any
		if json.Unmarshal([]byte(w), &v) != nil {
			v = w
		}
		values = append(values, v)
	}
	return words[0], values, nil
}
