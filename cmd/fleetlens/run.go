package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func (a *app) run() *cobra.Command {
	cmd := &cobra.Command{Use: "run", Short: "Look into the runs of agents"}
	cmd.AddCommand(&cobra.Command{
		Use: "show RUN", Short: "Print a run's journal as a timeline; of an investigation, its operators' too", Args: cobra.ExactArgs(1),
		Long: `Print a run's journal as a timeline: for each record its number, when it was written, how
long it took, and what it holds. RUN is the id of a run or an investigation, or
INVESTIGATION/SKILL; #N after it prints that one record in full. The beginning of an id will do.

Piped, a line a record: run, number, time, milliseconds since the record before, kind, what.`,
		Example: "  fleetlens run show 5be0c2\n  fleetlens run show 5be0c2/postgres\n  fleetlens run show '5be0c2/postgres#3'",
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer conn.Close()
			return a.showRun(cmd, conn, args[0])
		},
	}, a.replay())
	return cmd
}

func (a *app) showRun(cmd *cobra.Command, conn *bus.Conn, name string) error {
	name, record, one := strings.Cut(name, "#")
	records, err := readRun(cmd, conn, name)
	if err != nil {
		return err
	}
	if one {
		return a.showRecord(cmd, records, record)
	}
	if err := a.printRun(cmd, name, records); err != nil {
		return err
	}
	for _, run := range operatorsOf(records) {
		records, err := journal.Read(cmd.Context(), conn, protocol.OperatorAgent, run)
		if err != nil {
			return err
		}
		if err := a.printRun(cmd, run, records); err != nil {
			return err
		}
	}
	return nil
}

// showRecord prints one record in full.
func (a *app) showRecord(cmd *cobra.Command, records []protocol.Record, number string) error {
	i := slices.IndexFunc(records, func(r protocol.Record) bool { return strconv.Itoa(r.N) == number })
	if i < 0 {
		return proc.Usage("#%s: the run has the records 1 to %d", number, len(records))
	}
	if a.json {
		return printJSON(cmd.OutOrStdout(), records[i])
	}
	out(cmd).inFull(records[i])
	return nil
}

// readRun returns the journal of a run of either agent, by an id, the beginning of one,
// or INVESTIGATION/SKILL.
func readRun(cmd *cobra.Command, conn *bus.Conn, name string) ([]protocol.Record, error) {
	if !strings.Contains(name, "/") {
		if records, err := readJournal(cmd, conn, name); err != nil || len(records) > 0 {
			return records, err
		}
	}
	id, err := findRun(cmd, conn, name)
	if err != nil {
		return nil, err
	}
	records, err := readJournal(cmd, conn, id)
	if err == nil && len(records) == 0 {
		err = fmt.Errorf("no run %q in the last 7 days", name)
	}
	return records, err
}

func readJournal(cmd *cobra.Command, conn *bus.Conn, id string) ([]protocol.Record, error) {
	for _, kind := range []string{protocol.CoordinatorAgent, protocol.OperatorAgent} {
		records, err := journal.Read(cmd.Context(), conn, kind, id)
		if err != nil || len(records) > 0 {
			return records, err
		}
	}
	return nil, nil
}

// findRun returns the id of the run that is meant.
func findRun(cmd *cobra.Command, conn *bus.Conn, name string) (string, error) {
	runs, err := reading.Runs(cmd.Context(), conn)
	if err != nil {
		return "", err
	}
	id, err := meant(runs, name)
	if err == nil && id == "" {
		err = fmt.Errorf("no run %q in the last 7 days", name)
	}
	return id, usage(err)
}

// meant returns the id of the run that a name means: the beginning of its id, or of its
// investigation's with the beginning of its skill. Empty: none.
func meant(runs []reading.RunRef, name string) (string, error) {
	prefix, skill, slash := strings.Cut(name, "/")
	var ids []string
	for _, r := range runs {
		if slash {
			ids = append(ids, r.Investigation)
		} else {
			ids = append(ids, r.ID)
		}
	}
	id, err := reading.Match(prefix, ids)
	if err != nil || id == "" || !slash {
		return id, err
	}
	ids = nil
	for _, r := range runs {
		if r.Investigation == id && (r.Skill == skill || skill == protocol.CoordinatorAgent && r.Skill == "") {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) > 1 {
		return "", &reading.AmbiguousError{Prefix: name, Candidates: ids}
	}
	return strings.Join(ids, ""), nil
}

// operatorsOf returns the runs that a coordinator's journal started.
func operatorsOf(records []protocol.Record) []string {
	var runs []string
	for _, r := range records {
		var res protocol.ToolResult
		var effect struct {
			Runs []struct {
				RunID string `json:"run_id"`
			} `json:"runs"`
		}
		if r.Kind != protocol.RecordResult || json.Unmarshal(r.Data, &res) != nil || res.Tool != "invoke_operators" || json.Unmarshal(res.Effect, &effect) != nil {
			continue
		}
		for _, run := range effect.Runs {
			runs = append(runs, run.RunID)
		}
	}
	return runs
}

func (a *app) printRun(cmd *cobra.Command, name string, records []protocol.Record) error {
	if a.json {
		for _, r := range records {
			if err := printJSON(cmd.OutOrStdout(), r); err != nil {
				return err
			}
		}
		return nil
	}
	out(cmd).run(name, records)
	return nil
}
