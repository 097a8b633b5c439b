package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/mcp"
	"github.com/fleetlens/fleetlens/internal/proc"
)

func (a *app) agents() *cobra.Command {
	return &cobra.Command{
		Use: "mcp", Short: "Answer an agent over standard input and output (MCP)",
		Long: `Answer an agent over standard input and output: a server of the Model Context Protocol
(MCP), which programs that have models start by themselves. Write into their
configuration that they run this command; see docs/how-to/machines-that-ask.md.

What it may do is what its NATS user may: with a viewer's credentials there are only the
tools that read, with a client's also those that investigate, with an admin's also call.
The same is served over HTTP at /mcp of ` + "`fleetlens ui` and `fleetlens up`" + `.`,
		Example: "  fleetlens mcp --creds client.creds\n  NATS_URL=nats://nats.example.com fleetlens mcp",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer conn.Close()
			in, out := io.NopCloser(cmd.InOrStdin()), keptOpen{cmd.OutOrStdout()}
			return mcp.New(conn, proc.Version(), a.logging.New(os.Stderr)).Run(cmd.Context(), in, out)
		},
	}
}

// keptOpen is a writer that is not the one's to close who was given it.
type keptOpen struct{ io.Writer }

// Close does nothing.
func (keptOpen) Close() error { return nil }
