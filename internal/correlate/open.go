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
	if requests := c.pick(func(s Series) bool { return s.class() == Requests }); counts(failed, requests) {
		for n, s := range failed {
			divide(s.Baseline, requests[n].Baseline)
			divide(s.Incident, requests[n].Incident)
		}
	} else if highest(failed) > 1 {
		each(failed, func(v float64) float64 { return v / 100 })
	}
	ok := c.pick(func(s Series) bool { return s.class() == Availability })
	whole := 1.0
	if highest(ok) > 1.5 {
		whole = 100
	}
	each(ok, func(v float64) float64 { return 1 - v/whole })
	for n, s := range ok {
		if _, both := failed[n]; !both {
			failed[n] = s
		}
	}
	return failed
}

// counts reports whether errors are counts of requests rather than shares or, by
// their name, per cent: above one or whole everywhere, and hardly ever more than the
// requests.
func counts(failed, requests map[string]Series) bool {
	whole, rows, fit := true, 0, 0
	for n, s := range failed {
		r, known := requests[n]
		if percent(s.Metric) {
			return false
		}
		values, of := slices.Concat(s.Baseline, s.Incident), slices.Concat(r.Baseline, r.Incident)
		for i, v := range values {
			whole = whole && (math.IsNaN(v) || v == math.Trunc(v))
			if v > 0 && known {
				rows++
				if v <= of[i] {
					fit++
				}
			}
		}
	}
	return rows > 0 && (whole || highest(failed) > 1) && float64(fit) >= mostlyCounts*float64(rows)
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

// each turns all values by f.
func each(of map[string]Series, f func(float64) float64) {
	for _, s := range of {
		for _, values := range [][]float64{s.Baseline, s.Incident} {
			for i, v := range values {
				values[i] = f(v)
			}
		}
	}
}

// divide makes shares of counts; a row without requests is missing.
func divide(counts, requests []float64) {
	for i, v := range counts {
		counts[i] = math.NaN()
		if i < len(requests) && requests[i] > 0 {
			counts[i] = min(1, v/requests[i])
		}
	}
}
