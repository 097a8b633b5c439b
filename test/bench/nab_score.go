package main

import (
	"cmp"
	"math"
	"slices"
)

// Scores as those of the Numenta Anomaly Benchmark (Lavin and Ahmad, 2015;
// github.com/numenta/NAB, nab/sweeper.py).

// nabTrial is how many rows at the start of n do not count: 15 %, at most 750.
func nabTrial(n int) int { return min(int(math.Floor(0.15*float64(n))), 750) }

// nabSigmoid is what an alarm is worth by its place relative to a window: −1 at
// the window's left edge, 0 at its right edge, above 0 past it.
func nabSigmoid(place float64) float64 {
	if place > 3 {
		return -1
	}
	return 2/(1+math.Exp(5*place)) - 1
}

// score is the sum of what alarms (rows, ascending) are worth in the series: the
// earliest in each window counts, a window without one costs a miss, and each
// outside costs by its distance from the window before.
func (s *nabSeries) score(alarms []int, p nabProfile) float64 {
	var total float64
	w, best := 0, math.Inf(-1)
	leave := func() {
		total += max(best, -p.fn)
		w, best = w+1, math.Inf(-1)
	}
	for _, row := range alarms {
		if row < s.trial {
			continue
		}
		for w < len(s.windows) && row > s.windows[w][1] {
			leave()
		}
		switch {
		case w < len(s.windows) && row >= s.windows[w][0]:
			width := float64(s.windows[w][1] - s.windows[w][0] + 1)
			place := -float64(s.windows[w][1]-row+1) / width
			best = max(best, p.tp*nabSigmoid(place)/nabSigmoid(-1))
		case w == 0:
			total -= p.fp
		default:
			before := s.windows[w-1]
			total += p.fp * nabSigmoid(float64(row-before[1])/max(1, float64(before[1]-before[0])))
		}
	}
	for w < len(s.windows) {
		leave()
	}
	return total
}

// normalised is a sum over the corpus between 0, a detector that is silent, and
// 100, one that is right at the first row of each window.
func (c *nabCorpus) normalised(total float64, p nabProfile) float64 {
	var windows float64
	for _, s := range c.series {
		windows += float64(len(s.windows))
	}
	if windows == 0 {
		return 0
	}
	silent, perfect := -p.fn*windows, p.tp*windows
	return 100 * (total - silent) / (perfect - silent)
}

// rise returns the rows at which a score reaches threshold after it has been below
// for rest rows; with 0, each row that reaches it.
func rise(score []float64, threshold float64, rest int) []int {
	var alarms []int
	below := rest
	for i, v := range score {
		if v < threshold {
			below++
			continue
		}
		if below >= rest {
			alarms = append(alarms, i)
		}
		below = 0
	}
	return alarms
}

// A nabFit is the one threshold over the corpus that is best for a profile.
type nabFit struct {
	Score       float64 `json:"score"`
	Threshold   float64 `json:"threshold,omitempty"` // 0: silence is best
	FalseAlarms int     `json:"false_alarms"`
	Hits        int     `json:"windows_hit"`
	Windows     int     `json:"windows"`
}

// fit finds the best of thresholds.
func (c *nabCorpus) fit(scores [][]float64, thresholds []float64, rest int, p nabProfile) nabFit {
	best := nabFit{Score: math.Inf(-1)}
	for _, threshold := range thresholds {
		var total float64
		for i := range c.series {
			total += c.series[i].score(rise(scores[i], threshold, rest), p)
		}
		if v := c.normalised(total, p); v > best.Score {
			best.Score, best.Threshold = v, threshold
		}
	}
	if best.Threshold == math.MaxFloat64 {
		best.Threshold = 0
		for _, s := range c.series {
			best.Windows += len(s.windows)
		}
		return best
	}
	for i := range c.series {
		f, h := c.series[i].count(rise(scores[i], best.Threshold, rest))
		best.FalseAlarms, best.Hits, best.Windows = best.FalseAlarms+f, best.Hits+h, best.Windows+len(c.series[i].windows)
	}
	return best
}

// count returns how many alarms are outside all windows, and how many windows have one.
func (s *nabSeries) count(alarms []int) (outside, hit int) {
	hits := make([]bool, len(s.windows))
	for _, row := range alarms {
		in := slices.IndexFunc(s.windows, func(w [2]int) bool { return row >= w[0] && row <= w[1] })
		switch {
		case row < s.trial:
		case in < 0:
			outside++
		case !hits[in]:
			hits[in] = true
			hit++
		}
	}
	return outside, hit
}

// candidates are the thresholds worth trying: all values, or of very many every
// so manieth of the highest tenth, and one that nothing reaches.
func candidates(scores [][]float64) []float64 {
	const most = 1000
	all := slices.Concat(scores...)
	slices.SortFunc(all, func(a, b float64) int { return cmp.Compare(b, a) })
	all = slices.Compact(all)
	if len(all) > 10*most {
		all = all[:len(all)/10]
	}
	out := []float64{math.MaxFloat64}
	for i := 0; i < len(all); i += max(1, len(all)/most) {
		out = append(out, all[i])
	}
	return out
}
