package gopprof

// A Bucket counts what lasted at most UpTo seconds, since the service began.
type Bucket struct {
	UpTo  float64
	Count float64
}

// A Histogram is buckets, the shortest first; each counts those before it too.
type Histogram []Bucket

// Delta returns how many more there were in each bucket than before; nil when one
// of them is not told or the service began anew.
func (h Histogram) Delta(before Histogram) Histogram {
	if len(h) == 0 || len(h) != len(before) {
		return nil
	}
	out := make(Histogram, len(h))
	for i := range h {
		out[i] = Bucket{h[i].UpTo, h[i].Count - before[i].Count}
		if h[i].UpTo != before[i].UpTo || out[i].Count < 0 {
			return nil
		}
	}
	return out
}

// Total returns how many there were.
func (h Histogram) Total() float64 {
	if len(h) == 0 {
		return 0
	}
	return h[len(h)-1].Count
}

// Over returns how many lasted longer than the first border at or above the
// seconds, and that border.
func (h Histogram) Over(seconds float64) (n, border float64) {
	for _, b := range h {
		if b.UpTo >= seconds {
			return h.Total() - b.Count, b.UpTo
		}
	}
	return 0, seconds
}

// Quantile returns the border of the bucket in which a share of them ends, the
// last finite one where that is beyond, and false when there are none.
func (h Histogram) Quantile(share float64) (float64, bool) {
	total, last := h.Total(), 0.0
	if total <= 0 {
		return 0, false
	}
	for _, b := range h {
		if !finite(b.UpTo) {
			break
		}
		last = b.UpTo
		if b.Count >= share*total {
			break
		}
	}
	return last, true
}
