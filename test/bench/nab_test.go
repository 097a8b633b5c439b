package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func TestNABMeasuresTheProductWithItsDefaults(t *testing.T) {
	at := time.Date(2014, 4, 1, 0, 0, 0, 0, time.UTC)
	got, err := newDetector(at)
	if err != nil {
		t.Fatal(err)
	}
	want, err := detect.New(detect.DefaultOptions(), at)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the benchmark makes %+v, the product %+v", got, want)
	}
}

// oneWindow is thirty rows with an anomaly from row 10 to row 13; the first four do
// not count.
func oneWindow() nabCorpus {
	s := nabSeries{name: "pump", value: make([]float64, 30), windows: [][2]int{{10, 13}}, trial: nabTrial(30)}
	for i := range s.value {
		s.at = append(s.at, time.Date(2014, 4, 1, 0, 5*i, 0, 0, time.UTC))
	}
	return nabCorpus{series: []nabSeries{s}, profiles: map[string]nabProfile{"standard": {1, 1, 0.11}, "low_fp": {1, 1, 0.22}, "low_fn": {1, 2, 0.11}}}
}

// The figures are by hand from NAB's formulas: 2/(1+e^(5p))−1 at place p, of which
// the value at −1, 0.98661, is a whole detection.
func TestNABScoresAlarmsByTheirPlace(t *testing.T) {
	c := oneWindow()
	for _, tt := range []struct {
		name   string
		alarms []int
		want   [3]float64 // standard, low_fp, low_fn
	}{
		{"silence", nil, [3]float64{-1, -1, -2}},
		{"the first row of the window", []int{10}, [3]float64{1, 1, 1}},
		{"the third of four rows: 0.84828 of 0.98661", []int{12}, [3]float64{0.85980, 0.85980, 0.85980}},
		{"the earliest counts, further ones cost nothing", []int{10, 11, 13}, [3]float64{1, 1, 1}},
		{"before all windows: a whole false alarm", []int{5}, [3]float64{-1.11, -1.22, -2.11}},
		{"a third of a window past it: 0.68226 of one", []int{14}, [3]float64{-1.07505, -1.15010, -2.07505}},
		{"more than three windows past it: a whole one", []int{29}, [3]float64{-1.11, -1.22, -2.11}},
		{"in the first rows nothing counts", []int{0, 1, 3}, [3]float64{-1, -1, -2}},
		{"the second of four rows, 0.95405 of 0.98661, and two false alarms", []int{5, 11, 29}, [3]float64{0.96699 - 0.22, 0.96699 - 0.44, 0.96699 - 0.22}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i, p := range nabProfiles {
				if got := c.series[0].score(tt.alarms, c.profiles[p.name]); math.Abs(got-tt.want[i]) > 1e-4 {
					t.Errorf("%s: %.5f, want %.5f", p.name, got, tt.want[i])
				}
			}
		})
	}
}

func TestNABIsZeroForSilenceAndAHundredForTheFirstRowOfEachWindow(t *testing.T) {
	c := oneWindow()
	second := c.series[0]
	second.windows = [][2]int{{6, 8}, {20, 25}}
	c.series = append(c.series, second)
	for name, p := range c.profiles {
		var silent, perfect float64
		for _, s := range c.series {
			silent += s.score(nil, p)
			var first []int
			for _, w := range s.windows {
				first = append(first, w[0])
			}
			perfect += s.score(first, p)
		}
		if got := c.normalised(silent, p); got != 0 {
			t.Errorf("%s: silence is %v", name, got)
		}
		if got := c.normalised(perfect, p); math.Abs(got-100) > 1e-9 {
			t.Errorf("%s: perfect is %v", name, got)
		}
	}
}

func TestNABFitsOneThresholdOverTheCorpus(t *testing.T) {
	c := oneWindow()
	c.series = append(c.series, c.series[0])
	first, second := make([]float64, 30), make([]float64, 30)
	first[10], second[10] = 0.9, 0.6
	first[5], second[28] = 0.7, 0.3
	got := c.fit([][]float64{first, second}, candidates([][]float64{first, second}), 0, c.profiles["standard"])
	want := nabFit{Score: 100 * (2 - 0.11 + 2) / 4, Threshold: 0.6, FalseAlarms: 1, Hits: 2, Windows: 2}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	nothing := make([]float64, 30)
	nothing[5] = 1
	got = c.fit([][]float64{nothing, nothing}, candidates([][]float64{nothing, nothing}), 0, c.profiles["standard"])
	if want := (nabFit{Windows: 2}); got != want {
		t.Errorf("of scores that are wrong only: %+v, want silence", got)
	}
}

func TestAnAlarmNeedsRestBeforeIt(t *testing.T) {
	score := []float64{9, 0, 0, 9, 9, 0, 9, 0, 0, 9}
	if diff := cmp.Diff([]int{0, 3, 9}, rise(score, 5, 2)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 3, 4, 6, 9}, rise(score, 5, 0)); diff != "" {
		t.Error(diff)
	}
}

func TestTheTrialIsFifteenPercentAtMost750Rows(t *testing.T) {
	for n, want := range map[int]int{0: 0, 30: 4, 4032: 604, 5000: 750, 22695: 750} {
		if got := nabTrial(n); got != want {
			t.Errorf("of %d rows %d do not count, want %d", n, got, want)
		}
	}
}

func TestTheReferenceEscalatesAtTheThirdRowAndThenRests(t *testing.T) {
	s := oneWindow().series[0]
	s.trial = 10
	for i := range s.value {
		s.value[i] = float64(i % 2)
		if i == 12 || i >= 15 && i < 24 {
			s.value[i] = 100
		}
	}
	var got []int
	for i, v := range referencePlain(s) {
		if v > 0 {
			got = append(got, i)
		}
	}
	if diff := cmp.Diff([]int{17, 22}, got); diff != "" { // 15 minutes are three rows
		t.Error(diff)
	}
	if z := referenceZ(s); z[17] < 100 || z[16] > 3 || z[13] > 3 {
		t.Errorf("|z| is %.1f, %.1f, %.1f", z[17], z[16], z[13])
	}
}

func TestTheWindowedGaussianIsOneMinusTheTail(t *testing.T) {
	s := nabSeries{value: []float64{0, 2, 0, 2, 1, 1 + math.Sqrt(0.8)*3}}
	got := windowedGaussian(s)
	if got[0] != 0 || math.Abs(got[4]-0.5) > 1e-9 || math.Abs(got[5]-0.99865) > 1e-5 {
		t.Errorf("scores %v; the mean is 0.5 likely, three deviations 0.99865", got)
	}
}

func nabFolder(t *testing.T, windows string) string {
	t.Helper()
	var rows strings.Builder
	rows.WriteString("timestamp,value\n")
	for i := range 600 {
		v := 10 + i%7
		if i >= 500 && i < 520 {
			v = 300
		}
		fmt.Fprintf(&rows, "%s,%d\n", time.Date(2014, 4, 1, 0, 5*i, 0, 0, time.UTC).Format(time.DateTime), v)
	}
	return folder(t, map[string]string{
		"data/real/pump.csv": rows.String(), "data/real/quiet.csv": strings.ReplaceAll(rows.String(), ",300", ",12"), "windows.json": windows,
		"profiles.json": `{"standard":{"CostMatrix":{"tpWeight":1,"fnWeight":1,"fpWeight":0.11,"tnWeight":1}},
			"reward_low_FP_rate":{"CostMatrix":{"tpWeight":1,"fnWeight":1,"fpWeight":0.22,"tnWeight":1}},
			"reward_low_FN_rate":{"CostMatrix":{"tpWeight":1,"fnWeight":2,"fpWeight":0.11,"tnWeight":1}}}`,
	})
}

func TestNABReadsOtherSeriesAndFindsThePlainFault(t *testing.T) {
	dir := nabFolder(t, `{"real/pump.csv":[["2014-04-02 17:30:00.000000","2014-04-02 19:10:00.000000"]],"real/quiet.csv":[]}`)
	c, err := readNAB(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.series) != 2 || c.series[0].windows[0] != [2]int{498, 518} || c.profiles["low_fn"].fn != 2 {
		t.Fatalf("read %d series, windows %v, profiles %v", len(c.series), c.series[0].windows, c.profiles)
	}
	var table bytes.Buffer
	r, err := measureNAB(t.Context(), c, &table)
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Detectors["fleetlens"]["standard"]; f.Hits != 1 || f.FalseAlarms != 0 || f.Score < 80 {
		t.Errorf("a value of thirty times the usual: %+v", f)
	}
	if r.AtDefault.QuietSeries != 1 || r.AtDefault.QuietAlarmsPerDay != 0 {
		t.Errorf("at default: %+v", r.AtDefault)
	}
	if !strings.Contains(table.String(), "windowed_gaussian") {
		t.Errorf("no table: %s", table.String())
	}
}

func TestNABSaysWhatItCannotRead(t *testing.T) {
	for name, tt := range map[string]struct{ windows, want string }{
		"a window without a row":   {`{"real/pump.csv":[["2014-04-02 17:31:00.000000","2014-04-02 19:10:00.000000"]]}`, "no row at"},
		"a series without a file":  {`{"real/valve.csv":[]}`, "valve.csv"},
		"no series":                {`{}`, "names no series"},
		"a window from its end on": {`{"real/pump.csv":[["2014-04-02 19:10:00.000000","2014-04-02 17:30:00.000000"]]}`, "ends before it begins"},
		"no JSON":                  {`windows`, "windows.json"},
	} {
		if _, err := readNAB(nabFolder(t, tt.windows)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	cmd := command()
	cmd.SetArgs([]string{"nab", t.TempDir()})
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	if err := cmd.Execute(); err == nil {
		t.Error("an empty folder is no error")
	}
}

func TestOnlyNumbersOfAHostAreSamples(t *testing.T) {
	spec := specs(skills.Source{
		Metrics: []skills.Metric{
			skills.Gauge("used_pct", protocol.Percent, "Use."), skills.Counter("kills", protocol.Count, "Kills."),
			skills.Gauge("queue", protocol.Count, "Queue."), skills.Info("name", protocol.Text, "Name."),
		},
		Checks: []skills.Check{{Metric: "queue", Op: protocol.Above, Warn: skills.Level(5000)}},
	})
	got := samplesOf(spec, skills.Data{"used_pct": 12.5, "kills": uint64(3), "queue": "many", "name": "web"})
	want := []detect.Sample{{Metric: "used_pct", Floor: 1, Value: 12.5}, {Metric: "kills", Counter: true, Floor: 1, Value: 3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if spec[2].Floor != 50 {
		t.Errorf("the floor of a queue that is long from 5000 on is %v", spec[2].Floor)
	}
}
