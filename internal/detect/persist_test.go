package detect_test

import (
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/detect"
)

var update = flag.Bool("update", false, "write the baselines of the present version anew; those of older versions are never written again")

// learned returns a detector that saw two weeks of three metrics.
func learned(t testing.TB) (*detect.Detector, time.Time) {
	o := detect.DefaultOptions()
	o.CollectionInterval = 5 * time.Minute
	d, err := detect.New(o, start)
	if err != nil {
		t.Fatal(err)
	}
	next := noise(21)
	total, now := 0.0, start
	for i := range 14 * 288 {
		now = start.Add(time.Duration(i) * 5 * time.Minute)
		v := next()
		total += 1000 + 10*v
		rhythm := 40 * math.Sin(float64(i)/288*2*math.Pi)
		d.Snapshot("host", "os", now, []detect.Sample{
			{Metric: "cpu_used_pct", Floor: 1, Value: v + rhythm}, {Metric: "oom_kills_recent", Floor: 1, Value: 0},
			{Metric: "requests", Counter: true, Floor: 1, Value: total},
		})
	}
	return d, now
}

// alike says that two floats are so to the few digits that are kept.
var alike = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-3+0.01*max(math.Abs(a), math.Abs(b)) })

// told leaves out what is not kept on disk.
func kept(list []detect.Baseline) []detect.Baseline {
	for i := range list {
		list[i].Score = 0
	}
	return list
}

func TestBaselinesSurviveARestart(t *testing.T) {
	d, now := learned(t)
	again := newDetector(t, nil)
	if err := again.Restore(d.Marshal()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kept(d.Baselines()), kept(again.Baselines()), alike); diff != "" {
		t.Errorf("(-saved +restored):\n%s", diff)
	}
	if diff := cmp.Diff(d.Marshal()[:20], again.Marshal()[:20]); diff != "" {
		t.Errorf("saved again: %s", diff)
	}
	if st := again.Status(now); st.State != detect.Active {
		t.Errorf("status %+v", st)
	}
}

func TestARestoredDetectorTellsFaultsAndNothingElse(t *testing.T) {
	d, now := learned(t)
	again := newDetector(t, func(o *detect.Options) { o.CollectionInterval = 5 * time.Minute })
	if err := again.Restore(d.Marshal()); err != nil {
		t.Fatal(err)
	}
	next := noise(22)
	total := 0.0
	var usual, faulty []detect.Anomaly
	for i := 14*288 + 2; i < 15*288; i++ {
		v, failed := next(), 0.0
		if i >= 15*288-30 {
			failed = 60
		}
		total += 1000 + 10*v
		rhythm := 40 * math.Sin(float64(i)/288*2*math.Pi)
		told := again.Snapshot("host", "os", now.Add(time.Duration(i-14*288)*5*time.Minute), []detect.Sample{
			{Metric: "cpu_used_pct", Floor: 1, Value: v + rhythm}, {Metric: "oom_kills_recent", Floor: 1, Value: failed},
			{Metric: "requests", Counter: true, Floor: 1, Value: total},
		})
		if failed == 0 {
			usual = append(usual, told...)
		} else {
			faulty = append(faulty, told...)
		}
	}
	if len(usual) > 0 {
		t.Errorf("told on a usual day: %+v", usual)
	}
	if len(faulty) != 1 || faulty[0].Metric != "oom_kills_recent" {
		t.Errorf("told of the fault: %+v", faulty)
	}
}

// Files of all versions are read for ever.
func TestBaselinesOfEachVersionAreRead(t *testing.T) {
	d, _ := learned(t)
	file := filepath.Join("testdata", "v1.baselines")
	if *update {
		text, err := json.MarshalIndent(kept(d.Baselines()), "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{file: d.Marshal(), file + ".json": append(text, '\n')} {
			if err := os.WriteFile(name, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob("testdata/*.baselines")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files (%v)", err)
	}
	for _, file := range files {
		saved, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var want []detect.Baseline
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		again := newDetector(t, nil)
		if err := again.Restore(saved); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if diff := cmp.Diff(want, kept(again.Baselines()), alike); diff != "" {
			t.Errorf("%s (-saved +restored):\n%s", file, diff)
		}
	}
}

func TestWhatCannotBeReadIsAnErrorAndLeavesTheDetectorAsItWas(t *testing.T) {
	saved, err := os.ReadFile(filepath.Join("testdata", "v1.baselines"))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int, to byte) []byte {
		b := append([]byte(nil), saved...)
		b[at] = to
		return b
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "another file": []byte("hello, world"), "cut off": saved[:len(saved)/2], "only the magic": saved[:4],
		"damaged": changed(len(saved)/2, ^saved[len(saved)/2]), "version 0": changed(4, 0), "a later version": changed(4, 2),
	} {
		d := newDetector(t, nil)
		feed(d, 0, 5, func(int) []detect.Sample { return gauge(1) })
		err := d.Restore(b)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if later := errors.Is(err, detect.ErrNewer); later != (name == "a later version") {
			t.Errorf("%s: error %v", name, err)
		}
		if names := d.Names(); len(names) != 1 || names[0] != named("m") {
			t.Errorf("%s: the detector has %v", name, names)
		}
	}
}

func TestACounterGoesOnFromTheFirstSampleAfterARestart(t *testing.T) {
	d, now := learned(t)
	again := newDetector(t, func(o *detect.Options) { o.CollectionInterval = 5 * time.Minute })
	if err := again.Restore(d.Marshal()); err != nil {
		t.Fatal(err)
	}
	requests := named("requests")
	before, _ := again.Baseline(requests)
	for i, total := range []float64{9e9, 9e9 + 1500} {
		again.Snapshot("host", "os", now.Add(time.Duration(i+1)*5*time.Minute), []detect.Sample{{Metric: "requests", Counter: true, Value: total}})
		if b, _ := again.Baseline(requests); b.Count != before.Count+i {
			t.Errorf("after %d samples %d were judged", i+1, b.Count-before.Count)
		}
	}
	if p, _ := again.Latest(requests); p.Value != 5 {
		t.Errorf("the rate is %v", p.Value)
	}
}

func TestRestoreKeepsTheLimits(t *testing.T) {
	d, _ := learned(t)
	few := newDetector(t, func(o *detect.Options) { o.MaxMetrics = 2 })
	if err := few.Restore(d.Marshal()); err != nil || few.Status(start).Metrics != 2 {
		t.Errorf("error %v, %d metrics", err, few.Status(start).Metrics)
	}
	none := newDetector(t, func(o *detect.Options) { o.Skills = []string{"gc"} })
	if err := none.Restore(d.Marshal()); err != nil || none.Status(start).Metrics != 0 {
		t.Errorf("error %v, %d metrics of a skill that is not watched", err, none.Status(start).Metrics)
	}
}

// FuzzRestore gives any body a right checksum, so that what reads records is reached.
func FuzzRestore(f *testing.F) {
	if saved, err := os.ReadFile(filepath.Join("testdata", "v1.baselines")); err == nil {
		f.Add(saved)
	}
	d, _ := learned(f)
	f.Add(d.Marshal())
	f.Fuzz(func(t *testing.T, saved []byte) {
		for _, b := range [][]byte{saved, detect.Sealed(saved)} {
			d, err := detect.New(detect.DefaultOptions(), start)
			if err != nil {
				t.Fatal(err)
			}
			if d.Restore(b) != nil {
				continue
			}
			for _, base := range d.Baselines() {
				if math.IsNaN(base.Mean) || math.IsNaN(base.StdDev) || math.IsNaN(base.P99) {
					t.Errorf("baseline %+v", base)
				}
				for i := range 40 {
					d.Snapshot(base.Target, base.Skill, base.LastUpdated.Add(time.Duration(i+1)*step), []detect.Sample{{Metric: base.Metric, Value: float64(i)}})
				}
			}
			if again := d.Marshal(); newFrom(t, again) != nil {
				t.Error("what was restored cannot be saved and restored again")
			}
		}
	})
}

func newFrom(t *testing.T, saved []byte) error {
	d, err := detect.New(detect.DefaultOptions(), start)
	if err != nil {
		t.Fatal(err)
	}
	return d.Restore(saved)
}
