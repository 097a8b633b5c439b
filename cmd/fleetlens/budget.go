package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/budget"
)

func (a *app) budget() *cobra.Command {
	return &cobra.Command{
		Use: "budget", Short: "Show what models used of the fleet's budget", Args: cobra.NoArgs,
		Long: `Show what models used of the fleet's budget, in the last hour and day in which
one was asked. It is counted where operators and coordinators have a limit such
as --tokens-per-day.`,
		Example: "  fleetlens budget",
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer conn.Close()
			lines, err := budget.Read(cmd.Context(), conn)
			if err != nil {
				return err
			}
			if a.json {
				for _, l := range lines {
					if err := printJSON(cmd.OutOrStdout(), l); err != nil {
						return err
					}
				}
				return nil
			}
			if len(lines) == 0 {
				progress(cmd).printf("no budget was reserved from: there is no limit, or no model was asked\n")
				return nil
			}
			var rows [][]any
			for _, l := range lines {
				rows = append(rows, []any{l.Window, l.Tokens, number(fmt.Sprintf("%.4f", l.USD)), l.HeldTokens})
			}
			out(cmd).table("Budget", []string{"Window", "Tokens", "USD", "Tokens under way"}, rows)
			return nil
		},
	}
}
