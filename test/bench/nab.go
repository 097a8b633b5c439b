package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/detect"
)

// What DESIGN.md wants of the series that are given.
const (
	wantStandard = 74
	wantLowFP    = 68
)

// nabReport is the last line.
type nabReport struct {
	Benchmark string             `json:"benchmark"`
	Series    int                `json:"series"`
	Rows      int                `json:"rows"`
	Budget    map[string]float64 `json:"budget"`
	Met       bool               `json:"met"`
	// Detectors are the fits by detector and profile.
	Detectors map[string]map[string]nabFit `json:"detectors"`
	// AtDefault is the product with its own threshold and rule of escalation.
	AtDefault nabDefault `json:"at_default"`
	Host      *nabHost   `json:"host,omitempty"`
}

// nabDefault is what the product tells with its defaults.
type nabDefault struct {
	Threshold         float64            `json:"threshold"`
	Scores            map[string]float64 `json:"scores"`
	QuietSeries       int                `json:"series_without_anomaly"`
	QuietDays         float64            `json:"days_without_anomaly"`
	QuietAlarmsPerDay float64            `json:"alarms_per_day_without_anomaly"`
	// The same at the threshold that the standard profile fits, without the rule
	// that several samples in a row must be anomalous.
	QuietPerDayFitted float64 `json:"alarms_per_day_without_anomaly_fitted"`
	MicrosPerSample   float64 `json:"us_per_sample"`
}

func nabCommand() *cobra.Command {
	var host time.Duration
	cmd := &cobra.Command{
		Use:   "nab FOLDER",
		Short: "Anomaly detection on labelled series, scored as the Numenta benchmark does",
		Long: `Run the product's detector, with its defaults, over labelled series and score it by
the rules of the Numenta Anomaly Benchmark: the first 15 % of a series (at most 750
rows) do not count, the earliest alarm in a window counts by how early it is, false
alarms cost by their distance from the window before, one threshold for each profile
is fitted over the whole corpus, 0 is a detector that is silent and 100 one that is
right at the first row of each window.

FOLDER holds data/*/*.csv, windows.json and profiles.json, or is a copy of NAB's own
repository. Each detector sees a series once, row by row:

fleetlens          a detect.Detector with detect.DefaultOptions; its score, with the
                   threshold fitted; told once, then again after the score was below
                   the threshold for ` + fmt.Sprint(detect.Rearm) + ` rows
reference_rule     mean and deviation of the first 15 %, |z| high three times in a row;
                   threshold and quiet as with fleetlens
reference_plain    the same as it runs: |z| > 3, quiet for 15 minutes, nothing fitted
windowed_gaussian  NAB's detector of that name, with the same rule of quiet
windowed_gaussian_plain  the same as NAB runs it: each row above the threshold is told

at_default is the product as it runs: its own threshold, several samples in a row,
its cooldown. With --host it runs for that much longer than other benchmarks.`,
		Example: `  go run ./test/bench nab ../shared/data/nab
  go run ./test/bench nab --host 60m FOLDER`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().DurationVar(&host, "host", 0, "watch this host too for so `long`, each second, and count what is told")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), longest+host, fmt.Errorf("not done after %s", longest+host))
		defer cancel()
		c, err := readNAB(args[0])
		if err != nil {
			return err
		}
		r, err := measureNAB(ctx, c, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		if host > 0 {
			if r.Host, err = watchHost(ctx, host, cmd.ErrOrStderr()); err != nil {
				return err
			}
		}
		return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	}
	return cmd
}

// nabRivals are what is measured: a name, how a series is scored, how many rows
// below the threshold end an alarm, and the threshold when it is not fitted.
var nabRivals = []struct {
	name  string
	score func(nabSeries) []float64
	rest  int
	fixed float64
}{
	{"fleetlens", productScores, detect.Rearm, 0},
	{"reference_rule", referenceZ, detect.Rearm, 0},
	{"reference_plain", referencePlain, 0, 1},
	{"windowed_gaussian", windowedGaussian, detect.Rearm, 0},
	{"windowed_gaussian_plain", windowedGaussian, 0, 0},
}

func measureNAB(ctx context.Context, c *nabCorpus, w io.Writer) (*nabReport, error) {
	r := &nabReport{
		Benchmark: "nab", Series: len(c.series), Detectors: map[string]map[string]nabFit{},
		Budget: map[string]float64{"standard": wantStandard, "low_fp": wantLowFP},
	}
	for _, s := range c.series {
		r.Rows += len(s.value)
	}
	var product [][]float64
	for _, rival := range nabRivals {
		var scores [][]float64
		start := time.Now()
		for _, s := range c.series {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			scores = append(scores, rival.score(s))
		}
		if product == nil {
			product = scores
			r.AtDefault.MicrosPerSample = round(float64(time.Since(start).Microseconds()) / float64(r.Rows))
		}
		thresholds := []float64{rival.fixed}
		if rival.fixed == 0 {
			thresholds = candidates(scores)
		}
		fits := map[string]nabFit{}
		for name, p := range c.profiles {
			f := c.fit(scores, thresholds, rival.rest, p)
			f.Score, f.Threshold = round(f.Score), round(f.Threshold)
			fits[name] = f
		}
		r.Detectors[rival.name] = fits
	}
	ours := r.Detectors["fleetlens"]
	r.Met = ours["standard"].Score >= wantStandard && ours["low_fp"].Score >= wantLowFP
	if err := c.atDefault(&r.AtDefault, product, ours["standard"].Threshold); err != nil {
		return nil, err
	}
	return r, r.table(w)
}

// newDetector is the product's own, with its defaults.
func newDetector(start time.Time) (*detect.Detector, error) {
	return detect.New(detect.DefaultOptions(), start)
}

var nabName = detect.Name{Target: "host", Skill: "bench", Metric: "value"}

// run gives a series to the product, row by row, and returns its score at each row
// and the rows at which it told something.
func (s nabSeries) run() (scores []float64, told []int, err error) {
	d, err := newDetector(s.at[0])
	if err != nil {
		return nil, nil, err
	}
	scores = make([]float64, len(s.value))
	sample := []detect.Sample{{Metric: nabName.Metric}}
	for i, v := range s.value {
		sample[0].Value = v
		if len(d.Snapshot(nabName.Target, nabName.Skill, s.at[i], sample)) > 0 {
			told = append(told, i)
		}
		b, _ := d.Baseline(nabName)
		scores[i] = b.Score
	}
	return scores, told, nil
}

func productScores(s nabSeries) []float64 {
	scores, _, err := s.run()
	if err != nil {
		panic("the default options are not valid: " + err.Error())
	}
	return scores
}

// atDefault measures the product as it runs.
func (c *nabCorpus) atDefault(r *nabDefault, scores [][]float64, fitted float64) error {
	r.Threshold = round(detect.Threshold(detect.DefaultOptions().ZThreshold))
	r.Scores = map[string]float64{}
	var alarms, alarmsFitted int
	for i, s := range c.series {
		_, told, err := s.run()
		if err != nil {
			return err
		}
		for name, p := range c.profiles {
			r.Scores[name] += s.score(told, p)
		}
		if len(s.windows) > 0 {
			continue
		}
		r.QuietSeries++
		r.QuietDays += s.at[len(s.at)-1].Sub(s.at[s.trial]).Hours() / 24
		n, _ := s.count(told)
		alarms += n
		n, _ = s.count(rise(scores[i], fitted, detect.Rearm))
		alarmsFitted += n
	}
	for name, p := range c.profiles {
		r.Scores[name] = round(c.normalised(r.Scores[name], p))
	}
	if r.QuietDays > 0 {
		r.QuietAlarmsPerDay = round(float64(alarms) / r.QuietDays)
		r.QuietPerDayFitted = round(float64(alarmsFitted) / r.QuietDays)
	}
	r.QuietDays = round(r.QuietDays)
	return nil
}

func (r *nabReport) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\ndetector\tstandard\tlow_fp\tlow_fn\tthreshold\twindows\tfalse alarms\t")
	for _, rival := range nabRivals {
		f := r.Detectors[rival.name]
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.2f\t%.3g\t%d/%d\t%d\t\n", rival.name, f["standard"].Score, f["low_fp"].Score, f["low_fn"].Score,
			f["standard"].Threshold, f["standard"].Hits, f["standard"].Windows, f["standard"].FalseAlarms)
	}
	d := r.AtDefault
	fmt.Fprintf(t, "fleetlens as it runs\t%.2f\t%.2f\t%.2f\t%.3g\t\t%.3f a day\t\n", d.Scores["standard"], d.Scores["low_fp"], d.Scores["low_fn"], d.Threshold, d.QuietAlarmsPerDay)
	return t.Flush()
}
