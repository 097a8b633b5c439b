package detect

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPercentilesOfAStreamAreNearThoseOfItsValues(t *testing.T) {
	for name, of := range map[string]func(r *rand.Rand) float64{
		"normal":      func(r *rand.Rand) float64 { return 50 + 10*r.NormFloat64() },
		"exponential": func(r *rand.Rand) float64 { return 100 * r.ExpFloat64() },
		"uniform":     func(r *rand.Rand) float64 { return r.Float64() },
	} { // the tolerance is wide for few values and 10 % of the spread for many
		for _, n := range []int{5, 9, 300, 3000, 30000} {
			r := rand.New(rand.NewPCG(5, uint64(n)))
			var q quantiles
			var all []float64
			for range n {
				v := of(r)
				q.add(v)
				all = append(all, v)
			}
			slices.Sort(all)
			spread := Percentile(all, 99) - Percentile(all, 1)
			p50, p95, p99 := q.percentiles()
			for p, got := range map[float64]float64{50: p50, 95: p95, 99: p99} {
				if want := Percentile(all, p); math.Abs(got-want) > spread/math.Sqrt(math.Sqrt(float64(n)))+0.02*spread {
					t.Errorf("%s, %d values: p%v is %v, want about %v", name, n, p, got, want)
				}
			}
			if p50 > p95 || p95 > p99 {
				t.Errorf("%s, %d values: %v, %v, %v do not ascend", name, n, p50, p95, p99)
			}
		}
	}
}

func TestPercentilesForget(t *testing.T) {
	var q quantiles
	r := rand.New(rand.NewPCG(6, 6))
	for range 20000 {
		q.add(1000 + r.Float64())
	}
	for range 60000 {
		q.add(r.Float64())
	}
	if p50, _, _ := q.percentiles(); p50 > 1 {
		t.Errorf("the median is %v long after values fell below 1", p50)
	}
}

func TestARankIsSurprisingByHowFewReachedIt(t *testing.T) {
	var e evidence
	r := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		e.surprise(math.Abs(r.NormFloat64()))
	}
	before := 0.0
	for _, f := range []float64{0, 0.5, 1, 2, 3, 6, 30} {
		got := e.surprise(f)
		if got < before {
			t.Errorf("%v surprises by %v, less than a smaller value", f, got)
		}
		before = got
	}
	if got := e.surprise(2); math.Abs(got-math.Log(1/0.0455)) > 0.5 {
		t.Errorf("2 deviations surprise by %v, want about 3.1", got)
	}
}
