package allocator

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

const goClassDoc = "name, in_use_mb, reserved_mb, usage_ratio (0 to 1: in use, of what is reserved), about (what it is). "

func goCalls(w *goWatch) []skills.Call {
	classes := func(answer func([]goClass) any) func(context.Context, skills.Args) (any, error) {
		return func(ctx context.Context, _ skills.Args) (any, error) {
			r, err := w.service.Runtime(ctx)
			if err != nil {
				return nil, err
			}
			return answer(goClasses(r)), nil
		}
	}
	limit := skills.Limit(10, 50, "how many places")
	return []skills.Call{
		{
			Name:    "allocator_summary",
			Doc:     "The allocators of the runtime. allocators: " + goClassDoc,
			Example: "allocator_summary()",
			Run:     classes(func(all []goClass) any { return map[string]any{"allocators": all} }),
		},
		{
			Name:    "allocator_by_type",
			Doc:     "One of them: " + goClassDoc,
			Params:  []skills.Param{{Name: "name", Type: "string", Doc: "which", Enum: goClassNames}},
			Example: `allocator_by_type("heap")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				r, err := w.service.Runtime(ctx)
				if err != nil {
					return nil, err
				}
				for _, c := range goClasses(r) {
					if c.Name == a.String("name") {
						return c, nil
					}
				}
				return nil, fmt.Errorf("the service does not tell of %s", a.String("name"))
			},
		},
		{
			Name:    "allocator_fragmentation",
			Doc:     "How much of what is reserved is used: average_usage_ratio, worst_allocator, worst_usage_ratio (of those with at least 8 MiB), fragmentation_score (1 minus the average).",
			Example: "allocator_fragmentation()",
			Run:     classes(goFragmentation),
		},
		{
			Name:    "allocator_problematic",
			Doc:     "The allocators with at least 8 MiB of which less than half is used, the worst first. allocators: " + goClassDoc,
			Example: "allocator_problematic()",
			Run: classes(func(all []goClass) any {
				bad := slices.DeleteFunc(slices.Clone(all), func(c goClass) bool { return !c.problematic() })
				slices.SortFunc(bad, func(a, b goClass) int { return cmp.Compare(a.Ratio, b.Ratio) })
				return map[string]any{"allocators": bad}
			}),
		},
		{
			Name: "allocator_growth",
			Doc: "Which code holds more than before, steady growth first, then the most added. places: function, line (file:line), inuse_mb, added_mb and bytes_per_sec (since then), since (as far as it was seen), " +
				"for_seconds, rises (readings in which it held more), steady (never less, and half as much again), calls (the function of the standard library that allocated for it), stack (the service's own calls, innermost first). " +
				"inuse_mb: all that is held. note: why there is nothing. truncated: there are more.",
			Params:  []skills.Param{limit},
			Example: "allocator_growth(5)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.grown(ctx, a.Int("limit")) },
		},
		{
			Name: "allocator_holders",
			Doc: "Which code holds most. places: function, line (file:line), inuse_mb, inuse_pct (of all), objects, calls, stack (as in allocator_growth). " +
				"inuse_mb: all that is held, an estimate from samples as of the last garbage collection. truncated: there are more.",
			Params:  []skills.Param{limit},
			Example: "allocator_holders(5)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.most(ctx, a.Int("limit")) },
		},
	}
}
