package correlate

import (
	"cmp"
	"maps"
	"slices"
)

// A Description is what a set of nodes has in common that others have not.
type Description struct {
	Labels  []string // "role=db", at most two; none: no label describes the set
	Nodes   int      // nodes that have the labels
	Inside  int      // of them, those in the set
	Outside int      // nodes of the set that have not
}

// String returns the labels, "role=db and zone=eu", or "" when there are none.
func (d Description) String() string {
	switch len(d.Labels) {
	case 0:
		return ""
	case 1:
		return d.Labels[0]
	}
	return d.Labels[0] + " and " + d.Labels[1]
}

// describes is the share of the nodes with a label that must be in the set, and of the
// set that must have the label: a node more or less is late or was repaired, but a
// label that misses a tenth is another story.
const describes = 0.9

// Describe returns the label and value, or the pair of them, that says best which of
// all nodes are in a set. One label goes before a pair that is no better, and the
// smaller name before the larger. A set of one node, or a label that all nodes have,
// says nothing. Nodes that are not among all are ignored.
func Describe(set []string, labels map[string]map[string]string, all []string) Description {
	inSet := map[string]bool{}
	for _, n := range set {
		inSet[n] = true
	}
	all = slices.Compact(slices.Sorted(slices.Values(all)))
	having, size := map[string][]string{}, 0
	for _, n := range all {
		if inSet[n] {
			size++
		}
		for key, value := range labels[n] {
			having[key+"="+value] = append(having[key+"="+value], n)
		}
	}
	if size < 2 {
		return Description{}
	}
	judge := func(nodes []string, names ...string) Description {
		d := Description{Labels: names, Nodes: len(nodes), Outside: size}
		for _, n := range nodes {
			if inSet[n] {
				d.Inside++
				d.Outside--
			}
		}
		return d
	}
	var best Description
	var wide []string // labels that enough of the set have, to be narrowed by another
	for _, name := range slices.Sorted(maps.Keys(having)) {
		d := judge(having[name], name)
		if float64(d.Inside) < describes*float64(size) || d.Nodes == len(all) {
			continue
		}
		wide = append(wide, name)
		best = better(best, d)
	}
	if best.f1() < 1 {
		for i, a := range wide {
			for _, b := range wide[i+1:] {
				both := slices.DeleteFunc(slices.Clone(having[a]), func(n string) bool { _, ok := slices.BinarySearch(having[b], n); return !ok })
				best = better(best, judge(both, a, b))
			}
		}
	}
	return best
}

// better returns b if it describes a set well, and better than a.
func better(a, b Description) Description {
	fits := float64(b.Inside) >= describes*float64(b.Nodes) && float64(b.Inside) >= describes*float64(b.Inside+b.Outside) && b.Inside > 0
	if fits && cmp.Compare(b.f1(), a.f1()) > 0 {
		return b
	}
	return a
}

// f1 is the harmonic mean of precision and recall.
func (d Description) f1() float64 {
	if d.Nodes+d.Inside+d.Outside == 0 {
		return 0
	}
	return 2 * float64(d.Inside) / float64(d.Nodes+d.Inside+d.Outside)
}
