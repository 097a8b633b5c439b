package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func (a *app) insights() *cobra.Command {
	var since time.Duration
	var follow bool
	cmd := &cobra.Command{
		Use: "insights", Short: "List what was concluded, oldest first",
		Example: "  fleetlens insights --since 24h\n  fleetlens insights --follow --json\n  fleetlens insights show c1f09a",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.listInsights(cmd, since, follow)
		},
	}
	cmd.Flags().DurationVar(&since, "since", 24*time.Hour, "how far to look back")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new ones as they come")
	cmd.AddCommand(&cobra.Command{
		Use: "show ID", Short: "Print one insight, by its id or the beginning of it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.showInsight(cmd, args[0]) },
	})
	return cmd
}

func (a *app) listInsights(cmd *cobra.Command, since time.Duration, follow bool) error {
	conn, err := a.dial(cmd)
	if err != nil {
		return err
	}
	defer conn.Close()
	p := out(cmd)
	show := func(i protocol.Insight) {
		if a.json {
			_ = printJSON(cmd.OutOrStdout(), i)
			return
		}
		p.printf("%s  %s  %s  %s\n", i.CreatedAt.UTC().Format("2006-01-02 15:04:05"), i.ID[:min(8, len(i.ID))], p.mark(i), clean(i.Summary))
	}
	// Subscribe before reading, so that none falls in between; what is read twice is shown once.
	live := make(chan protocol.Insight, 256)
	if follow {
		stop, err := conn.Subscribe("insights.>", func(m bus.Msg) {
			if i, err := protocol.Decode[protocol.Insight](m.Data); err == nil {
				live <- i
			}
		})
		if err != nil {
			return err
		}
		defer stop()
		if err := conn.Flush(cmd.Context()); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for m, err := range conn.RangeSince(cmd.Context(), bus.Insights, "insights.>", time.Now().Add(-since)) {
		if err != nil {
			return err
		}
		i, err := protocol.Decode[protocol.Insight](m.Data)
		if err != nil {
			progress(cmd).printf("an insight at sequence %d cannot be read: %v\n", m.Sequence, err)
			continue
		}
		seen[i.ID] = true
		show(i)
	}
	if !follow {
		if len(seen) == 0 && !a.json {
			progress(cmd).printf("no insights in the last %s; ask with `fleetlens investigate REASON`\n", since)
		}
		return nil
	}
	for {
		select {
		case <-cmd.Context().Done():
			return nil
		case i := <-live:
			if !seen[i.ID] {
				seen[i.ID] = true
				show(i)
			}
		}
	}
}

func (a *app) showInsight(cmd *cobra.Command, id string) error {
	conn, err := a.dial(cmd)
	if err != nil {
		return err
	}
	defer conn.Close()
	var found []protocol.Insight
	for m, err := range conn.Range(cmd.Context(), bus.Insights, "insights.>", 0) {
		if err != nil {
			return err
		}
		if i, err := protocol.Decode[protocol.Insight](m.Data); err == nil && strings.HasPrefix(i.ID, id) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return fmt.Errorf("no insight %q in the last 30 days: `fleetlens insights --since 720h` lists them", id)
	case 1:
	default:
		return proc.Usage("%q is the beginning of %d ids; give more of it", id, len(found))
	}
	if a.json {
		return printJSON(cmd.OutOrStdout(), found[0])
	}
	out(cmd).insight(found[0])
	return nil
}
