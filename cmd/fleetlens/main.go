// Command fleetlens is Fleetlens for people: everything in one process, and the
// reading side of a fleet.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
)

func main() { proc.Exit(root()) }

// app is what the commands share.
type app struct {
	nats    bus.Config
	logging proc.Logging
	json    bool
}

const rootDoc = `Find out why a fleet of machines misbehaves.

Try it on this machine, without anything else:

  fleetlens investigate --local "is this host healthy?"

Run everything in one process, then ask from another terminal:

  fleetlens up
  fleetlens investigate "checkout is slow"
  nats pub investigate.request '{"reason":"checkout is slow"}'; nats sub 'insights.>'

Exit codes: 0 done, 1 could not do its work, 2 wrong use, 3 the investigation failed or ran out of time,
4 an insight is as severe as --exit-severity says, or doctor found something critical.

Tables have a frame on a terminal; piped they are a line a record, fields apart by tabs, times
in UTC. NATS_TABLE_FORMAT (md, csv, tsv) writes them otherwise; NO_COLOR takes the colour away,
NATS_COLOR colours frames. Ids may be shortened to a beginning that no other has.`

func root() *cobra.Command {
	a := &app{}
	cmd := &cobra.Command{
		Use: "fleetlens", Short: "Find out why a fleet of machines misbehaves", Long: rootDoc,
		SilenceUsage: true, SilenceErrors: true, Version: proc.Version(),
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := proc.Load(cmd.Flags(), "", nil); err != nil {
				return proc.UsageError{Err: err}
			}
			if err := errors.Join(a.nats.Validate(), a.logging.Validate()); err != nil {
				return proc.UsageError{Err: err}
			}
			return nil
		},
	}
	a.nats.Flags(cmd.PersistentFlags())
	a.logging.Flags(cmd.PersistentFlags())
	if err := cmd.PersistentFlags().Set("log-level", "warn"); err != nil {
		panic(err) // a fault of this program
	}
	cmd.PersistentFlags().Lookup("log-level").DefValue = "warn"
	cmd.PersistentFlags().Lookup("log-level").Changed = false
	cmd.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON on standard output, and nothing else there")
	cmd.PersistentFlags().Bool("local-time", false, "tell times in this machine's zone, not in UTC")
	cmd.AddCommand(a.up(), a.investigate(), a.cancel(), a.question(), a.tell(), a.operate(), a.schedules(), a.triage(), a.insights(), a.evidence(), a.feedback(), a.ack(), a.note(), a.silence(), a.changes(), a.anomalies(), a.nodes(), a.topology(), a.skills(), a.models(), a.budget(), a.doctor(), a.streams(), a.setup(), a.creds(), a.call(), a.lua(), a.run(), a.ui(), a.gateway(), a.agents(), a.man(), a.version())
	introspection(cmd)
	addOwnWords(cmd)
	a.completion(cmd)
	return cmd
}

// dialWithin is how long a person waits for a server that is not there.
const dialWithin = 5 * time.Second

// dial connects to NATS as a person's command.
func (a *app) dial(cmd *cobra.Command) (*bus.Conn, error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), dialWithin)
	defer cancel()
	return bus.Dial(ctx, a.nats, "fleetlens", a.logging.New(os.Stderr))
}
