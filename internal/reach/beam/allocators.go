package beam

import (
	"context"
	"slices"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// An Allocator is what one of the node's memory allocators holds, all of its instances
// together: carriers from the system, and blocks within them that are in use. Sizes
// are in bytes.
type Allocator struct {
	Name         string // binary_alloc
	Carriers     int64
	CarrierBytes int64
	Blocks       int64
	BlockBytes   int64
	// Multi are the carriers for many blocks, where memory can be lost between them.
	MultiBytes, MultiBlockBytes int64
	Mseg, Sys                   int64 // carriers mapped, and those of malloc
}

// Usage is the share of the carriers that blocks use, 1 when there are none.
func (a *Allocator) Usage() float64 {
	if a.CarrierBytes == 0 {
		return 1
	}
	return min(1, float64(a.BlockBytes)/float64(a.CarrierBytes))
}

// Unused is how many bytes of the carriers no block uses.
func (a *Allocator) Unused() int64 { return max(0, a.CarrierBytes-a.BlockBytes) }

// Allocators returns what the allocators hold, or held a moment ago; one that is
// turned off is left out.
func (n *Node) Allocators(ctx context.Context) ([]Allocator, error) {
	list, err := shared(ctx, n, "allocators", n.cfg.Cache, func(ctx context.Context) (*[]Allocator, error) {
		t, err := ask[[][2]etf.Term](ctx, n, "allocators", nil)
		if err != nil {
			return nil, err
		}
		out := []Allocator{}
		for _, pair := range *t {
			if a, ok := readAllocator(pair); ok {
				out = append(out, a)
			}
		}
		return &out, nil
	})
	if err != nil {
		return nil, err
	}
	return slices.Clone(*list), nil
}

// readAllocator adds up the parts of an allocator's instances. The layout is that of
// erlang:system_info({allocator, A}): since OTP 23 blocks are told by the allocator
// that uses them, which may be another when the carrier was taken from the common pool.
func readAllocator(pair [2]etf.Term) (Allocator, bool) {
	name, ok := pair[0].(etf.Atom)
	parts, ok2 := pair[1].(etf.List)
	a := Allocator{Name: string(name)}
	if !ok || !ok2 || len(parts) == 0 {
		return a, false
	}
	for _, p := range parts {
		key, fields := keyed(p)
		list, _ := fields.(etf.List)
		a.add(key, list)
	}
	return a, true
}

func (a *Allocator) add(part etf.Atom, fields etf.List) {
	for _, f := range fields {
		key, value := keyed(f)
		n, _ := value.(int64)
		switch key {
		case "carriers":
			a.Carriers += n
		case "mseg_alloc_carriers":
			a.Mseg += n
		case "sys_alloc_carriers":
			a.Sys += n
		case "carriers_size":
			a.CarrierBytes += n
			if part != "sbcs" {
				a.MultiBytes += n
			}
		case "blocks":
			a.Blocks += n // before OTP 23
			users, _ := value.(etf.List)
			for _, u := range users {
				a.blocks(part, u)
			}
		case "blocks_size": // before OTP 23
			a.size(part, n)
		}
	}
}

// blocks adds {Allocator, [{count, ...}, {size, ...}]}.
func (a *Allocator) blocks(part etf.Atom, user etf.Term) {
	_, told := keyed(user)
	list, _ := told.(etf.List)
	for _, f := range list {
		key, value := keyed(f)
		n, _ := value.(int64)
		switch key {
		case "count":
			a.Blocks += n
		case "size":
			a.size(part, n)
		}
	}
}

func (a *Allocator) size(part etf.Atom, n int64) {
	a.BlockBytes += n
	if part != "sbcs" {
		a.MultiBlockBytes += n
	}
}

// keyed returns the first two elements of a tuple that begins with an atom: what
// follows are maxima.
func keyed(t etf.Term) (etf.Atom, etf.Term) {
	tuple, ok := t.(etf.Tuple)
	if !ok || len(tuple) < 2 {
		return "", nil
	}
	key, _ := tuple[0].(etf.Atom)
	return key, tuple[1]
}
