package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/health"
	"github.com/fleetlens/fleetlens/internal/proc"
)

// doctorWithin is how long all that the doctor reads may take.
const doctorWithin = 30 * time.Second

func (a *app) doctor() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Say whether Fleetlens itself can be trusted", Args: cobra.NoArgs,
		Long: `Say whether Fleetlens itself can be trusted: streams against their limits, work that
nobody takes, what nobody could handle, hosts that fell silent, what models used. Each
check has what it is held against and what can be done. It exits with 4 when one is
critical. What the role may not read is said to be unknown.`,
		Example: "  fleetlens doctor\n  fleetlens doctor --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), doctorWithin)
			defer cancel()
			var worst error
			var rows [][]any
			for _, c := range health.Judge(health.Read(ctx, conn), time.Now()) {
				if c.Verdict == health.Critical {
					worst = proc.ExitError{Code: proc.ExitSeverity}
				}
				rows = append(rows, []any{markOf(string(c.Verdict)), c.Name, c.Says, c.Limit, c.Fix})
				if a.json {
					if err := printJSON(cmd.OutOrStdout(), c); err != nil {
						return err
					}
				}
			}
			if !a.json {
				out(cmd).table("Health", []string{"Verdict", "Check", "Says", "Limit", "What to do"}, rows)
			}
			return worst
		},
	}
}
