package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/pkg/agent"
)

// tokensReport is what typical investigations cost.
type tokensReport struct {
	Estimated      bool                         `json:"estimated"`      // no live model was asked
	SkillsOffered  int                          `json:"skills_offered"` // in the coordinator's prompt
	Investigations []investigationTokens        `json:"investigations"`
	Typical        map[string]map[string]figure `json:"uncached_tokens_mean"` // by style and cache
	Prompts        map[string]promptParts       `json:"tokens_of_prompts"`
}

// investigationTokens are those of one investigation in one style.
type investigationTokens struct {
	Title    string         `json:"investigation"`
	Style    string         `json:"style"`
	Calls    int            `json:"model_calls"`
	Input    int            `json:"input_tokens"`
	Output   int            `json:"output_tokens"`
	Uncached map[string]int `json:"uncached_tokens"` // by cache: input - read from the cache + output
}

// promptParts says what stands in front of every call of an agent.
type promptParts struct {
	ToolsAndSystem int `json:"tools_and_system"`
	Question       int `json:"question"`
}

// tokenBudget is what DESIGN.md wants a typical investigation to cost at most.
const tokenBudget = 5000

func tokensCommand() *cobra.Command {
	var dump string
	cmd := subcommand("tokens", "Tokens of typical investigations, turn by turn",
		`Play three scripted investigations over five nodes (memory is used up on two, a
filesystem is full on one, nothing is wrong) through the real loop, prompts and
tools: a coordinator and two operators, whose answers are as long as a real model's.
Snapshots and answers are fixed in testdata/tokens, so the figures repeat exactly.

No model is asked and no provider's tokenizer is there: tokens are estimated, see
estimate.go. Uncached tokens are input minus what the provider reads from its cache,
plus output; writing to the cache counts as uncached. The columns are caches: none;
Claude Haiku 4.5, which caches prompts of 4,096 tokens and more; models that cache
from 1,024 on. Warm means that tools and system of each agent were sent minutes
before by another investigation.

The same calls are made in three styles: one call an answer, several calls an answer,
and several with the published snapshot instead of a fresh one. Which of them a model
follows is the model's doing. The coordinator is offered all skills, as in a fleet of
hosts, Go services and databases, and calls rank_causes when there are findings; the
operators' skills are os and logger.`,
		func(ctx context.Context, b *bench) (any, error) { return b.tokens(ctx, dump) })
	cmd.Flags().StringVar(&dump, "dump", "", "write every prompt and answer to this `folder`")
	return cmd
}

func (b *bench) tokens(ctx context.Context, dump string) (*tokensReport, error) {
	scripts := operator.NewSandbox(b.log)
	r := &tokensReport{Estimated: true, SkillsOffered: len(skillInfos()), Typical: map[string]map[string]figure{}, Prompts: map[string]promptParts{}}
	sums := map[string]map[string]int{}
	for _, name := range scriptNames {
		for i, st := range styles {
			g, err := playScript(ctx, name, st, scripts)
			if err != nil {
				return nil, err
			}
			inv, rows := g.count()
			r.Investigations = append(r.Investigations, inv)
			g.parts(r.Prompts)
			if err := g.table(b.errOut, rows, inv); err != nil {
				return nil, err
			}
			if sums[st.name] == nil {
				sums[st.name] = map[string]int{}
			}
			for plan, n := range inv.Uncached {
				sums[st.name][plan] += n
			}
			if dump != "" {
				if err := g.dump(filepath.Join(dump, fmt.Sprintf("%s-%d", name, i))); err != nil {
					return nil, err
				}
			}
		}
	}
	return r, r.means(b.errOut, sums)
}

// means prints and keeps the mean of the investigations, by style and cache.
func (r *tokensReport) means(w io.Writer, sums map[string]map[string]int) error {
	fmt.Fprintf(w, "\nuncached tokens of an investigation, mean of %d (budget %d)\n", len(scriptNames), tokenBudget)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, p := range cachePlans {
		fmt.Fprintf(t, "%s\t", p.name)
	}
	fmt.Fprintln(t, "  style")
	for _, st := range styles {
		r.Typical[st.name] = map[string]figure{}
		for _, p := range cachePlans {
			mean := float64(sums[st.name][p.name]) / float64(len(scriptNames))
			r.Typical[st.name][p.name] = atMost(mean, tokenBudget)
			fmt.Fprintf(t, "%.0f\t", mean)
		}
		fmt.Fprintf(t, "  %s\n", st.name)
	}
	return t.Flush()
}

// playScript plays one of the scripts. What a tool refuses is an error: the script
// would not have gone on as written.
func playScript(ctx context.Context, name string, st style, scripts agent.Scripts) (*stage, error) {
	var s tokenScript
	if err := readYAML(name, &s); err != nil {
		return nil, err
	}
	g, err := play(ctx, &s, st, scripts)
	if g != nil && len(g.refused) > 0 {
		err = fmt.Errorf("refused: %s", strings.Join(g.refused, "; "))
	}
	if err != nil {
		return nil, fmt.Errorf("%s, %s: %w", name, st.name, err)
	}
	return g, nil
}

// A tokenRow is one call of a model.
type tokenRow struct {
	agent, tools  string
	input, output int
	uncached      []int // by plan
}

// count estimates every call under every plan, in the order in which they were made.
func (g *stage) count() (investigationTokens, []tokenRow) {
	inv := investigationTokens{Title: g.Title, Style: g.style.name, Calls: len(g.calls), Uncached: map[string]int{}}
	caches := make([]*promptCache, 0, len(cachePlans))
	for _, p := range cachePlans {
		caches = append(caches, newPromptCache(p))
	}
	var rows []tokenRow
	for _, c := range g.calls {
		row := tokenRow{agent: c.agent, tools: strings.Join(c.tools, "+"), output: estimate(c.answer)}
		for i, block := range c.blocks {
			row.input += blockTokens(i, block)
		}
		for _, cache := range caches {
			n := row.input - cache.read(c.blocks) + row.output
			row.uncached = append(row.uncached, n)
			inv.Uncached[cache.plan.name] += n
		}
		inv.Input += row.input
		inv.Output += row.output
		rows = append(rows, row)
	}
	return inv, rows
}

func (g *stage) parts(into map[string]promptParts) {
	for _, c := range g.calls {
		into[c.agent] = promptParts{blockTokens(0, c.blocks[0]), blockTokens(1, c.blocks[1])}
	}
}

// table prints a row a call and the sums.
func (g *stage) table(w io.Writer, rows []tokenRow, inv investigationTokens) error {
	fmt.Fprintf(w, "\n%s; %s\n", g.Title, g.style.name)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "agent\tinput\toutput\t")
	for _, p := range cachePlans {
		fmt.Fprintf(t, "%s\t", p.name)
	}
	fmt.Fprintln(t, "  calls")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%d\t%d\t", r.agent, r.input, r.output)
		for _, n := range r.uncached {
			fmt.Fprintf(t, "%d\t", n)
		}
		fmt.Fprintf(t, "  %s\n", r.tools)
	}
	fmt.Fprintf(t, "%d calls\t%d\t%d\t", inv.Calls, inv.Input, inv.Output)
	for _, p := range cachePlans {
		fmt.Fprintf(t, "%d\t", inv.Uncached[p.name])
	}
	fmt.Fprintln(t, "")
	return t.Flush()
}

// dump writes the texts that were counted, a file each.
func (g *stage) dump(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for i, c := range g.calls {
		texts := append([]string{}, c.blocks...)
		texts = append(texts, c.answer)
		for k, text := range texts {
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%02d-%s-%02d.txt", i, c.agent, k)), []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
