package correlate

import (
	"fmt"
	"slices"
	"time"
)

// local are the roots that no other node causes: what fills a disk or the memory of a
// node runs on it.
var local = []string{"disk", "inodes", "memory", "oom"}

// effectWithin is how long after a problem of a dependency one may be its effect.
const effectWithin = 30 * time.Minute

// blame returns for each problem the one of a node it calls that it comes from, the
// earliest of them, or -1.
func blame(problems []Group, calls []Edge) []int {
	out := make([]int, len(problems))
	byNode := map[string][]int{}
	for i, p := range problems {
		out[i] = -1
		byNode[p.Findings[0].Node] = append(byNode[p.Findings[0].Node], i)
	}
	for _, e := range calls {
		if e.Caller == e.Callee {
			continue
		}
		for _, i := range byNode[e.Caller] {
			if slices.Contains(local, problems[i].Cause) {
				continue
			}
			for _, j := range byNode[e.Callee] {
				if d := began(problems[i]).Sub(began(problems[j])); d < -onsetSlack || d > effectWithin {
					continue
				}
				if k := out[i]; k < 0 || began(problems[j]).Before(began(problems[k])) {
					out[i] = j
				}
			}
		}
	}
	return out
}

// rootProblem follows blame to its end; in a circle to where it comes back.
func rootProblem(i int, blamed []int) int {
	for seen := map[int]bool{}; blamed[i] >= 0 && !seen[i]; i = blamed[i] {
		seen[i] = true
	}
	return i
}

// began returns when the first finding of a group was made.
func began(g Group) time.Time {
	at := g.Findings[0].At
	for _, f := range g.Findings {
		if f.At.Before(at) {
			at = f.At
		}
	}
	return at
}

// follow makes a group causal that has problems from other nodes, and puts the
// findings of those that nobody else caused first.
func (g *Group) follow(problems []Group, linked, blamed []int) {
	if len(linked) == 0 {
		return
	}
	effect := map[string]bool{}
	for _, i := range linked {
		effect[problems[i].Findings[0].Node] = true
	}
	slices.SortStableFunc(g.Findings, func(a, b Finding) int {
		switch {
		case effect[a.Node] == effect[b.Node]:
			return 0
		case effect[b.Node]:
			return -1
		}
		return 1
	})
	p, from := problems[linked[0]], problems[blamed[linked[0]]]
	g.Relation = Causal
	g.Why = fmt.Sprintf("%s (%s) depends on %s, which had trouble (%s)", p.Findings[0].Node, p.Cause, from.Findings[0].Node, from.Cause)
	if d := began(p).Sub(began(from)); d >= time.Second {
		g.Why += fmt.Sprintf(" %s earlier", d.Round(time.Second))
	}
	if n := len(linked) - 1; n > 0 {
		g.Why += fmt.Sprintf("; so it is with %d more", n)
	}
}
