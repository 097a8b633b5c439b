package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func (a *app) silence() *cobra.Command {
	cmd := &cobra.Command{
		Use: "silence", Short: "Keep triage from asking about nodes, labels or skills for a time",
		Long: `Keep triage from asking about nodes, labels or skills for a time. What is named must all
match; what is left out matches everything. The skills of alerts and of silent nodes are
alert and heartbeat. A silence holds within 15 s; what it kept out is counted.
Investigations that somebody asks for are not concerned.`,
	}
	cmd.AddCommand(a.silenceAdd(), a.silenceList(), a.silenceEnd())
	return cmd
}

func (a *app) silenceAdd() *cobra.Command {
	var q protocol.Silence
	var last time.Duration
	var until string
	var everything bool
	cmd := &cobra.Command{
		Use: "add REASON", Short: "Begin a silence", Args: cobra.ExactArgs(1),
		Example: `  fleetlens silence add "move to new disks" --node db-1,db-2 --for 2h
  fleetlens silence add "load test" --label role=canary --skill os,heartbeat --until 2026-05-05T06:00:00Z`,
	}
	cmd.Flags().StringVar(&q.ID, "id", "", "its id (default: one is made up); that of another silence replaces it")
	cmd.Flags().StringSliceVar(&q.Nodes, "node", nil, "of these nodes")
	cmd.Flags().StringToStringVar(&q.Labels, "label", nil, "of nodes with all of these labels")
	cmd.Flags().StringSliceVar(&q.Skills, "skill", nil, "of these skills")
	cmd.Flags().DurationVar(&last, "for", time.Hour, "how long it holds")
	cmd.Flags().StringVar(&until, "until", "", "until when it holds, as 2026-05-05T06:00:00Z, in place of --for")
	cmd.Flags().BoolVar(&everything, "everything", false, "of all there is: needed where no node, label or skill is named")
	cmd.MarkFlagsMutuallyExclusive("for", "until")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		now := time.Now().UTC()
		q.Reason, q.By, q.At, q.Until = args[0], person(), now, now.Add(last)
		if until != "" {
			at, err := time.Parse(time.RFC3339, until)
			if err != nil {
				return proc.Usage("--until %q: write it as 2026-05-05T06:00:00Z", until)
			}
			q.Until = at.UTC()
		}
		if q.ID == "" {
			q.ID = protocol.NewID()
		}
		switch named := len(q.Nodes)+len(q.Labels)+len(q.Skills) > 0; {
		case !q.Until.After(now):
			return proc.Usage("it would have ended at %s", q.Until.Format(time.RFC3339))
		case named == everything:
			return proc.Usage("name what is silenced with --node, --label or --skill, or say --everything")
		}
		if err := a.publishSaid(cmd, "silence", q.ID, q); err != nil || a.json {
			return err
		}
		p := out(cmd)
		p.printf("silence %s of %s holds until %s; end it with `fleetlens silence end %s`\n", clean(q.ID), silenced(q), p.stamp(q.Until), short(q.ID))
		return nil
	}
	return cmd
}

// silenced says what a silence is of.
func silenced(q protocol.Silence) string {
	var parts []string
	if len(q.Nodes) > 0 {
		parts = append(parts, "nodes "+strings.Join(q.Nodes, ", "))
	}
	if len(q.Labels) > 0 {
		parts = append(parts, "nodes with "+pairs(q.Labels))
	}
	if len(q.Skills) > 0 {
		parts = append(parts, "skills "+strings.Join(q.Skills, ", "))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return clean(strings.Join(parts, " and "))
}

// silenceView is a silence as it is listed.
type silenceView struct {
	protocol.Silence
	Holds bool `json:"holds"`
	Kept  int  `json:"kept_out"` // signals that it kept out
}

func (a *app) silenceList() *cobra.Command {
	var ended bool
	cmd := &cobra.Command{Use: "list", Short: "List the silences that hold, and what each kept out", Args: cobra.NoArgs, Example: "  fleetlens silence list --all"}
	cmd.Flags().BoolVar(&ended, "all", false, "those that have ended too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		conn, err := a.dial(cmd)
		if err != nil {
			return err
		}
		defer conn.Close()
		views, err := readSilences(cmd.Context(), conn)
		if err != nil {
			return err
		}
		if !ended {
			views = slices.DeleteFunc(views, func(v silenceView) bool { return !v.Holds })
		}
		if a.json {
			for _, v := range views {
				if err := printJSON(cmd.OutOrStdout(), v); err != nil {
					return err
				}
			}
			return nil
		}
		if len(views) == 0 {
			progress(cmd).printf("nothing is silenced\n")
			return nil
		}
		out(cmd).silences(views)
		return nil
	}
	return cmd
}

func readSilences(ctx context.Context, conn *bus.Conn) ([]silenceView, error) {
	list, _, err := reading.Silences(ctx, conn)
	if err != nil {
		return nil, err
	}
	board, err := coordinator.ReadTriage(ctx, conn)
	if err != nil {
		return nil, err
	}
	views := make([]silenceView, len(list))
	for i, q := range list {
		views[i] = silenceView{q, time.Now().Before(q.Until), board.Ledger.Silenced[q.ID]}
	}
	return views, nil
}

func (p printer) silences(views []silenceView) {
	var rows [][]any
	for _, v := range views {
		state := "ended"
		if v.Holds {
			state = "holds"
		}
		rows = append(rows, []any{both{short(v.ID), v.ID}, state, v.Until, v.Kept, silenced(v.Silence), v.Reason, v.By})
	}
	p.table("Silences", []string{"ID", "State", "Until", "Kept out", "Of", "Reason", "By"}, rows)
}

func (a *app) silenceEnd() *cobra.Command {
	return &cobra.Command{
		Use: "end ID", Short: "End a silence now", Args: cobra.ExactArgs(1), Example: "  fleetlens silence end db-move",
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer conn.Close()
			list, _, err := reading.Silences(cmd.Context(), conn)
			if err != nil {
				return err
			}
			now := time.Now().UTC()
			list = slices.DeleteFunc(list, func(q protocol.Silence) bool { return !now.Before(q.Until) })
			q, err := amongSilences(list, args[0])
			if err != nil {
				return err
			}
			q.Until, q.By, q.At = now, person(), now
			if err := a.tellPeople(cmd, conn, "silence", q.ID, q); err != nil || a.json {
				return err
			}
			out(cmd).printf("silence %s has ended\n", clean(q.ID))
			return nil
		},
	}
}

// amongSilences returns the silence of an id, or of the beginning of one.
func amongSilences(list []protocol.Silence, prefix string) (protocol.Silence, error) {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	id, err := reading.Match(prefix, ids)
	if err != nil {
		return protocol.Silence{}, usage(err)
	}
	if i := slices.Index(ids, id); id != "" && i >= 0 {
		return list[i], nil
	}
	return protocol.Silence{}, fmt.Errorf("no silence %q holds: `fleetlens silence list` lists those that do", prefix)
}
