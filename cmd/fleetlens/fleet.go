package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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

// nodeView is a node as it is listed.
type nodeView struct {
	protocol.Heartbeat
	State    string    `json:"state"` // alive or silent
	LastSeen time.Time `json:"last_seen"`
}

func (a *app) nodes() *cobra.Command {
	var labels map[string]string
	cmd := &cobra.Command{
		Use: "nodes", Short: "List the hosts that run a probe", Args: cobra.NoArgs,
		Example: "  fleetlens nodes --label role=db",
	}
	cmd.Flags().StringToStringVar(&labels, "label", nil, "only nodes with these labels")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		conn, err := a.dial(cmd)
		if err != nil {
			return err
		}
		defer conn.Close()
		var views []nodeView
		silent := 0
		for m, err := range conn.Range(cmd.Context(), bus.Nodes, protocol.NodeSubject(protocol.Any), 0) {
			if err != nil {
				return err
			}
			h, err := protocol.Decode[protocol.Heartbeat](m.Data)
			if err != nil || !matches(h.Labels, labels) {
				continue
			}
			v := nodeView{Heartbeat: h, State: "alive", LastSeen: m.Time}
			if time.Since(m.Time) > 3*time.Duration(h.IntervalMS)*time.Millisecond {
				v.State = "silent"
				silent++
			}
			views = append(views, v)
		}
		slices.SortFunc(views, func(x, y nodeView) int { return strings.Compare(x.Node, y.Node) })
		if a.json {
			for _, v := range views {
				if err := printJSON(cmd.OutOrStdout(), v); err != nil {
					return err
				}
			}
			return nil
		}
		p := out(cmd)
		p.printf("%s, %d silent\n", nodes(len(views)), silent)
		var rows [][]string
		for _, v := range views {
			var names []string
			for _, t := range v.Targets {
				names = append(names, t.Name+":"+strings.Join(t.Skills, "+"))
			}
			rows = append(rows, []string{v.Node, v.State, ago(v.LastSeen), pairs(v.Labels), strings.Join(names, " "), v.Version})
		}
		if len(rows) == 0 {
			return nil
		}
		// The table is laid out as a whole, then each node's proposals come below its row.
		var table strings.Builder
		printer{&table, p.colour}.table([]string{"NODE", "STATE", "SEEN", "LABELS", "TARGETS", "VERSION"}, rows)
		for i, line := range slices.Collect(strings.Lines(table.String())) {
			p.printf("%s", line)
			if i > 0 && i <= len(views) {
				p.proposals(views[i-1].Proposals)
			}
		}
		return nil
	}
	return cmd
}

// looksLike says what a proposal's kind looks like.
var looksLike = map[string]string{"go": "a Go service", "postgres": "a PostgreSQL server", "beam": "a node of Erlang or Elixir"}

// proposals prints what could be targets of a node, and how they would be.
func (p printer) proposals(list []protocol.Proposal) {
	for _, f := range list {
		process := f.Process
		if f.PID > 0 {
			process = strings.TrimSpace(fmt.Sprintf("%s (%d)", process, f.PID))
		}
		text := "looks like " + cmp.Or(looksLike[f.Kind], f.Kind) + ": " + strings.TrimSpace(process+" at "+f.Address)
		if f.Why != "" {
			text += " (" + f.Why + ")"
		}
		if f.Config != "" {
			text += "; to watch it, add to the targets of the probe's configuration: " + f.Config
		}
		p.printf("  %s\n", clean(text))
	}
}

func matches(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, ",")
}

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
				var rows [][]string
				for _, w := range list {
					rows = append(rows, []string{w.Skill, w.Kind, w.Title, fmt.Sprint(len(w.Metrics)), fmt.Sprint(len(w.Checks)), fmt.Sprint(len(w.Calls)), w.Summary})
				}
				p.table([]string{"SKILL", "KIND", "TITLE", "METRICS", "CHECKS", "CALLBACKS", "SUMMARY"}, rows)
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
	p.printf("\n%s\n", p.bold("Thresholds"))
	var rows [][]string
	for _, c := range w.Checks {
		rows = append(rows, []string{"  " + c.Metric, string(c.Op), level(c.Warn), level(c.Critical), c.Ask})
	}
	p.table([]string{"  METRIC", "OP", "WARNING", "CRITICAL", "ASKS"}, rows)
	p.printf("\n%s\n", p.bold("Metrics"))
	rows = nil
	for _, m := range w.Metrics {
		rows = append(rows, []string{"  " + m.Name, string(m.Unit), string(m.Kind), m.Doc})
	}
	p.table([]string{"  NAME", "UNIT", "KIND", "MEANS"}, rows)
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
		out(cmd).printf("%s\n", pretty)
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

// nodes counts nodes.
func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}
