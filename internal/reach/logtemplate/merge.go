package logtemplate

import (
	"cmp"
	"maps"
	"slices"
)

// Bounds of the search for relatives of a new template.
const (
	searched    = 512 // members of its family that are compared with it, newest first
	pairMembers = 10  // templates that differ in the same two places, to make both variables
	reviewEvery = 32  // new members of a family between two reviews
)

// merge looks whether the new template r and others of its family are one, and
// returns the template that r is a part of then.
func (m *Miner) merge(r *record) *record {
	one, two := r.relatives()
	for _, p := range slices.Sorted(maps.Keys(one)) { // in order: the same lines give the same templates
		list := one[p]
		if r.words(p) > 0 && m.mergeable(r, list, p) {
			return m.union(append(list, r), p)
		}
	}
	for _, pq := range slices.SortedFunc(maps.Keys(two), func(a, b [2]int) int { return slices.Compare(a[:], b[:]) }) {
		list := append(append(append(two[pq], one[pq[0]]...), one[pq[1]]...), r)
		if len(list) >= pairMembers && distinct(list, pq[0]) >= m.cfg.Values && distinct(list, pq[1]) >= m.cfg.Values {
			return m.union(list, pq[0], pq[1])
		}
	}
	return m.review(r)
}

// relatives returns the members of r's family that differ from it in one place,
// and in two, by these places.
func (r *record) relatives() (one map[int][]*record, two map[[2]int][]*record) {
	members := r.family.members
	for _, o := range members[max(0, len(members)-searched):] {
		if o == r {
			continue
		}
		n, at := 0, [3]int{}
		for p := range r.tokens {
			if r.tokens[p].hash != o.tokens[p].hash {
				at[n] = p
				if n++; n > 2 {
					break
				}
			}
		}
		switch n {
		case 1:
			if one == nil {
				one = map[int][]*record{}
			}
			one[at[0]] = append(one[at[0]], o)
		case 2:
			if two == nil {
				two = map[[2]int][]*record{}
			}
			pq := [2]int{at[0], at[1]}
			two[pq] = append(two[pq], o)
		}
	}
	return one, two
}

// mergeable says whether r and those that differ from it in place p only are one. A
// word is one with a variable in its place, but not in front: "no errors" is another
// message than "2 errors".
func (m *Miner) mergeable(r *record, list []*record, p int) bool {
	if p > 0 && (r.tokens[p].wild || slices.ContainsFunc(list, func(o *record) bool { return o.tokens[p].wild })) {
		return true
	}
	need := m.cfg.Values
	switch {
	case r.tokens[p].named, p > 0 && r.tokens[p].dotted && !slices.ContainsFunc(list, func(o *record) bool { return !o.tokens[p].dotted }):
		need = m.cfg.NamedValues
	case p == 0:
		need = m.cfg.FirstValues
	}
	return len(list)+1 >= need
}

// words counts those of the template outside of place p: what is left says nothing
// without any.
func (r *record) words(p int) int {
	n := 0
	for q := range r.tokens {
		if q != p && r.tokens[q].word {
			n++
		}
	}
	return n
}

func distinct(list []*record, p int) int {
	seen := map[uint64]bool{}
	for _, r := range list {
		seen[r.tokens[p].hash] = true
	}
	return len(seen)
}

// review looks for places of a large family in which nearly every member has
// something else, and makes those members one that agree in all other places.
func (m *Miner) review(r *record) *record {
	f := r.family
	if len(f.members) < f.reviewed+reviewEvery {
		return r
	}
	f.reviewed = len(f.members)
	var places []int
	for p := range r.tokens {
		if p > 0 && distinct(f.members, p) >= len(f.members)/2 {
			places = append(places, p)
		}
	}
	if len(places) == 0 {
		return r
	}
	groups := map[uint64][]*record{}
	for _, o := range f.members {
		key := o.key
		for _, p := range places {
			key -= mix(p, o.tokens[p].hash)
		}
		groups[key] = append(groups[key], o)
	}
	out := r
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		list := groups[key]
		if len(list) < pairMembers {
			continue
		}
		mine := slices.Contains(list, r)
		if merged := m.union(list, places...); mine {
			out = merged
		}
	}
	return out
}

// union makes one template of several that differ in the given places only. It
// keeps the id of the largest; the others' ids become aliases.
func (m *Miner) union(list []*record, places ...int) *record {
	out := slices.MaxFunc(list, func(a, b *record) int {
		return cmp.Or(cmp.Compare(a.count, b.count), cmp.Compare(b.id, a.id))
	})
	for _, r := range list {
		m.drop(r)
		if r == out {
			continue
		}
		m.alias[r.id] = out.id
		out.count += r.count
		out.seen = max(out.seen, r.seen)
	}
	for _, p := range slices.Backward(places) {
		out.key += mix(p, wild) - mix(p, out.tokens[p].hash)
		out.dig(p)
	}
	out.wilds += len(places)
	if same := m.byKey[out.key]; same != nil { // the pattern was there already
		return m.absorb(same, out)
	}
	m.byKey[out.key] = out
	out.family.members = append(out.family.members, out)
	m.families[out.family.key] = out.family
	m.live++
	m.boundAliases()
	return out
}

// absorb makes r, which is in no list any more, a part of same.
func (m *Miner) absorb(same, r *record) *record {
	if r.count > same.count {
		same.id, r.id = r.id, same.id
	}
	m.alias[r.id] = same.id
	same.count += r.count
	same.seen = max(same.seen, r.seen)
	same.wilds = max(same.wilds, r.wilds)
	m.boundAliases()
	return same
}

// drop takes r out of the lists.
func (m *Miner) drop(r *record) {
	if m.byKey[r.key] == r {
		delete(m.byKey, r.key)
		m.live--
	}
	f := r.family
	if i := slices.Index(f.members, r); i >= 0 {
		f.members = slices.Delete(f.members, i, i+1)
	}
	f.reviewed = min(f.reviewed, len(f.members))
	if len(f.members) == 0 {
		delete(m.families, f.key)
	}
}

// evict forgets the eighth of the templates that were not seen for longest.
func (m *Miner) evict() {
	list := make([]*record, 0, m.live)
	for _, r := range m.byKey {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *record) int { return cmp.Or(cmp.Compare(a.seen, b.seen), cmp.Compare(a.id, b.id)) })
	for _, r := range list[:len(list)/8+1] {
		m.drop(r)
	}
}

// boundAliases forgets the oldest of the ids that are none any more.
func (m *Miner) boundAliases() {
	most := 4 * m.cfg.MaxTemplates
	if len(m.alias) <= most {
		return
	}
	ids := make([]ID, 0, len(m.alias))
	for id := range m.alias {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids[:most/4] {
		delete(m.alias, id)
	}
}
