package detect

import "math"

const (
	dayParts  = 48  // half hours of a day
	weekParts = 168 // hours of a week
	dayPart   = 1800
	weekPart  = 3600
	renewed   = 0.5 // the share of a bucket that the newest day or week is
)

// calendar knows what is usual at this half hour of the day and at this hour of
// the week, in UTC. A bucket takes the mean of its time when that is over.
type calendar struct {
	day  cycle
	week cycle
}

// cycle is means by the part of a day or week. A part that was never seen is NaN.
type cycle struct {
	mean []float32 // nil until the first part is over
	part int64     // the present one, counted from the epoch
	sum  float64   // of the samples in it
	n    float64
}

func (c *cycle) add(t, seconds int64, parts int, x float64) {
	if part := floorDiv(t, seconds); part != c.part {
		c.close(parts)
		c.part, c.sum, c.n = part, 0, 0
	}
	c.sum += x
	c.n++
}

func (c *cycle) close(parts int) {
	if c.n == 0 {
		return
	}
	if c.mean == nil {
		c.mean = make([]float32, parts)
		for i := range c.mean {
			c.mean[i] = float32(math.NaN())
		}
	}
	at, now := &c.mean[mod(c.part, parts)], c.sum/c.n
	if unknown(*at) {
		*at = float32(now)
		return
	}
	*at = float32(towards(float64(*at), now, renewed))
}

// off returns how far x is from what is usual in the present part, +Inf when that
// is not known.
func (c *cycle) off(parts int, x float64) float64 {
	if c.mean == nil || unknown(c.mean[mod(c.part, parts)]) {
		return math.Inf(1)
	}
	return math.Abs(x - float64(c.mean[mod(c.part, parts)]))
}

// add takes in a sample and returns how far it is from what is usual at this time
// of the day or of the week, whichever is nearer: a Sunday may be as Sundays are,
// or as the day before. It is +Inf when neither is known.
func (c *calendar) add(t int64, x float64) float64 {
	c.day.add(t, dayPart, dayParts, x)
	c.week.add(t, weekPart, weekParts, x)
	return min(c.day.off(dayParts, x), c.week.off(weekParts, x))
}

func unknown(v float32) bool { return v != v }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func mod(a int64, b int) int64 { return a - floorDiv(a, int64(b))*int64(b) }
