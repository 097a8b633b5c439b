package luasandbox

import (
	"context"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
)

// A meter is the context of a Lua state, and the one account on which both the
// VM and our library functions draw. The VM asks Done before each instruction,
// which makes of it an exact count; nil stands for "go on".
type meter struct {
	context.Context
	count   int64 // instructions
	limit   int64
	next    int64 // the count at which to look up from it
	memory  uint64
	base    uint64       // the heap without the script
	late    atomic.Bool  // the time is up
	told    atomic.Int64 // the count some time ago, for other goroutines
	samples [2]metrics.Sample

	exceeded func(limit string) // called when a limit is reached; never returns
}

// lookEvery is how many instructions pass between two looks at the heap. In that
// many a script can add some 80 MB, by tables with a gap.
const lookEvery = 256

func newMeter(l Limits, exceeded func(limit string)) *meter {
	m := &meter{Context: context.Background(), limit: l.Instructions, memory: uint64(l.Memory), exceeded: exceeded}
	m.samples[0].Name = "/memory/classes/heap/objects:bytes"
	m.samples[1].Name = "/gc/heap/live:bytes"
	m.base, _ = m.heap()
	m.next = min(lookEvery, m.limit+1)
	return m
}

// Done counts one instruction.
func (m *meter) Done() <-chan struct{} {
	m.count++
	if m.count >= m.next || m.late.Load() {
		m.look()
	}
	return nil
}

// spend counts n instructions' worth of a library function's work.
func (m *meter) spend(n int) {
	m.count += int64(n)
	if m.count >= m.next || m.late.Load() {
		m.look()
	}
}

// reserve counts the building of n bytes, before they are built.
func (m *meter) reserve(n int) {
	m.spend(1 + n/64)
	if n > 64<<10 {
		m.room(uint64(n))
	}
}

func (m *meter) look() {
	m.told.Store(min(m.count, m.limit))
	if m.late.Load() {
		m.exceeded(LimitWall)
	}
	if m.count > m.limit {
		m.count = m.limit
		m.exceeded(LimitInstructions)
	}
	m.room(0)
	m.next = min(m.count+lookEvery, m.limit+1)
}

// room ends the run when the heap with n more bytes is over the limit. What is
// garbage there only a collection tells.
func (m *meter) room(n uint64) {
	most := m.base + m.memory
	objects, live := m.heap()
	if objects+n <= most {
		return
	}
	if live+n <= most && objects+n > most+m.memory/2 {
		runtime.GC()
		_, live = m.heap()
	}
	if live+n > most {
		m.exceeded(LimitMemory)
	}
}

// heap returns the bytes of objects on the heap, and of those that the last
// collection found alive.
func (m *meter) heap() (objects, live uint64) {
	metrics.Read(m.samples[:])
	return m.samples[0].Value.Uint64(), m.samples[1].Value.Uint64()
}
