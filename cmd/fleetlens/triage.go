package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/triage"
)

func (a *app) triage() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "triage", Short: "Show what was reported without a request, and how it was put together", Args: cobra.NoArgs,
		Long: `Show what was reported without a request: anomalies, crossed checks, alerts and silent
nodes. What belongs together is one group, and each group is investigated once; its id
is that of the investigation, which the beginning of it names as well. New is what a group is made of, Later the part of it
that came after the investigation began, Again what was known already.`,
		Example: "  fleetlens triage\n  fleetlens triage --all --json | jq .groups",
	}
	cmd.Flags().BoolVar(&all, "all", false, "show the groups of the last week that have ended too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		conn, err := a.dial(cmd)
		if err != nil {
			return err
		}
		defer conn.Close()
		t, err := coordinator.ReadTriage(cmd.Context(), conn)
		if err != nil {
			return err
		}
		open := []*triage.Group{}
		for _, g := range t.Groups {
			if all || g.ClosedAt.IsZero() {
				open = append(open, g)
			}
		}
		if t.Groups = open; a.json {
			return printJSON(cmd.OutOrStdout(), t)
		}
		p := out(cmd)
		notes := p
		if !p.terminal {
			notes = progress(cmd)
		}
		p.triage(t, notes)
		return nil
	}
	return cmd
}

// triage prints the groups, and what else there is to say elsewhere when it is piped.
func (p printer) triage(t coordinator.Triage, notes printer) {
	if len(t.Groups) == 0 {
		notes.printf("nothing was reported\n")
	}
	var rows [][]any
	for _, g := range t.Groups {
		rows = append(rows, []any{
			both{short(g.ID), g.ID}, g.OpenedAt, markOf(string(g.Severity)), groupState(g), g.Count(), g.Signals(), g.Joined, g.Repeats,
			strings.Join(g.Keys[:min(3, len(g.Keys))], ", "),
		})
	}
	if len(rows) > 0 {
		p.table("Triage", []string{"Group", "Opened", "Severity", "State", "Nodes", "New", "Later", "Again", "About"}, rows)
	}
	for _, g := range t.Groups {
		if g.Limited != "" {
			notes.printf("%s was left to the rules analyst: %s\n", g.ID, clean(g.Limited))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t.Ledger.Silenced)) {
		notes.printf("silence %s kept %s out\n", clean(id), count(t.Ledger.Silenced[id], "signal"))
	}
	if n := t.Ledger.Quiet; n > 0 {
		notes.printf("%s fit no group and were not to open one\n", count(n, "signal"))
	}
}

func groupState(g *triage.Group) string {
	switch {
	case g.Resolved(), g.Over():
		return "resolved"
	case g.State != "":
		return string(g.State)
	case !g.AskedAt.IsZero():
		return "investigated"
	case !g.ClosedAt.IsZero():
		return "ended"
	}
	return "waits"
}
