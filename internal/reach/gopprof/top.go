package gopprof

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// A Top is what a profile came to, function by function.
type Top struct {
	Unit      string // of its values: nanoseconds, bytes or count
	Total     int64
	Functions []Function // at most 200: those with most of their own and those with most in all
}

// A Function is what one function had of a profile.
type Function struct {
	Name string
	File string
	Line int   // where most of it was
	Flat int64 // in the function itself
	Cum  int64 // in the function and those it called
	most int64
}

// columns says which values of a profile of a kind count.
var columns = map[string]string{"cpu": "cpu", "heap": "inuse_space", "goroutine": "goroutine", "mutex": "delay", "block": "delay"}

// topOf adds up a profile of a kind.
func topOf(p *profile.Profile, kind string) (*Top, error) {
	i, err := column(p, columns[kind])
	if err != nil {
		return nil, fmt.Errorf("it is no %s profile: %w", kind, err)
	}
	t := &Top{Unit: p.SampleType[i].Unit}
	functions := map[string]*Function{}
	for _, sample := range p.Sample {
		v := sample.Value[i]
		if v == 0 {
			continue
		}
		t.Total += v
		seen := map[string]bool{}
		for depth, f := range frames(sample) {
			known := functions[f.Function]
			if known == nil {
				known = &Function{Name: f.Function}
				functions[f.Function] = known
			}
			if depth == 0 {
				known.Flat += v
			}
			if !seen[f.Function] { // it may call itself
				known.Cum += v
				seen[f.Function] = true
			}
			if known.File == "" || abs(v) > known.most {
				known.File, known.Line, known.most = f.File, f.Line, abs(v)
			}
		}
	}
	t.Functions = leading(functions)
	return t, nil
}

func abs(v int64) int64 { return max(v, -v) }

// leading returns the functions with most of their own, and those with most in all.
func leading(functions map[string]*Function) []Function {
	const each = 100
	all := make([]*Function, 0, len(functions))
	for _, f := range functions {
		all = append(all, f)
	}
	by := func(value func(*Function) int64) []*Function {
		slices.SortFunc(all, func(a, b *Function) int {
			return cmp.Or(cmp.Compare(abs(value(b)), abs(value(a))), strings.Compare(a.Name, b.Name))
		})
		return all[:min(each, len(all))]
	}
	cum := slices.Clone(by(func(f *Function) int64 { return f.Cum }))
	flat := by(func(f *Function) int64 { return f.Flat })
	var out []Function
	for _, f := range flat {
		out = append(out, *f)
	}
	for _, f := range cum {
		if !slices.Contains(flat, f) {
			out = append(out, *f)
		}
	}
	return out
}
