package detect

import "slices"

// markers are the shares below which values are followed. Beside those that are
// told there are some between them, which the method needs to follow the curve.
var markers = [...]float64{0, 0.25, 0.50, 0.725, 0.95, 0.97, 0.99, 0.995, 1}

const (
	at50 = 2
	at95 = 4
	at99 = 6
)

// quantiles estimates percentiles of a stream in constant room: Jain and Chlamtac,
// The P² Algorithm, CACM 28(10), 1985, with several quantiles at once (Raatikainen,
// 1987). Weights are halved now and then, so that the past fades.
type quantiles struct {
	height [len(markers)]float32
	place  [len(markers)]uint16 // rank of each height, from 0
	n      uint16
}

func (q *quantiles) add(x float64) {
	v := float32(x)
	if int(q.n) < len(markers) {
		q.height[q.n], q.place[q.n] = v, q.n
		q.n++
		slices.Sort(q.height[:q.n])
		return
	}
	last := len(markers) - 1
	q.height[0], q.height[last] = min(q.height[0], v), max(q.height[last], v)
	for i := last; i > 0 && (i == last || v < q.height[i]); i-- {
		q.place[i]++
	}
	if q.n++; q.n >= rememberAt {
		q.fade()
	}
	for i := 1; i < last; i++ {
		q.adjust(i, markers[i]*float64(q.n-1)-float64(q.place[i]))
	}
}

// adjust moves marker i by one place towards where it should be, off by want.
func (q *quantiles) adjust(i int, want float64) {
	up, down := int(q.place[i+1])-int(q.place[i]), int(q.place[i])-int(q.place[i-1])
	var d float64
	switch {
	case want >= 1 && up > 1:
		d = 1
	case want <= -1 && down > 1:
		d = -1
	default:
		return
	}
	h, below, above := float64(q.height[i]), float64(q.height[i-1]), float64(q.height[i+1])
	u, l := float64(up), float64(down)
	to := h + d/(u+l)*((l+d)*(above-h)/u+(u-d)*(h-below)/l)
	if to <= below || to >= above {
		if d > 0 {
			to = h + (above-h)/u
		} else {
			to = h - (h-below)/l
		}
	}
	q.height[i] = float32(to)
	q.place[i] = uint16(int(q.place[i]) + int(d))
}

// fade halves what values so far weigh.
func (q *quantiles) fade() { q.place, q.n = spread(q.n/2), q.n/2 }

// spread returns where n values have the markers.
func spread(n uint16) (place [len(markers)]uint16) {
	for i, share := range markers {
		place[i] = uint16(share * float64(n-1))
		if i > 0 {
			place[i] = max(place[i], place[i-1]+1)
		}
	}
	return place
}

// percentiles returns the 50th, 95th and 99th.
func (q *quantiles) percentiles() (p50, p95, p99 float64) {
	if int(q.n) > len(markers) {
		return float64(q.height[at50]), float64(q.height[at95]), float64(q.height[at99])
	}
	var all [len(markers)]float64
	for i, v := range q.height[:q.n] {
		all[i] = float64(v)
	}
	few := all[:q.n]
	return Percentile(few, 50), Percentile(few, 95), Percentile(few, 99)
}
