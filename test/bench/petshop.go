package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/correlate"
)

// What DESIGN.md wants of the ranking.
const (
	wantTop1    = 0.95
	wantTop3    = 0.98
	wantHealthy = 0.04
)

// judged is how the product ranks: a benchmark has no settings of its own.
var judged = correlate.Rank

// petshopReport is the last line.
type petshopReport struct {
	Benchmark string             `json:"benchmark"`
	Top1      float64            `json:"top1"`
	Top3      float64            `json:"top3"`
	Healthy   float64            `json:"healthy_raised"`  // share of windows in which either metric raised a cause
	PerMetric map[string]float64 `json:"healthy_metrics"` // the same of one metric
	Budget    map[string]float64 `json:"budget"`
	Met       bool               `json:"met"`
	Issues    int                `json:"issues"`
	Windows   int                `json:"healthy_windows"`
	By        map[string]recall  `json:"by"`      // metric, traffic, and both
	Without   map[string]recall  `json:"without"` // the same when a part of what is known is not
	Rivals    map[string]recall  `json:"rivals"`
}

// A recall is how often the true cause was first, or among the first three.
type recall struct {
	Top1   float64 `json:"top1"`
	Top3   float64 `json:"top3"`
	Cases  int     `json:"cases"`
	Silent float64 `json:"silent"`
}

// A tally counts towards a recall.
type tally struct{ top1, top3, silent, n int }

func (t *tally) add(names []string, truth ...string) {
	t.n++
	if len(names) == 0 {
		t.silent++
	}
	hit := func(k int) bool {
		return slices.ContainsFunc(names[:min(k, len(names))], func(n string) bool { return slices.Contains(truth, n) })
	}
	if hit(1) {
		t.top1++
	}
	if hit(3) {
		t.top3++
	}
}

func (t *tally) recall() recall {
	return recall{Top1: share(t.top1, t.n), Top3: share(t.top3, t.n), Silent: share(t.silent, t.n), Cases: t.n}
}

// share returns a part of n, to four digits; 0 of none.
func share(k, n int) float64 { return math.Round(1e4*float64(k)/float64(max(n, 1))) / 1e4 }

func petshopCommand() *cobra.Command {
	var wrong bool
	cmd := &cobra.Command{
		Use:   "petshop FOLDER",
		Short: "Root causes of injected faults in a microservice application",
		Long: `Rank the causes of labelled faults, as rank_causes does. FOLDER holds the data of
github.com/amazon-science/petshop-root-cause-analysis: for each level of traffic
graph.csv, noissue/metrics.csv and issues with metrics.csv and target.json.

The baseline of an issue is the recording without issues of its level of traffic,
the incident is the issue's own five rows; the alert is told with its node, metric
and time. A healthy window is five rows of the recording without issues, moved by
two, with all other rows as its baseline, and an alert of the same node in its
second row: once for latency, once for availability.

top1, top3      the true node is first, or among the first three; silence is a miss
healthy_raised  share of healthy windows in which one of the two alerts got a cause
without         recall when the graph, the counts of requests, the alert's time or the
                whole alert are not told
rivals          plain maximum of z over all metrics, and walking along anomalous
                callees of the alerted node to the last`,
		Example: `  go run ./test/bench petshop ../shared/data/petshop`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&wrong, "wrong", false, "show the issues that were not ranked right, and healthy windows with a cause")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), longest, fmt.Errorf("not done after %s", longest))
		defer cancel()
		levels, err := readPetshop(args[0])
		if err != nil {
			return err
		}
		explain := io.Discard
		if wrong {
			explain = cmd.ErrOrStderr()
		}
		r, err := measurePetshop(ctx, levels, explain)
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

func measurePetshop(ctx context.Context, levels []petshop, explain io.Writer) (*petshopReport, error) {
	all, by := tally{}, map[string]*tally{}
	rivals := map[string]*tally{"maximum_z": {}, "anomalous_leaf": {}}
	without := map[string]*tally{}
	windows, raised, perMetric := 0, 0, map[string]int{}
	for _, level := range levels {
		for _, issue := range level.issues {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			c := caseOf(level.healthy, issue.rows)
			c.Calls, c.Alert = level.calls, &issue.alert
			r := judged(c)
			names := causeNames(r)
			all.add(names, issue.truth)
			for _, k := range []string{issue.alert.Metric, level.traffic, issue.alert.Metric + "/" + level.traffic} {
				if by[k] == nil {
					by[k] = &tally{}
				}
				by[k].add(names, issue.truth)
			}
			if len(names) == 0 || names[0] != issue.truth {
				fmt.Fprintf(explain, "%s %s: want %s, got %v: %s\n", issue.name, issue.alert.Metric, issue.truth, names[:min(3, len(names))], r.Why)
			}
			for what, leave := range lessKnown {
				if without[what] == nil {
					without[what] = &tally{}
				}
				without[what].add(causeNames(judged(leave(c))), issue.truth)
			}
			rivals["maximum_z"].add(maximumZ(c), issue.truth)
			rivals["anomalous_leaf"].add(anomalousLeaf(c), issue.truth)
		}
		for from := 0; from+healthyRows <= len(level.healthy.times); from += healthyStep {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			if len(level.issues) == 0 {
				break
			}
			windows++
			alarm := false
			for _, metric := range []string{"availability", "latency"} {
				c := caseOf(level.healthy.window(from, from+healthyRows))
				c.Calls = level.calls
				c.Alert = &correlate.Alert{Node: level.issues[0].alert.Node, Metric: metric, Time: c.IncidentTimes[1]}
				if r := judged(c); !r.None {
					fmt.Fprintf(explain, "%s healthy rows from %d, %s: %v: %s\n", level.traffic, from, metric, causeNames(r)[0], r.Why)
					perMetric[metric]++
					alarm = true
				}
			}
			if alarm {
				raised++
			}
		}
	}
	r := &petshopReport{
		Benchmark: "petshop", Budget: map[string]float64{"top1": wantTop1, "top3": wantTop3, "healthy_raised": wantHealthy},
		Top1: share(all.top1, all.n), Top3: share(all.top3, all.n), Issues: all.n,
		Healthy: share(raised, windows), Windows: windows, PerMetric: map[string]float64{},
		By: map[string]recall{}, Rivals: map[string]recall{}, Without: map[string]recall{},
	}
	for k, n := range perMetric {
		r.PerMetric[k] = share(n, windows)
	}
	for k, t := range by {
		r.By[k] = t.recall()
	}
	for k, t := range without {
		r.Without[k] = t.recall()
	}
	for k, t := range rivals {
		r.Rivals[k] = t.recall()
	}
	r.Met = r.Top1 >= wantTop1 && r.Top3 >= wantTop3 && r.Healthy <= wantHealthy
	return r, nil
}

// lessKnown leaves out of a case what not everybody has.
var lessKnown = map[string]func(correlate.Case) correlate.Case{
	"graph": func(c correlate.Case) correlate.Case { c.Calls = nil; return c },
	"requests": func(c correlate.Case) correlate.Case {
		c.Series = slices.DeleteFunc(slices.Clone(c.Series), func(s correlate.Series) bool {
			return correlate.ClassOf(s.Metric) == correlate.Requests
		})
		return c
	},
	"alert_time": func(c correlate.Case) correlate.Case {
		c.Alert = &correlate.Alert{Node: c.Alert.Node, Metric: c.Alert.Metric}
		return c
	},
	"alert":           func(c correlate.Case) correlate.Case { c.Alert = nil; return c },
	"alert_and_graph": func(c correlate.Case) correlate.Case { c.Alert, c.Calls = nil, nil; return c },
}

// Healthy windows are as long as the issues' and overlap, so that all begins count.
const (
	healthyRows = 5
	healthyStep = 2
)

func causeNames(r correlate.Ranking) []string {
	var out []string
	for _, c := range r.Causes {
		out = append(out, c.Node)
	}
	return out
}

func (r *petshopReport) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, v recall) {
		fmt.Fprintf(t, "%s\t%d\t%.3f\t%.3f\t%.3f\t\n", name, v.Cases, v.Top1, v.Top3, v.Silent)
	}
	fmt.Fprintln(t, "\n\tissues\ttop 1\ttop 3\tsilent\t")
	for _, k := range slices.Sorted(maps.Keys(r.By)) {
		line(k, r.By[k])
	}
	line("all", recall{Top1: r.Top1, Top3: r.Top3, Cases: r.Issues})
	for _, k := range slices.Sorted(maps.Keys(r.Without)) {
		line("without "+k, r.Without[k])
	}
	for _, k := range slices.Sorted(maps.Keys(r.Rivals)) {
		line(k, r.Rivals[k])
	}
	fmt.Fprintf(t, "healthy windows\t%d\traised %.3f\t\t\t\n", r.Windows, r.Healthy)
	return t.Flush()
}
