package detect

import (
	"math"
	"slices"
)

// Mean returns the arithmetic mean, 0 of nothing.
func Mean(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// StdDev returns the standard deviation of a population, 0 of fewer than two values.
func StdDev(v []float64) float64 {
	if len(v) < 2 {
		return 0
	}
	m := Mean(v)
	var sum float64
	for _, x := range v {
		sum += (x - m) * (x - m)
	}
	return math.Sqrt(sum / float64(len(v)))
}

// ZScore returns how many deviations x lies above the mean, 0 when there is no deviation.
func ZScore(x, mean, deviation float64) float64 {
	if deviation == 0 {
		return 0
	}
	return (x - mean) / deviation
}

// Anomalous says whether x is more than threshold deviations from the mean. The
// deviation counts as at least floor, which lets a metric fire that never moved;
// with neither deviation nor floor nothing is anomalous.
func Anomalous(x, mean, deviation, floor, threshold float64) bool {
	return math.Abs(ZScore(x, mean, max(deviation, floor))) > threshold
}

// Percentile returns the p-th percentile (0 to 100) of values in ascending order,
// interpolated linearly at rank p/100·(n−1); 0 of nothing.
func Percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := min(max(p, 0), 100) / 100 * float64(len(sorted)-1)
	k := int(rank)
	if k == len(sorted)-1 {
		return sorted[k]
	}
	return sorted[k] + (rank-float64(k))*(sorted[k+1]-sorted[k])
}

// EMA returns the exponential moving average after the last value, the first
// being its seed; 0 of nothing.
func EMA(v []float64, alpha float64) float64 {
	if len(v) == 0 {
		return 0
	}
	mean := v[0]
	for _, x := range v[1:] {
		mean = towards(mean, x, alpha)
	}
	return mean
}

// towards is one step of an exponential moving average.
func towards(mean, x, alpha float64) float64 { return mean + alpha*(x-mean) }

// A Summary describes samples of a metric.
type Summary struct {
	Mean   float64
	StdDev float64 // of a population
	P50    float64
	P95    float64
	P99    float64
	Count  int
}

// Summarize describes values in any order; of nothing all is 0.
func Summarize(v []float64) Summary {
	sorted := slices.Sorted(slices.Values(v))
	return Summary{
		Mean: Mean(v), StdDev: StdDev(v), Count: len(v),
		P50: Percentile(sorted, 50), P95: Percentile(sorted, 95), P99: Percentile(sorted, 99),
	}
}
