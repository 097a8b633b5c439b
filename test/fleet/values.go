package fleet

import (
	"math"
	"time"
)

// Step is how far apart the samples of a simulated host are by its own time: the
// interval of a probe by default.
const Step = 30 * time.Second

// A course makes up the values of one metric of one node. It depends on the seed, the
// node and the number of the sample alone.
type course struct {
	Course
	key   uint64
	level float64
}

func newCourse(c Course, seed uint64, node, metric string) course {
	o := course{Course: c, key: mix(seed ^ hash(node+" "+metric))}
	o.level = c.Level * math.Exp(c.Differ*normal(o.key))
	return o
}

// slow is over how many samples a metric wanders.
const slow = 40

// value returns the sample of a number, taken at a time of the day.
func (o *course) value(n int64, at time.Time) float64 {
	v := o.level
	if o.Daily > 0 { // busiest at four in the afternoon
		day := float64(at.Unix()%86400) / 86400
		v *= 1 + o.Daily*math.Cos(2*math.Pi*(day-16./24))
	}
	off := 1.0
	if o.Noise > 0 {
		off += o.Noise * normal(mix(o.key+uint64(n)))
	}
	if o.Wander > 0 {
		k, part := n/slow, float64(n%slow)/slow
		from, to := normal(mix(o.key^uint64(k)<<20)), normal(mix(o.key^uint64(k+1)<<20))
		smooth := part * part * (3 - 2*part)
		off += o.Wander * (from + (to-from)*smooth)
	}
	v *= max(off, 0)
	if o.Spikes > 0 && uniform(mix(o.key^uint64(n)*0x9e3779b97f4a7c15)) < o.Spikes {
		v *= 2 + 2*uniform(mix(o.key+7*uint64(n)))
	}
	return v
}

// bound keeps a value where the metric can be.
func (o *course) bound(v float64) float64 {
	v = max(v, 0)
	if o.Max > 0 {
		v = min(v, o.Max)
	}
	return v
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func uniform(x uint64) float64 { return float64(x>>11) / (1 << 53) }

// normal turns random bits into a normally distributed number (Box and Muller 1958).
func normal(x uint64) float64 {
	u, v := uniform(mix(x)), uniform(mix(x^0x5851f42d4c957f2d))
	return math.Sqrt(-2*math.Log(u+1e-300)) * math.Cos(2*math.Pi*v)
}
