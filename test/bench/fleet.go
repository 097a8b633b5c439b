package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/test/fleet"
)

// fleetReport is how well the product finds faults in simulated fleets.
type fleetReport struct {
	Nodes    int          `json:"nodes"`
	Seed     uint64       `json:"seed"`
	Interval float64      `json:"interval_s"`
	Right    figure       `json:"right_share"` // of the scenarios with a fault
	False    figure       `json:"false_insights_share"`
	Silent   float64      `json:"silent_when_healthy_share"`
	BCubed   float64      `json:"bcubed_f1_mean"`
	Insight  float64      `json:"insight_after_intervals_p50"`
	Families []fleetScore `json:"families"`

	Scenarios []*fleet.Score `json:"scenarios"`
}

// A fleetScore is the mean over the scenarios of a family.
type fleetScore struct {
	Family    string  `json:"family"`
	Scenarios int     `json:"scenarios"`
	Right     int     `json:"right"`
	Precision float64 `json:"root_precision"`
	Recall    float64 `json:"root_recall"`
	BCubed    float64 `json:"bcubed_f1"`
	False     int     `json:"false_insights"`
	Insight   float64 `json:"insight_after_intervals"` // -1: a scenario had none
}

// fleetLimit is how long a scenario of the fleet may take beside what it lasts.
const fleetLimit = 60 * time.Second

func fleetCommand() *cobra.Command {
	var which string
	o := fleet.Options{}
	cmd := subcommand("fleet", "Faults in a simulated fleet, and what is made of them",
		`Simulate fleets with known faults and score what the product makes of them: whether the
root cause is right, how signals are grouped, what is false, and how long it takes. The nodes
are probes with simulated sources in this process; NATS, two coordinators and the operators
are processes of their own with their default configuration and the rules analyst. The
interval between snapshots is scaled from 30 s, and with it the times of the probe
and its detector that count snapshots. A scenario takes about 80 intervals; docs/reference/scenarios.md says how
to write one.`,
		func(ctx context.Context, b *bench) (any, error) {
			list, err := fleet.Load(which)
			if err != nil {
				return nil, err
			}
			o.Dir, o.Log, o.ErrOut = b.dir, b.log, b.errOut
			return b.fleets(ctx, o, list)
		})
	cmd.Flags().IntVar(&o.Nodes, "nodes", 300, "nodes of the simulated fleet")
	cmd.Flags().StringVar(&which, "scenarios", "all", "all, names separated by commas, or a `folder` of scenario files")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "of all that is chosen by chance")
	cmd.Flags().DurationVar(&o.Interval, "interval", time.Second, "between two snapshots of a probe")
	return cmd
}

// fleetProcess is a process of a simulated fleet.
func fleetProcess() *cobra.Command {
	return &cobra.Command{
		Use: fleet.Command, Short: "A process of a simulated fleet", Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return fleet.Main(cmd.Context(), args, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}

func (b *bench) fleets(ctx context.Context, o fleet.Options, list []fleet.Scenario) (*fleetReport, error) {
	b.say("%d scenarios: %s", len(list), fleet.Names(list))
	runner := fleet.NewRunner(o)
	r := &fleetReport{Nodes: o.Nodes, Seed: o.Seed, Interval: o.Interval.Seconds()}
	for _, s := range list {
		limit := time.Duration(s.Lasts+100)*o.Interval + fleetLimit
		run, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s was not done after %s", s.Name, limit))
		score, err := runner.Run(run, s)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		b.tell(score)
		r.Scenarios = append(r.Scenarios, score)
	}
	r.sum()
	return r, nil
}

// tell prints what came of a scenario.
func (b *bench) tell(s *fleet.Score) {
	verdict := "WRONG"
	if s.Right {
		verdict = "right"
	}
	b.say("%s: %s, root precision %.2f recall %.2f, B-cubed %.2f, %d insights (%d false, %d repeated), %d investigations, %d signals (%d of untouched nodes), signal after %gs, insight after %gs",
		s.Scenario, verdict, s.Precision, s.Recall, s.BCubed, s.Insights, s.False, s.Repeated, s.Investigations, s.Signals, s.FalseSignals, s.SignalAfter, s.InsightAfter)
	for _, line := range s.Says {
		b.say("    %s", line)
	}
	if !s.Right {
		b.say("    named %.200s, truth %.200s", fmt.Sprint(s.Named), fmt.Sprint(s.Truth))
	}
}

// sum fills what is said of all scenarios together.
func (r *fleetReport) sum() {
	var after []time.Duration
	faulty, right, healthy, silent, insights, wrong := 0, 0, 0, 0, 0, 0
	byFamily := map[string]*fleetScore{}
	var order []string
	for _, s := range r.Scenarios {
		f := byFamily[s.Family]
		if f == nil {
			f = &fleetScore{Family: s.Family}
			byFamily[s.Family] = f
			order = append(order, s.Family)
		}
		f.Scenarios++
		f.Precision, f.Recall, f.BCubed, f.False = f.Precision+s.Precision, f.Recall+s.Recall, f.BCubed+s.BCubed, f.False+s.False
		if s.Right {
			f.Right++
		}
		switch {
		case len(s.Truth) == 0:
			healthy++
			if s.Right {
				silent++
			}
			f.Insight = -1
		default:
			faulty++
			if s.Right {
				right++
			}
			if s.InsightIntervals < 0 || f.Insight < 0 {
				f.Insight = -1
			} else {
				f.Insight += s.InsightIntervals
			}
			if s.InsightIntervals >= 0 {
				after = append(after, time.Duration(s.InsightIntervals*float64(time.Second)))
			}
		}
		insights, wrong = insights+s.Insights, wrong+s.False
		r.BCubed += s.BCubed / float64(len(r.Scenarios))
	}
	for _, name := range order {
		f := byFamily[name]
		n := float64(f.Scenarios)
		f.Precision, f.Recall, f.BCubed = round(f.Precision/n), round(f.Recall/n), round(f.BCubed/n)
		if f.Insight > 0 {
			f.Insight = round(f.Insight / n)
		}
		r.Families = append(r.Families, *f)
	}
	r.Right = atLeast(share(right, faulty), 0.9)
	r.False = atMost(share(wrong, insights), 0.05)
	r.Silent, r.BCubed = share(silent, healthy), round(r.BCubed)
	if len(after) > 0 {
		r.Insight = round(percentile(after, 50).Seconds())
	}
}
