package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func (a *app) schedules() *cobra.Command {
	cmd := &cobra.Command{
		Use: "schedules", Short: "List the investigations that are to come", Args: cobra.NoArgs,
		Long: `List the investigations that are to come: those that a coordinator left for later,
and the recurring ones of the coordinators' configuration.`,
		Example: "  fleetlens schedules\n  fleetlens schedules cancel recurring-nightly",
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := a.service(cmd, protocol.SchedulesSubject, nil)
			if err != nil {
				return err
			}
			var reply struct {
				Schedules []bus.Schedule `json:"schedules"`
			}
			if err := json.Unmarshal(raw, &reply); err != nil {
				return err
			}
			if a.json {
				for _, s := range reply.Schedules {
					if err := printJSON(cmd.OutOrStdout(), s); err != nil {
						return err
					}
				}
				return nil
			}
			if len(reply.Schedules) == 0 {
				progress(cmd).printf("nothing is scheduled\n")
				return nil
			}
			var rows [][]any
			for _, s := range reply.Schedules {
				rows = append(rows, []any{s.ID, s.When, s.Zone, s.Request.Reason})
			}
			out(cmd).table("Schedules", []string{"ID", "When", "Zone", "Reason"}, rows)
			return nil
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "cancel ID", Short: "Take an investigation off the schedule", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := a.service(cmd, protocol.UnscheduleSubject, map[string]string{"id": args[0]})
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), json.RawMessage(raw))
			}
			out(cmd).printf("%s is off the schedule\n", args[0])
			return nil
		},
	})
	return cmd
}

// service asks the coordinators.
func (a *app) service(cmd *cobra.Command, subject string, body any) ([]byte, error) {
	conn, err := a.dial(cmd)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
	defer cancel()
	raw, err := conn.Request(ctx, subject, body)
	if err != nil {
		return nil, fmt.Errorf("%w (is a coordinator running?)", err)
	}
	return raw, nil
}
