package gc

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// An allocator is a place in the code and what it allocated.
type allocator struct {
	gopprof.Alloc
	bytes int64
	pct   float64
}

// allocators returns who allocated most since the snapshot before, or since the
// service began when there is none.
func (c *current) allocators() []allocator {
	if c.heap == nil {
		return nil
	}
	var out []allocator
	total := int64(0)
	for _, p := range c.heap.Places {
		n := p.Alloc
		if c.recent() {
			n -= c.prev.alloc[p.Key()]
		}
		if n > 0 {
			out = append(out, allocator{Alloc: p, bytes: n})
			total += n
		}
	}
	for i := range out {
		out[i].pct = 100 * float64(out[i].bytes) / float64(total)
	}
	slices.SortFunc(out, func(a, b allocator) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), strings.Compare(a.Key(), b.Key()))
	})
	return out
}

// recent reports whether there is a heap profile to compare with.
func (c *current) recent() bool { return c.prev != nil && c.prev.alloc != nil }

type allocatorRow struct {
	Function string   `json:"function"`
	Line     string   `json:"line,omitempty"`
	Calls    string   `json:"calls,omitempty"`
	PerSec   *float64 `json:"alloc_bytes_per_sec,omitempty"`
	MB       float64  `json:"alloc_mb"`
	Pct      float64  `json:"alloc_pct"`
}

type allocatorsAnswer struct {
	Places    []allocatorRow `json:"places"`
	Over      string         `json:"over"`
	Truncated bool           `json:"truncated,omitempty"`
}

func (c *current) answer(limit int) allocatorsAnswer {
	all := c.allocators()
	a := allocatorsAnswer{Places: []allocatorRow{}, Over: "since start", Truncated: len(all) > limit}
	if c.recent() {
		a.Over = "recent"
	}
	for _, p := range all[:min(limit, len(all))] {
		row := allocatorRow{Function: p.Function, Line: p.Where(), Calls: p.Via, MB: skills.Round(float64(p.bytes)/(1<<20), 2), Pct: skills.Round(p.pct, 1)}
		if c.recent() {
			rate := skills.Round(float64(p.bytes)/c.over.Seconds(), 0)
			row.PerSec = &rate
		}
		a.Places = append(a.Places, row)
	}
	return a
}
