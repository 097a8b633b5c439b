package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// eventFlags say which events are listed.
type eventFlags struct {
	since time.Duration
	node  string
}

func (f *eventFlags) declare(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.since, "since", time.Hour, "how far to look back")
	cmd.Flags().StringVar(&f.node, "node", "", "only this node")
}

func (f *eventFlags) nodeOrAny() string {
	if f.node == "" {
		return protocol.Any
	}
	return f.node
}

func (a *app) changes() *cobra.Command {
	var f eventFlags
	cmd := &cobra.Command{
		Use: "changes", Short: "List what was done to hosts, oldest first: restarts, new programs, packages, configuration, deploys",
		Long: `List what was done to hosts, oldest first.

Probes report reboots, restarts of services, new programs and packages, and configuration
files (--watch-file). Delivery systems report theirs themselves:

  nats pub changes.web-1.github-actions '{"id":"run-4711","node":"web-1","source":"github-actions",
    "what":"deploy","text":"checkout v1.4.2","from":"v1.4.1","to":"v1.4.2","at":"2026-05-04T12:00:00Z"}'

Times are those of whoever reports.`,
		Example: "  fleetlens changes --since 24h\n  fleetlens changes --node web-1 --json",
		Args:    cobra.NoArgs,
	}
	f.declare(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := readEvents[protocol.Change](a, cmd, f, protocol.ChangeSubject(f.nodeOrAny(), protocol.Any))
		if err != nil {
			return err
		}
		slices.SortStableFunc(list, func(x, y protocol.Change) int { return x.At.Compare(y.At) })
		var rows [][]any
		for _, c := range list {
			text := c.Text
			if text == "" {
				text = strings.TrimSpace(c.From + " to " + c.To)
			}
			rows = append(rows, []any{c.At, target(c.Node, c.Target), c.Source, c.What, text})
		}
		return printEvents(a, cmd, list, "no changes in the last "+span(f.since), "Changes, last "+span(f.since), []string{"When", "Node", "Source", "What", "Text"}, rows)
	}
	return cmd
}

func (a *app) anomalies() *cobra.Command {
	var f eventFlags
	cmd := &cobra.Command{
		Use: "anomalies", Short: "List the metrics that left their baseline, oldest first",
		Example: "  fleetlens anomalies --since 24h\n  fleetlens anomalies --node web-1 --json",
		Args:    cobra.NoArgs,
	}
	f.declare(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := readEvents[protocol.Anomaly](a, cmd, f, protocol.AnomalySubject(f.nodeOrAny(), protocol.Any, protocol.Any))
		if err != nil {
			return err
		}
		slices.SortStableFunc(list, func(x, y protocol.Anomaly) int { return x.DetectedAt.Compare(y.DetectedAt) })
		var rows [][]any
		for _, x := range list {
			rows = append(rows, []any{
				x.DetectedAt, target(x.Node, x.Target), x.Skill + "." + x.Metric, number(figure(x.Value, x.Unit)), number(figure(x.Baseline, x.Unit)),
				number(fmt.Sprintf("%.1f", x.Score)), markOf(string(x.Severity)),
			})
		}
		return printEvents(a, cmd, list, "no anomalies in the last "+span(f.since), "Anomalies, last "+span(f.since), []string{"When", "Node/target", "Metric", "Value", "Baseline", "Score", "Severity"}, rows)
	}
	return cmd
}

// readEvents returns what was published on a subject of the events.
func readEvents[M protocol.Message](a *app, cmd *cobra.Command, f eventFlags, subject string) ([]M, error) {
	conn, err := a.dial(cmd)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var list []M
	for m, err := range conn.RangeSince(cmd.Context(), bus.Events, subject, time.Now().Add(-f.since)) {
		if err != nil {
			return nil, err
		}
		v, err := protocol.Decode[M](m.Data)
		if err != nil {
			progress(cmd).printf("what is at sequence %d cannot be read: %v\n", m.Sequence, err)
			continue
		}
		list = append(list, v)
	}
	return list, nil
}

// printEvents prints a list as JSON or as a table; of an empty one people read none.
func printEvents[M any](a *app, cmd *cobra.Command, list []M, none, title string, header []string, rows [][]any) error {
	if a.json {
		for _, v := range list {
			if err := printJSON(cmd.OutOrStdout(), v); err != nil {
				return err
			}
		}
		return nil
	}
	if len(rows) == 0 {
		progress(cmd).printf("%s\n", none)
		return nil
	}
	out(cmd).table(title, header, rows)
	return nil
}

// span names a duration in hours, or by its units.
func span(d time.Duration) string {
	if d >= time.Hour && d%time.Hour == 0 {
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return d.String()
}

// target names a node, and what on it is meant unless that is the host.
func target(node, name string) string {
	if name == "" || name == "host" {
		return node
	}
	return node + "/" + name
}

// figure is a value with its unit.
func figure(v float64, unit protocol.Unit) string {
	text := fmt.Sprintf("%.4g", v)
	if v == float64(int64(v)) {
		text = fmt.Sprintf("%d", int64(v))
	}
	if unit == "" || unit == protocol.Count || unit == protocol.Text {
		return text
	}
	return strings.TrimSpace(text + " " + unit.Symbol())
}
