package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/topology"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func (a *app) topology() *cobra.Command {
	var file, node string
	cmd := &cobra.Command{
		Use: "topology", Short: "List which host depends on which, as their connections show",
		Long: `List which host depends on which, as their connections show: who opens connections, to
which host and port, and what listens there. What is outside of the fleet is listed when
at least two hosts use it. A coordinator uses the same, with its own --topology.`,
		Example: "  fleetlens topology\n  fleetlens topology --node web-1\n  fleetlens topology --topology fleet.yaml --json",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&file, "topology", "", "`file` (YAML) with who depends on whom, as a coordinator has it")
	cmd.Flags().StringVar(&node, "node", "", "only what this node depends on, and what depends on it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var given []topology.Given
		if file != "" {
			var err error
			if given, err = topology.Load(file); err != nil {
				return proc.Usage("--topology: %w", err)
			}
		}
		edges, err := a.readEdges(cmd, given)
		if err != nil {
			return err
		}
		var list []topology.Edge
		var rows [][]any
		for _, e := range edges {
			if node != "" && e.From != node && e.To != node {
				continue
			}
			list = append(list, e)
			rows = append(rows, []any{e.From, e.To, via(e)})
		}
		return printEvents(a, cmd, list, "no node is seen to depend on another: their probes look once a minute", "Who depends on whom", []string{"From", "To", "Via"}, rows)
	}
	return cmd
}

// readEdges makes the edges of what the streams hold.
func (a *app) readEdges(cmd *cobra.Command, given []topology.Given) ([]topology.Edge, error) {
	conn, err := a.dial(cmd)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	links, labels := topology.New(), map[string]map[string]string{}
	for m, err := range conn.Range(cmd.Context(), bus.Nodes, protocol.LinksSubject(protocol.Any), 0) {
		if err != nil {
			return nil, err
		}
		if l, err := protocol.Decode[protocol.Links](m.Data); err == nil && protocol.LinksSubject(l.Node) == m.Subject {
			links.Observe(l, m.Time)
		}
	}
	for m, err := range conn.Range(cmd.Context(), bus.Nodes, protocol.NodeSubject(protocol.Any), 0) {
		if err != nil {
			return nil, err
		}
		if h, err := protocol.Decode[protocol.Heartbeat](m.Data); err == nil {
			labels[h.Node] = h.Labels
		}
	}
	return links.Edges(time.Now(), given, labels), nil
}

// via says by what a node depends on another.
func via(e topology.Edge) string {
	var parts []string
	for _, v := range e.Via {
		text := cmp.Or(v.Process, "?") + " to "
		if v.Service != "" {
			text += v.Service + " on "
		}
		parts = append(parts, text+fmt.Sprintf("port %d (%d)", v.Port, v.Connections))
	}
	if e.Given {
		parts = append(parts, strings.TrimSpace("given by hand "+e.Note))
	}
	return strings.Join(parts, ", ")
}
