package main

import (
	"cmp"
	"math"
	"slices"

	"github.com/fleetlens/fleetlens/internal/correlate"
)

// maximumZ is the plain rival: nodes by the largest |z| that any row of any metric of
// theirs has against mean and standard deviation of the baseline.
func maximumZ(c correlate.Case) []string {
	best := map[string]float64{}
	for _, s := range c.Series {
		best[s.Node] = max(best[s.Node], plainZ(s))
	}
	return byValue(best)
}

// anomalousLeaf is the other: from the alerted node along callees whose alerted
// metric is over three sigmas off, to those that have no such callee, by z.
func anomalousLeaf(c correlate.Case) []string {
	if c.Alert == nil || c.Alert.Node == "" {
		return nil
	}
	z := map[string]float64{}
	for _, s := range c.Series {
		if correlate.ClassOf(s.Metric) == correlate.ClassOf(c.Alert.Metric) {
			z[s.Node] = max(z[s.Node], plainZ(s))
		}
	}
	seen, leaves := map[string]bool{c.Alert.Node: true}, map[string]float64{}
	for queue := []string{c.Alert.Node}; len(queue) > 0; queue = queue[1:] {
		leaf := true
		for _, e := range c.Calls {
			if e.Caller != queue[0] || z[e.Callee] <= 3 {
				continue
			}
			leaf = false
			if !seen[e.Callee] {
				seen[e.Callee] = true
				queue = append(queue, e.Callee)
			}
		}
		if leaf {
			leaves[queue[0]] = z[queue[0]]
		}
	}
	return byValue(leaves)
}

func plainZ(s correlate.Series) float64 {
	var n, sum, squares float64
	for _, v := range s.Baseline {
		if !math.IsNaN(v) {
			n, sum, squares = n+1, sum+v, squares+v*v
		}
	}
	if n < 2 {
		return 0
	}
	mean := sum / n
	sd := math.Sqrt(max(squares/n-mean*mean, 0))
	top := 0.0
	for _, v := range s.Incident {
		if d := math.Abs(v - mean); d > 0 {
			top = max(top, d/max(sd, 1e-9))
		}
	}
	return top
}

// byValue returns the names by value, highest first, equal ones by name.
func byValue(of map[string]float64) []string {
	var out []string
	for n := range of {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
	return out
}
