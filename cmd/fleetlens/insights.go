package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// exitSeverity is from which severity of an insight on a command exits with 4.
type exitSeverity string

const exitSeverityDoc = "exit with 4 when an insight is at least so severe: info, warning or critical"

func (s exitSeverity) validate() error {
	if s != "" && protocol.Severity(s).Rank() < 0 {
		return proc.Usage("--exit-severity %q: it is info, warning or critical", string(s))
	}
	return nil
}

// of returns the error that exits with 4 when one of the insights is so severe. That
// nothing is wrong never is.
func (s exitSeverity) of(list ...protocol.Insight) error {
	if s == "" {
		return nil
	}
	for _, i := range list {
		if i.CorrelationType != protocol.None && i.Severity.Rank() >= protocol.Severity(s).Rank() {
			return proc.ExitError{Code: proc.ExitSeverity}
		}
	}
	return nil
}

func (a *app) insights() *cobra.Command {
	var since time.Duration
	var follow bool
	var severe exitSeverity
	cmd := &cobra.Command{
		Use: "insights", Short: "List what was concluded, oldest first",
		Long: `List what was concluded, oldest first. Facts are the figures that were found in the
evidence, of those that were checked; By is who decided, and rules is no LLM.

Piped, a line a record: id, time, severity, nodes, facts, grounded, by, summary.`,
		Example: "  fleetlens insights --since 24h\n  fleetlens insights --follow --json\n  fleetlens insights show c1f09a",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := severe.validate(); err != nil {
				return err
			}
			return a.listInsights(cmd, since, follow, severe)
		},
	}
	cmd.Flags().DurationVar(&since, "since", 24*time.Hour, "how far to look back")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new ones as they come")
	cmd.PersistentFlags().StringVar((*string)(&severe), "exit-severity", "", exitSeverityDoc)
	cmd.AddCommand(&cobra.Command{
		Use: "show ID", Short: "Print one insight, by its id or the beginning of it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := severe.validate(); err != nil {
				return err
			}
			return a.showInsight(cmd, args[0], severe)
		},
	})
	return cmd
}

var insightHeader = []string{"ID", "Time", "Severity", "Nodes", "Facts", "Grounded", "By", "Summary"}

// insightRow is an insight in a line.
func (p printer) insightRow(i protocol.Insight) []any {
	found, all := figuresOf(i)
	grounded, by := "no", i.Model
	if i.HypothesisGrounded {
		grounded = "yes"
	}
	if by == protocol.RulesModel {
		by = "rules"
	}
	at := both{p.clock(i.CreatedAt), p.forPrograms(i.CreatedAt)}
	return []any{both{short(i.ID), i.ID}, at, markOf(verdictOf(i)), len(i.Nodes), number(fmt.Sprintf("%d/%d", found, all)), grounded, by, i.Summary}
}

// insights prints a table of them.
func (p printer) insights(list []protocol.Insight, since time.Duration) {
	s := sheet{cut: true, title: "Insights, last " + span(since), header: append([]string{}, insightHeader...)}
	if p.terminal && p.format == "" {
		s.header[1] = p.zoneAt(p.now)
	}
	for _, i := range list {
		s.rows = append(s.rows, p.insightRow(i))
	}
	p.sheet(s)
}

// insightLine prints one as it comes.
func (p printer) insightLine(i protocol.Insight) {
	if !p.terminal {
		p.record(p.insightRow(i)...)
		return
	}
	m := markOf(verdictOf(i))
	p.printf("%s  %s  %s  %s\n", p.moment(i.CreatedAt), short(i.ID), p.paint(m.code, fmt.Sprintf("%-10s", m.shape+" "+m.word)), clean(i.Summary))
}

func (a *app) listInsights(cmd *cobra.Command, since time.Duration, follow bool, severe exitSeverity) error {
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
		p.insightLine(i)
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
	seen, list := map[string]bool{}, []protocol.Insight{}
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
		list = append(list, i)
		if follow || a.json {
			show(i)
		}
	}
	if !follow {
		switch {
		case a.json:
		case len(list) == 0:
			progress(cmd).printf("no insights in the last %s; ask with `fleetlens investigate REASON`\n", span(since))
		default:
			p.insights(list, since)
		}
		return severe.of(list...)
	}
	for {
		select {
		case <-cmd.Context().Done():
			return severe.of(list...)
		case i := <-live:
			if !seen[i.ID] {
				seen[i.ID] = true
				list = append(list, i)
				show(i)
			}
		}
	}
}

func (a *app) showInsight(cmd *cobra.Command, id string, severe exitSeverity) error {
	conn, err := a.dial(cmd)
	if err != nil {
		return err
	}
	defer conn.Close()
	i, err := findInsight(cmd, conn, id)
	if err != nil {
		return err
	}
	if a.json {
		err = printJSON(cmd.OutOrStdout(), i)
	} else {
		out(cmd).insight(i)
	}
	if err != nil {
		return err
	}
	return severe.of(i)
}

// findInsight returns the insight of an id, or of the beginning of one.
func findInsight(cmd *cobra.Command, conn *bus.Conn, id string) (protocol.Insight, error) {
	list, _, err := reading.Insights(cmd.Context(), conn)
	if err != nil {
		return protocol.Insight{}, err
	}
	i, err := reading.Among(list, id)
	if errors.Is(err, bus.ErrNotFound) {
		return i, fmt.Errorf("no insight %q in the last 30 days: `fleetlens insights --since 720h` lists them", id)
	}
	return i, usage(err)
}

// usage makes an ambiguous id an error of the caller.
func usage(err error) error {
	if errors.As(err, new(*reading.AmbiguousError)) {
		return proc.UsageError{Err: err}
	}
	return err
}
