package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"
)

// snapshots gives a detector n snapshots of metrics that have a rhythm and noise.
func snapshots(t testing.TB, metrics, n int, every time.Duration) *Detector {
	o := DefaultOptions()
	o.CollectionInterval = every
	d, err := New(o, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2, 2))
	samples := make([]Sample, metrics)
	for i := range n {
		at := time.Unix(0, 0).Add(time.Duration(i) * every)
		for k := range samples {
			rhythm := math.Sin(float64(at.Unix()%86400) / 86400 * 2 * math.Pi)
			samples[k] = Sample{Metric: fmt.Sprintf("context_switches_per_sec_%d", k), Floor: 1, Value: 1e4 + 3e3*rhythm + 100*r.NormFloat64()}
		}
		d.Snapshot("host", "os", at, samples)
	}
	return d
}

// bytes is what a series holds, with what its pointers lead to.
func (s *series) bytes() uintptr {
	m := &s.model
	n := unsafe.Sizeof(*s) + uintptr(cap(m.shapes.known))*unsafe.Sizeof(shape{}) +
		uintptr(cap(m.calendar.day.mean)+cap(m.calendar.week.mean))*unsafe.Sizeof(float32(0))
	return n + unsafe.Sizeof(Name{}) + unsafe.Sizeof(s) // its entry
}

func TestAMetricTakesLessThanFourKiB(t *testing.T) {
	d := snapshots(t, 1, 3000, 5*time.Minute) // ten days: all calendars are full
	for _, s := range d.series {
		if len(s.model.shapes.known) != shapesMax || s.model.calendar.week.mean == nil {
			t.Fatal("the series is not full yet")
		}
		got := s.bytes()
		t.Logf("%d bytes: %d of the model itself, %d of evidence", got, unsafe.Sizeof(s.model), unsafe.Sizeof(s.model.rank))
		if got > 3584 {
			t.Errorf("a metric takes %d bytes", got)
		}
	}
}

func TestAMetricTakesAtMostTwoHundredBytesOnDisk(t *testing.T) {
	const metrics = 50
	d := snapshots(t, metrics, 3000, 5*time.Minute)
	each := float64(len(d.Marshal())) / metrics
	t.Logf("%.1f bytes a metric", each)
	if each > 200 {
		t.Errorf("%.1f bytes a metric", each)
	}
}

func TestASnapshotAllocatesNothing(t *testing.T) {
	d := snapshots(t, 20, 3000, 5*time.Minute)
	samples := make([]Sample, 20)
	names := d.Names()
	i := 3000
	got := testing.AllocsPerRun(500, func() {
		for k := range samples {
			samples[k] = Sample{Metric: names[k].Metric, Floor: 1, Value: 1e4 + float64(i*k%97)}
		}
		d.Snapshot("host", "os", time.Unix(0, 0).Add(time.Duration(i)*5*time.Minute), samples)
		i++
	})
	if got >= 1 {
		t.Errorf("%v allocations a snapshot", got)
	}
}

func BenchmarkSnapshotOf20(b *testing.B) {
	d := snapshots(b, 20, 3000, 5*time.Minute)
	r := rand.New(rand.NewPCG(3, 3))
	var sets [64][]Sample
	for i := range sets {
		for k := range 20 {
			sets[i] = append(sets[i], Sample{Metric: fmt.Sprintf("context_switches_per_sec_%d", k), Floor: 1, Value: 1e4 + 100*r.NormFloat64()})
		}
	}
	at := time.Unix(0, 0).Add(3000 * 5 * time.Minute)
	var i int
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(5 * time.Minute)
		d.Snapshot("host", "os", at, sets[i%len(sets)])
		i++
	}
}
