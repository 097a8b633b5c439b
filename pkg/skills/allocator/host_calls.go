package allocator

import (
	"cmp"
	"context"
	"slices"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

type object = map[string]any

const rowDoc = "name, objects, active (objects in use), object_bytes, size_mb, usage_ratio (0 to 1)"

func (k *kernel) calls() []skills.Call {
	return []skills.Call{
		{
			Name:    "allocator_summary",
			Doc:     "caches of the kernel, largest first: " + rowDoc + "; count. Without the privilege an error says what grants it.",
			Params:  []skills.Param{skills.Limit(20, 200, "how many caches")},
			Example: "allocator_summary(10)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				r, err := k.listed(ctx)
				if err != nil {
					return hidden(err)
				}
				return object{"allocators": rows(r.slabs, a.Int("limit")), "count": len(r.slabs)}, nil
			},
		},
		{
			Name:    "allocator_by_type",
			Doc:     "one cache: " + rowDoc + "; null when there is none of that name.",
			Params:  []skills.Param{{Name: "name", Type: "string", Doc: "the cache, as dentry or kmalloc-1k"}},
			Example: `allocator_by_type("dentry")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				r, err := k.listed(ctx)
				if err != nil {
					return hidden(err)
				}
				i := slices.IndexFunc(r.slabs, func(s host.Slab) bool { return s.Name == a.String("name") })
				if i < 0 {
					return nil, nil
				}
				return row(r.slabs[i]), nil
			},
		},
		{
			Name: "allocator_fragmentation",
			Doc: "average_usage_ratio, worst_allocator, worst_usage_ratio and fragmentation_score (1 - average) of the caches of 1 MiB and more (null where they are hidden); " +
				"zones: node, zone, free_mb, unusable_32k_pct, unusable_2m_pct, free_blocks (of 4 KiB, 8 KiB, 16 KiB and so on).",
			Example: "allocator_fragmentation()",
			Run:     k.fragmentation,
		},
		{
			Name:    "allocator_problematic",
			Doc:     "caches of 1 MiB and more of which less than half is used, worst first: " + rowDoc + ".",
			Params:  []skills.Param{skills.Limit(20, 200, "how many caches")},
			Example: "allocator_problematic()",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				r, err := k.listed(ctx)
				if err != nil {
					return hidden(err)
				}
				bad := slices.DeleteFunc(slices.Clone(r.slabs), func(s host.Slab) bool { return s.Bytes < worthwhile || s.Usage() >= fragmented })
				slices.SortStableFunc(bad, func(a, b host.Slab) int { return cmp.Compare(a.Usage(), b.Usage()) })
				return object{"allocators": rows(bad, a.Int("limit")), "count": len(bad)}, nil
			},
		},
		{
			Name:    "allocator_kernel_memory",
			Doc:     "what the kernel holds, in MiB: slab_reclaimable_mb, slab_unreclaimable_mb, page_tables_mb, kernel_stacks_mb, per_cpu_mb, vmalloc_mb, of total_mb.",
			Example: "allocator_kernel_memory()",
			Run:     k.memory,
		},
		{
			Name:    "allocator_huge_pages",
			Doc:     "page_size_kb, reserved, free, promised (of the free ones), transparent_mb (what programs have in huge pages without asking).",
			Example: "allocator_huge_pages()",
			Run:     k.hugePages,
		},
	}
}

// hidden is the answer of a callback where the caches may not be listed.
func hidden(err error) (any, error) {
	return object{"error": "not_permitted", "message": err.Error(), "allocators": []object{}}, nil
}

// listed reads, and fails where the caches are hidden.
func (k *kernel) listed(ctx context.Context) (*reading, error) {
	r, err := k.read(ctx, 0)
	if r.hidden {
		return nil, host.ErrSlabs
	}
	if len(r.slabs) == 0 && err != nil {
		return nil, err
	}
	return r, nil
}

func row(s host.Slab) object {
	return object{
		"name": skills.Cut(s.Name), "objects": s.Total, "active": s.Active, "object_bytes": s.ObjectSize,
		"size_mb": skills.Round(mebibytes(s.Bytes), 2), "usage_ratio": skills.Round(s.Usage(), 3),
	}
}

func rows(list []host.Slab, limit int) []object {
	out := []object{}
	for _, s := range list[:min(limit, len(list))] {
		out = append(out, row(s))
	}
	return out
}

func (k *kernel) fragmentation(ctx context.Context, _ skills.Args) (any, error) {
	r, err := k.read(ctx, 0)
	if r.zones == nil && r.slabs == nil {
		return nil, err
	}
	a := object{"average_usage_ratio": nil, "worst_allocator": nil, "worst_usage_ratio": nil, "fragmentation_score": nil}
	sum, n, worst := 0.0, 0, 2.0
	for _, s := range r.slabs {
		if s.Bytes < worthwhile {
			continue
		}
		u := s.Usage()
		sum, n = sum+u, n+1
		if u < worst {
			worst = u
			a["worst_allocator"], a["worst_usage_ratio"] = s.Name, skills.Round(u, 3)
		}
	}
	if n > 0 {
		average := skills.Round(sum/float64(n), 3)
		a["average_usage_ratio"], a["fragmentation_score"] = average, skills.Round(1-average, 3)
	}
	zones := []object{}
	for _, z := range r.zones {
		o := object{"node": z.Node, "zone": z.Name, "free_mb": skills.Round(float64(z.FreePages())*4096/(1<<20), 1), "free_blocks": z.Free}
		if pct, ok := z.Unusable(order32K); ok {
			o["unusable_32k_pct"] = skills.Round(pct, 1)
		}
		if pct, ok := z.Unusable(order2M); ok {
			o["unusable_2m_pct"] = skills.Round(pct, 1)
		}
		zones = append(zones, o)
	}
	a["zones"] = zones
	return a, nil
}

func (k *kernel) memory(context.Context, skills.Args) (any, error) {
	m, err := k.host.KernelMemory()
	if err != nil {
		return nil, err
	}
	o := object{}
	for name, c := range map[string]host.Count{
		"total_mb": m.Total, "slab_reclaimable_mb": m.SlabReclaimable, "slab_unreclaimable_mb": m.SlabUnreclaimable, "page_tables_mb": m.PageTables,
		"kernel_stacks_mb": m.Stacks, "per_cpu_mb": m.PerCPU, "vmalloc_mb": m.Vmalloc,
	} {
		if c.Known {
			o[name] = skills.Round(mebibytes(c.N), 1)
		}
	}
	return o, nil
}

func (k *kernel) hugePages(context.Context, skills.Args) (any, error) {
	m, err := k.host.KernelMemory()
	if err != nil {
		return nil, err
	}
	return object{
		"page_size_kb": m.HugePageSize.N >> 10, "reserved": m.HugePages.N, "free": m.HugePagesFree.N, "promised": m.HugePagesReserved.N,
		"transparent_mb": skills.Round(mebibytes(m.TransparentHuge.N), 1),
	}, nil
}
