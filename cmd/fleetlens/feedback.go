package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Files of a case: an insight that people judged, with the runs that led to it.
const (
	caseJournals = "journals.jsonl" // of the investigation, then of its operators, a record a line
	caseInsight  = "insight.json"
	caseLabel    = "label.json"
)

// A Label is what people said of an insight, of each person the newest word.
type Label struct {
	InsightID string              `json:"insight_id"`
	Feedback  []protocol.Feedback `json:"feedback"`
}

func (a *app) exportFeedback() *cobra.Command {
	var since time.Duration
	cmd := &cobra.Command{
		Use: "export FOLDER", Short: "Write each insight that people judged as a case for `run replay`",
		Long: `Write each insight that people judged, with what they said and the journals of its
investigation and runs, into a folder of its own below FOLDER. ` + "`fleetlens run replay`" + `
reads them without NATS: a later version of the program is measured by whether it
still concludes what was right, and no longer what was wrong.

Journals are kept for 7 days and insights for 30: what is gone is named and left out.
The files hold what hosts and people said; treat them so.`,
		Example: "  fleetlens feedback export --since 168h cases\n  fleetlens run replay cases",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().DurationVar(&since, "since", 30*24*time.Hour, "how far to look back for what people said")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		conn, err := a.dial(cmd)
		if err != nil {
			return err
		}
		defer conn.Close()
		judged, err := judgedSince(cmd.Context(), conn, time.Now().Add(-since))
		if err != nil {
			return err
		}
		if len(judged) == 0 {
			progress(cmd).printf("nobody judged an insight in the last %s\n", since)
			return nil
		}
		return a.exportCases(cmd, conn, judged, args[0])
	}
	return cmd
}

// judgedSince returns what people said of each insight of which somebody said something
// since a moment: all of it, oldest first.
func judgedSince(ctx context.Context, conn *bus.Conn, since time.Time) (map[string][]protocol.Feedback, error) {
	all, lately := map[string][]protocol.Feedback{}, map[string][]protocol.Feedback{}
	for m, err := range conn.Range(ctx, bus.People, protocol.PeopleSubject("feedback", protocol.Any), 0) {
		if err != nil {
			return nil, err
		}
		f, err := protocol.Decode[protocol.Feedback](m.Data)
		if err != nil || m.Subject != protocol.PeopleSubject("feedback", f.ID) {
			continue
		}
		all[f.ID] = append(all[f.ID], f)
		if !m.Time.Before(since) { // the stream's clock: a person's may be wrong
			lately[f.ID] = nil
		}
	}
	for id := range lately {
		lately[id] = all[id]
	}
	return lately, nil
}

// exportCases writes the cases of insights, the oldest first, and says of each what it did.
func (a *app) exportCases(cmd *cobra.Command, conn *bus.Conn, judged map[string][]protocol.Feedback, folder string) error {
	var found []protocol.Insight
	for m, err := range conn.Range(cmd.Context(), bus.Insights, "insights.>", 0) {
		if err != nil {
			return err
		}
		i, err := protocol.Decode[protocol.Insight](m.Data)
		if _, wanted := judged[i.ID]; err == nil && wanted {
			found = append(found, i)
		}
	}
	for _, i := range found {
		words := protocol.Judged(judged[i.ID])
		delete(judged, i.ID)
		path, err := exportCase(cmd.Context(), conn, i, words, folder)
		if err != nil {
			return err
		}
		if path == "" {
			progress(cmd).printf("insight %s is left out: the journal of its investigation is gone, it was kept for 7 days\n", i.ID)
			continue
		}
		if a.json {
			if err := printJSON(cmd.OutOrStdout(), map[string]any{"folder": path, "insight_id": i.ID, "verdicts": verdicts(words)}); err != nil {
				return err
			}
			continue
		}
		out(cmd).printf("%s  %s: %s\n", path, verdicts(words), clean(shorten(i.Summary, 120)))
	}
	for _, id := range sortedKeys(judged) {
		progress(cmd).printf("insight %s is left out: there is none in the last 30 days\n", clean(id))
	}
	return nil
}

// exportCase writes one case and returns its folder; "" when its journal is gone.
func exportCase(ctx context.Context, conn *bus.Conn, i protocol.Insight, words []protocol.Feedback, folder string) (string, error) {
	records, err := journal.Read(ctx, conn, protocol.CoordinatorAgent, i.InvestigationID)
	if err != nil || len(records) == 0 {
		return "", err
	}
	for _, run := range operatorsOf(records) {
		more, err := journal.Read(ctx, conn, protocol.OperatorAgent, run)
		if err != nil {
			return "", err
		}
		records = append(records, more...)
	}
	var journals, insight, label bytes.Buffer
	for _, r := range records {
		if err := printJSON(&journals, r); err != nil {
			return "", err
		}
	}
	if err := errors.Join(printJSON(&insight, i), printJSON(&label, Label{i.ID, words})); err != nil {
		return "", err
	}
	if filepath.Base(i.ID) != i.ID || !filepath.IsLocal(i.ID) {
		return "", fmt.Errorf("insight %q: its id names no folder", i.ID)
	}
	path := filepath.Join(folder, i.ID)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	for name, b := range map[string]*bytes.Buffer{caseJournals: &journals, caseInsight: &insight, caseLabel: &label} {
		if err := os.WriteFile(filepath.Join(path, name), b.Bytes(), 0o600); err != nil {
			return "", err
		}
	}
	return path, nil
}

// verdicts writes what people said in a line, without their comments: "right, not quite".
func verdicts(words []protocol.Feedback) string {
	var out []string
	for _, f := range words {
		out = append(out, strings.ReplaceAll(f.Verdict, "_", " "))
	}
	return strings.Join(out, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
