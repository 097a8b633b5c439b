package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/llm/rules"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

// A caseResult says how a case goes with today's code.
type caseResult struct {
	Folder  string              `json:"folder"`
	Insight protocol.Insight    `json:"insight"`
	Same    bool                `json:"same"` // today's code concludes the same
	Said    []protocol.Feedback `json:"feedback"`
	Runs    []agent.Replayed    `json:"runs"`
}

// analyst returns today's rules analyst.
func analyst() (agent.Decider, error) {
	words, err := skills.Words(all.Skills(all.Options{}), nil)
	if err != nil {
		return nil, err
	}
	return rules.New(words), nil
}

// isFolder reports whether a name is that of a folder.
func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// casesIn returns the folders of cases: those named, and those within them.
func casesIn(folders []string) ([]string, error) {
	var out []string
	for _, folder := range folders {
		if !isFolder(folder) {
			return nil, proc.Usage("%s is no folder: name one run, or folders that `fleetlens feedback export` wrote", folder)
		}
		if _, err := os.Stat(filepath.Join(folder, caseJournals)); err == nil {
			out = append(out, folder)
			continue
		}
		within, err := filepath.Glob(filepath.Join(folder, "*", caseJournals))
		if err != nil || len(within) == 0 {
			return nil, fmt.Errorf("%s holds no case: none of its folders has a %s", folder, caseJournals)
		}
		for _, path := range within {
			out = append(out, filepath.Dir(path))
		}
	}
	return slices.Compact(out), nil
}

// replayCases replays cases and says of each whether today's code concludes the same,
// and what people said of what was concluded.
func (a *app) replayCases(cmd *cobra.Command, folders []string) error {
	cases, err := casesIn(folders)
	if err != nil {
		return err
	}
	otherwise := 0
	for _, folder := range cases {
		c, err := a.replayCase(cmd, folder)
		if err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
		if !c.Same {
			otherwise++
		}
		if a.json {
			err = printJSON(cmd.OutOrStdout(), c)
		} else {
			err = a.printCase(cmd, c)
		}
		if err != nil {
			return err
		}
	}
	if !a.json {
		out(cmd).printf("%d of %d cases conclude the same\n", len(cases)-otherwise, len(cases))
	}
	if otherwise > 0 {
		return proc.ExitError{Code: proc.ExitResult}
	}
	return nil
}

func (a *app) replayCase(cmd *cobra.Command, folder string) (caseResult, error) {
	c := caseResult{Folder: folder, Same: true}
	var label Label
	if err := errors.Join(readJSON(filepath.Join(folder, caseInsight), &c.Insight), readJSON(filepath.Join(folder, caseLabel), &label)); err != nil {
		return c, err
	}
	c.Said = label.Feedback
	runs, err := readJournals(cmd, filepath.Join(folder, caseJournals))
	if err != nil {
		return c, err
	}
	today, err := analyst()
	if err != nil {
		return c, err
	}
	for _, records := range runs {
		r, err := agent.ReplayBy(cmd.Context(), records, today)
		if err != nil {
			return c, fmt.Errorf("run %s: %w", records[0].RunID, err)
		}
		c.Runs, c.Same = append(c.Runs, r), c.Same && r.Concludes()
	}
	return c, nil
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("it is no whole case: %w", err)
		}
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (a *app) printCase(cmd *cobra.Command, c caseResult) error {
	p := out(cmd)
	how := "concludes the same"
	if !c.Same {
		how = "concludes otherwise"
	}
	steps, again := 0, 0
	for _, r := range c.Runs {
		steps, again = steps+r.Steps, again+r.Decisions
	}
	p.printf("%s  %s\n  %s  %s\n", p.bold(c.Folder), how, p.headline(c.Insight), clean(shorten(c.Insight.Summary, 200)))
	for _, f := range c.Said {
		p.printf("  %s called it %s", clean(f.By), verdicts([]protocol.Feedback{f}))
		if f.Comment != "" {
			p.printf(": %s", clean(shorten(f.Comment, 200)))
		}
		p.printf("\n")
	}
	if again < steps {
		p.printf("  %d of %d decisions were a model's and are taken from the journal\n", steps-again, steps)
	}
	for _, r := range c.Runs {
		if len(r.Differences) > 0 {
			if err := a.printReplay(cmd, r); err != nil {
				return err
			}
		}
	}
	return nil
}
