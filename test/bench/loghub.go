package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/reach/logtemplate"
)

// What DESIGN.md wants of the systems that are given.
const (
	wantGrouping = 0.98
	wantF1       = 0.95
)

// loghubReport is the last line: no figure in it is of the machine but the lines a second.
type loghubReport struct {
	Benchmark string             `json:"benchmark"`
	Mean      float64            `json:"mean"`    // grouping accuracy
	F1        float64            `json:"f1"`      // of templates, by their lines
	TextF1    float64            `json:"text_f1"` // of templates, by their lines and their text
	Budget    map[string]float64 `json:"budget"`
	Met       bool               `json:"met"`
	PerSec    float64            `json:"lines_per_s"`
	Systems   map[string]verdict `json:"systems"`
	Drain     drainReport        `json:"drain"`
}

type drainReport struct {
	Mean    float64            `json:"mean"`
	F1      float64            `json:"f1"`
	TextF1  float64            `json:"text_f1"`
	PerSec  float64            `json:"lines_per_s"`
	Systems map[string]verdict `json:"systems"`
}

func loghubCommand() *cobra.Command {
	var wrong int
	cmd := &cobra.Command{
		Use:   "loghub FOLDER",
		Short: "Log templates on labelled logs, beside a plain Drain",
		Long: `Sort the lines of labelled logs into templates, as the logger skill does, and say
how many are where they belong. FOLDER holds CSV files as those of Loghub
(github.com/logpai/loghub), one a system, with the columns Content, EventId and
EventTemplate: Linux.csv or Linux_2k.log_structured.csv.

All systems have the product's one default configuration. Each line is seen once,
in order; a line's group is that of its template at the end, since templates that
turn out to be one keep an id. Beside it stands a plain Drain (He et al., ICWS 2017)
of depth 4, similarity 0.4 and at most 100 children, which masks nothing but words
with digits on its way through the tree, and no regular expression of a system.

mean     grouping accuracy: the share of lines whose group has exactly the lines of
         the true group; one stray line voids a group. Mean of the systems.
f1       of templates: a template is right when its group is. 2 right / (made + true).
text_f1  the same, and the template's text equals the true one, token by token, after
         corrections on both sides in the manner of Khan et al. (ICSE 2022): numbers,
         paths, words with a variable in them and runs of variables are one variable;
         the scheme of a URL and spaces between tokens do not count.`,
		Example: `  go run ./test/bench loghub ../shared/data/loghub
  go run ./test/bench loghub --wrong 20 FOLDER`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().IntVar(&wrong, "wrong", 0, "show up to so many wrong groups and texts of each system")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), longest, fmt.Errorf("not done after %s", longest))
		defer cancel()
		systems, err := readLoghub(args[0])
		if err != nil {
			return err
		}
		r, err := measureLoghub(ctx, systems, cmd.ErrOrStderr(), wrong)
		if err != nil {
			return err
		}
		return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	}
	return cmd
}

func measureLoghub(ctx context.Context, systems []labelledLog, w io.Writer, wrong int) (*loghubReport, error) {
	r := &loghubReport{
		Benchmark: "loghub", Budget: map[string]float64{"mean": wantGrouping, "f1": wantF1},
		Systems: map[string]verdict{}, Drain: drainReport{Systems: map[string]verdict{}},
	}
	for _, l := range systems {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		ours := parse(l, newMiner())
		r.Systems[l.name] = ours.verdict
		r.Drain.Systems[l.name] = parse(l, newDrain()).verdict
		if wrong > 0 {
			ours.explain(w, l, wrong)
		}
	}
	r.Mean, r.F1, r.TextF1, r.PerSec = means(r.Systems)
	r.Drain.Mean, r.Drain.F1, r.Drain.TextF1, r.Drain.PerSec = means(r.Drain.Systems)
	r.Met = r.Mean >= wantGrouping && r.F1 >= wantF1
	return r, r.table(w)
}

// A sorter is what is measured.
type sorter interface {
	add(line string) int
	final(id int) int // the group that id became part of
	text(id int) string
}

// miner is the product's own, as the logger skill makes it.
type miner struct{ *logtemplate.Miner }

func newMiner() miner { return miner{logtemplate.New(logtemplate.DefaultConfig())} }

func (m miner) add(line string) int { id, _ := m.Add(line); return int(id) }
func (m miner) final(id int) int    { return int(m.Resolve(logtemplate.ID(id))) }
func (m miner) text(id int) string {
	t, _ := m.Template(logtemplate.ID(id))
	return t.Text
}

type parsed struct {
	verdict
	got  []string
	text map[string]string
}

func parse(l labelledLog, s sorter) parsed {
	ids := make([]int, len(l.lines))
	start := time.Now()
	for i, line := range l.lines {
		ids[i] = s.add(line)
	}
	took := time.Since(start)
	p := parsed{got: make([]string, len(ids)), text: map[string]string{}}
	for i, id := range ids {
		id = s.final(id)
		p.got[i] = strconv.Itoa(id)
		if _, known := p.text[p.got[i]]; !known {
			p.text[p.got[i]] = s.text(id)
		}
	}
	p.verdict = judge(p.got, l.events, p.text, l.text)
	p.PerSec = math.Round(float64(len(ids)) / took.Seconds())
	return p
}

func means(systems map[string]verdict) (grouping, f1, text, perSec float64) {
	n := float64(len(systems))
	for _, v := range systems {
		grouping, f1, text, perSec = grouping+v.Grouping/n, f1+v.F1/n, text+v.TextF1/n, perSec+v.PerSec/n
	}
	round := func(v float64) float64 { return math.Round(v*1e4) / 1e4 }
	return round(grouping), round(f1), round(text), math.Round(perSec)
}

// explain shows true groups that the parser tore apart or mixed, and texts that are
// others, largest first.
func (p parsed) explain(w io.Writer, l labelledLog, most int) {
	groups, truth := members(p.got), members(l.events)
	events := slices.SortedFunc(maps.Keys(truth), func(a, b string) int { return len(truth[b]) - len(truth[a]) })
	for _, event := range events {
		into := map[string]int{}
		for _, i := range truth[event] {
			into[p.got[i]]++
		}
		id := p.got[truth[event][0]]
		one := len(into) == 1 && len(groups[id]) == len(truth[event])
		if one && normal(p.text[id]) == normal(l.text[event]) {
			continue
		}
		if most--; most < 0 {
			return
		}
		if one {
			fmt.Fprintf(w, "%s text, %d lines: %s\n    made: %s\n", l.name, len(truth[event]), l.text[event], p.text[id])
			continue
		}
		fmt.Fprintf(w, "%s group, %d lines: %s\n", l.name, len(truth[event]), l.text[event])
		for id, n := range into {
			fmt.Fprintf(w, "    %d of %d: %s\n", n, len(groups[id]), p.text[id])
		}
	}
}

func (r *loghubReport) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nsystem\tgrouping\tf1\ttext f1\tmade\ttrue\tlines/s\tDrain: grouping\tf1\ttext f1\t")
	for _, name := range slices.Sorted(maps.Keys(r.Systems)) {
		v, d := r.Systems[name], r.Drain.Systems[name]
		fmt.Fprintf(t, "%s\t%.4f\t%.3f\t%.3f\t%d\t%d\t%.0f\t%.4f\t%.3f\t%.3f\t\n", name, v.Grouping, v.F1, v.TextF1, v.Found, v.True, v.PerSec, d.Grouping, d.F1, d.TextF1)
	}
	fmt.Fprintf(t, "mean\t%.4f\t%.3f\t%.3f\t\t\t%.0f\t%.4f\t%.3f\t%.3f\t\n", r.Mean, r.F1, r.TextF1, r.PerSec, r.Drain.Mean, r.Drain.F1, r.Drain.TextF1)
	return t.Flush()
}
