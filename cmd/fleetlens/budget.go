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
				return printJSON(cmd.OutOrStdout(), lines)
			}
			if len(lines) == 0 {
				out(cmd).printf("no budget was reserved from: there is no limit, or no model was asked\n")
				return nil
			}
			var rows [][]string
			for _, l := range lines {
				rows = append(rows, []string{l.Window, fmt.Sprint(l.Tokens), fmt.Sprintf("%.4f", l.USD), fmt.Sprint(l.HeldTokens)})
			}
			out(cmd).table([]string{"WINDOW", "TOKENS", "USD", "TOKENS UNDER WAY"}, rows)
			return nil
		},
	}
}
