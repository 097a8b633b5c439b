package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// rankReport is the last line.
type rankReport struct {
	Benchmark string                `json:"benchmark"`
	Top1      float64               `json:"top1"`
	Top3      float64               `json:"top3"`
	Avg5      float64               `json:"avg5"`
	Silent    float64               `json:"silent"`
	Cases     int                   `json:"cases"`
	Healthy   int                   `json:"healthy_cases"` // of them, those without a true node
	Rivals    map[string]rankFigure `json:"rivals"`
}

// A rankFigure is how well somebody ranked.
type rankFigure struct {
	Top1 float64 `json:"top1"`
	Top3 float64 `json:"top3"`
	Avg5 float64 `json:"avg5"`
}

func rankCommand() *cobra.Command {
	var wrong bool
	cmd := &cobra.Command{
		Use:   "rank DIR",
		Short: "Root causes of labelled cases in a neutral format",
		Long: `Rank the causes of labelled cases, as rank_causes does, with its defaults. DIR
holds a folder for each case, at any depth, in the format of docs/reference/ranking-cases.md.

top1, top3  the share of a case's true nodes among the first so many (of at most so
            many as can be there), as a mean over the cases
avg5        the mean of that for the first 1, 2, 3, 4 and 5
silent      share of cases in which no cause was said
A case without true nodes counts as right, in all three, when no cause is said; a case
with true nodes as wrong. Beside it, on the same cases: the plain maximum of z.`,
		Example: `  go run ./test/bench rank test/bench/testdata/rank
  go run ./test/bench rank --wrong DIR`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&wrong, "wrong", false, "show the cases whose first cause is not a true one")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), 10*longest, fmt.Errorf("not done after %s", 10*longest)) // as many cases as there are
		defer cancel()
		cases, err := readRankCases(args[0])
		if err != nil {
			return err
		}
		explain := io.Discard
		if wrong {
			explain = cmd.ErrOrStderr()
		}
		r, err := measureRank(ctx, cases, explain)
		if err != nil {
			return err
		}
		if err := r.table(cmd.ErrOrStderr()); err != nil {
			return err
		}
		return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	}
	return cmd
}

func measureRank(ctx context.Context, cases []rankCase, explain io.Writer) (*rankReport, error) {
	r := &rankReport{Benchmark: "rank", Cases: len(cases)}
	var ours, plain rankSum
	silent := 0
	for _, c := range cases {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		answer := judged(c.input)
		names := causeNames(answer)
		ours.add(names, c.truth)
		plain.add(maximumZ(c.input), c.truth)
		if len(c.truth) == 0 {
			r.Healthy++
		}
		if answer.None {
			silent++
		}
		if among(names, c.truth, 1) == 0 {
			fmt.Fprintf(explain, "%s: want %s, got %s: %s\n", c.name, strings.Join(c.truth, ", "), strings.Join(names[:min(5, len(names))], ", "), answer.Why)
		}
	}
	f := ours.figure(len(cases))
	r.Top1, r.Top3, r.Avg5, r.Silent = f.Top1, f.Top3, f.Avg5, share(silent, len(cases))
	r.Rivals = map[string]rankFigure{"maximum_z": plain.figure(len(cases))}
	return r, nil
}

// among returns the share of the true nodes that are among the first k names, of as
// many as can be; for a healthy case 1 when no name was said.
func among(names, truth []string, k int) float64 {
	if len(truth) == 0 {
		if len(names) == 0 {
			return 1
		}
		return 0
	}
	hits := 0
	for _, n := range names[:min(k, len(names))] {
		if slices.Contains(truth, n) {
			hits++
		}
	}
	return float64(hits) / float64(min(k, len(truth)))
}

// A rankSum adds up cases.
type rankSum struct{ top1, top3, avg5 float64 }

func (s *rankSum) add(names, truth []string) {
	s.top1 += among(names, truth, 1)
	s.top3 += among(names, truth, 3)
	for k := 1; k <= 5; k++ {
		s.avg5 += among(names, truth, k) / 5
	}
}

func (s *rankSum) figure(n int) rankFigure {
	mean := func(v float64) float64 { return math.Round(1e4*v/float64(max(n, 1))) / 1e4 }
	return rankFigure{Top1: mean(s.top1), Top3: mean(s.top3), Avg5: mean(s.avg5)}
}

func (r *rankReport) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\n\tcases\ttop 1\ttop 3\tavg 5\tsilent\t")
	fmt.Fprintf(t, "ranking\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t\n", r.Cases, r.Top1, r.Top3, r.Avg5, r.Silent)
	p := r.Rivals["maximum_z"]
	fmt.Fprintf(t, "maximum z\t%d\t%.3f\t%.3f\t%.3f\t\t\n", r.Cases, p.Top1, p.Top3, p.Avg5)
	return t.Flush()
}
