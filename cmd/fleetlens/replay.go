package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func (a *app) replay() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "replay ID | FOLDER...", Short: "Make the steps of a run again with this program, and say what differs",
		Long: `Make the steps of a run again with this program, and say what differs: what the
decider could read (by its hash), what the rules analyst decides, whether each call is
done, failed or invalid, what it changes with the ids it gives, and how the run ended.

No model and no host is asked and nothing is published: their answers are taken
from the journal. Of an investigation, its operators' runs are replayed too. With
--file the journal is read from what ` + "`fleetlens run show --json`" + ` printed, and NATS
is not needed.

Of a folder that ` + "`fleetlens feedback export`" + ` wrote, it says for each case whether
this program concludes the same (what is only worded anew does not count) and what
people said of it.

It exits with 3 when something differs; of cases, when one concludes otherwise.`,
		Example: `  fleetlens run replay 5be0c2a47f19d3e8
  fleetlens --json run show 5be0c2a47f19d3e8 > run.jsonl && fleetlens run replay --file run.jsonl
  fleetlens feedback export cases && fleetlens run replay cases`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().StringVar(&file, "file", "", "read the journals from a `file`, a record a line; - is the standard input")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (file == "") == (len(args) == 0) {
			return proc.Usage("name either the id of a run, folders of cases, or --file")
		}
		if len(args) > 1 || len(args) == 1 && isFolder(args[0]) {
			return a.replayCases(cmd, args)
		}
		runs, err := a.journals(cmd, file, args)
		if err != nil {
			return err
		}
		today, err := analyst()
		if err != nil {
			return err
		}
		differ := 0
		for _, records := range runs {
			r, err := agent.ReplayBy(cmd.Context(), records, today)
			if err != nil {
				return fmt.Errorf("run %s: %w", records[0].RunID, err)
			}
			differ += len(r.Differences)
			if err := a.printReplay(cmd, r); err != nil {
				return err
			}
		}
		if differ > 0 {
			return proc.ExitError{Code: proc.ExitResult}
		}
		return nil
	}
	return cmd
}

// journals returns the journals to replay, each of one run.
func (a *app) journals(cmd *cobra.Command, file string, args []string) ([][]protocol.Record, error) {
	if file != "" {
		return readJournals(cmd, file)
	}
	conn, err := a.dial(cmd)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	records, err := readRun(cmd, conn, args[0])
	if err != nil {
		return nil, err
	}
	runs := [][]protocol.Record{records}
	for _, id := range operatorsOf(records) {
		records, err := journal.Read(cmd.Context(), conn, protocol.OperatorAgent, id)
		if err != nil {
			return nil, err
		}
		if len(records) > 0 { // a task that nobody took has none
			runs = append(runs, records)
		}
	}
	return runs, nil
}

func readJournals(cmd *cobra.Command, file string) ([][]protocol.Record, error) {
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	var runs [][]protocol.Record
	lines := bufio.NewReader(in)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r, err := protocol.Decode[protocol.Record](line)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, n, err)
			}
			i := slices.IndexFunc(runs, func(run []protocol.Record) bool { return run[0].RunID == r.RunID })
			if i < 0 {
				runs, i = append(runs, nil), len(runs)
			}
			runs[i] = append(runs[i], r)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("%s holds no records", file)
	}
	return runs, nil
}

func (a *app) printReplay(cmd *cobra.Command, r agent.Replayed) error {
	if a.json {
		return printJSON(cmd.OutOrStdout(), r)
	}
	p := out(cmd)
	p.printf("%s  %s, %d steps: %d requests and %d calls compared, %d calls taken from the journal\n",
		p.bold("run "+r.RunID), r.Agent, r.Steps, r.Requests, r.Calls, r.Left)
	if len(r.Differences) == 0 {
		p.printf("  nothing differs\n")
	}
	for _, d := range r.Differences {
		what := string(d.What)
		if d.Tool != "" {
			what += " of " + d.Tool
		}
		was, now := apart(d.Recorded, d.Now)
		p.printf("  step %d: the %s differs\n    was %s\n    now %s\n", d.Step, what, clean(shorten(was, 240)), clean(shorten(now, 240)))
	}
	return nil
}

// apart drops most of what two texts have in common at their beginning.
func apart(was, now string) (string, string) {
	a, b := []rune(was), []rune(now)
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	const shown = 40
	if n <= 2*shown {
		return was, now
	}
	return "…" + string(a[n-shown:]), "…" + string(b[n-shown:])
}
