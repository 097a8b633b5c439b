package detect

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// A State is what a detector does with what it sees.
type State string

// States. They are the node's; each metric learns and cools down for itself.
const (
	Learning State = "learning" // nothing is told yet
	Active   State = "active"
	// Cooldown follows an escalation. Other metrics are watched as ever: a second
	// fault is told too.
	Cooldown State = "cooldown"
)

// itself is the skill that tells of this package, which is not watched.
const itself = "anomaly"

// A Detector watches the metrics of one node. Time comes from its callers and may
// stand still or jump. It is not safe for concurrent use.
//
// A metric escalates when ConsecutiveRequired samples of it in a row are anomalous
// and either two more metrics of the snapshot are so too, or it is stranger than one
// of many always is: its score above the threshold by the logarithm of their number,
// or its value twice ZThreshold deviations from what is typical. It is told once, and again only after it was usual for Cooldown and for
// Rearm samples.
type Detector struct {
	options   Options
	threshold float64
	start     int64
	before    int64 // learned before a restart
	now       int64
	series    map[Name]*series
	ignored   map[Name]struct{} // for want of room, as many as are watched at most
	told      int64             // when something last escalated, 0: never
	asked     map[topic]int64   // when a topic last escalated
	triggers  []int64           // of the last hour
	odd       []*series         // kept between snapshots to spare the allocation
	oddNames  []Name
}

// several is how many metrics that are anomalous together need no more than the
// threshold.
const several = 3

// A topic is what metrics of a skill of a target are about.
type topic struct{ target, skill, about string }

// New returns a detector that begins to learn at start. The options must be valid.
func New(o Options, start time.Time) (*Detector, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Skills = slices.Clone(o.Skills)
	return &Detector{
		options: o, threshold: Threshold(o.ZThreshold), start: start.UnixMilli(), now: start.UnixMilli(),
		series: map[Name]*series{}, ignored: map[Name]struct{}{}, asked: map[topic]int64{},
	}, nil
}

// Watches says whether the metrics of a skill are watched.
func (d *Detector) Watches(skill string) bool {
	return d.options.Enabled && skill != itself && (len(d.options.Skills) == 0 || slices.Contains(d.options.Skills, skill))
}

// Snapshot takes in what a skill read of a target at a time and returns what is to
// be told of it, mostly nothing. What is missing in it, late or no finite number is
// left out, never taken for zero.
func (d *Detector) Snapshot(target, skill string, at time.Time, samples []Sample) []Anomaly {
	if !d.Watches(skill) {
		return nil
	}
	ms := at.UnixMilli()
	if d.now-ms >= setBack {
		d.rewind(ms)
	}
	d.now = max(d.now, ms)
	d.odd, d.oddNames = d.odd[:0], d.oddNames[:0]
	for i := range samples {
		name := Name{target, skill, samples[i].Metric}
		s := d.of(name)
		if s == nil {
			continue
		}
		x, ok := s.take(ms, samples[i], &d.options)
		if !ok {
			continue
		}
		s.judge(ms, x, limits{score: d.threshold, extra: math.Log(float64(len(d.series))), far: 2 * d.options.ZThreshold})
		if s.told != nil && s.calm >= Rearm && ms-s.lastOdd >= d.options.Cooldown.Milliseconds() {
			s.told = nil
		}
		if s.learned < d.options.LearningDuration.Milliseconds() || d.state(ms) == Learning {
			s.inARow, s.byItself = 0, 0
		}
		if s.inARow > 0 && s.told == nil {
			d.odd, d.oddNames = append(d.odd, s), append(d.oddNames, name)
		}
	}
	return d.escalate(ms)
}

// rewind makes at the present after the clock was set back.
func (d *Detector) rewind(at int64) {
	d.before += max(0, d.now-d.start)
	d.start, d.now, d.told, d.triggers = at, at, 0, nil
	clear(d.asked)
}

// of returns the series of a metric, nil when there is no room for it.
func (d *Detector) of(name Name) *series {
	if s := d.series[name]; s != nil {
		return s
	}
	if len(d.series) >= d.options.MaxMetrics && !d.makeRoom() {
		if len(d.ignored) < d.options.MaxMetrics {
			d.ignored[name] = struct{}{}
		}
		return nil
	}
	delete(d.ignored, name)
	s := &series{}
	d.series[name] = s
	return s
}

// makeRoom drops metrics that were not seen for a day.
func (d *Detector) makeRoom() bool {
	for name, s := range d.series {
		if d.now-s.seen > (24 * time.Hour).Milliseconds() {
			delete(d.series, name)
		}
	}
	return len(d.series) < d.options.MaxMetrics
}

// escalate returns the odd series of a snapshot that are to be told.
func (d *Detector) escalate(at int64) []Anomaly {
	need := d.options.ConsecutiveRequired
	together := 0
	for _, s := range d.odd {
		if s.inARow >= need {
			together++
		}
	}
	var told []*series
	for i, s := range d.odd {
		if s.byItself < need && (s.inARow < need || together < several) {
			continue
		}
		s.told = s.anomaly(d.oddNames[i], at, d.threshold, d.options.History.Milliseconds())
		told = append(told, s)
	}
	if told == nil {
		return nil
	}
	d.told = at
	d.trigger(told, at, together >= several)
	out := make([]Anomaly, len(told))
	for i, s := range told {
		out[i] = *s.told
	}
	slices.SortStableFunc(out, func(a, b Anomaly) int { return cmp.Compare(b.Score, a.Score) })
	return out
}

// Why an anomaly triggers nothing.
const (
	WhyOff      = "auto_trigger is off"
	WhyJoins    = "it joins the escalation of its matter before"
	WhyLimited  = "max_triggers_per_hour is reached"
	WhyHarmless = "it went the way that does no harm"
	WhyUnknown  = "no check says which way does harm, and it is alone"
)

// trigger says of each anomaly of an escalation whether it asks for an investigation.
// Together they count as one. In company even those ask of which nobody has said which
// way does harm: alone, a ratio that went from .31 to .37 is no reason to wake anybody.
func (d *Detector) trigger(told []*series, at int64, company bool) {
	d.expire(at)
	limited := len(d.triggers) >= d.options.MaxTriggers
	asks := false
	for _, s := range told {
		a := s.told
		t := topic{a.Target, a.Skill, s.about}
		last, known := d.asked[t]
		switch {
		case s.harm == unsaid && !company:
			a.Why = WhyUnknown
		case s.harm.spares(a.Direction):
			a.Why = WhyHarmless
		case !d.options.AutoTrigger:
			a.Why = WhyOff
		case known && last != at && at-last < d.options.Cooldown.Milliseconds():
			a.Why = WhyJoins
		case limited:
			a.Why = WhyLimited
		default:
			a.Trigger, asks = true, true
		}
		if a.Why != WhyHarmless && a.Why != WhyUnknown {
			d.asked[t] = at
		}
	}
	if asks {
		d.triggers = append(d.triggers, at)
	}
}

// expire forgets triggers older than an hour.
func (d *Detector) expire(at int64) {
	d.triggers = slices.DeleteFunc(d.triggers, func(t int64) bool { return at-t >= time.Hour.Milliseconds() })
}

func (d *Detector) state(at int64) State {
	switch {
	case at-d.start+d.before < d.options.LearningDuration.Milliseconds():
		return Learning
	case d.told != 0 && at-d.told < d.options.Cooldown.Milliseconds():
		return Cooldown
	}
	return Active
}
