package detect

import "math"

// The parameters of a model, all in samples. They were chosen on public series of
// the Numenta benchmark, where they lie on a plain: horizons of 16 to 28, windows of
// 4 to 8 and re-arming after 60 to 150 samples score within 1.5 points of each other.
const (
	horizon = 20   // of the present level and of the present variance
	slow    = 4000 // of the baseline: a level shift is half absorbed after 2800 samples
	window  = 6    // over which surprises are averaged
	fewest  = 20   // before anything is judged by its course
	little  = 0.1  // deviations that are no distance

	// Rearm is after how many usual samples a metric may be told again.
	Rearm = 120
)

// The features whose surprises are added up. They are unlike on purpose: each is
// blind to what others see.
const (
	byLevel    = iota // the mean of the last samples is far from the baseline
	byStill           // the variance collapsed
	byRun             // the value stopped changing
	byCourse          // the last samples go a way they never went
	byCalendar        // unusual for this time of day and of week
	features
)

// cannotTell is a feature that says nothing yet. It is not ranked: zeros in its
// place would make everything strange that comes once it can.
const cannotTell = -1

// Model scores the samples of one metric. Its zero value is a new metric. It is
// not safe for concurrent use.
//
// Method: surprise of several features by rank in the metric's own history, added
// up and averaged. Compared with the usual z-score no distribution is assumed, and
// a metric that is often odd is less surprising when it is odd again.
type Model struct {
	n            uint32 // samples seen
	level, vary  float64
	fast         float64
	near, nearSq float64 // mean and variance of about horizon samples
	prev         float64
	run          float64 // samples since the value changed

	shapes   shapes
	calendar calendar
	seasonal mean // distance from the calendar

	rank     [features]evidence
	last     [window]float64
	own      float64 // the sample's own surprise, not averaged
	untimely float64 // what of it is by the calendar
}

// A mean is a running mean that becomes slow.
type mean struct {
	value float64
	n     uint32
}

// ratio returns r in units of the mean so far and takes r in. Nothing is
// divided by less than least.
func (m *mean) ratio(r, least float64) float64 {
	var out float64
	if m.n > 0 {
		out = r / (m.value + least)
	}
	m.value = towards(m.value, r, rate(m.n, slow))
	m.n = sat(m.n)
	return out
}

// rate is the weight of the next sample after n in a mean over at most most samples.
func rate(n uint32, most float64) float64 { return max(1/(float64(n)+1), 1/most) }

func sat(n uint32) uint32 { return min(n, math.MaxUint32-1) + 1 }

// Interrupt tells that samples are missing before the next one, so that it is not
// judged by those before the gap.
func (m *Model) Interrupt() {
	m.shapes.interrupt()
	m.run = 0
	m.last = [window]float64{}
}

// Observe takes in the sample x at t, in seconds since 1970, and returns the
// score: about 2 on a usual day; compare it with [Threshold]. Times must ascend.
// floor is the least deviation that matters, in the metric's unit; with 0 a metric
// that was constant is surprised by anything. x must be finite.
func (m *Model) Observe(t int64, x, floor float64) float64 {
	if m.n == 0 {
		m.level, m.fast, m.near, m.prev = x, x, x, x
		m.shapes.add(x, 1, false)
		m.calendar.add(t, x)
		m.n = 1
		return 0
	}
	f := m.features(t, x, floor)
	m.own = 0
	var by [features]float64
	for i := range f {
		if f[i] != cannotTell {
			by[i] = max(0, m.rank[i].surprise(f[i])-expected)
			m.own += by[i]
		}
	}
	m.untimely = by[byCalendar]
	copy(m.last[:], m.last[1:])
	m.last[window-1] = m.own

	m.prev = x
	m.level, m.vary = moments(m.level, m.vary, x, rate(m.n, slow))
	m.n = sat(m.n)
	return m.Score()
}

// Score returns the score of the last sample.
func (m *Model) Score() float64 { return Mean(m.last[:]) }

func (m *Model) features(t int64, x, floor float64) (f [features]float64) {
	same := 1e-9 + 1e-6*math.Abs(m.level)
	sd := max(math.Sqrt(m.vary), floor)
	s := sd + same
	m.fast = towards(m.fast, x, rate(m.n, horizon))
	m.near, m.nearSq = moments(m.near, m.nearSq, x, rate(m.n, horizon))

	f[byLevel] = math.Abs(m.fast-m.level) / s
	if moves := math.Sqrt(m.vary); moves > floor {
		f[byStill] = max(0, math.Log((moves+0.003*s)/(math.Sqrt(m.nearSq)+0.003*s)))
	}
	if math.Abs(x-m.prev) < same {
		m.run++
	} else {
		m.run = 0
	}
	f[byRun] = m.run
	f[byCourse] = m.shapes.add(x, s, m.n > fewest)
	f[byCalendar] = cannotTell
	if off := m.calendar.add(t, x); !math.IsInf(off, 1) {
		f[byCalendar] = m.seasonal.ratio(off, little*s)
	}
	return f
}

// moments moves an exponential mean and variance by one sample.
func moments(mean, variance, x, a float64) (float64, float64) {
	d := x - mean
	return mean + a*d, (1 - a) * (variance + a*d*d)
}

// Baseline returns the typical value and the deviation from it, at least floor.
func (m *Model) Baseline(floor float64) (typical, deviation float64) {
	return m.level, max(math.Sqrt(m.vary), floor)
}

// expected is the mean surprise of a usual value, which is not counted.
const expected = 1

// Threshold returns the score from which on a sample is anomalous: that of two
// unlike features of which each is as unlikely as z deviations of a normal
// distribution, to both sides: 11.8 at 3. It is a little more than that, since of
// each surprise what is usual is taken off.
func Threshold(z float64) float64 { return -2 * math.Log(math.Erfc(z/math.Sqrt2)) }

// ripe is after how many samples a metric meets the full threshold: a day at the
// default interval.
const ripe = 2880

// ripeness is what part of the threshold a metric with n samples must reach: what
// one feature can surprise by, for n values before, over what it can when ripe. A
// young metric could not reach the threshold otherwise.
func ripeness(n uint32) float64 {
	most := func(n float64) float64 { return math.Log(2*n+2) - expected }
	return max(0, min(1, most(float64(n))/most(ripe)))
}
