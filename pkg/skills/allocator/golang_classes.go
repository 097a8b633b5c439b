package allocator

import (
	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// goLargeMB is from how many MiB on an allocator's ratio says something.
const goLargeMB = 8

// A goClass is one of the runtime's allocators.
type goClass struct {
	Name     string  `json:"name"`
	InUse    float64 `json:"in_use_mb"`
	Reserved float64 `json:"reserved_mb"`
	Ratio    float64 `json:"usage_ratio"`
	About    string  `json:"about"`
}

func (c goClass) problematic() bool { return c.Reserved >= goLargeMB && c.Ratio < 0.5 }

var goClassNames = []string{"heap", "heap_spans", "stack", "mspan", "mcache"}

// goClasses returns the allocators that the service tells of.
func goClasses(r *gopprof.Runtime) []goClass {
	get := func(k gopprof.Key) float64 {
		v, ok := r.Get(k)
		if !ok {
			return -1
		}
		return v
	}
	out := []goClass{}
	for i, c := range []struct {
		used, reserved float64
		about          string
	}{
		{get(gopprof.HeapAlloc), get(gopprof.HeapInuse), "objects in the spans that hold some"},
		{get(gopprof.HeapInuse), get(gopprof.HeapSys) - max(0, get(gopprof.HeapReleased)), "spans that hold objects, of those not given back to the system"},
		{get(gopprof.StackInuse), get(gopprof.StackSys), "stacks of goroutines"},
		{get(gopprof.MSpanInuse), get(gopprof.MSpanSys), "descriptions of spans"},
		{get(gopprof.MCacheInuse), get(gopprof.MCacheSys), "caches of the processors"},
	} {
		if c.used < 0 || c.reserved < 0 {
			continue
		}
		ratio := 1.0
		if c.reserved > 0 {
			ratio = min(1, c.used/c.reserved)
		}
		out = append(out, goClass{goClassNames[i], skills.Round(c.used/(1<<20), 2), skills.Round(c.reserved/(1<<20), 2), skills.Round(ratio, 3), c.about})
	}
	return out
}

func goFragmentation(all []goClass) any {
	worst, worstName, sum, n := 1.0, "none", 0.0, 0
	for _, c := range all {
		if c.Reserved < goLargeMB {
			continue
		}
		sum += c.Ratio
		n++
		if c.Ratio < worst {
			worst, worstName = c.Ratio, c.Name
		}
	}
	average := 1.0
	if n > 0 {
		average = skills.Round(sum/float64(n), 3)
	}
	return map[string]any{
		"average_usage_ratio": average, "worst_allocator": worstName, "worst_usage_ratio": worst, "fragmentation_score": skills.Round(1-average, 3),
	}
}
