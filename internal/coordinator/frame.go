package coordinator

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/correlate"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A frame puts snapshots of many nodes, each taken at its own moments, into the rows
// that a ranking compares: before and after the trouble began.
type frame struct {
	began, now time.Time
	lines      []*line
	byName     map[string]*line
}

// A line is one metric of one target.
type line struct {
	node, metric string
	counter      bool
	at           []time.Time
	values       []float64
}

// add adds the numbers of a snapshot that was taken at a time.
func (f *frame) add(s protocol.Snapshot, words protocol.Words, at time.Time) {
	if f.byName == nil {
		f.byName = map[string]*line{}
	}
	for _, m := range words.Metrics {
		v, ok := s.Data[m.Name].(float64)
		if !ok || m.Kind == protocol.Info {
			continue
		}
		name := s.Skill + "." + m.Name
		if s.Target != "host" {
			name = s.Target + ":" + name
		}
		l := f.byName[s.Node+"\x00"+name]
		if l == nil {
			l = &line{node: s.Node, metric: name, counter: m.Kind == protocol.Counter}
			f.byName[s.Node+"\x00"+name] = l
			f.lines = append(f.lines, l)
		}
		l.at, l.values = append(l.at, at), append(l.values, v)
	}
}

// build returns the case: rows as far apart as snapshots usually are.
func (f *frame) build() correlate.Case {
	step := f.step()
	first := f.began
	for _, l := range f.lines {
		if len(l.at) > 0 && l.at[0].Before(first) {
			first = l.at[0]
		}
	}
	before := int(f.began.Sub(first)/step) + 1
	after := int(f.now.Sub(f.began)/step) + 1
	var c correlate.Case
	for i := range before {
		c.BaselineTimes = append(c.BaselineTimes, f.began.Add(-step*time.Duration(before-i)))
	}
	for i := range after {
		c.IncidentTimes = append(c.IncidentTimes, f.began.Add(step*time.Duration(i)))
	}
	for _, l := range f.lines {
		s := correlate.Series{Node: l.node, Metric: l.metric, Baseline: missing(before), Incident: missing(after)}
		at, values := l.rates()
		for i, t := range at {
			d := t.Sub(f.began)
			if row := before + int(math.Floor(float64(d)/float64(step))); d < 0 && row >= 0 && row < before {
				s.Baseline[row] = values[i]
			} else if d >= 0 && int(d/step) < after {
				s.Incident[int(d/step)] = values[i]
			}
		}
		c.Series = append(c.Series, s)
	}
	return c
}

// maxRows bounds the rows of a window: of a probe that publishes each second too.
const maxRows = 2000

// step returns the middle of the distances between snapshots, at least a second.
func (f *frame) step() time.Duration {
	var gaps []time.Duration
	oldest := f.began
	for _, l := range f.lines {
		for i := 1; i < len(l.at); i++ {
			gaps = append(gaps, l.at[i].Sub(l.at[i-1]))
		}
		if len(l.at) > 0 && l.at[0].Before(oldest) {
			oldest = l.at[0]
		}
	}
	step := time.Second
	if len(gaps) > 0 {
		slices.SortFunc(gaps, cmp.Compare[time.Duration])
		step = max(step, gaps[len(gaps)/2])
	}
	return max(step, f.now.Sub(oldest)/maxRows)
}

// rates returns the values, of a counter its rates a second; a counter that began again
// has none there.
func (l *line) rates() ([]time.Time, []float64) {
	if !l.counter {
		return l.at, l.values
	}
	var at []time.Time
	var out []float64
	for i := 1; i < len(l.at); i++ {
		if dt := l.at[i].Sub(l.at[i-1]).Seconds(); dt > 0 && l.values[i] >= l.values[i-1] {
			at, out = append(at, l.at[i]), append(out, (l.values[i]-l.values[i-1])/dt)
		}
	}
	return at, out
}

func missing(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}
