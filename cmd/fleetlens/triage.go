package main

import (
	"fmt"
	"strings"
	"time"

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
is that of the investigation. NEW is what a group is made of, LATER the part of it that
came after the investigation began, AGAIN what was known already.`,
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
		out(cmd).triage(t)
		return nil
	}
	return cmd
}

func (p printer) triage(t coordinator.Triage) {
	if len(t.Groups) == 0 {
		p.printf("nothing was reported\n")
	}
	var rows [][]string
	for _, g := range t.Groups {
		rows = append(rows, []string{
			g.ID, g.OpenedAt.Local().Format(time.DateTime), string(g.Severity), groupState(g), fmt.Sprint(g.Count()),
			fmt.Sprint(g.Signals()), fmt.Sprint(g.Joined), fmt.Sprint(g.Repeats), clean(strings.Join(g.Keys[:min(3, len(g.Keys))], ", ")),
		})
	}
	if len(rows) > 0 {
		p.table([]string{"GROUP", "OPENED", "SEVERITY", "STATE", "NODES", "NEW", "LATER", "AGAIN", "ABOUT"}, rows)
	}
	for _, g := range t.Groups {
		if g.Limited != "" {
			p.printf("%s was left to the rules analyst: %s\n", g.ID, clean(g.Limited))
		}
	}
	for id, n := range t.Ledger.Silenced {
		p.printf("silence %s kept %d signals out\n", clean(id), n)
	}
	if n := t.Ledger.Quiet; n > 0 {
		p.printf("%d signals fit no group and were not to open one\n", n)
	}
}

func groupState(g *triage.Group) string {
	switch {
	case g.State != "":
		return string(g.State)
	case !g.AskedAt.IsZero():
		return "investigated"
	case !g.ClosedAt.IsZero():
		return "ended"
	}
	return "waits"
}
