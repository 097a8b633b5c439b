package detect

import "math"

const (
	bins       = 64   // quarter octaves from 1/64 to 1024
	rememberAt = 8192 // counts are halved then: the past fades
	topBin     = bins - 1
)

// evidence ranks a feature's values (≥ 0, larger is stranger) in their own
// history and says how surprising one is. Values count only after window more
// came: what goes on is not compared with itself.
type evidence struct {
	count   [bins]uint16
	n       uint16
	waiting [window]uint8 // bins that do not count yet, oldest first
	waits   uint8
}

// bin returns the bin of f and how far f lies in it, 0 to 1.
func bin(f float64) (k int, part float64) {
	if !(f > 1.0/64) {
		return 0, 0
	}
	b := 4 * (math.Log2(f) + 6)
	if b >= topBin {
		return topBin, 0
	}
	return int(b), b - math.Floor(b)
}

// surprise returns −ln of the share of the history that is at least f, but no less
// than expected, and takes f into the history. Beyond everything seen it grows with
// ln f, as in Pareto's tail with exponent 1 (a heavy one): a short history could not
// be surprised otherwise.
func (e *evidence) surprise(f float64) float64 {
	k, part := bin(f)
	p := e.rank(k, part)
	e.add(uint8(k))
	return p
}

func (e *evidence) rank(k int, part float64) float64 {
	sum := e.above(k)
	above := float64(e.count[k])*(1-part) + float64(sum) + 0.5
	if above*math.E >= float64(e.n)+1 {
		return expected // or less: most values end here and save the logarithm
	}
	p := -math.Log(above / (float64(e.n) + 1))
	if sum == 0 && e.n > fewest {
		highest := k
		for highest > 0 && e.count[highest] == 0 {
			highest--
		}
		if beyond := float64(k) + part - float64(highest) - 1; beyond > 0 {
			p += beyond * math.Ln2 / 4
		}
	}
	return p
}

// above returns how many values are in bins above k.
func (e *evidence) above(k int) int {
	var sum int
	if k >= bins/2 {
		for _, c := range e.count[k+1:] {
			sum += int(c)
		}
		return sum
	}
	for _, c := range e.count[:k+1] {
		sum += int(c)
	}
	return int(e.n) - sum
}

func (e *evidence) add(k uint8) {
	if e.waits < window {
		e.waiting[e.waits] = k
		e.waits++
		return
	}
	e.count[e.waiting[0]]++
	copy(e.waiting[:], e.waiting[1:])
	e.waiting[window-1] = k
	if e.n++; e.n < rememberAt {
		return
	}
	e.n = 0
	for i := range e.count {
		e.count[i] /= 2
		e.n += e.count[i]
	}
}
