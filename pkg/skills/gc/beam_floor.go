package gc

import (
	"cmp"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A heap rises until it is collected and falls then, so that its size alone says
// little: it grows when its lowest size is above what its highest was.

// leastReadings is how many readings that takes.
const leastReadings = 12

// A risen heap is one that grows.
type risen struct {
	key   string
	value int64 // its size
	added int64 // how much larger its lowest size is than it was
	over  time.Duration
}

// rising returns the heaps that grow, the most first: over the last 12 readings, or 24,
// or 48 and so on, of which the first third is compared with the last.
func rising(list []skills.Reading[map[string]int64]) []risen {
	if len(list) == 0 {
		return nil
	}
	var out []risen
	for key := range list[len(list)-1].Value {
		var best risen
		for n := leastReadings; n <= len(list); n *= 2 {
			if r, ok := rose(key, list[len(list)-n:]); ok && r.added > best.added {
				best = r
			}
		}
		if best.added > 0 {
			out = append(out, best)
		}
	}
	slices.SortFunc(out, func(a, b risen) int { return cmp.Or(cmp.Compare(b.added, a.added), cmp.Compare(a.key, b.key)) })
	return out
}

func rose(key string, list []skills.Reading[map[string]int64]) (risen, bool) {
	values := make([]int64, len(list))
	for i, r := range list {
		v, known := r.Value[key]
		if !known {
			return risen{}, false
		}
		values[i] = v
	}
	third := len(list) / 3
	first, middle, last := values[:third], values[third:2*third], values[2*third:]
	lowest := slices.Min(first)
	r := risen{key, values[len(values)-1], slices.Min(last) - lowest, list[len(list)-1].At.Sub(list[0].At)}
	return r, slices.Min(last) > slices.Max(first) && slices.Min(middle) > lowest && 2*r.added >= lowest
}
