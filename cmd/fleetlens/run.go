package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func (a *app) run() *cobra.Command {
	cmd := &cobra.Command{Use: "run", Short: "Look into the runs of agents"}
	cmd.AddCommand(&cobra.Command{
		Use: "show ID", Short: "Print a run's journal as a timeline; of an investigation, its operators' too", Args: cobra.ExactArgs(1),
		Example: "  fleetlens run show 5be0c2a47f19d3e8",
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

func (a *app) showRun(cmd *cobra.Command, conn *bus.Conn, id string) error {
	records, err := readRun(cmd, conn, id)
	if err != nil {
		return err
	}
	if err := a.printRun(cmd, id, records); err != nil {
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

// readRun returns the journal of a run of either agent.
func readRun(cmd *cobra.Command, conn *bus.Conn, id string) ([]protocol.Record, error) {
	for _, kind := range []string{protocol.CoordinatorAgent, protocol.OperatorAgent} {
		records, err := journal.Read(cmd.Context(), conn, kind, id)
		if err != nil || len(records) > 0 {
			return records, err
		}
	}
	return nil, fmt.Errorf("no run %q in the last 7 days", id)
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

func (a *app) printRun(cmd *cobra.Command, id string, records []protocol.Record) error {
	if a.json {
		for _, r := range records {
			if err := printJSON(cmd.OutOrStdout(), r); err != nil {
				return err
			}
		}
		return nil
	}
	p := out(cmd)
	p.printf("%s\n", p.bold("run "+id))
	if len(records) == 0 {
		p.printf("  no worker has taken it yet\n")
		return nil
	}
	begin := records[0].At
	for _, r := range records {
		d := r.At.Sub(begin)
		p.printf("  %s  %-9s %s\n", p.dim(fmt.Sprintf("%7.3f s", d.Seconds())), r.Kind, clean(shorten(describe(r), 200)))
	}
	return nil
}

// describe says what a record holds, in a line.
func describe(r protocol.Record) string {
	read := func(v any) bool { return json.Unmarshal(r.Data, v) == nil }
	switch r.Kind {
	case protocol.RecordStart:
		var s protocol.Start
		if read(&s) {
			first, _, _ := strings.Cut(s.User, "\n")
			return fmt.Sprintf("%s · %s · decided by %s · deadline %s", s.Agent, first, s.Settings.Model, s.Settings.Deadline.UTC().Format(time.RFC3339))
		}
	case protocol.RecordClaim:
		var c protocol.Claim
		if read(&c) {
			return fmt.Sprintf("worker %s, attempt %d", c.Worker, c.Attempt)
		}
	case protocol.RecordAnswer:
		var a protocol.Answer
		if read(&a) {
			parts := []string{}
			if a.Text != "" {
				parts = append(parts, a.Text)
			}
			for _, c := range a.Calls {
				parts = append(parts, c.Tool+" "+c.Args)
			}
			return fmt.Sprintf("step %d: %s", a.Step, strings.Join(parts, " · "))
		}
	case protocol.RecordResult:
		var res protocol.ToolResult
		if read(&res) {
			how := ""
			switch {
			case res.Invalid:
				how = "invalid: "
			case res.Failed:
				how = "failed: "
			}
			return fmt.Sprintf("%s → %s%s", res.Tool, how, res.Content)
		}
	case protocol.RecordInput:
		var in protocol.Input
		if read(&in) {
			return strings.Join(append(in.Said, in.Text), " ")
		}
	case protocol.RecordCompaction:
		var c protocol.Compaction
		if read(&c) {
			return fmt.Sprintf("after step %d the conversation up to record %d is a summary: %s", c.Step, c.Upto, c.Summary)
		}
	case protocol.RecordRetry:
		var t protocol.Retry
		if read(&t) {
			return fmt.Sprintf("step %d, attempt %d failed: %s; again in %d ms", t.Step, t.Attempt, t.Error, t.DelayMS)
		}
	case protocol.RecordCancel:
		var c protocol.Cancel
		if read(&c) {
			return fmt.Sprintf("by %s %s", c.By, c.Reason)
		}
	case protocol.RecordFinish:
		var f protocol.Finish
		if read(&f) {
			return fmt.Sprintf("%s after %d steps, %d tokens %s", f.Outcome, f.Steps, f.Usage.InputTokens+f.Usage.OutputTokens, f.Error)
		}
	}
	return string(r.Data)
}

func shorten(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n]) + "…"
}
