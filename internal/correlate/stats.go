package correlate

import (
	"math"
	"slices"
)

// largest is from where on a value is taken for missing: no metric is that large,
// and products of such values would not be finite.
const largest = 1e18

// rows returns n rows of values, with NaN for what is missing, infinite or absurd.
func rows(values []float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
		if i < len(values) && math.Abs(values[i]) < largest {
			out[i] = values[i]
		}
	}
	return out
}

// present returns the values that are not missing, sorted.
func present(values []float64) []float64 {
	out := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// quantile returns the q-quantile of sorted values, interpolated; NaN without any.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// robust returns the median and a sigma that a few outliers do not move: the larger
// of the scaled median absolute deviation and of the span between the 5th and the
// 95th percentile, which alone sees a metric that is most often constant. NaN and 0
// without values.
func robust(values []float64) (med, sigma float64) {
	sorted := present(values)
	if len(sorted) == 0 {
		return math.NaN(), 0
	}
	med = quantile(sorted, 0.5)
	deviations := make([]float64, len(sorted))
	for i, v := range sorted {
		deviations[i] = math.Abs(v - med)
	}
	slices.Sort(deviations)
	return med, max(1.4826*quantile(deviations, 0.5), (quantile(sorted, 0.95)-quantile(sorted, 0.05))/3.29)
}

// pearson returns the correlation of the rows that both have; 0 where one does not vary.
func pearson(a, b []float64) float64 {
	var n, sa, sb float64
	for i := range a {
		if !math.IsNaN(a[i]) && !math.IsNaN(b[i]) {
			n, sa, sb = n+1, sa+a[i], sb+b[i]
		}
	}
	var ab, aa, bb float64
	for i := range a {
		if !math.IsNaN(a[i]) && !math.IsNaN(b[i]) {
			da, db := a[i]-sa/n, b[i]-sb/n
			ab, aa, bb = ab+da*db, aa+da*da, bb+db*db
		}
	}
	if aa <= 0 || bb <= 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
