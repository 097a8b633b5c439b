package detect

import (
	"math"
	"time"
)

const (
	recentMax = 60 // points kept of a metric
	recentNew = 20 // of which so many are the newest, one by one
)

// A Point is a value at a time.
type Point struct {
	At    time.Time
	Value float64
}

// recent is the last points of a metric: the newest one by one, older ones
// thinned. Points older than the history are never returned.
type recent struct {
	base  int64             // unix milliseconds
	after [recentMax]uint32 // milliseconds since base, ascending
	value [recentMax]float32
	n     int
}

// add keeps a point; one at the time of the last takes its place. history is in
// milliseconds.
func (r *recent) add(at int64, v float64, history int64) {
	if r.n > 0 && at == r.at(r.n-1) {
		r.value[r.n-1] = float32(v)
		return
	}
	if r.n == recentMax {
		r.thin(at - history)
	}
	if r.n > 0 && at-r.base > math.MaxUint32 {
		r.n = 0 // 49 days without a point: all are older than the longest history
	}
	if r.n == 0 {
		r.base = at
	}
	r.after[r.n], r.value[r.n] = uint32(at-r.base), float32(v)
	r.n++
}

func (r *recent) at(i int) int64 { return r.base + int64(r.after[i]) }

// thin drops what is older than oldest, and of the rest but the newest every
// second point.
func (r *recent) thin(oldest int64) {
	kept, skip, base := 0, false, int64(0)
	for i := range r.n {
		at := r.at(i)
		if at < oldest {
			continue
		}
		if i < r.n-recentNew {
			if skip {
				skip = false
				continue
			}
			skip = true
		}
		if kept == 0 {
			base = at
		}
		r.after[kept], r.value[kept] = uint32(at-base), r.value[i]
		kept++
	}
	r.base, r.n = base, kept
}

// since returns the points from oldest on, oldest first.
func (r *recent) since(oldest int64) []Point {
	var out []Point
	for i := range r.n {
		if at := r.at(i); at >= oldest {
			out = append(out, Point{time.UnixMilli(at).UTC(), float64(r.value[i])})
		}
	}
	return out
}
