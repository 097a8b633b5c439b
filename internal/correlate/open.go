package correlate

import (
	"maps"
	"math"
	"slices"
	"sort"
)

// open makes an account of a case for one class, Latency or Errors; nil when the
// case has no such metric of the alerted node or nothing to tell who that is.
func (c *Case) open(class Class, target string) *account {
	bad := c.badUnits(class)
	if _, ok := bad[target]; !ok {
		return nil
	}
	a := &account{class: class, nodes: slices.Sorted(maps.Keys(bad))}
	index := map[string]int{}
	for i, n := range a.nodes {
		index[n] = i
	}
	a.target = index[target]
	requests := c.pick(func(s Series) bool { return s.class() == Requests })
	_, a.counted = requests[target]
	for _, n := range a.nodes {
		base, now := flow{bad: bad[n].Baseline}, flow{bad: bad[n].Incident}
		if r, ok := requests[n]; ok {
			base.requests, now.requests = r.Baseline, r.Incident
		} else {
			base.requests, now.requests = rows(nil, len(base.bad)), rows(nil, len(now.bad))
		}
		a.base, a.now = append(a.base, base), append(a.now, now)
	}
	a.fresh = make([]bool, len(a.nodes))
	for i := range a.nodes {
		a.fresh[i] = i != a.target && a.isFresh(i)
	}
	a.graph = len(c.Calls) > 0
	a.callees = contract(c.Calls, index, a.fresh)
	return a
}

// isFresh reports whether a node had next to no requests, or values, in the baseline.
func (a *account) isFresh(v int) bool {
	if !a.counted {
		return len(present(a.base[v].bad)) == 0
	}
	busy := 0
	for _, r := range a.base[v].requests {
		if r > 0 {
			busy++
		}
	}
	return float64(busy) < newNode*float64(len(a.base[v].requests)) || busy == 0
}

// contract turns edges into lists of callees by index, drops fresh callees, so that
// their failures stay with the caller, and goes through nodes without the metric to
// those they call.
func contract(calls []Edge, index map[string]int, fresh []bool) [][]int {
	next := map[string][]string{}
	for _, e := range calls {
		if e.Caller != e.Callee {
			next[e.Caller] = append(next[e.Caller], e.Callee)
		}
	}
	out := make([][]int, len(fresh))
	for name, v := range index {
		seen := map[string]bool{name: true}
		for queue := slices.Clone(next[name]); len(queue) > 0; queue = queue[1:] {
			n := queue[0]
			if seen[n] {
				continue
			}
			seen[n] = true
			i, known := index[n]
			switch {
			case !known:
				queue = append(queue, next[n]...)
			case !fresh[i]:
				out[v] = append(out[v], i)
			}
		}
		sort.Ints(out[v])
	}
	return out
}

// pick returns for each node the first series that fits, a mean before a
// percentile, with its rows filled up to the case's windows.
func (c *Case) pick(fits func(Series) bool) map[string]Series {
	out := map[string]Series{}
	base, now := c.length()
	for _, s := range c.Series {
		if !fits(s) {
			continue
		}
		had, ok := out[s.Node]
		if !ok || betterMean(s.Metric, had.Metric) {
			s.Baseline, s.Incident = rows(s.Baseline, base), rows(s.Incident, now)
			out[s.Node] = s
		}
	}
	return out
}

// betterMean reports whether metric a says more of the mean than b.
func betterMean(a, b string) bool {
	if pa, pb := isPercentile(a), isPercentile(b); pa != pb {
		return pb
	}
	return a < b
}

// length returns how many rows the two windows have.
func (c *Case) length() (base, now int) {
	base, now = len(c.BaselineTimes), len(c.IncidentTimes)
	for _, s := range c.Series {
		base, now = max(base, len(s.Baseline)), max(now, len(s.Incident))
	}
	return base, now
}

// badUnits returns for each node seconds of latency, or the share of requests that
// failed: from an error rate, a count of errors over requests, or availability.
func (c *Case) badUnits(class Class) map[string]Series {
	if class == Latency {
		return c.pick(func(s Series) bool { return s.class() == Latency })
	}
	failed := c.pick(func(s Series) bool { return s.class() == Errors })
	ok := c.pick(func(s Series) bool { return s.class() == Availability })
	scale(failed, func(v, top, _ float64) float64 {
		if top > 1 {
			return v / 100
		}
		return v
	}, c.counts(failed))
	scale(ok, func(v, top, _ float64) float64 {
		if top > 1.5 {
			v /= 100
		}
		return 1 - v
	}, nil)
	for n, s := range ok {
		if _, both := failed[n]; !both {
			failed[n] = s
		}
	}
	return failed
}

// counts returns the requests when errors are a count of them: above one somewhere
// and never more than the requests of their row.
func (c *Case) counts(failed map[string]Series) map[string]Series {
	requests := c.pick(func(s Series) bool { return s.class() == Requests })
	if len(requests) == 0 || highest(failed) <= 1 {
		return nil
	}
	for n, s := range failed {
		r, ok := requests[n]
		if !ok {
			continue
		}
		for i, v := range slices.Concat(s.Baseline, s.Incident) {
			if q := slices.Concat(r.Baseline, r.Incident)[i]; v > q {
				return nil
			}
		}
	}
	return requests
}

func highest(of map[string]Series) float64 {
	top := 0.0
	for _, s := range of {
		for _, v := range slices.Concat(s.Baseline, s.Incident) {
			if v > top {
				top = v
			}
		}
	}
	return top
}

// scale turns all values by f, which is told the highest of all, or by the requests
// of the row when there are counts.
func scale(of map[string]Series, f func(v, top, requests float64) float64, counts map[string]Series) {
	top := highest(of)
	each := func(values, requests []float64) {
		for i, v := range values {
			if counts == nil {
				values[i] = f(v, top, 0)
				continue
			}
			values[i] = math.NaN()
			if requests != nil && requests[i] > 0 {
				values[i] = v / requests[i]
			}
		}
	}
	for n, s := range of {
		r := counts[n]
		each(s.Baseline, r.Baseline)
		each(s.Incident, r.Incident)
	}
}
