package detect

import "math"

// floors are the least deviations that matter, by unit: what a person would not
// call a change. Without them a metric that was constant could not fire, or would
// fire at anything.
var floors = map[string]float64{
	"percent":          1,
	"ratio":            0.01,
	"count":            1,
	"load":             0.25,
	"bytes":            1 << 20,
	"KiB":              1 << 10,
	"MiB":              1,
	"seconds":          0.1,
	"milliseconds":     5,
	"per_second":       1,
	"bytes_per_second": 64 << 10,
}

// Floor returns the least deviation of a metric that matters: the unit's, or one
// hundredth of the least of its checks' thresholds if that is more. It is 0 for a
// unit that is not known, where any change of a constant is one.
func Floor(unit string, thresholds ...float64) float64 {
	least := math.Inf(1)
	for _, t := range thresholds {
		if t = math.Abs(t); t > 0 {
			least = min(least, t)
		}
	}
	if math.IsInf(least, 1) {
		return floors[unit]
	}
	return max(floors[unit], least/100)
}
