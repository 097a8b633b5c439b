package detect_test

import (
	"math"
	"slices"
	"testing"

	"github.com/fleetlens/fleetlens/internal/detect"
)

func near(a, b, by float64) bool { return math.Abs(a-b) <= by }

// upTo returns 1, 2, … n.
func upTo(n int) []float64 {
	var v []float64
	for i := range n {
		v = append(v, float64(i+1))
	}
	return v
}

// Behaviour: 116.
func TestMeanIsArithmeticAndZeroOfNothing(t *testing.T) {
	for _, tt := range []struct {
		of   []float64
		want float64
	}{
		{upTo(5), 3}, {[]float64{10, 20, 30}, 20}, {nil, 0}, {[]float64{5}, 5}, {[]float64{-5, 5}, 0},
	} {
		if got := detect.Mean(tt.of); got != tt.want {
			t.Errorf("Mean(%v) = %v, want %v", tt.of, got, tt.want)
		}
	}
}

// Behaviour: 117.
func TestStdDevIsOfAPopulation(t *testing.T) {
	for _, tt := range []struct {
		of   []float64
		want float64
	}{
		{[]float64{2, 4, 4, 4, 5, 5, 7, 9}, 2}, {nil, 0}, {[]float64{5}, 0}, {[]float64{3, 3, 3}, 0},
	} {
		if got := detect.StdDev(tt.of); got != tt.want {
			t.Errorf("StdDev(%v) = %v, want %v", tt.of, got, tt.want)
		}
	}
}

// Behaviour: 118.
func TestZScoreCountsDeviationsAndIsZeroWithoutAny(t *testing.T) {
	for _, tt := range []struct{ x, mean, sd, want float64 }{
		{15, 10, 2, 2.5}, {5, 10, 2, -2.5}, {10, 10, 2, 0}, {15, 10, 0, 0},
	} {
		if got := detect.ZScore(tt.x, tt.mean, tt.sd); got != tt.want {
			t.Errorf("ZScore(%v, %v, %v) = %v, want %v", tt.x, tt.mean, tt.sd, got, tt.want)
		}
	}
}

// Behaviour: 119.
func TestPercentileInterpolatesBetweenRanks(t *testing.T) {
	for _, tt := range []struct {
		of         []float64
		p, want, d float64
	}{
		{upTo(5), 50, 3, 0}, {upTo(4), 50, 2.5, 0}, {upTo(100), 95, 95, 0.1}, {upTo(100), 99, 99, 0.1},
		{nil, 50, 0, 0}, {[]float64{42}, 99, 42, 0}, {upTo(5), 0, 1, 0}, {upTo(5), 100, 5, 0},
	} {
		if got := detect.Percentile(tt.of, tt.p); !near(got, tt.want, tt.d) {
			t.Errorf("Percentile(%v, %v) = %v, want %v", tt.of, tt.p, got, tt.want)
		}
	}
}

// Behaviour: 120.
func TestEMAStartsAtTheFirstValueAndFollowsFasterWithALargerAlpha(t *testing.T) {
	if got := detect.EMA(upTo(5), 0.5); got != 4.0625 {
		t.Errorf("EMA of 1 to 5 at 0.5 = %v, want 4.0625", got)
	}
	if got := detect.EMA([]float64{7}, 0.5); got != 7 {
		t.Errorf("EMA of 7 = %v", got)
	}
	if got := detect.EMA(nil, 0.5); got != 0 {
		t.Errorf("EMA of nothing = %v", got)
	}
	if slow, fast := detect.EMA(upTo(5), 0.2), detect.EMA(upTo(5), 0.8); fast <= slow {
		t.Errorf("of a rising series EMA is %v at 0.8 and %v at 0.2", fast, slow)
	}
}

// Behaviour: 121.
func TestAnomalousIsStrictAndNeedsADeviationOrAFloor(t *testing.T) {
	for _, tt := range []struct {
		name               string
		x, mean, sd, floor float64
		want               bool
	}{
		{"3.5 above", 135, 100, 10, 0, true},
		{"3.5 below", 65, 100, 10, 0, true},
		{"2.5 above", 125, 100, 10, 0, false},
		{"2.5 below", 75, 100, 10, 0, false},
		{"exactly at the threshold", 130, 100, 10, 0, false},
		{"a constant without a floor never", 1000, 0, 0, 0, false},
		{"a constant with a floor", 1000, 0, 0, 1, true},
		{"a constant that moves less than its floor", 0.001, 0, 0, 1, false},
		{"a floor below the deviation changes nothing", 125, 100, 10, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := detect.Anomalous(tt.x, tt.mean, tt.sd, tt.floor, 3); got != tt.want {
				t.Errorf("Anomalous = %v, want %v", got, tt.want)
			}
		})
	}
}

// Behaviour: 122.
func TestSummarizeDescribesSamplesInAnyOrder(t *testing.T) {
	v := upTo(10)
	slices.Reverse(v)
	got := detect.Summarize(v)
	if got.Mean != 5.5 || got.Count != 10 || got.P50 != 5.5 || !near(got.P95, 9.55, 1e-9) || !near(got.P99, 9.91, 1e-9) || !near(got.StdDev, math.Sqrt(8.25), 1e-9) {
		t.Errorf("Summarize(1 to 10) = %+v", got)
	}
	if got := detect.Summarize(nil); got != (detect.Summary{}) {
		t.Errorf("Summarize(nil) = %+v, want zeros", got)
	}
}

func TestFloorIsTheUnitsOrAHundredthOfTheLeastThreshold(t *testing.T) {
	for _, tt := range []struct {
		unit       string
		thresholds []float64
		want       float64
	}{
		{"percent", nil, 1}, {"percent", []float64{85, 95}, 1}, {"ratio", nil, 0.01}, {"count", []float64{1, 3}, 1},
		{"count", []float64{10000, 20000}, 100}, {"milliseconds", []float64{0, 2000}, 20}, {"parsecs", nil, 0}, {"parsecs", []float64{-3}, 0.03},
	} {
		if got := detect.Floor(tt.unit, tt.thresholds...); !near(got, tt.want, 1e-12) {
			t.Errorf("Floor(%q, %v) = %v, want %v", tt.unit, tt.thresholds, got, tt.want)
		}
	}
}
