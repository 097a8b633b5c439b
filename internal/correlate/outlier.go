package correlate

import (
	"math"
	"slices"
	"sort"
)

// A Row is one member of a group of peers, with its metrics.
type Row struct {
	Name    string
	Metrics map[string]float64
}

// An Outlier is a member that stands out among its peers.
type Outlier struct {
	Name   string  `json:"name"`
	Metric string  `json:"metric"`
	Value  float64 `json:"value"`
	Median float64 `json:"peers"` // the peers' median
	Score  float64 `json:"score"` // distance in median absolute deviations
}

// minPeers is how many members it takes before one of them can stand out.
const minPeers = 5

// outlierScore is from where on a member stands out. 3.5 is the cut-off that
// Iglewicz and Hoaglin (1993) give for the modified z-score.
const outlierScore = 3.5

// Outliers returns, for each member that stands out, the metric by which it
// stands out most; the farthest first. The distance is the modified z-score
// (0.6745·|x−median|/MAD). Where most peers agree to the digit the deviation is
// taken as a tenth of the median, so that noise on a constant is none.
func Outliers(rows []Row) []Outlier {
	if len(rows) < minPeers {
		return nil
	}
	best := map[string]Outlier{}
	for _, metric := range metricsOf(rows) {
		var values []float64
		for _, r := range rows {
			if v, ok := r.Metrics[metric]; ok {
				values = append(values, v)
			}
		}
		if len(values) < minPeers {
			continue
		}
		m := median(values)
		deviations := make([]float64, len(values))
		for i, v := range values {
			deviations[i] = math.Abs(v - m)
		}
		mad := math.Max(median(deviations)/0.6745, math.Max(math.Abs(m)/10, 1e-9))
		for _, r := range rows {
			v, ok := r.Metrics[metric]
			if !ok {
				continue
			}
			if score := math.Abs(v-m) / mad; score >= outlierScore && score > best[r.Name].Score {
				best[r.Name] = Outlier{Name: r.Name, Metric: metric, Value: v, Median: m, Score: math.Round(score*10) / 10}
			}
		}
	}
	out := make([]Outlier, 0, len(best))
	for _, o := range best {
		out = append(out, o)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Score != out[j].Score {
			return out[i].Score > out[j].Score
		}
		return out[i].Name < out[j].Name
	})
	return out
}

func metricsOf(rows []Row) []string {
	seen := map[string]bool{}
	for _, r := range rows {
		for m := range r.Metrics {
			seen[m] = true
		}
	}
	names := make([]string, 0, len(seen))
	for m := range seen {
		names = append(names, m)
	}
	sort.Strings(names)
	return names
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}
