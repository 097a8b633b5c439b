// Command bench measures what Fleetlens promises to cost, each figure with its
// budget beside it:
//
//	go run ./test/bench probe     CPU and memory of the probe, beside node_exporter
//	go run ./test/bench e2e       from a request to its insight, with a model that answers at once
//	go run ./test/bench ingest    CPU of one snapshot, beside JetStream alone
//	go run ./test/bench scale     the same tasks with one operator and with four
//	go run ./test/bench loop      a turn of the loop, beside eino's own agent in memory
//	go run ./test/bench tokens    tokens of typical investigations, turn by turn, estimated
//	go run ./test/bench ask       one script that asks fifty probes
//	go run ./test/bench fleet     faults in a simulated fleet, and what is made of them
//	go run ./test/bench lua       a small script in the sandbox, beside gopher-lua alone
//	go run ./test/bench loghub FOLDER  log templates on labelled logs, beside a plain Drain
//	go run ./test/bench storm     anomalies of 10,000 probes while who leads the triage is killed
//	go run ./test/bench petshop FOLDER  root causes of injected faults, beside plain rivals
//	go run ./test/bench rank DIR  root causes of labelled cases in a neutral format
//	go run ./test/bench nab FOLDER     anomalies on labelled series, scored as the Numenta benchmark does
//	go run ./test/bench ui        the web UI in Chromium: what it loads, how soon it shows, 10,000 nodes live
//
// Progress goes to standard error. The last line of standard output is one JSON
// object, with the units in its names. Each run ends by itself within 90 seconds
// (storm and ui: five minutes; fleet: a bit more than a minute a scenario), starts its own NATS and speaks on loopback only. Figures are to be compared
// within one run: they depend on the machine and on what else it does, which the
// load average in the output tells.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/proc"
)

// longest is after how long a benchmark is given up, unless it says how long it is.
const longest = 90 * time.Second

// takes are those that need longer.
var takes = map[string]time.Duration{"beam": 10 * time.Minute, "storm": 5 * time.Minute, "ui": 5 * time.Minute, "fleet": 90 * time.Minute, "quiet": 25 * time.Hour}

func main() { proc.Exit(command()) }

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "bench",
		Short: "Measure Fleetlens against its budgets",
		Long: `Measure Fleetlens against its budgets.

Each benchmark prints its progress on standard error and one JSON object on
standard output: the figures with their units in the names and, where there is a
budget, the budget and whether it was met. A missed budget is no failure: the exit
code is 0 when everything could be measured.

A benchmark ends by itself within 90 seconds, unless it says more, starts its own NATS and uses
loopback only. The cores are better left to it: what else ran shows as "load_1m".`,
		Example: `  go run ./test/bench probe --processes 2000
  go run ./test/bench e2e | jq .`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(quietCommand(), stormCommand())
	root.AddCommand(fleetCommand(), fleetProcess(), petshopCommand(), rankCommand())
	root.AddCommand(probeCommand(), beamCommand(), e2eCommand(), ingestCommand(), scaleCommand(), askCommand(), tokensCommand(), loopCommand(), luaCommand(), loghubCommand(), nabCommand(), uiCommand(), serverCommand(), webServerCommand())
	return root
}

// A bench is one run of a benchmark.
type bench struct {
	errOut io.Writer
	log    *slog.Logger // of what is measured: warnings and errors only
	dir    string       // removed at the end
}

// An output is the line that a benchmark prints.
type output struct {
	Benchmark string  `json:"benchmark"`
	Machine   machine `json:"machine"`
	LoadAfter float64 `json:"load_1m_after"`
	Figures   any     `json:"figures"`
}

// say prints a line of progress.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.errOut, format+"\n", args...) }

// warnings returns a logger of warnings and errors.
func warnings(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// subcommand wires a benchmark to a command: a folder, a limit in time, a
// profile when one is wanted, and its report as one line of JSON.
func subcommand(use, short, long string, measure func(ctx context.Context, b *bench) (any, error)) *cobra.Command {
	var profile string
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.NoArgs}
	cmd.Flags().StringVar(&profile, "cpuprofile", "", "write a CPU profile of this process to `file`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		limit := max(longest, takes[use])
		dir, err := os.MkdirTemp("", "fleetlens-bench-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }() // a temporary folder is left behind then
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), limit, fmt.Errorf("not done after %s", limit))
		defer cancel()
		if profile != "" {
			f, err := os.Create(profile)
			if err != nil {
				return err
			}
			defer func() { _ = f.Close() }() // the profile is short then, which pprof tells
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		b := &bench{errOut: cmd.ErrOrStderr(), dir: dir, log: warnings(cmd.ErrOrStderr())}
		before := readMachine()
		report, err := measure(ctx, b)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return fmt.Errorf("%w (%w)", cause, err)
			}
			return err
		}
		return json.NewEncoder(cmd.OutOrStdout()).Encode(output{use, before, loadAverage(), report})
	}
	return cmd
}
