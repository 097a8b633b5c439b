//go:build linux

// Command chaos runs investigations with real processes while it kills, freezes
// and repeats what it can, and then asks a checker that reads only the streams
// what is missing and what is there twice:
//
//	go run ./test/chaos --investigations 300 [--seed N] [--cluster]
//
// Progress goes to standard error. The last line of standard output is one JSON
// object; the exit code is 1 when something was lost or doubled. Everything
// listens on loopback, ends with the program and ends in bounded time.
package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/proc"
)

func main() { proc.Exit(command()) }

// options are what a run is made of.
type options struct {
	investigations, operators, coordinators, probes int
	seed                                            uint64
	cluster                                         bool
	keep                                            string
}

func command() *cobra.Command {
	o := options{investigations: 300, operators: 3, coordinators: 2, probes: 3, seed: 1}
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Look for lost and doubled results while everything fails",
		Example: `  go run ./test/chaos --investigations 300 --seed 7
  go run ./test/chaos --investigations 100 --cluster`,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
	}
	fs := cmd.Flags()
	fs.IntVar(&o.investigations, "investigations", o.investigations, "how many to ask for")
	fs.Uint64Var(&o.seed, "seed", o.seed, "of everything that is left to chance here; what the machine does with it differs")
	fs.IntVar(&o.operators, "operators", o.operators, "how many run")
	fs.IntVar(&o.coordinators, "coordinators", o.coordinators, "how many run")
	fs.IntVar(&o.probes, "probes", o.probes, "how many run")
	fs.BoolVar(&o.cluster, "cluster", o.cluster, "three NATS servers with three replicas, whose leader is killed")
	fs.StringVar(&o.keep, "keep", o.keep, "`folder` to keep the logs and the streams in (default: a temporary one, removed)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if min(o.investigations, o.operators, o.coordinators, o.probes) < 1 {
			return proc.Usage("--investigations, --operators, --coordinators and --probes must be at least 1")
		}
		report, err := run(cmd.Context(), o, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		if err := json.NewEncoder(cmd.OutOrStdout()).Encode(report); err != nil {
			return err
		}
		if report.Lost > 0 || report.Doubled > 0 {
			return errors.New(fmt.Sprint(report.Lost, " lost, ", report.Doubled, " doubled"))
		}
		return nil
	}
	cmd.AddCommand(serverCommand())
	return cmd
}
