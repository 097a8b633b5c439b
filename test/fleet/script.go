package fleet

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// A Script is what happens to each node of a plan in a scenario.
type Script struct {
	*Plan
	Scenario
	faults  map[string][]int // nodes by fault
	effects []map[string][]effect
	// affected are the nodes that a fault touches, by fault: its own and those that
	// suffer.
	affected map[string]map[int]bool
	delivery [][]Delivery
	changes  [][]int // nodes of each change
}

// An effect is one move of one metric of one node.
type effect struct {
	Move
	at, until float64
	share     float64 // of the move
}

// NewScript chooses the nodes of a scenario's faults.
func NewScript(s Scenario, p *Plan) (*Script, error) {
	c := &Script{
		Plan: p, Scenario: s, faults: map[string][]int{}, affected: map[string]map[int]bool{},
		effects: make([]map[string][]effect, len(p.Nodes)), delivery: make([][]Delivery, len(p.Nodes)),
	}
	var errs []error
	for _, f := range s.Faults {
		nodes, err := p.choose(f.Nodes, s.Name+"/"+f.Name, c.faults)
		errs = append(errs, err)
		c.faults[f.Name], c.affected[f.Name] = nodes, map[int]bool{}
		until := math.Inf(1)
		if f.For > 0 {
			until = f.At + f.For
		}
		for _, n := range nodes {
			c.add(f.Name, n, f.Moves, effect{at: f.At, until: until, share: 1})
		}
		for _, sp := range f.Spread {
			c.spread(f, sp, nodes, until)
		}
	}
	for i, ch := range s.Changes {
		nodes, err := p.choose(ch.Nodes, fmt.Sprintf("%s/changes[%d]", s.Name, i), c.faults)
		errs = append(errs, err)
		c.changes = append(c.changes, nodes)
	}
	for i, d := range s.Delivery {
		nodes, err := p.choose(d.Nodes, fmt.Sprintf("%s/delivery[%d]", s.Name, i), c.faults)
		errs = append(errs, err)
		for _, n := range nodes {
			c.delivery[n] = append(c.delivery[n], d)
		}
	}
	return c, errors.Join(errs...)
}

func (c *Script) add(fault string, node int, moves map[string]Move, e effect) {
	c.affected[fault][node] = true
	if c.effects[node] == nil {
		c.effects[node] = map[string][]effect{}
	}
	for _, name := range slices.Sorted(maps.Keys(moves)) {
		e.Move = moves[name]
		c.effects[node][name] = append(c.effects[node][name], e)
	}
}

// spread lets those suffer that depend on the nodes of a fault or share a label with
// them. A caller suffers by the share of its dependencies of that role that are bad.
func (c *Script) spread(f Fault, sp Spread, nodes []int, until float64) {
	share := sp.Share
	if share == 0 {
		share = 1
	}
	if sp.To != toCallers {
		values := map[string]bool{}
		for _, n := range nodes {
			values[c.Nodes[n].Labels[sp.To]] = true
		}
		for i, n := range c.Nodes {
			if values[n.Labels[sp.To]] && !slices.Contains(nodes, i) {
				c.add(f.Name, i, sp.Moves, effect{at: f.At + sp.Delay, until: until, share: share})
			}
		}
		return
	}
	bad := map[int]float64{}
	for _, n := range nodes {
		bad[n] = 1
	}
	edge := maps.Clone(bad)
	for hop := range max(1, sp.Hops) {
		next := map[int]float64{}
		for n := range edge {
			for _, caller := range c.callers[n] {
				if _, have := bad[caller]; !have {
					next[caller] = c.suffers(caller, bad) * share
				}
			}
		}
		for caller, much := range next {
			c.add(f.Name, caller, sp.Moves, effect{at: f.At + sp.Delay*float64(hop+1), until: until, share: much})
		}
		maps.Copy(bad, next)
		edge = next
	}
}

// suffers returns which part of what a node calls is bad, of the role that is worst.
func (c *Script) suffers(caller int, bad map[int]float64) float64 {
	sum, count := map[string]float64{}, map[string]float64{}
	for _, o := range c.Nodes[caller].calls {
		sum[c.Nodes[o].Role] += bad[o]
		count[c.Nodes[o].Role]++
	}
	worst := 0.0
	for role, s := range sum {
		worst = max(worst, s/count[role])
	}
	return worst
}

// names returns the names of nodes, in order.
func (p *Plan) names(list []int) []string {
	out := make([]string, 0, len(list))
	for _, i := range list {
		out = append(out, p.Nodes[i].Name)
	}
	slices.Sort(out)
	return out
}

// apply moves a value as the effects say at a moment.
func apply(v float64, effects []effect, at float64) float64 {
	for _, e := range effects {
		if at < e.at || at >= e.until {
			continue
		}
		part := e.share
		if e.Ramp > 0 {
			part *= min(1, (at-e.at)/e.Ramp)
		}
		switch {
		case e.Set != nil:
			v += (*e.Set - v) * part
		case e.Times != nil:
			v *= 1 + (*e.Times-1)*part
		default:
			v += *e.Add * part
		}
	}
	return v
}
