package detect_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fleetlens/fleetlens/internal/detect"
)

const day = 86400

// observe gives a model a sample each five minutes and returns the highest score of
// the last part, from from on.
func observe(m *detect.Model, n, from int, of func(i int) float64) float64 {
	var highest float64
	for i := range n {
		if score := m.Observe(int64(i)*300, of(i), 1); i >= from {
			highest = max(highest, score)
		}
	}
	return highest
}

func TestAWeeksRhythmIsLessSurprisingThanABreakOfIt(t *testing.T) {
	const perDay = day / 300
	course := func(broken int) func(i int) float64 {
		r := rand.New(rand.NewPCG(4, 4))
		return func(i int) float64 {
			hour, weekday := i%perDay*24/perDay, i/perDay%7
			level := 20.0
			if weekday < 5 && hour >= 8 && hour < 18 {
				level = 100
			}
			if i/perDay == broken && hour >= 2 && hour < 5 {
				level = 100 // as high as by day
			}
			return level + 3*r.NormFloat64()
		}
	}
	usual := observe(new(detect.Model), 56*perDay, 28*perDay, course(-1))
	night := observe(new(detect.Model), 56*perDay, 28*perDay, course(45))
	if usual >= detect.Threshold(3) {
		t.Errorf("four weeks as those before score %.1f", usual)
	}
	if night < usual+2 {
		t.Errorf("a night that is as busy as a day scores %.1f, usual weeks up to %.1f", night, usual)
	}
}

func TestNoDistributionIsAssumed(t *testing.T) {
	for name, of := range map[string]func(r *rand.Rand) float64{
		"normal":      func(r *rand.Rand) float64 { return 50 + 10*r.NormFloat64() },
		"exponential": func(r *rand.Rand) float64 { return 100 * r.ExpFloat64() },
		"two values":  func(r *rand.Rand) float64 { return float64(r.IntN(2)) * 70 },
		"heavy tail":  func(r *rand.Rand) float64 { return math.Exp(2 * r.NormFloat64()) },
	} {
		r := rand.New(rand.NewPCG(8, 8))
		over := 0
		var m detect.Model
		for i := range 20000 {
			if m.Observe(int64(i)*300, of(r), 0) >= detect.Threshold(3) {
				over++
			}
		}
		if over > 20000/200 {
			t.Errorf("%s: %d of 20000 usual samples reach the threshold", name, over)
		}
	}
}

func TestAnInterruptedCourseIsNotComparedAcrossTheGap(t *testing.T) {
	saw := func(i int) float64 { return float64(i % 10) }
	score := func(interrupt bool) float64 {
		var m detect.Model
		observe(&m, 2000, 2000, saw)
		if interrupt {
			m.Interrupt()
		}
		var highest float64
		for i := 2005; i < 2017; i++ { // five missing
			highest = max(highest, m.Observe(int64(i)*300, saw(i), 0.1))
		}
		return highest
	}
	if with, without := score(true), score(false); with >= without {
		t.Errorf("the highest score after a gap is %.1f when told of it, %.1f when not", with, without)
	}
}

func TestTheThresholdGrowsWithZ(t *testing.T) {
	if got := detect.Threshold(3); !near(got, 11.83, 0.01) {
		t.Errorf("Threshold(3) = %v", got)
	}
	if detect.Threshold(2) >= detect.Threshold(3) {
		t.Error("a lower z has a higher threshold")
	}
}

func BenchmarkModel(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	values := make([]float64, 4096)
	for i := range values {
		values[i] = 50 + 5*r.NormFloat64()
	}
	var m detect.Model
	var i int
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(int64(i)*30, values[i%len(values)], 1)
		i++
	}
}
