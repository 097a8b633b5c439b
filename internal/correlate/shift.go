package correlate

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// A gauge is a series with what its baseline says of it.
type gauge struct {
	Series
	dir        float64 // which way is bad
	med, sigma float64
	empty      bool // too little baseline, and too few peers, to judge
	peers      bool // judged by its peers, for want of a baseline

	z      float64 // shift of the incident in the bad direction, in sigmas
	value  float64 // mean of the rows that shifted most
	onset  int     // row of the incident; -1: none seen
	over   bool    // back to normal at the end
	silent bool    // had values, and has none in the last half of the incident
}

// gauges returns the series of a case by node and metric, judged.
func (c *Case) gauges() []*gauge {
	base, now := c.length()
	var out []*gauge
	tops := map[string]float64{}
	for _, s := range c.Series {
		g := &gauge{Series: s}
		g.Class = s.class()
		g.Baseline, g.Incident = rows(s.Baseline, base), rows(s.Incident, now)
		g.dir = direction(s.Metric, g.Class)
		g.med, g.sigma = robust(g.Baseline)
		n := len(present(g.Baseline))
		g.empty = n < shortBaseline
		g.sigma *= 1 + fewRows/float64(max(n, 1)) // few rows have not shown all they vary
		for _, v := range g.Incident {
			if math.Abs(v) > tops[s.Metric] {
				tops[s.Metric] = math.Abs(v)
			}
		}
		out = append(out, g)
	}
	slices.SortStableFunc(out, func(a, b *gauge) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), strings.Compare(a.Metric, b.Metric))
	})
	c.comparePeers(out, base)
	scales := scalesOf(out)
	for _, g := range out {
		if !g.empty {
			g.sigma = max(g.floor(tops[g.Metric]), scaleFloor*scales[g.Metric])
			g.judge()
		}
	}
	return out
}

// scalesOf returns how large a metric usually is, the median over the nodes that have
// it, where they are enough to tell.
func scalesOf(gauges []*gauge) map[string]float64 {
	sizes := map[string][]float64{}
	for _, g := range gauges {
		if !g.empty {
			sizes[g.Metric] = append(sizes[g.Metric], math.Abs(g.med))
		}
	}
	out := map[string]float64{}
	for metric, list := range sizes {
		if len(list) >= commonNodes {
			slices.Sort(list)
			out[metric] = quantile(list, 0.5)
		}
	}
	return out
}

// comparePeers gives a series without baseline its peers instead: what the nodes of its
// role have of the metric in the incident, when they are enough to tell what is usual.
// Nodes without a role are nobody's peers, unless there is no baseline at all. Sigma is of the deviation alone, which bad nodes among few do not move.
func (c *Case) comparePeers(gauges []*gauge, baseline int) {
	type group struct{ role, metric string }
	of := func(g *gauge) group { return group{c.Peers[g.Node], g.Metric} }
	nodes, pooled := map[group]int{}, map[group][]float64{}
	for _, g := range gauges {
		if v := present(g.Incident); len(v) > 0 {
			nodes[of(g)]++
			pooled[of(g)] = append(pooled[of(g)], v...)
		}
	}
	type usual struct{ med, sigma float64 }
	known := map[group]usual{}
	for _, g := range gauges {
		k := of(g)
		if !g.empty || nodes[k] < minPeers || k.role == "" && baseline > 0 {
			continue
		}
		u, ok := known[k]
		if !ok {
			u.med = quantile(present(pooled[k]), 0.5)
			for i, v := range pooled[k] {
				pooled[k][i] = math.Abs(v - u.med)
			}
			u.sigma = 1.4826 * quantile(present(pooled[k]), 0.5)
			known[k] = u
		}
		g.med, g.sigma = u.med, u.sigma
		g.empty, g.peers = false, true
	}
}

// floor returns the sigma that a metric has at least; top is the largest value that
// any node has of it in the incident.
func (g *gauge) floor(top float64) float64 {
	least := relFloor * math.Abs(g.med)
	switch {
	case g.Class == Availability && math.Abs(g.med) > 1.5, percent(g.Metric):
		least = max(least, pointFloor)
	case g.Class == Availability:
		least = max(least, rateFloor)
	case g.Class == Errors && top > 1:
		least = max(least, countFloor)
	case g.Class == Errors:
		least = max(least, rateFloor)
	}
	if s := max(g.sigma, least); s > 0 {
		return s
	}
	return max(zeroFloor*top, 1e-12)
}

// judge fills what the incident says.
func (g *gauge) judge() {
	g.onset = -1
	g.z, g.value = g.shift(g.Incident)
	half := g.Incident[len(g.Incident)/2:]
	g.silent = len(g.Incident) >= 2 && len(present(half)) == 0 && 2*len(present(g.Baseline)) > len(g.Baseline)
	if g.z < minShift {
		return
	}
	sign := 1.0
	if g.value < g.med {
		sign = -1
	}
	off := func(i int, least float64) bool { return sign*(g.Incident[i]-g.med) >= least*g.sigma }
	least := max(minShift/2, g.z/2) // half the shift, as a step in the middle of noise is seen best there
	for i := range g.Incident {
		next := min(i+1, len(g.Incident)-1)
		if off(i, least) && (off(next, least) || math.IsNaN(g.Incident[next])) {
			g.onset = i
			break
		}
	}
	end := present(g.Incident[len(g.Incident)-max(1, len(g.Incident)/4):])
	g.over = len(end) > 0 && sign*(quantile(end, 0.5)-g.med) < minShift/2*g.sigma
}

// shift returns by how many sigmas the worst half of the values is off in the bad
// direction, and the mean of that half. The half lets a fault begin in the middle of
// a window; the worst rows of it are left out, as single spikes come without a fault
// and would be most of what a short window shows. A fall of what may move both ways counts half: load falls where
// something else is broken.
func (g *gauge) shift(values []float64) (z, mean float64) {
	sorted := present(values)
	if len(sorted) == 0 || g.empty {
		return 0, math.NaN()
	}
	n, cut := (len(sorted)+1)/2, spiked(len(sorted))
	up, down := meanOf(sorted[len(sorted)-n:len(sorted)-cut]), meanOf(sorted[cut:n])
	rise, fall := (up-g.med)/g.sigma, (g.med-down)/g.sigma
	switch {
	case g.dir < 0:
		return clip(fall), down
	case g.dir == 0 && fall/2 > rise:
		return clip(fall / 2), down
	}
	return clip(rise), up
}

// clip keeps a shift between none and most.
func clip(z float64) float64 { return min(max(z, 0), mostShift) }

// spiked returns how many of n rows may be spikes.
func spiked(n int) int { return (n + spikes/2) / spikes }

func meanOf(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// A suspect is a node with what speaks for it.
type suspect struct {
	node    string
	byClass map[Class]*claim
	claims  map[string]*claim // by metric
	base    float64           // evidence of its own
	score   float64           // base, weighed by what is known beside
	onset   time.Time
	within  time.Duration
	silent  bool // all it reported has ended
	unseen  bool // it never reported anything
	change  *Change
	share   float64 // of the symptomatic nodes, those that it explains
	reasons []string
}

// A claim is the metric of a class that speaks most for a node.
type claim struct {
	*gauge
	worth float64 // evidence over what nodes have in common
}

// tells reports whether a claim says more than noise and more than what all nodes have
// in common. More or fewer requests are no trouble by themselves.
func (c *claim) tells() bool {
	return c.Class != Requests && c.z >= minShift && c.worth >= evidence(minShift)
}

// peak returns the largest shift of a suspect that tells anything, of resources only if
// so asked.
func (s *suspect) peak(resourcesOnly bool) float64 {
	z := 0.0
	for class, c := range s.byClass {
		if c.tells() && (!resourcesOnly || resource(class)) {
			z = max(z, c.z)
		}
	}
	if s.silent {
		z = max(z, silentShift)
	}
	return z
}

// common returns what the nodes that share a metric have in common: the median of
// their evidence. A resource that is plainly short on most nodes is no background
// though, but a problem of all of them, unless all of them have more to do.
func common(class Class, worth []float64, busier bool) float64 {
	if len(worth) < commonNodes {
		return 0
	}
	slices.Sort(worth)
	m := quantile(worth, 0.5)
	if !busier && (class == CPU || class == Memory || class == Disk) && m >= evidence(decisiveShift) {
		return 0
	}
	return m
}

// moreRequests reports whether most nodes that count requests have clearly more.
func moreRequests(gauges []*gauge, z func(*gauge) float64) bool {
	nodes, more := 0, 0
	for _, g := range gauges {
		if g.Class == Requests && !g.empty {
			nodes++
			if z(g) >= minShift && g.value > g.med {
				more++
			}
		}
	}
	return 2*more > nodes
}

// weighAll scores all nodes by the shifts that z tells.
func weighAll(gauges []*gauge, z func(*gauge) float64) map[string]*suspect {
	shared := map[string][]float64{}
	for _, g := range gauges {
		if !g.empty {
			shared[g.Metric] = append(shared[g.Metric], evidence(z(g)))
		}
	}
	more := moreRequests(gauges, z)
	background := map[string]float64{}
	for _, g := range gauges {
		if _, done := background[g.Metric]; !done && !g.empty {
			background[g.Metric] = common(g.Class, shared[g.Metric], more)
		}
	}
	out := map[string]*suspect{}
	for _, g := range gauges {
		s := out[g.Node]
		if s == nil {
			s = &suspect{node: g.Node, byClass: map[Class]*claim{}, claims: map[string]*claim{}}
			out[g.Node] = s
		}
		if g.empty {
			continue
		}
		worth := evidence(z(g)) - background[g.Metric]
		if worth <= 0 {
			continue
		}
		s.claims[g.Metric] = &claim{gauge: g, worth: worth}
		if had := s.byClass[g.Class]; had == nil || worth > had.worth {
			s.byClass[g.Class] = s.claims[g.Metric]
		}
	}
	for _, s := range out {
		for _, class := range classes {
			if c := s.byClass[class]; c != nil {
				s.base += weight(class) * c.worth
			}
		}
		s.score = s.base
	}
	return out
}

// classes in the order in which they are told.
var classes = []Class{CPU, Memory, Disk, Network, Other, Waiting, Latency, Errors, Availability, Requests}

// quiet returns the score that windows of the baseline stay below most of the time.
func quiet(gauges []*gauge, base, now int) float64 {
	width := min(now, max(base/4, 1))
	if base < shortBaseline || width < 1 {
		return 0
	}
	var best []float64
	windows := min(quietWindows, base-width+1)
	for k := range windows {
		from := 0
		if windows > 1 {
			from = k * (base - width) / (windows - 1)
		}
		top := 0.0
		for _, s := range weighAll(gauges, func(g *gauge) float64 { z, _ := g.shift(g.Baseline[from : from+width]); return z }) {
			top = max(top, s.base)
		}
		best = append(best, top)
	}
	slices.Sort(best)
	return quantile(best, quietQuantile)
}
