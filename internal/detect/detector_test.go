package detect_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/detect"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday

const step = 30 * time.Second

func at(i int) time.Time { return start.Add(time.Duration(i) * step) }

func named(metric string) detect.Name {
	return detect.Name{Target: "host", Skill: "os", Metric: metric}
}

// newDetector returns a detector with the defaults, changed.
func newDetector(t *testing.T, change func(*detect.Options)) *detect.Detector {
	t.Helper()
	o := detect.DefaultOptions()
	if change != nil {
		change(&o)
	}
	d, err := detect.New(o, start)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// gauge is one sample of a metric "m" that matters from 1 on.
func gauge(v float64) []detect.Sample {
	return []detect.Sample{{Metric: "m", Harm: detect.Either, Floor: 1, Value: v}}
}

// feed gives samples from to (excluded) of the os skill and returns what was told.
func feed(d *detect.Detector, from, to int, of func(i int) []detect.Sample) []detect.Anomaly {
	var out []detect.Anomaly
	for i := from; i < to; i++ {
		out = append(out, d.Snapshot("host", "os", at(i), of(i))...)
	}
	return out
}

// noise returns a metric that swings around 50 by 5.
func noise(seed uint64) func() float64 {
	r := rand.New(rand.NewPCG(seed, 7))
	return func() float64 { return 50 + 5*r.NormFloat64() }
}

func eager(o *detect.Options) { o.LearningDuration = 50 * step }

// Behaviour: 128.
func TestANewDetectorLearns(t *testing.T) {
	d := newDetector(t, nil)
	got := d.Status(start.Add(time.Second))
	want := detect.Status{
		State: detect.Learning, LearningStart: start, LearningElapsed: time.Second,
		CollectionInterval: 30 * time.Second, AutoTrigger: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// Behaviour: 129.
func TestAfterLearningItIsActiveAndEachMetricOfEachSkillHasABaseline(t *testing.T) {
	d := newDetector(t, eager)
	for i := range 51 {
		d.Snapshot("host", "os", at(i), []detect.Sample{{Metric: "a", Value: 1}, {Metric: "b", Value: float64(i)}})
		d.Snapshot("shop", "gc", at(i), []detect.Sample{{Metric: "c", Value: 3}})
	}
	for i, want := range map[int]detect.State{49: detect.Learning, 50: detect.Active} {
		if got := d.Status(at(i)).State; got != want {
			t.Errorf("after %d of 50 steps of learning the state is %s, want %s", i, got, want)
		}
	}
	var names []string
	for _, b := range d.Baselines() {
		names = append(names, b.Target+" "+b.Skill+" "+b.Metric)
		if b.Count != 51 || b.LastUpdated != at(50) {
			t.Errorf("baseline of %s has %d samples, last at %s", b.Metric, b.Count, b.LastUpdated)
		}
	}
	if diff := cmp.Diff([]string{"host os a", "host os b", "shop gc c"}, names); diff != "" {
		t.Error(diff)
	}
}

// Behaviour: 130.
func TestAsManyAnomalousSamplesAsRequiredEscalate(t *testing.T) {
	d := newDetector(t, func(o *detect.Options) { eager(o); o.ZThreshold, o.ConsecutiveRequired = 2, 2 })
	feed(d, 0, 60, func(int) []detect.Sample { return gauge(10) })
	for i := 60; i < 70; i++ {
		told := d.Snapshot("host", "os", at(i), gauge(90))
		st := d.Status(at(i))
		if st.State != d.State(at(i)) || st.ConsecutiveCount > 0 && d.Odd() != 1 {
			t.Errorf("it is %s with %d odd, and says %+v", d.State(at(i)), d.Odd(), st)
		}
		if len(told) == 0 {
			if st.State != detect.Active || st.ConsecutiveCount > 1 {
				t.Fatalf("sample %d: %s with %d in a row", i, st.State, st.ConsecutiveCount)
			}
			continue
		}
		if st.State != detect.Cooldown || st.ConsecutiveCount != 2 || st.CooldownStart != at(i) || st.Anomalies != 1 || st.HostScore < 1 {
			t.Errorf("after the escalation: %+v", st)
		}
		return
	}
	t.Error("nothing escalated")
}

// Behaviour: 131.
func TestAUsualSampleResetsTheCount(t *testing.T) {
	d := newDetector(t, func(o *detect.Options) { eager(o); o.ConsecutiveRequired = 5 })
	feed(d, 0, 60, func(int) []detect.Sample { return gauge(10) })
	i := 60
	for ; d.Status(at(i)).ConsecutiveCount < 2; i++ {
		if i == 80 {
			t.Fatal("no sample was anomalous")
		}
		feed(d, i, i+1, func(int) []detect.Sample { return gauge(90) })
	}
	feed(d, i, i+1, func(int) []detect.Sample { return gauge(10) })
	if st := d.Status(at(i)); st.ConsecutiveCount != 0 || st.State != detect.Active {
		t.Errorf("after a usual sample: %+v", st)
	}
	if told := feed(d, i+1, i+100, func(int) []detect.Sample { return gauge(10) }); len(told) > 0 {
		t.Errorf("told %+v", told)
	}
}

// Behaviour: 132.
func TestCooldownEndsByItself(t *testing.T) {
	d := newDetector(t, eager)
	feed(d, 0, 60, func(int) []detect.Sample { return gauge(10) })
	told := feed(d, 60, 75, func(int) []detect.Sample { return gauge(90) })
	if len(told) != 1 {
		t.Fatalf("told %d times", len(told))
	}
	end := told[0].At.Add(15 * time.Minute)
	if got := d.Status(end.Add(-time.Second)).State; got != detect.Cooldown {
		t.Errorf("before the end: %s", got)
	}
	if got := d.Status(end).State; got != detect.Active {
		t.Errorf("at the end: %s", got)
	}
}

// Behaviour: 133.
func TestSamplesOfAllSkillsAreKeptAsTheyAre(t *testing.T) {
	d := newDetector(t, nil)
	d.Snapshot("host", "os", start, []detect.Sample{{Metric: "a", Value: 1.5}, {Metric: "b", Value: -2}})
	d.Snapshot("host", "gc", start, []detect.Sample{{Metric: "a", Value: 3}, {Metric: "d", Value: 4}, {Metric: "e", Value: 0}})
	want := map[detect.Name]float64{
		{Target: "host", Skill: "os", Metric: "a"}: 1.5, {Target: "host", Skill: "os", Metric: "b"}: -2,
		{Target: "host", Skill: "gc", Metric: "a"}: 3, {Target: "host", Skill: "gc", Metric: "d"}: 4, {Target: "host", Skill: "gc", Metric: "e"}: 0,
	}
	got := map[detect.Name]float64{}
	for _, n := range d.Names() {
		p, _ := d.Latest(n)
		got[n] = p.Value
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Behaviour: 134.
func TestASkillThatGivesNothingLeavesTheOthersAlone(t *testing.T) {
	d := newDetector(t, eager)
	for i := range 60 {
		d.Snapshot("host", "gc", at(i), nil)
		d.Snapshot("host", "os", at(i), gauge(10))
	}
	if st := d.Status(at(60)); st.State != detect.Active || st.Metrics != 1 {
		t.Errorf("status %+v", st)
	}
	if b, ok := d.Baseline(named("m")); !ok || b.Count != 60 {
		t.Errorf("baseline %+v", b)
	}
}

// fault makes the metric m of a skill constant, then far higher for a while, and
// returns what was told.
func fault(d *detect.Detector, skill string, from int) []detect.Anomaly {
	var out []detect.Anomaly
	for i := from; i < from+12; i++ {
		out = append(out, d.Snapshot("host", skill, at(i), gauge(90))...)
	}
	return out
}

// Behaviour: 135.
func TestTriggersAreLimitedAndCanBeOff(t *testing.T) {
	learned := func(change func(*detect.Options)) *detect.Detector {
		d := newDetector(t, func(o *detect.Options) { eager(o); change(o) })
		for i := range 60 {
			for k := range 4 {
				d.Snapshot("host", fmt.Sprint("skill", k), at(i), gauge(10))
			}
		}
		return d
	}
	t.Run("off: told, but no trigger", func(t *testing.T) {
		d := learned(func(o *detect.Options) { o.AutoTrigger = false })
		told := fault(d, "skill0", 60)
		if len(told) != 1 || told[0].Trigger || told[0].Why != detect.WhyOff || d.Status(at(72)).TriggersInLastHour != 0 {
			t.Errorf("told %+v", told)
		}
	})
	t.Run("on: one is recorded", func(t *testing.T) {
		d := learned(func(*detect.Options) {})
		told := fault(d, "skill0", 60)
		if len(told) != 1 || !told[0].Trigger || d.Status(at(72)).TriggersInLastHour != 1 {
			t.Errorf("told %+v", told)
		}
	})
	t.Run("two of at most two: the third is told, but no trigger", func(t *testing.T) {
		d := learned(func(o *detect.Options) { o.MaxTriggers = 2 })
		fault(d, "skill0", 60)
		fault(d, "skill1", 60)
		told := fault(d, "skill2", 60)
		if len(told) != 1 || told[0].Trigger || told[0].Why != detect.WhyLimited || d.Status(at(72)).TriggersInLastHour != 2 {
			t.Errorf("told %+v", told)
		}
	})
	t.Run("one older than an hour does not count", func(t *testing.T) {
		d := learned(func(o *detect.Options) { o.MaxTriggers = 1 })
		fault(d, "skill0", 60)
		for i := 60; i < 200; i++ {
			d.Snapshot("host", "skill1", at(i), gauge(10))
		}
		if told := fault(d, "skill1", 200); len(told) != 1 || !told[0].Trigger {
			t.Errorf("told %+v", told)
		}
		for _, tt := range []struct{ i, want int }{{212, 1}, {400, 0}} {
			if n := d.Status(at(tt.i)).TriggersInLastHour; n != tt.want {
				t.Errorf("%d triggers in the hour before %s, want %d", n, at(tt.i), tt.want)
			}
		}
	})
}

// Behaviour: 136, defect 23.
func TestCountersAreJudgedByTheirRateAndAResetIsNoSample(t *testing.T) {
	d := newDetector(t, eager)
	total := 1e9
	counter := func(by float64) []detect.Sample {
		total += by
		return []detect.Sample{{Metric: "m", Counter: true, Floor: 1, Value: total}}
	}
	if told := feed(d, 0, 1000, func(int) []detect.Sample { return counter(300) }); len(told) > 0 {
		t.Fatalf("a counter that grows evenly was told: %+v", told)
	}
	b, _ := d.Baseline(named("m"))
	if !near(b.Mean, 10, 1e-6) || b.StdDev > 1e-6 {
		t.Errorf("300 in 30 s is %v ± %v a second", b.Mean, b.StdDev)
	}
	total = 0
	feed(d, 1000, 1001, func(int) []detect.Sample { return counter(5) })
	if after, _ := d.Baseline(named("m")); after.Count != b.Count {
		t.Error("the sample of a reset was judged")
	}
	if told := feed(d, 1001, 1100, func(int) []detect.Sample { return counter(300) }); len(told) > 0 {
		t.Errorf("told after a reset: %+v", told)
	}
	if p, _ := d.Latest(named("m")); p.Value != 10 {
		t.Errorf("the last rate is %v", p.Value)
	}
	told := feed(d, 1100, 1115, func(int) []detect.Sample { return counter(9000) })
	if len(told) != 1 || told[0].Direction != detect.Up || !near(told[0].Value, 300, 1e-6) || !near(told[0].Baseline, 10, 1e-6) {
		t.Errorf("thirty times the rate: %+v", told)
	}
}

// Behaviour: 136, defect 23.
func TestWhatIsNoNumberIsNoSample(t *testing.T) {
	d := newDetector(t, nil)
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300} {
		d.Snapshot("host", "os", at(i), gauge(v))
	}
	if b, ok := d.Baseline(named("m")); ok {
		t.Errorf("baseline %+v", b)
	}
}

// Behaviour: 137, defect 24.
func TestBaselinesFromBeforeARestartShortenLearning(t *testing.T) {
	d := newDetector(t, nil)
	next := noise(1)
	feed(d, 0, 300, func(int) []detect.Sample { return gauge(next()) })
	again := newDetector(t, nil)
	if err := again.Restore(d.Marshal()); err != nil {
		t.Fatal(err)
	}
	if st := again.Status(start); st.State != detect.Active {
		t.Errorf("after 2.5 of 2 hours and a restart: %+v", st)
	}
	var told []detect.Anomaly
	for i := 310; i < 330; i++ {
		told = append(told, again.Snapshot("host", "os", at(i), gauge(200))...)
	}
	if len(told) != 1 {
		t.Errorf("a fault just after a restart was told %d times", len(told))
	}

	half := newDetector(t, nil)
	feed(half, 0, 121, func(int) []detect.Sample { return gauge(next()) })
	again = newDetector(t, nil)
	if err := again.Restore(half.Marshal()); err != nil {
		t.Fatal(err)
	}
	if st := again.Status(start.Add(59 * time.Minute)); st.State != detect.Learning || st.LearningElapsed != 119*time.Minute {
		t.Errorf("59 minutes after an hour was learned: %+v", st)
	}
	if st := again.Status(start.Add(time.Hour)); st.State != detect.Active {
		t.Errorf("an hour after an hour was learned: %+v", st)
	}
}

// Behaviour: 123.
func TestRecentSamplesAreInOrderAndOfTheirMetricOnly(t *testing.T) {
	d := newDetector(t, nil)
	d.Snapshot("host", "os", start, gauge(1))
	d.Snapshot("host", "os", start.Add(20*time.Second), gauge(2))
	want := []detect.Point{{At: start, Value: 1}, {At: start.Add(20 * time.Second), Value: 2}}
	if diff := cmp.Diff(want, d.Recent(named("m"), start.Add(time.Minute))); diff != "" {
		t.Error(diff)
	}
	if got := d.Recent(named("other"), start); got != nil {
		t.Errorf("an unknown metric has %v", got)
	}
	if got := d.Recent(detect.Name{Target: "host", Skill: "gc", Metric: "m"}, start); got != nil {
		t.Errorf("the metric of another skill has %v", got)
	}
}

// Behaviour: 124.
func TestTheLatestSampleIsTheSecondOfTwoEvenInTheSameMillisecond(t *testing.T) {
	d := newDetector(t, nil)
	if _, ok := d.Latest(named("m")); ok {
		t.Error("an unknown metric has a sample")
	}
	for _, after := range []time.Duration{time.Minute, 0} {
		d.Snapshot("host", "os", start, gauge(1))
		d.Snapshot("host", "os", start.Add(after), gauge(2))
		if p, ok := d.Latest(named("m")); !ok || p.Value != 2 || p.At != start.Add(after) {
			t.Errorf("%s later: %+v", after, p)
		}
		if recent := d.Recent(named("m"), start.Add(after)); recent[len(recent)-1].Value != 2 {
			t.Errorf("%s later the recent samples are %+v", after, recent)
		}
		d.Forget(named("m"))
	}
}

// Behaviour: 125.
func TestForgettingOneMetricLeavesTheOthers(t *testing.T) {
	d := newDetector(t, nil)
	if got := d.Names(); len(got) != 0 {
		t.Errorf("a new detector knows %v", got)
	}
	d.Snapshot("host", "os", start, []detect.Sample{{Metric: "a"}, {Metric: "b"}, {Metric: "c"}})
	if n := len(d.Names()); n != 3 {
		t.Errorf("%d metrics", n)
	}
	d.Forget(named("b"))
	d.Forget(named("b"))
	if diff := cmp.Diff([]detect.Name{named("a"), named("c")}, d.Names()); diff != "" {
		t.Error(diff)
	}
}

// Behaviour: 126, defect 21.
func TestSamplesOlderThanTheHistoryAreGoneAndThereAreNeverMoreThanSixty(t *testing.T) {
	d := newDetector(t, nil)
	for i := range 5000 {
		d.Snapshot("host", "os", at(i), gauge(float64(i)))
		got := d.Recent(named("m"), at(i))
		if len(got) > 60 {
			t.Fatalf("%d points", len(got))
		}
		if oldest := at(i).Add(-time.Hour); got[0].At.Before(oldest) {
			t.Fatalf("at %s the oldest is of %s", at(i), got[0].At)
		}
		if i > 200 && got[0].At.After(at(i).Add(-50*time.Minute)) {
			t.Fatalf("at %s the history begins at %s only", at(i), got[0].At)
		}
		if !slices.IsSortedFunc(got, func(a, b detect.Point) int { return a.At.Compare(b.At) }) {
			t.Fatal("not in order")
		}
		for k, p := range got[max(0, len(got)-20):] {
			if want := float64(i - len(got[max(0, len(got)-20):]) + 1 + k); p.Value != want {
				t.Fatalf("of the newest twenty point %d is %v, want %v", k, p.Value, want)
			}
		}
	}
	if got := d.Recent(named("m"), at(5000).Add(2*time.Hour)); len(got) != 0 {
		t.Errorf("two hours later there are %d points", len(got))
	}
}

// Behaviour: 127.
func TestABaselineFollowsItsMetricAndCanBeForgotten(t *testing.T) {
	d := newDetector(t, nil)
	if _, ok := d.Baseline(named("m")); ok {
		t.Error("an unknown metric has a baseline")
	}
	feed(d, 0, 1, func(int) []detect.Sample { return gauge(5) })
	b, ok := d.Baseline(named("m"))
	want := detect.Baseline{Name: named("m"), Mean: 5, P50: 5, P95: 5, P99: 5, Count: 1, LastUpdated: start}
	if diff := cmp.Diff(want, b); !ok || diff != "" {
		t.Errorf("of one sample: %s", diff)
	}
	feed(d, 1, 2, func(int) []detect.Sample { return gauge(7) })
	if b, _ := d.Baseline(named("m")); b.Count != 2 || b.Mean != 6 || b.StdDev != 1 || b.LastUpdated != at(1) {
		t.Errorf("of 5 and 7: %+v", b)
	}
	d.Snapshot("host", "os", at(1), []detect.Sample{{Metric: "n"}, {Metric: "o"}})
	if list := d.Baselines(); len(list) != 3 || list[0].Name != named("m") || list[0].Mean != 6 {
		t.Errorf("of three metrics: %+v", list)
	}
	d.Forget(named("m"))
	d.Forget(named("m"))
	if _, ok := d.Baseline(named("m")); ok || len(d.Baselines()) != 2 {
		t.Error("a forgotten metric has a baseline, or others went with it")
	}
}

// Behaviour: defect 23.
func TestThreeDifferentMetricsInARowNeverEscalate(t *testing.T) {
	d := newDetector(t, eager)
	usual := func() []detect.Sample {
		var out []detect.Sample
		for k := range 9 {
			out = append(out, detect.Sample{Metric: fmt.Sprint("m", k), Floor: 1, Value: 10})
		}
		return out
	}
	feed(d, 0, 200, func(int) []detect.Sample { return usual() })
	told := feed(d, 200, 218, func(i int) []detect.Sample {
		s := usual()
		s[i%9].Value = 500
		return s
	})
	if len(told) > 0 {
		t.Errorf("told %+v", told)
	}
}

func TestOneSpikeIsNotTold(t *testing.T) {
	d := newDetector(t, eager)
	next := noise(3)
	told := feed(d, 0, 600, func(i int) []detect.Sample {
		if i == 300 || i == 450 {
			return gauge(1000)
		}
		return gauge(next())
	})
	if len(told) > 0 {
		t.Errorf("told %+v", told)
	}
}

// Behaviour: 121, defect 23.
func TestAConstantFires(t *testing.T) {
	for _, tt := range []struct {
		name  string
		to    float64
		floor float64
		want  int
	}{
		{"from 0 to many errors", 100, 1, 1},
		{"not from 0 to less than what matters", 0.001, 1, 0},
		{"not from 0 to a tenth of what matters", 0.1, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDetector(t, nil)
			told := feed(d, 0, 360, func(i int) []detect.Sample {
				v := 0.0
				if i >= 300 {
					v = tt.to
				}
				return []detect.Sample{{Metric: "m", Harm: detect.Either, Floor: tt.floor, Value: v}}
			})
			if len(told) != tt.want {
				t.Fatalf("told %d times: %+v", len(told), told)
			}
			if tt.want > 0 && told[0].At.After(at(308)) {
				t.Errorf("told at %s, %s after the fault", told[0].At, told[0].At.Sub(at(300)))
			}
		})
	}
}

func TestAnAnomalyTellsWhatWhereAndSinceWhen(t *testing.T) {
	d := newDetector(t, nil)
	next := noise(5)
	told := feed(d, 0, 3010, func(i int) []detect.Sample {
		if i >= 3000 {
			return gauge(200 + next())
		}
		return gauge(next())
	})
	if len(told) != 1 {
		t.Fatalf("told %d times", len(told))
	}
	a := told[0]
	if a.Name != named("m") || a.Direction != detect.Up || !a.Trigger || a.Why != "" {
		t.Errorf("told %+v", a)
	}
	if !near(a.Baseline, 50, 1) || !near(a.Deviation, 5, 0.5) || a.Value < 200 || !near(a.Distance, (a.Value-a.Baseline)/a.Deviation, 1e-9) {
		t.Errorf("%v away from %v by %v of %v", a.Value, a.Baseline, a.Distance, a.Deviation)
	}
	if a.Since != at(3000) || a.At.Before(a.Since) || a.At.After(at(3008)) {
		t.Errorf("since %s, told at %s; the fault is from %s", a.Since, a.At, at(3000))
	}
	if last := a.Recent[len(a.Recent)-1]; last.At != a.At || !near(last.Value, a.Value, 1e-4) || len(a.Recent) < 40 {
		t.Errorf("%d points, the last %+v", len(a.Recent), last)
	}
	if a.Score < detect.Threshold(3) || (a.Severity == detect.Critical) != (a.Score >= 2*detect.Threshold(3)) {
		t.Errorf("score %v is %s", a.Score, a.Severity)
	}
	if diff := cmp.Diff([]detect.Anomaly{a}, d.Anomalies(at(3009))); diff != "" {
		t.Errorf("what goes on: %s", diff)
	}
	if got := d.Anomalies(at(3009).Add(time.Hour)); len(got) != 0 {
		t.Errorf("an hour later there is %+v", got)
	}
}

// host returns n metrics of noise, each sample of which leans on those before.
func host(n int) func() []detect.Sample {
	r := rand.New(rand.NewPCG(31, 31))
	samples := make([]detect.Sample, n)
	lean := make([]float64, n)
	return func() []detect.Sample {
		for k := range samples {
			lean[k] = 0.9*lean[k] + r.NormFloat64()
			samples[k] = detect.Sample{Metric: fmt.Sprint("m", k), Floor: 1, Value: 50 + lean[k]}
		}
		return samples
	}
}

func TestAHostOfManyNoisyMetricsIsQuiet(t *testing.T) {
	d := newDetector(t, nil)
	next := host(45)
	if told := feed(d, 0, 2*2880, func(int) []detect.Sample { return next() }); len(told) > 2 {
		t.Errorf("45 metrics of noise were told %d times in two days", len(told))
	}
}

func TestOneMetricOfManyIsToldWhenItIsFarOff(t *testing.T) {
	d := newDetector(t, nil)
	next := host(45)
	told := feed(d, 0, 315, func(i int) []detect.Sample {
		s := next()
		if i >= 300 {
			s[7].Value += 20 // about nine deviations
		}
		return s
	})
	if len(told) != 1 || told[0].Metric != "m7" || told[0].Distance < 6 {
		t.Errorf("told %+v", told)
	}
}

func TestAFallIsToldAsDown(t *testing.T) {
	d := newDetector(t, nil)
	next := noise(6)
	told := feed(d, 0, 3020, func(i int) []detect.Sample {
		if i >= 3000 {
			return gauge(0)
		}
		return gauge(next())
	})
	if len(told) != 1 || told[0].Direction != detect.Down || told[0].Distance > -5 {
		t.Errorf("told %+v", told)
	}
}

func TestASecondFaultDuringCooldownIsTold(t *testing.T) {
	d := newDetector(t, eager)
	for i := range 60 {
		d.Snapshot("host", "os", at(i), []detect.Sample{{Metric: "m", Harm: detect.Either, Floor: 1, Value: 10}, {Metric: "n", Harm: detect.Either, Floor: 1, Value: 10}})
		d.Snapshot("shop", "gc", at(i), gauge(10))
	}
	both := func(m, n float64) []detect.Sample {
		return []detect.Sample{{Metric: "m", Harm: detect.Either, Floor: 1, Value: m}, {Metric: "n", Harm: detect.Either, Floor: 1, Value: n}}
	}
	first := feed(d, 60, 70, func(int) []detect.Sample { return both(90, 10) })
	second := feed(d, 70, 80, func(int) []detect.Sample { return both(90, 90) })
	for i := 60; i < 70; i++ {
		d.Snapshot("shop", "gc", at(i), gauge(10))
	}
	var third []detect.Anomaly
	for i := 70; i < 80; i++ {
		third = append(third, d.Snapshot("shop", "gc", at(i), gauge(90))...)
	}
	if len(first) != 1 || !first[0].Trigger {
		t.Fatalf("first: %+v", first)
	}
	if len(second) != 1 || second[0].Metric != "n" || second[0].Trigger || second[0].Why != detect.WhyJoins {
		t.Errorf("of the same skill: %+v", second)
	}
	if len(third) != 1 || !third[0].Trigger {
		t.Errorf("of another target: %+v", third)
	}
}

func TestWhatGoesOnIsToldOnceAndWhatComesBackStrongerAgain(t *testing.T) {
	d := newDetector(t, eager)
	level := func(i int) float64 {
		switch {
		case i >= 3000 && i < 3020:
			return 500
		case i >= 3500 && i < 3520:
			return 5000
		}
		return 10
	}
	told := feed(d, 0, 3600, func(i int) []detect.Sample { return gauge(level(i)) })
	if len(told) != 2 || told[0].At.After(at(3020)) || told[1].At.Before(at(3500)) {
		t.Errorf("told %d times", len(told))
	}
}

func TestALevelShiftIsAbsorbed(t *testing.T) {
	d := newDetector(t, nil)
	next := noise(9)
	told := feed(d, 0, 6000, func(i int) []detect.Sample {
		if i >= 3000 {
			return gauge(next() + 60)
		}
		return gauge(next())
	})
	if len(told) != 1 {
		t.Fatalf("told %d times: %+v", len(told), told)
	}
	if b, _ := d.Baseline(named("m")); b.Score >= detect.Threshold(3)/2 {
		t.Errorf("a day after the shift the score is %v", b.Score)
	}
}

func TestAMetricThatAppearsLaterLearnsForItself(t *testing.T) {
	d := newDetector(t, nil)
	feed(d, 0, 500, func(int) []detect.Sample { return gauge(10) })
	late := func(v float64) []detect.Sample {
		return []detect.Sample{{Metric: "late", Harm: detect.Either, Floor: 1, Value: v}}
	}
	if told := feed(d, 500, 500+239, func(i int) []detect.Sample { return late(float64(i % 200 / 199 * 900)) }); len(told) > 0 {
		t.Errorf("told after less than two hours: %+v", told)
	}
}

func TestAGapAloneIsNoAnomaly(t *testing.T) {
	d := newDetector(t, nil)
	next := noise(11)
	for i := range 3000 {
		if told := d.Snapshot("host", "os", at(i), gauge(next())); len(told) > 0 {
			t.Fatalf("told %+v", told)
		}
	}
	total := 0.0
	for i := range 600 {
		later := at(3000 + i).Add(31 * time.Hour)
		total += 300
		if told := d.Snapshot("host", "os", later, gauge(next())); len(told) > 0 {
			t.Fatalf("after the gap: %+v", told)
		}
	}
}

func TestLateAndDoubledSamplesAreIgnored(t *testing.T) {
	d, plain := newDetector(t, nil), newDetector(t, nil)
	next := noise(12)
	for i := range 500 {
		v := next()
		d.Snapshot("host", "os", at(i), gauge(v))
		plain.Snapshot("host", "os", at(i), gauge(v))
		d.Snapshot("host", "os", at(i-3), gauge(1e6))
		d.Snapshot("host", "os", at(i), gauge(v))
	}
	if diff := cmp.Diff(plain.Baselines(), d.Baselines()); diff != "" {
		t.Errorf("(-without +with late samples):\n%s", diff)
	}
}

func TestAClockThatIsSetBackStopsNothing(t *testing.T) {
	d := newDetector(t, eager)
	next := noise(13)
	feed(d, 3000, 3300, func(int) []detect.Sample { return gauge(next()) })
	if told := feed(d, 0, 300, func(int) []detect.Sample { return gauge(next()) }); len(told) > 0 {
		t.Errorf("told %+v", told)
	}
	if st := d.Status(at(300)); st.State != detect.Active {
		t.Errorf("status %+v", st)
	}
	if told := feed(d, 300, 330, func(int) []detect.Sample { return gauge(300) }); len(told) != 1 {
		t.Errorf("a fault after it was told %d times", len(told))
	}
}

func TestSamplesCloserThanTheIntervalAreShownNotJudged(t *testing.T) {
	d := newDetector(t, nil)
	for i := range 300 {
		d.Snapshot("host", "os", start.Add(time.Duration(i)*time.Second), gauge(float64(i)))
	}
	b, _ := d.Baseline(named("m"))
	if b.Count < 10 || b.Count > 14 {
		t.Errorf("%d samples of 5 minutes were judged", b.Count)
	}
	if p, _ := d.Latest(named("m")); p.Value != 299 {
		t.Errorf("the last sample is %v", p.Value)
	}
}

// Behaviour: defect 21.
func TestMetricsAreBounded(t *testing.T) {
	d := newDetector(t, func(o *detect.Options) { o.MaxMetrics = 2 })
	three := []detect.Sample{{Metric: "a"}, {Metric: "b"}, {Metric: "c"}}
	d.Snapshot("host", "os", start, three)
	d.Snapshot("host", "os", at(1), three)
	if st := d.Status(at(1)); st.Metrics != 2 || st.Ignored != 1 {
		t.Errorf("%d watched, %d ignored", st.Metrics, st.Ignored)
	}
	d.Snapshot("host", "os", start.Add(25*time.Hour), three[2:])
	if st := d.Status(start.Add(25 * time.Hour)); st.Metrics != 1 || st.Ignored != 0 {
		t.Errorf("a day later %d watched, %d ignored", st.Metrics, st.Ignored)
	}
}

func TestSkillsCanBeChosen(t *testing.T) {
	d := newDetector(t, func(o *detect.Options) { o.Skills = []string{"gc"} })
	for _, skill := range []string{"os", "gc", "anomaly"} {
		d.Snapshot("host", skill, start, gauge(1))
	}
	if got := d.Names(); len(got) != 1 || got[0].Skill != "gc" {
		t.Errorf("watched are %v", got)
	}
	if newDetector(t, nil).Watches("anomaly") {
		t.Error("the skill that tells of the detector is watched")
	}
	if newDetector(t, func(o *detect.Options) { o.Enabled = false }).Watches("os") {
		t.Error("a detector that is not enabled watches")
	}
}

func TestFaultyOptionsAreNamed(t *testing.T) {
	if err := detect.DefaultOptions().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for name, change := range map[string]func(*detect.Options){
		"collection_interval_ms": func(o *detect.Options) { o.CollectionInterval = 0 },
		"learning_duration_ms":   func(o *detect.Options) { o.LearningDuration = -1 },
		"z_threshold":            func(o *detect.Options) { o.ZThreshold = math.NaN() },
		"consecutive_required":   func(o *detect.Options) { o.ConsecutiveRequired = 0 },
		"cooldown_ms":            func(o *detect.Options) { o.Cooldown = -1 },
		"history_minutes":        func(o *detect.Options) { o.History = 25 * time.Hour },
		"max_triggers_per_hour":  func(o *detect.Options) { o.MaxTriggers = -1 },
		"auto_save_interval_ms":  func(o *detect.Options) { o.AutoSaveInterval = -1 },
		"skills":                 func(o *detect.Options) { o.Skills = []string{""} },
		"max_metrics":            func(o *detect.Options) { o.MaxMetrics = 0 },
	} {
		o := detect.DefaultOptions()
		change(&o)
		if _, err := detect.New(o, start); err == nil || !strings.HasPrefix(err.Error(), name+":") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A model that is young takes a sample that is far off into its own deviation.
func TestAShiftOfAnySizeIsFoundSoonAfterLearning(t *testing.T) {
	for _, deviations := range []float64{10, 80, 1000, 1e6} {
		found := 0
		const seeds = 100
		for seed := range uint64(seeds) {
			r := rand.New(rand.NewPCG(seed, 7))
			d, err := detect.New(detect.DefaultOptions(), start)
			if err != nil {
				t.Fatal(err)
			}
			told := false
			for i := range 300 {
				x := 100 + r.NormFloat64()
				if i >= 260 {
					x += deviations
				}
				told = len(d.Snapshot("host", "os", at(i), []detect.Sample{{Metric: "m", Value: x}})) > 0 || told
			}
			if told {
				found++
			}
		}
		if found < seeds*95/100 {
			t.Errorf("a shift of %v deviations was found %d times of %d", deviations, found, seeds)
		}
	}
}

func TestOnlyWhatDoesHarmAsksAndEachMatterForItself(t *testing.T) {
	o := detect.DefaultOptions()
	o.MaxTriggers = 10
	d, err := detect.New(o, start)
	if err != nil {
		t.Fatal(err)
	}
	why := map[string]string{}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 420 {
		shift := func(from int, by float64) float64 {
			if i < from {
				return 0
			}
			return by
		}
		for _, a := range d.Snapshot("host", "os", at(i), []detect.Sample{
			{Metric: "cpu_falls", About: "cpu", Harm: detect.Up, Value: 100 + r.NormFloat64() + shift(300, -60)},
			{Metric: "memory", About: "memory", Harm: detect.Up, Value: 100 + r.NormFloat64() + shift(320, 60)},
			{Metric: "memory_too", About: "memory", Harm: detect.Up, Value: 100 + r.NormFloat64() + shift(330, 60)},
			{Metric: "disk_free", About: "disk", Harm: detect.Down, Value: 100 + r.NormFloat64() + shift(330, -60)},
			{Metric: "either", Harm: detect.Either, Value: 100 + r.NormFloat64() + shift(345, -60)},
			{Metric: "unknown", Value: 100 + r.NormFloat64() + shift(370, -60)},
			{Metric: "unknown_of_three", Value: 100 + r.NormFloat64() + shift(395, -60)},
			{Metric: "second_of_three", Value: 100 + r.NormFloat64() + shift(395, 60)},
			{Metric: "third_of_three", Value: 100 + r.NormFloat64() + shift(395, 60)},
		}) {
			why[a.Metric] = a.Why
			if a.Trigger != (a.Why == "") {
				t.Errorf("%s: trigger %v, why %q", a.Metric, a.Trigger, a.Why)
			}
		}
	}
	want := map[string]string{
		"cpu_falls": detect.WhyHarmless, "memory": "", "memory_too": detect.WhyJoins, "disk_free": "", "either": "",
		"unknown": detect.WhyUnknown, "unknown_of_three": "", "second_of_three": "", "third_of_three": "",
	}
	if diff := cmp.Diff(want, why); diff != "" {
		t.Error(diff)
	}
}
