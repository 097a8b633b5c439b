package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs"
)

// man writes the manual pages, for packages.
func (a *app) man() *cobra.Command {
	return &cobra.Command{
		Use: "man FOLDER", Short: "Write the manual pages of all programs to a folder", Args: cobra.ExactArgs(1), Hidden: true,
		Long: `Write the manual pages of all programs to a folder: fleetlens.1, a page for each of its
commands (fleetlens-nodes.1), probe.1, operator.1 and coordinator.1. Their date is
SOURCE_DATE_EPOCH of the environment, else today.`,
		Example: "  fleetlens man /usr/local/share/man/man1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			commands := []*cobra.Command{cmd.Root()}
			for _, p := range programs.All() {
				commands = append(commands, proc.Command(p.Name, p.Doc, p.Settings, nil)) // it is described, not run
			}
			for _, c := range commands {
				c.DisableAutoGenTag = true
				head := &doc.GenManHeader{Section: "1", Source: "Fleetlens " + proc.Version(), Manual: "Fleetlens"}
				if err := doc.GenManTree(c, head, args[0]); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
