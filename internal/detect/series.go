package detect

import (
	"math"
	"time"
)

// A Sample is one value of a metric in a snapshot.
type Sample struct {
	Metric string
	// Counter says that the value only grows until its source restarts. It is
	// judged as a rate per second.
	Counter bool
	// Floor is the least deviation that matters, in the metric's unit (of a counter,
	// its growth from one sample to the next): see [Floor].
	Floor float64
	Value float64
	// About is what the metric tells of ("memory"): while one matter is told, others may
	// ask for an investigation too. Empty: the skill as a whole.
	About string
	// Harm is the direction that does harm; empty: nobody has said. An anomaly the other
	// way is told and asks for nothing; one of unknown harm asks in company only.
	Harm Direction
}

// A Name is a metric of a target on the node.
type Name struct {
	Target string
	Skill  string
	Metric string
}

// series is a metric: its model and what the detector makes of it. Times are in
// unix milliseconds.
type series struct {
	model  Model
	spread quantiles
	recent recent

	counter bool
	harm    harm
	about   string
	floor   float64 // of the value that is judged
	raw     float64 // of a counter, as it was last
	value   float64 // last, of a counter the rate
	fed     int64   // when the model had its last sample
	seen    int64   // when the last sample came
	step    mean    // between samples, in milliseconds
	learned int64   // how long it was watched, gaps left out

	// What it was like when it last was usual.
	typical   float64
	deviation float64
	before    float64 // its level then

	since   int64 // first sample that was odd, 0: it is usual
	lastOdd int64
	calm    int // samples that were not anomalous, since one was
	inARow  int // anomalous samples
	// byItself counts those of them that are enough without another metric.
	byItself int
	reach    float64 // how far off a usual sample has been at most
	beyond   int     // samples that were where no usual one has been, since it was odd
	told     *Anomaly
}

// largest is what a measurement can be: more is taken for a fault of the source.
const largest = 1e30

// setBack is how far back in milliseconds time goes when it is the clock that was
// set and not a sample that is late.
const setBack = 3_600_000

// rewind makes at the present after the clock was set back.
func (s *series) rewind(at int64) {
	s.seen, s.fed = at-1, at-1<<40 // a gap longer than any
	s.recent.n = 0
	s.since, s.inARow, s.byItself, s.told = 0, 0, 0, nil
}

// gap is after how many usual steps a sample stands alone.
const gap = 5

// take returns what is judged of a sample: the value, or the rate of a counter.
// It is false when there is nothing to judge: no number, late, too soon, or the
// first after a counter was reset or a gap.
func (s *series) take(at int64, in Sample, o *Options) (float64, bool) {
	x := in.Value
	if !(math.Abs(x) <= largest) {
		return 0, false
	}
	if at < s.seen {
		if s.seen-at < setBack {
			return 0, false
		}
		s.rewind(at)
	}
	if s.counter != in.Counter {
		*s = series{} // it is another metric now
	}
	first := s.seen == 0
	dt := at - s.fed
	if !in.Counter {
		s.value = x
		s.recent.add(at, x, o.History.Milliseconds())
	}
	s.seen, s.counter, s.floor, s.about, s.harm = at, in.Counter, in.Floor, in.About, harmOf(in.Harm)
	if !first && 4*dt < 3*o.CollectionInterval.Milliseconds() || dt == 0 {
		return 0, false
	}
	s.fed = at
	late := !first && s.pace(dt, o)
	if late || first {
		s.model.Interrupt()
		s.inARow, s.byItself = 0, 0
	} else {
		s.learned += dt
	}
	if !in.Counter {
		return x, true
	}
	grown := x - s.raw
	s.raw = x
	if first || late || grown < 0 {
		return 0, false
	}
	s.floor /= o.CollectionInterval.Seconds()
	s.value = grown / (float64(dt) / 1000)
	s.recent.add(at, s.value, o.History.Milliseconds())
	return s.value, true
}

// pace learns the usual step between samples and says whether dt is a gap. The
// step follows a gap too, a little, since a source may have become slower.
func (s *series) pace(dt int64, o *Options) (late bool) {
	took := float64(dt)
	if s.step.n > 0 {
		late = took > gap*max(s.step.value, float64(o.CollectionInterval.Milliseconds()))
		took = min(took, 2*s.step.value)
	}
	s.step.value = towards(s.step.value, took, rate(s.step.n, horizon))
	s.step.n = sat(s.step.n)
	return late
}

// slight is the share of its usual value by which a metric that has a floor may move
// without anybody calling it a change.
const slight = 0.005

// clearly is how surprising a sample must be for its time of day and week to be odd
// by that: one in twenty is so by chance.
const clearly = 2

// limits are what a sample must reach.
type limits struct {
	score float64 // to be anomalous
	extra float64 // more of it, to be so without other metrics
	far   float64 // deviations from what is typical that do instead of extra
}

// judge takes x into the model and counts anomalous samples in a row. It needs
// both the score, which looks back over some samples, and a sample that is odd
// itself, far from what is typical or wrong for its time: what follows a single spike
// is not anomalous, nor is a metric that stands still where it usually is.
func (s *series) judge(at int64, x float64, l limits) {
	share := ripeness(s.model.n)
	threshold := l.score * share
	s.calm++
	floor := s.floor
	if floor > 0 {
		floor = max(floor, slight*math.Abs(s.typical))
	}
	score := s.model.Observe(at/1000, x, floor)
	s.spread.add(x)
	unheard := s.unheardOf(x, l.far)
	if score < threshold/2 && s.model.own < threshold/2 && !unheard {
		s.reach = max(s.reach, math.Abs(x-s.typical))
		s.typical, s.deviation = s.model.Baseline(floor)
		s.before = s.model.fast
		s.since, s.inARow, s.byItself, s.beyond = 0, 0, 0, 0
		return
	}
	if s.since == 0 {
		s.since = at
	}
	if unheard {
		s.beyond++
	}
	odd := s.model.untimely >= clearly || Anomalous(x, s.before, s.deviation, 0, 2) || Anomalous(x, s.typical, s.deviation, 0, 2)
	if (score < threshold || !odd) && !unheard {
		s.inARow, s.byItself = 0, 0
		return
	}
	s.inARow++
	s.byItself++
	if score < threshold+l.extra*share && !Anomalous(x, s.typical, s.deviation, 0, l.far) {
		s.byItself = 0
	}
	s.lastOdd, s.calm = at, 0
}

// What no sample ever was: so many times beyond what makes a metric odd by itself, and
// so many times as far off as any usual sample. A model that is young takes such a
// sample into its own deviation and finds the next ones usual. Who stays there for so
// many samples is judged as any other, so that it becomes usual in time.
const (
	unheardFar  = 2
	unheardMore = 3
	unheardFor  = 20
)

// unheardOf reports whether x lies where the metric never was.
func (s *series) unheardOf(x, far float64) bool {
	off := math.Abs(x - s.typical)
	return s.deviation > 0 && s.beyond < unheardFor && off > unheardFar*far*s.deviation && off > unheardMore*s.reach && s.model.n > fewest
}

// A Direction says where a metric went.
type Direction string

// Directions. Either is of metrics only, never of an anomaly.
const (
	Up     Direction = "up"
	Down   Direction = "down"
	Either Direction = "either"
)

// harm is the Direction that does harm, in one byte, as every metric has it.
type harm int8

const (
	unsaid harm = iota
	up
	down
	either
)

func harmOf(d Direction) harm {
	switch d {
	case Up:
		return up
	case Down:
		return down
	case Either:
		return either
	}
	return unsaid
}

// spares reports whether an anomaly of a direction does no harm.
func (h harm) spares(d Direction) bool { return h == up && d != Up || h == down && d != Down }

// A Severity says how far beyond the threshold an anomaly is.
type Severity string

// Severities: critical is twice the threshold.
const (
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// An Anomaly is a metric that left its usual course.
type Anomaly struct {
	Name
	Value     float64 // of a counter, the rate per second
	Baseline  float64 // what is typical
	Deviation float64 // what it usually is off by, at least its floor
	Distance  float64 // of Value from Baseline, in deviations
	Score     float64 // how surprising: see Threshold, of which a young metric needs a part
	Direction Direction
	Severity  Severity
	Since     time.Time // the first odd sample
	At        time.Time // the sample that told
	Recent    []Point   // the history up to At, oldest first, at most 60 points
	// Trigger says that an investigation shall be asked for. Otherwise Why says
	// why not: the anomaly is to be reported all the same.
	Trigger bool
	Why     string
}

func (s *series) anomaly(name Name, at int64, threshold float64, history int64) *Anomaly {
	a := &Anomaly{
		Name: name, Value: s.value, Baseline: s.typical, Deviation: s.deviation,
		Distance: ZScore(s.value, s.typical, s.deviation),
		Score:    s.model.Score(), Direction: Up, Severity: Warning,
		Since: time.UnixMilli(s.since).UTC(), At: time.UnixMilli(at).UTC(),
		Recent: s.recent.since(at - history),
	}
	if a.Value < a.Baseline {
		a.Direction = Down
	}
	if a.Score >= 2*threshold {
		a.Severity = Critical
	}
	return a
}
