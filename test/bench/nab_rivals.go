package main

import (
	"math"
	"time"

	"github.com/fleetlens/fleetlens/internal/detect"
)

// What the detector that this project replaces does by default.
const (
	referenceLimit    = 3 // |z|
	referenceInARow   = 3
	referenceCooldown = 15 * time.Minute
)

// referenceZ is, at each row, the |z| that it and the two rows before reach, by mean
// and deviation of the first 15 % of the series: that detector learns once. A
// baseline without deviation has no z.
func referenceZ(s nabSeries) []float64 {
	base := detect.Summarize(s.value[:s.trial])
	scores := make([]float64, len(s.value))
	for i := s.trial + referenceInARow - 1; i < len(s.value); i++ {
		least := math.Inf(1)
		for _, v := range s.value[i-referenceInARow+1 : i+1] {
			least = min(least, math.Abs(detect.ZScore(v, base.Mean, base.StdDev)))
		}
		scores[i] = least
	}
	return scores
}

// referencePlain is 1 where that detector escalates: three rows in a row are
// anomalous, none of them in the 15 minutes after it did before.
func referencePlain(s nabSeries) []float64 {
	base := detect.Summarize(s.value[:s.trial])
	scores := make([]float64, len(s.value))
	var quiet time.Time
	inARow := 0
	for i := s.trial; i < len(s.value); i++ {
		if s.at[i].Before(quiet) {
			continue
		}
		if !detect.Anomalous(s.value[i], base.Mean, base.StdDev, 0, referenceLimit) {
			inARow = 0
			continue
		}
		if inARow++; inARow == referenceInARow {
			scores[i], inARow, quiet = 1, 0, s.at[i].Add(referenceCooldown)
		}
	}
	return scores
}

// windowedGaussian is NAB's detector of that name: one minus the normal tail of a
// value, by mean and deviation of the last 6400 rows, moved on every 100 rows.
func windowedGaussian(s nabSeries) []float64 {
	const (
		width = 6400
		step  = 100
	)
	scores := make([]float64, len(s.value))
	var sum, squares float64 // of the rows before, in the window
	from, waiting := 0, 0
	mean, sd := 0.0, 1.0
	for i, v := range s.value {
		if i > 0 {
			scores[i] = 1 - 0.5*math.Erfc(math.Abs(v-mean)/sd/math.Sqrt2)
		}
		sum, squares = sum+v, squares+v*v
		if i >= width {
			if waiting++; waiting < step {
				continue
			}
			for ; waiting > 0; waiting-- {
				sum, squares = sum-s.value[from], squares-s.value[from]*s.value[from]
				from++
			}
		}
		n := float64(i + 1 - from)
		mean = sum / n
		if sd = math.Sqrt(max(0, squares/n-mean*mean)); sd == 0 {
			sd = 1e-6
		}
	}
	return scores
}
