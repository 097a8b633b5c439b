package fleet

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

// A Node is a simulated host.
type Node struct {
	Name   string
	Labels map[string]string
	Role   string
	index  int
	calls  []int // nodes that it depends on
}

// toCallers is a fault that spreads to those that call its nodes.
const toCallers = "callers"

// A Plan is the nodes of a fleet and who depends on whom.
type Plan struct {
	Nodes   []Node
	on      *Configuration
	seed    uint64
	callers [][]int
}

// NewPlan returns a fleet of so many nodes. The same configuration, size and seed make
// the same fleet.
func NewPlan(on *Configuration, size int, seed uint64) (*Plan, error) {
	p := &Plan{on: on, seed: seed}
	if err := p.cast(size); err != nil {
		return nil, err
	}
	for _, k := range slices.Sorted(maps.Keys(on.Labels)) {
		p.label(k, on.Labels[k], func(Node) bool { return true })
	}
	for _, role := range slices.Sorted(maps.Keys(on.Roles)) {
		for _, k := range slices.Sorted(maps.Keys(on.Roles[role].Labels)) {
			p.label(k, on.Roles[role].Labels[k], func(n Node) bool { return n.Role == role })
		}
	}
	p.connect()
	return p, nil
}

// dice returns the random numbers of one question, whatever else is asked.
func (p *Plan) dice(about string) *rand.Rand { return rand.New(rand.NewPCG(p.seed, hash(about))) }

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s)) // never fails
	return h.Sum64()
}

// cast gives each node a role.
func (p *Plan) cast(size int) error {
	left, shares := size, 0.0
	roles := slices.Sorted(maps.Keys(p.on.Roles))
	for _, r := range roles {
		left -= p.on.Roles[r].Count
		shares += p.on.Roles[r].Share
	}
	if left < 0 || left == 0 && shares > 0 {
		return fmt.Errorf("%d nodes are too few for the roles of this fleet", size)
	}
	given, sum := 0, 0.0
	for _, r := range roles {
		n := p.on.Roles[r].Count
		if share := p.on.Roles[r].Share; share > 0 {
			sum += share
			upTo := int(math.Round(sum / shares * float64(left)))
			n = upTo - given
			given = upTo
		}
		for i := range n {
			p.Nodes = append(p.Nodes, Node{Name: fmt.Sprintf("%s-%03d", r, i+1), Role: r, Labels: map[string]string{"role": r}, index: len(p.Nodes)})
		}
	}
	return nil
}

// label gives a label to the nodes that are meant, each value as often as it should be.
func (p *Plan) label(key string, w Weights, meant func(Node) bool) {
	var nodes []int
	for i, n := range p.Nodes {
		if meant(n) {
			nodes = append(nodes, i)
		}
	}
	p.dice("label "+key).Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	total, sum, from := 0.0, 0.0, 0
	for _, v := range w {
		total += v
	}
	for _, value := range slices.Sorted(maps.Keys(w)) {
		sum += w[value]
		to := int(math.Round(sum / total * float64(len(nodes))))
		for _, i := range nodes[from:to] {
			p.Nodes[i].Labels[key] = value
		}
		from = to
	}
}

// connect chooses whom each node calls.
func (p *Plan) connect() {
	byRole := map[string][]int{}
	for i, n := range p.Nodes {
		byRole[n.Role] = append(byRole[n.Role], i)
	}
	p.callers = make([][]int, len(p.Nodes))
	for i := range p.Nodes {
		n := &p.Nodes[i]
		calls := p.on.Roles[n.Role].Calls
		for _, role := range slices.Sorted(maps.Keys(calls)) {
			peers := slices.DeleteFunc(slices.Clone(byRole[role]), func(o int) bool { return o == i })
			if most := calls[role]; most > 0 && most < len(peers) {
				p.dice("calls "+n.Name+" "+role).Shuffle(len(peers), func(a, b int) { peers[a], peers[b] = peers[b], peers[a] })
				peers = peers[:most]
			}
			slices.Sort(peers)
			n.calls = append(n.calls, peers...)
		}
		for _, o := range n.calls {
			p.callers[o] = append(p.callers[o], i)
		}
	}
}

// choose returns the nodes that a selector means, in order. about tells one question
// from another.
func (p *Plan) choose(s Selector, about string, faults map[string][]int) ([]int, error) {
	var out []int
	for i, n := range p.Nodes {
		if len(s.Names) > 0 && !slices.Contains(s.Names, n.Name) || s.Fault != "" && !slices.Contains(faults[s.Fault], i) {
			continue
		}
		all := true
		for k, v := range s.Labels {
			all = all && n.Labels[k] == v
		}
		if all {
			out = append(out, i)
		}
	}
	want := len(out)
	if s.Count > 0 {
		want = s.Count
	} else if s.Share > 0 {
		want = max(1, int(math.Round(s.Share*float64(len(out)))))
	}
	if len(out) == 0 || want > len(out) {
		return nil, fmt.Errorf("%s: %d nodes are meant and %d fit", about, max(1, want), len(out))
	}
	p.dice("choose "+about).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	out = out[:want]
	slices.Sort(out)
	return out, nil
}
