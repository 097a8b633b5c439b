package detect

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// A Status tells what a detector does.
type Status struct {
	State              State
	LearningStart      time.Time
	LearningElapsed    time.Duration // what a baseline from before a restart was learned in counts
	CooldownStart      time.Time     // zero when not in cooldown
	ConsecutiveCount   int           // the highest of all metrics
	CollectionInterval time.Duration
	AutoTrigger        bool
	TriggersInLastHour int
	Metrics            int
	Ignored            int // metrics that there was no room for; no more than MaxMetrics are counted
	Anomalies          int // that go on, or ended less than Cooldown ago
	// HostScore is the sum over metrics that are anomalous now of their score in
	// units of the threshold: 0 on a usual host.
	HostScore float64
}

// Status returns the status at a time.
func (d *Detector) Status(at time.Time) Status {
	ms := at.UnixMilli()
	d.expire(ms)
	st := Status{
		State: d.state(ms), LearningStart: time.UnixMilli(d.start).UTC(),
		LearningElapsed:    time.Duration(max(0, ms-d.start)+d.before) * time.Millisecond,
		CollectionInterval: d.options.CollectionInterval, AutoTrigger: d.options.AutoTrigger,
		TriggersInLastHour: len(d.triggers), Metrics: len(d.series), Ignored: len(d.ignored),
	}
	if st.State == Cooldown {
		st.CooldownStart = time.UnixMilli(d.told).UTC()
	}
	for _, s := range d.series {
		if d.current(s, ms) {
			st.Anomalies++
		}
		if s.inARow > 0 && ms-s.seen < gap*int64(max(s.step.value, 1)) {
			st.ConsecutiveCount = max(st.ConsecutiveCount, s.inARow)
			st.HostScore += s.model.Score() / d.threshold
		}
	}
	return st
}

// State returns the state at a time.
func (d *Detector) State(at time.Time) State { return d.state(at.UnixMilli()) }

// Odd returns how many metrics of the last snapshot were anomalous that had not been
// told before; while it learns there are none.
func (d *Detector) Odd() int { return len(d.odd) }

// A Baseline is what a detector knows of a metric.
type Baseline struct {
	Name
	Mean        float64
	StdDev      float64
	P50         float64 // percentiles are estimates, the past fading
	P95         float64
	P99         float64
	Count       int           // samples judged
	Learned     time.Duration // how long it was watched
	Score       float64       // of the last sample
	LastUpdated time.Time
}

// Baseline returns that of a metric, false when it is not watched or has no sample.
func (d *Detector) Baseline(n Name) (Baseline, bool) {
	s := d.series[n]
	if s == nil || s.model.n == 0 {
		return Baseline{}, false
	}
	b := Baseline{
		Name: n, Count: int(s.model.n), Learned: time.Duration(s.learned) * time.Millisecond,
		Score: s.model.Score(), LastUpdated: time.UnixMilli(s.fed).UTC(),
	}
	b.Mean, b.StdDev = s.model.Baseline(0)
	b.P50, b.P95, b.P99 = s.spread.percentiles()
	return b, true
}

// Baselines returns those of all metrics, by target, skill and metric.
func (d *Detector) Baselines() []Baseline {
	var out []Baseline
	for _, n := range slices.SortedFunc(maps.Keys(d.series), compareNames) {
		if b, ok := d.Baseline(n); ok {
			out = append(out, b)
		}
	}
	return out
}

func compareNames(a, b Name) int {
	return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Skill, b.Skill), cmp.Compare(a.Metric, b.Metric))
}

// Anomalies returns those that go on at a time or ended less than Cooldown before,
// as they were told, the highest score first.
func (d *Detector) Anomalies(at time.Time) []Anomaly {
	var out []Anomaly
	for _, s := range d.series {
		if d.current(s, at.UnixMilli()) {
			out = append(out, *s.told)
		}
	}
	slices.SortFunc(out, func(a, b Anomaly) int { return cmp.Or(cmp.Compare(b.Score, a.Score), compareNames(a.Name, b.Name)) })
	return out
}

func (d *Detector) current(s *series, at int64) bool {
	return s.told != nil && at-s.lastOdd < d.options.Cooldown.Milliseconds()
}

// Recent returns the samples of a metric since History before at, oldest first and
// at most 60: the newest one by one, older ones thinned.
func (d *Detector) Recent(n Name, at time.Time) []Point {
	s := d.series[n]
	if s == nil {
		return nil
	}
	return s.recent.since(at.UnixMilli() - d.options.History.Milliseconds())
}

// Latest returns the last sample of a metric, of a counter the rate; false when
// there is none.
func (d *Detector) Latest(n Name) (Point, bool) {
	s := d.series[n]
	if s == nil || s.recent.n == 0 {
		return Point{}, false
	}
	return Point{time.UnixMilli(s.recent.at(s.recent.n - 1)).UTC(), s.value}, true
}

// Forget drops what is known of a metric. Metrics that are not known may be forgotten.
func (d *Detector) Forget(n Name) { delete(d.series, n) }

// Names returns the metrics that are watched, by target, skill and metric.
func (d *Detector) Names() []Name { return slices.SortedFunc(maps.Keys(d.series), compareNames) }
