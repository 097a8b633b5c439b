package detect

import "math"

const (
	shapeLen  = 12 // samples of a shape
	shapesMax = 16
	relearn   = shapeLen * shapesMax // courses seen before they are judged again
)

// shapes are the typical courses of the last few samples: the nearest takes a
// new course in, or it becomes one of them when it is unlike all.
type shapes struct {
	known  []shape // at most shapesMax
	last   [shapeLen]float32
	filled int // of last
	quiet  int // courses that are only learned, after a restart
	usual  mean
}

type shape struct {
	at     [shapeLen]float32
	weight float32
}

// interrupt forgets the last samples: those to come are no course with them.
func (s *shapes) interrupt() { s.filled = 0 }

// add takes in a sample and returns how far the course that ends with it is from
// the nearest known, in units of the usual distance. scale is the metric's
// deviation. The answer is cannotTell until there is something to compare.
func (s *shapes) add(x, scale float64, ready bool) float64 {
	copy(s.last[:], s.last[1:])
	s.last[shapeLen-1] = float32(x)
	if s.filled < shapeLen {
		s.filled++
	}
	if s.filled < shapeLen || !ready {
		return cannotTell
	}
	near, square := s.nearest()
	if near < 0 {
		s.keep()
		return cannotTell
	}
	if s.quiet > 0 {
		s.quiet--
		s.learn(near, math.Sqrt(square/shapeLen)/scale > 1.5*s.usual.value)
		return cannotTell
	}
	distance := math.Sqrt(square/shapeLen) / scale
	far := distance > 1.5*s.usual.value
	strange := s.usual.ratio(distance, little)
	s.learn(near, far)
	return strange
}

// learn makes the last course a known one when it is far from all, else the
// nearest moves towards it.
func (s *shapes) learn(near int, far bool) {
	if far {
		s.keep()
		return
	}
	p := &s.known[near]
	p.weight++
	a := max(0.02, 1/p.weight)
	for i := range p.at {
		p.at[i] += a * (s.last[i] - p.at[i])
	}
}

func (s *shapes) nearest() (near int, square float64) {
	near, square = -1, math.Inf(1)
	for i := range s.known {
		var sum float64
		for j, v := range s.known[i].at {
			d := float64(v - s.last[j])
			if sum += d * d; sum >= square {
				break
			}
		}
		if sum < square {
			near, square = i, sum
		}
	}
	return near, square
}

// keep makes the last course a known one, in place of the least seen if need be.
func (s *shapes) keep() {
	one := shape{at: s.last, weight: 1}
	if len(s.known) < shapesMax {
		s.known = append(s.known, one)
		return
	}
	least := 0
	for i := range s.known {
		s.known[i].weight *= 0.999
		if s.known[i].weight < s.known[least].weight {
			least = i
		}
	}
	s.known[least] = one
}
