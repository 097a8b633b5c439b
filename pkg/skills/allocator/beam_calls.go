package allocator

import (
	"cmp"
	"context"
	"slices"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const beamRowDoc = "name, carriers, blocks, block_size_mb, carrier_size_mb, usage_ratio (0 to 1: blocks, of carriers; 1 without carriers), mseg_carriers and sys_alloc_carriers (mapped, and of malloc)"

type beamRow struct {
	Name     string  `json:"name"`
	Carriers int64   `json:"carriers"`
	Blocks   int64   `json:"blocks"`
	BlockMB  float64 `json:"block_size_mb"`
	MB       float64 `json:"carrier_size_mb"`
	Ratio    float64 `json:"usage_ratio"`
	Mseg     int64   `json:"mseg_carriers"`
	Sys      int64   `json:"sys_alloc_carriers"`
	Note     string  `json:"note,omitempty"`
}

func beamRowOf(a *beam.Allocator) beamRow {
	return beamRow{
		Name: a.Name, Carriers: a.Carriers, Blocks: a.Blocks, BlockMB: skills.Round(beamMiB(a.BlockBytes), 2), MB: skills.Round(beamMiB(a.CarrierBytes), 2),
		Ratio: skills.Round(a.Usage(), 3), Mseg: a.Mseg, Sys: a.Sys,
	}
}

func beamRows(list []beam.Allocator) []beamRow {
	out := []beamRow{}
	for i := range list {
		out = append(out, beamRowOf(&list[i]))
	}
	return out
}

func (w *beamWatch) calls() []skills.Call {
	all := func(answer func([]beam.Allocator) any) func(context.Context, skills.Args) (any, error) {
		return func(ctx context.Context, _ skills.Args) (any, error) {
			list, err := w.node.Allocators(ctx)
			if err != nil {
				return nil, err
			}
			return answer(list), nil
		}
	}
	named := func(name, note string) func(context.Context, skills.Args) (any, error) {
		return all(func(list []beam.Allocator) any { return beamNamed(list, name, note) })
	}
	return []skills.Call{
		{
			Name: "allocator_summary", Aliases: []string{"allocator_get_info"},
			Doc:     "The allocators of the node. allocators: " + beamRowDoc + ".",
			Example: "allocator_summary()",
			Run:     all(func(list []beam.Allocator) any { return map[string]any{"allocators": beamRows(list)} }),
		},
		{
			Name:    "allocator_by_type",
			Doc:     "One of them: " + beamRowDoc + ". null for one that there is not.",
			Params:  []skills.Param{{Name: "name", Type: "string", Doc: "binary_alloc, eheap_alloc, ets_alloc, fix_alloc, literal_alloc, temp_alloc, sl_alloc, std_alloc, ll_alloc or driver_alloc"}},
			Example: `allocator_by_type("binary_alloc")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return named(a.String("name"), "")(ctx, a)
			},
		},
		{
			Name:    "allocator_fragmentation",
			Doc:     "How much of the carriers is used: average_usage_ratio, worst_allocator, worst_usage_ratio (of allocators with 16 MiB of carriers or more), fragmentation_score (1 minus the average).",
			Example: "allocator_fragmentation()",
			Run:     all(beamFragmentation),
		},
		{
			Name:    "allocator_problematic",
			Doc:     "The allocators with 16 MiB of carriers or more of which less than half is used, the worst first. allocators: " + beamRowDoc + ".",
			Example: "allocator_problematic()",
			Run: all(func(list []beam.Allocator) any {
				list = slices.DeleteFunc(list, func(a beam.Allocator) bool { return !beamFragmented(&a) })
				slices.SortFunc(list, func(a, b beam.Allocator) int { return cmp.Compare(a.Usage(), b.Usage()) })
				return map[string]any{"allocators": beamRows(list)}
			}),
		},
		{
			Name:    "allocator_get_binary",
			Doc:     "The allocator of binaries: " + beamRowDoc + ".",
			Example: "allocator_get_binary()",
			Run:     named("binary_alloc", ""),
		},
		{
			Name:    "allocator_get_mbuf",
			Doc:     "The allocator that messages on their way come from, which is that of heaps (note): " + beamRowDoc + ".",
			Example: "allocator_get_mbuf()",
			Run:     named("eheap_alloc", "no release has an allocator of its own for message buffers: they are in eheap_alloc, together with the heaps"),
		},
	}
}

// beamNamed returns the row of one allocator, nil when there is none of that name.
func beamNamed(list []beam.Allocator, name, note string) any {
	for i := range list {
		if list[i].Name == name || list[i].Name == name+"_alloc" {
			r := beamRowOf(&list[i])
			r.Note = note
			return r
		}
	}
	return nil
}

func beamFragmentation(list []beam.Allocator) any {
	worst, worstName, sum, n := 1.0, "none", 0.0, 0
	for i := range list {
		a := &list[i]
		if a.CarrierBytes < beamLargeMB<<20 {
			continue
		}
		sum += a.Usage()
		n++
		if a.Usage() < worst {
			worst, worstName = a.Usage(), a.Name
		}
	}
	average := 1.0
	if n > 0 {
		average = skills.Round(sum/float64(n), 3)
	}
	return map[string]any{
		"average_usage_ratio": average, "worst_allocator": worstName, "worst_usage_ratio": skills.Round(worst, 3), "fragmentation_score": skills.Round(1-average, 3),
	}
}
