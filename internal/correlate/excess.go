package correlate

import (
	"math"
	"slices"
)

// An account is the excess accounting of one case: what each node's metric adds to
// one request of the alerted node, over what it added in the baseline, and how much
// of that its callees do not explain. It follows the idea that a slow node is no
// cause when all it does is wait for a slower one.
type account struct {
	class   Class // Latency or Errors
	nodes   []string
	target  int
	base    []flow // by node
	now     []flow
	counted bool // requests are known
	graph   bool // calls are known
	callees [][]int
	fresh   []bool // had no requests before: nothing to compare with

	med    []float64 // of the baseline, by node
	ref    []float64 // what is normal, by node
	weight []float64 // by incident row
	excess []float64 // d: bad units per request of the target, by node
	own    []float64 // s: what callees do not explain
	conc   []float64 // f: concentration, 0 to 1
	score  []float64
}

// A flow is a node's metric and its requests, row by row. Bad units are seconds or
// the share of requests that failed; NaN is missing.
type flow struct{ bad, requests []float64 }

// A symptom tells how far the alerted metric is from its baseline.
type symptom struct {
	dev    []float64 // by incident row, not below zero
	height float64   // at the alert
}

// load returns how many requests a node has per request of the target in a row.
func load(f, target flow, row int, counted bool) float64 {
	if !counted {
		return 1
	}
	r, t := f.requests[row], target.requests[row]
	if math.IsNaN(r) {
		return 0
	}
	if math.IsNaN(t) {
		t = 0
	}
	return max(r, 0) / max(t, 1)
}

// busy returns the rows in which requests were made, or all without counts.
func (f flow) busy(counted bool) []float64 {
	if !counted {
		return f.bad
	}
	var out []float64
	for i, v := range f.bad {
		if f.requests[i] > 0 {
			out = append(out, v)
		}
	}
	return out
}

// symptom returns the alerted deviation; at is the row of the alert, or -1. Its height
// is the mean of the worst third of the rows around the alert, without spikes: one row
// among hundreds is not what the alert was about.
func (a *account) symptom(at int) symptom {
	s := symptom{dev: make([]float64, len(a.now[a.target].bad))}
	for i, x := range a.now[a.target].bad {
		if d := x - a.med[a.target]; d > 0 {
			s.dev[i] = d
		}
	}
	near := s.dev
	if around := max(1, len(s.dev)/nearAlert); at >= 0 && at < len(s.dev) {
		near = s.dev[max(0, at-around):min(len(s.dev), at+around+1)]
	}
	if sorted := present(near); len(sorted) > 0 {
		n := len(sorted)
		s.height = meanOf(sorted[n-(n+2)/3 : n-spiked(n)])
	}
	return s
}

// balance fills the account: weights, references, excesses and scores. It reports
// whether there is a symptom at all.
func (a *account) balance(at int) bool {
	a.med = make([]float64, len(a.nodes))
	for v := range a.nodes {
		m, _ := robust(a.base[v].busy(a.counted))
		if math.IsNaN(m) {
			m = 0
		}
		a.med[v] = m
	}
	if !a.settle(at) {
		return false
	}
	a.rank()
	return a.excess[a.target] > 0
}

// settle fills all of the account but the scores.
func (a *account) settle(at int) bool {
	s := a.symptom(at)
	if s.height <= a.least()/4 || s.height <= 0 {
		return false
	}
	a.weigh(s)
	a.reference(s)
	a.excess, a.conc = make([]float64, len(a.nodes)), make([]float64, len(a.nodes))
	for v := range a.nodes {
		var sum, weight, loads float64
		for i, w := range a.weight {
			weight += w
			if x := a.now[v].bad[i]; w > 0 && !math.IsNaN(x) {
				l := load(a.now[v], a.now[a.target], i, a.counted)
				sum, loads = sum+w*l*(x-a.ref[v]), loads+w*l
			}
		}
		if weight <= 0 || loads <= 0 {
			continue
		}
		a.excess[v] = sum / weight
		a.conc[v] = a.concentration(v, sum/loads)
	}
	a.own = ownExcess(a.excess, a.callees)
	return true
}

// least is the symptom below which there is nothing to explain.
func (a *account) least() float64 {
	if a.class == Errors {
		return leastErrors
	}
	return leastLatency * a.med[a.target]
}

// weigh gives each row the height of the symptom in it. A row later and higher than
// the alert counts less, so that what came after cannot outvote it.
func (a *account) weigh(s symptom) {
	a.weight = make([]float64, len(s.dev))
	for i, d := range s.dev {
		if w := min(1, d/s.height); w >= lightRow {
			a.weight[i] = w * min(1, s.height/d)
		}
	}
}

// reference takes what is normal from the baseline, or from the rows before the
// symptom began where they are higher: baselines grow old.
func (a *account) reference(s symptom) {
	first := slices.IndexFunc(s.dev, func(d float64) bool { return d >= highRow*s.height })
	a.ref = slices.Clone(a.med)
	for v := range a.nodes {
		var sum, requests float64
		for i := range max(first, 0) {
			x := a.now[v].bad[i]
			if s.dev[i] >= preRow*s.height || math.IsNaN(x) {
				continue
			}
			r := 1.0
			if a.counted {
				r = a.now[v].requests[i]
			}
			if r > 0 {
				sum, requests = sum+r*x, requests+r
			}
		}
		if requests > 0 {
			a.ref[v] = max(a.ref[v], sum/requests)
		}
	}
}

// concentration says how much of a node's metric its excess is: a node all of whose
// requests fail is closer to the fault than one that is a little slower.
func (a *account) concentration(v int, perRequest float64) float64 {
	if perRequest <= 0 {
		return 0
	}
	if a.class == Errors {
		return min(1, perRequest)
	}
	return perRequest / (perRequest + max(a.ref[v], 0))
}

// ownExcess subtracts from each node's excess what its callees explain. A callee
// counts in full for each of its callers.
func ownExcess(excess []float64, callees [][]int) []float64 {
	own := make([]float64, len(excess))
	for v, d := range excess {
		for _, c := range callees[v] {
			d -= max(0, excess[c])
		}
		own[v] = max(0, d)
	}
	return own
}

// rank scores the nodes by the excess of their own, as far as it can reach the target.
func (a *account) rank() {
	total := a.excess[a.target]
	a.score = make([]float64, len(a.nodes))
	if !a.graph {
		others := 0.0
		for v := range a.nodes {
			if a.fresh[v] {
				continue
			}
			a.score[v] = max(0, min(total, a.excess[v])) * a.conc[v]
			if !a.counted {
				a.score[v] *= a.alike(v)
			}
			if v != a.target {
				others = max(others, min(total, a.excess[v]))
			}
		}
		// Whatever another node may explain is not the target's own.
		a.own[a.target] = max(0, total-others)
		a.score[a.target] = min(a.score[a.target], a.own[a.target]*a.conc[a.target])
		return
	}
	reach := a.reach(total)
	best, bestConc := 0.0, 0.0
	for v := range a.nodes {
		if a.score[v] = min(reach[v], a.own[v]); a.score[v] > best {
			best, bestConc = a.score[v], a.conc[v]
		}
	}
	heads := a.orphanHeads(reach, total)
	for v := range a.nodes {
		if reach[v] > 0 || a.fresh[v] || a.excess[v] <= reached*total {
			continue
		}
		value := min(total, a.own[v])
		switch {
		case heads[v] && a.conc[v] > bestConc && value >= orphanLeast*best:
			value *= orphanBest
		case heads[v]:
			value *= orphanHead
		default:
			value *= orphanRest
		}
		a.score[v] = value
	}
	if !a.counted {
		for v := range a.nodes {
			a.score[v] *= a.alike(v)
		}
	}
}

// alike returns how much of the target's course a node's follows, for want of counts
// that tell how much of it is called: the share of variance, over the incident and as
// much of the baseline before it, so that a step in both counts.
func (a *account) alike(v int) float64 {
	course := func(v int) []float64 {
		base := a.base[v].bad
		return slices.Concat(base[max(0, len(base)-len(a.now[v].bad)):], a.now[v].bad)
	}
	r := max(0, pearson(course(v), course(a.target)))
	return r * r
}

// reach returns how much of the symptom can flow from each node to the target: along
// the best path, the least excess on it. Nodes that no path connects have 0. Each
// node's value only grows, so that cycles end.
func (a *account) reach(total float64) []float64 {
	reach := make([]float64, len(a.nodes))
	reach[a.target] = total
	for queue := []int{a.target}; len(queue) > 0; queue = queue[1:] {
		for _, c := range a.callees[queue[0]] {
			if flow := min(reach[queue[0]], a.excess[c]); flow > reached*total && flow > reach[c] {
				reach[c] = flow
				queue = append(queue, c)
			}
		}
	}
	return reach
}

// orphanHeads returns the nodes of trees that edges do not connect to the target: a
// head has no caller and no reached node below it.
func (a *account) orphanHeads(reach []float64, total float64) []bool {
	called := make([]bool, len(a.nodes))
	for _, list := range a.callees {
		for _, c := range list {
			called[c] = true
		}
	}
	out := make([]bool, len(a.nodes))
	for v := range a.nodes {
		if called[v] || v == a.target || a.excess[v] <= reached*total {
			continue
		}
		below := a.below(v)
		if !slices.ContainsFunc(below, func(c int) bool { return reach[c] > 0 }) {
			for _, c := range below {
				out[c] = true
			}
		}
	}
	return out
}

// below returns a node and all that it calls, directly or not.
func (a *account) below(v int) []int {
	seen := make([]bool, len(a.nodes))
	seen[v] = true
	out := []int{v}
	for i := 0; i < len(out); i++ {
		for _, c := range a.callees[out[i]] {
			if !seen[c] {
				seen[c] = true
				out = append(out, c)
			}
		}
	}
	return out
}
