package main

import "strings"

// drain is a plain Drain (He et al., ICWS 2017), the peer that log parsers are
// compared with: a tree by length and first words, and in its leaves the group
// that is most similar.
type drain struct {
	root   map[int]*drainNode
	groups []*drainGroup
}

const (
	drainDepth      = 4   // of the tree, root and leaves counted
	drainSimilarity = 0.4 // of a line with a group that takes it
	drainChildren   = 100 // of a node; further words share one
)

type drainNode struct {
	children map[string]*drainNode
	groups   []int
}

type drainGroup struct{ words []string }

func newDrain() *drain { return &drain{root: map[int]*drainNode{}} }

func (d *drain) add(line string) int {
	words := strings.Fields(line)
	leaf := d.leaf(words)
	best, similarity := -1, -1.0
	for _, id := range leaf.groups {
		if s := d.groups[id].similarity(words); s > similarity {
			best, similarity = id, s
		}
	}
	if best >= 0 && similarity >= drainSimilarity {
		for i, w := range d.groups[best].words {
			if w != words[i] {
				d.groups[best].words[i] = "<*>"
			}
		}
		return best
	}
	leaf.groups = append(leaf.groups, len(d.groups))
	d.groups = append(d.groups, &drainGroup{words})
	return len(d.groups) - 1
}

func (d *drain) leaf(words []string) *drainNode {
	n := d.root[len(words)]
	if n == nil {
		n = &drainNode{}
		d.root[len(words)] = n
	}
	for i := 0; i < drainDepth-2 && i < len(words); i++ {
		w := words[i]
		if strings.ContainsAny(w, "0123456789") {
			w = "<*>"
		}
		if n.children == nil {
			n.children = map[string]*drainNode{}
		}
		if n.children[w] == nil && len(n.children) >= drainChildren {
			w = "<*>"
		}
		if n.children[w] == nil {
			n.children[w] = &drainNode{}
		}
		n = n.children[w]
	}
	return n
}

func (g *drainGroup) similarity(words []string) float64 {
	if len(words) == 0 {
		return 1
	}
	same := 0
	for i, w := range g.words {
		if w == words[i] {
			same++
		}
	}
	return float64(same) / float64(len(words))
}

func (d *drain) final(id int) int   { return id }
func (d *drain) text(id int) string { return strings.Join(d.groups[id].words, " ") }
