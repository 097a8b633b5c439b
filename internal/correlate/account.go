package correlate

import (
	"cmp"
	"fmt"
	"slices"
)

// byExcess ranks by excess accounting. target is the node whose symptom was to be
// explained, empty when no such was measured.
func (c *Case) byExcess() (r Ranking, target string) {
	a, at, target := c.strongest()
	if a == nil {
		if target != "" {
			return none("the alerted metric of %s is as it was", target), target
		}
		return none("nothing is known of an alerted metric"), ""
	}
	total := a.excess[a.target]
	if total < a.least() {
		return none("%s of %s is only %.3g above its baseline", a.class, target, total), target
	}
	order := make([]int, 0, len(a.nodes))
	for v := range a.nodes {
		if a.score[v] > 0 {
			order = append(order, v)
		}
	}
	slices.SortStableFunc(order, func(v, w int) int { return cmp.Compare(a.score[w], a.score[v]) })
	if len(order) == 0 {
		return none("no node has an excess of its own"), target
	}
	if least := a.leastOwn(order[0], at); a.own[order[0]] < least {
		return none("the largest excess of its own, of %s, is within what the baseline shows at times (%.3g of %.3g)", a.nodes[order[0]], a.own[order[0]], least), target
	}
	top := a.nodes[order[0]]
	r.Why = fmt.Sprintf("%s of %s is %.3g above its baseline, and %.0f %% of it is %s's own", a.class, target, total, 100*min(1, a.score[order[0]]/total), top)
	if order[0] == a.target || a.score[order[0]] < inside*total {
		r.Why += fmt.Sprintf("; the cause lies inside %s, or in a link or dependency that nobody measures", target)
	}
	for _, v := range order {
		r.Causes = append(r.Causes, a.cause(v))
	}
	return r, target
}

// strongest opens the account of the alerted metric; of both classes the one with the
// larger symptom when the alert does not say which, and of all heads of the calls
// when it does not say where. target is a node that was measured even where no account
// has a symptom.
func (c *Case) strongest() (best *account, at int, target string) {
	targets, kinds, at := c.alerted()
	named := c.Alert != nil && c.Alert.Node != ""
	symptom := 0.0
	for _, t := range targets {
		for _, class := range kinds {
			a := c.open(class, t)
			if a == nil || len(present(a.base[a.target].bad)) < shortBaseline || !a.counted && (!a.graph || !named) {
				continue // without counts, calls and an alert nobody knows what adds up to what
			}
			if target == "" {
				target = t
			}
			if !a.balance(at) {
				continue
			}
			if size := a.excess[a.target] / max(a.least(), 1e-12) * a.felt(); size > symptom {
				best, symptom, target = a, size, t
			}
		}
	}
	return best, at, target
}

// felt returns how many requests the symptom meets, 1 without counts.
func (a *account) felt() float64 {
	if !a.counted {
		return 1
	}
	return max(1, meanOf(append(present(a.now[a.target].requests), 0)))
}

// alerted returns the nodes, classes and row that an alert can mean.
func (c *Case) alerted() (targets []string, kinds []Class, at int) {
	at, kinds = -1, []Class{Latency, Errors}
	if c.Alert != nil {
		switch ClassOf(c.Alert.Metric) {
		case Latency:
			kinds = kinds[:1]
		case Errors, Availability:
			kinds = kinds[1:]
		}
		for i, t := range c.IncidentTimes {
			if !c.Alert.Time.IsZero() && !t.After(c.Alert.Time) {
				at = i
			}
		}
		if c.Alert.Node != "" {
			return []string{c.Alert.Node}, kinds, at
		}
	}
	called := map[string]bool{}
	for _, e := range c.Calls {
		called[e.Callee] = called[e.Callee] || e.Caller != e.Callee
	}
	for _, e := range c.Calls {
		if !called[e.Caller] {
			targets = append(targets, e.Caller)
		}
	}
	slices.Sort(targets)
	return slices.Compact(targets), kinds, at
}

// cause tells of a node in the account.
func (a *account) cause(v int) Cause {
	total := a.excess[a.target]
	out := Cause{Node: a.nodes[v], Share: tidy(min(1, a.score[v]/total))}
	med, sigma := robust(a.base[v].busy(a.counted))
	var sum, weight float64
	for i, w := range a.weight {
		if x := a.now[v].bad[i]; w > 0 && x == x {
			sum, weight = sum+w*x, weight+w
		}
	}
	if weight > 0 {
		e := Evidence{Metric: string(a.class), Class: a.class, Value: tidy(sum / weight), Baseline: tidy(med), Sigmas: tidy((sum/weight - med) / max(sigma, relFloor*a.least(), 1e-9))}
		out.Metrics = []Evidence{e}
		out.Reasons = []string{e.says(false)}
	}
	out.Reasons = append(out.Reasons, fmt.Sprintf("its own excess, after what it calls, is %.3g for each request of %s, whose excess is %.3g", a.own[v], a.nodes[a.target], total))
	out.Score = tidy(a.score[v] / total)
	return out
}
