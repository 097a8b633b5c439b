package gopprof

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// A Heap is which places in the code hold memory, and which have allocated most
// since the service began. Both are estimates from samples, as of its last
// garbage collection.
type Heap struct {
	At     time.Time
	InUse  int64   // bytes
	Alloc  int64   // bytes
	Places []Alloc // those that hold most first, then those that allocated most; at most 128
}

// An Alloc is a place in the code that allocates.
type Alloc struct {
	Frame
	Via     string // the function of the standard library that allocated for it
	InUse   int64  // bytes
	Objects int64
	Alloc   int64   // bytes, since the service began
	Stack   []Frame // the service's own calls of the stack that holds most, innermost first
	most    int64
}

// Key tells one place from another.
func (a Alloc) Key() string { return a.String() }

const mostAllocs = 64

// Heap reads which places hold memory.
func (s *Service) Heap(ctx context.Context) (*Heap, error) {
	return once(ctx, s, &s.heap, func(ctx context.Context) (*Heap, error) {
		p, err := s.profile(ctx, "heap", 0)
		if err != nil {
			return nil, err
		}
		return heapOf(p, time.Now())
	})
}

func heapOf(p *profile.Profile, at time.Time) (*Heap, error) {
	var columns [3]int
	for i, name := range []string{"inuse_space", "inuse_objects", "alloc_space"} {
		c, err := column(p, name)
		if err != nil {
			return nil, err
		}
		columns[i] = c
	}
	h := &Heap{At: at}
	places := map[string]*Alloc{}
	for _, sample := range p.Sample {
		stack := frames(sample)
		if len(stack) == 0 {
			continue
		}
		frame, via := owner(stack)
		a := Alloc{Frame: frame, Via: via}
		known := places[a.Key()]
		if known == nil {
			known = &a
			places[a.Key()] = known
		}
		held := sample.Value[columns[0]]
		known.InUse += held
		known.Objects += sample.Value[columns[1]]
		known.Alloc += sample.Value[columns[2]]
		if held >= known.most {
			known.most, known.Via, known.Stack = held, via, own(stack, 6)
		}
		h.InUse += held
		h.Alloc += sample.Value[columns[2]]
	}
	h.Places = largest(places)
	return h, nil
}

// largest returns the places that hold most and those that allocated most.
func largest(places map[string]*Alloc) []Alloc {
	all := make([]*Alloc, 0, len(places))
	for _, a := range places {
		all = append(all, a)
	}
	by := func(value func(*Alloc) int64) {
		slices.SortFunc(all, func(a, b *Alloc) int {
			return cmp.Or(cmp.Compare(value(b), value(a)), strings.Compare(a.Key(), b.Key()))
		})
	}
	by(func(a *Alloc) int64 { return a.Alloc })
	allocating := slices.Clone(all[:min(mostAllocs, len(all))])
	by(func(a *Alloc) int64 { return a.InUse })
	var out []Alloc
	for i, a := range all {
		if i < mostAllocs || slices.Contains(allocating, a) {
			out = append(out, *a)
		}
	}
	return out
}
