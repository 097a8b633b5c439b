package host

import (
	"errors"
	"fmt"

	"github.com/shirou/gopsutil/v4/mem"
)

// Memory is the machine's memory, in bytes.
type Memory struct {
	Total     uint64
	Available uint64 // what programs can still get without swapping, as the kernel (before 3.14: gopsutil) estimates it
	Free      uint64
	Buffers   uint64
	Cached    uint64
	Shared    uint64 // tmpfs and shared memory: part of Cached that cannot be dropped
	Slab      uint64 // the kernel's own objects that cannot be dropped
	SwapTotal uint64
	SwapFree  uint64
}

// Used returns the bytes programs cannot get.
func (m Memory) Used() uint64 { return m.Total - min(m.Available, m.Total) }

// UsedPct returns Used in percent.
func (m Memory) UsedPct() float64 { return 100 * float64(m.Used()) / float64(m.Total) }

// SwapUsedPct returns how much of the swap space is used, and false when there is none.
func (m Memory) SwapUsedPct() (float64, bool) {
	if m.SwapTotal == 0 {
		return 0, false
	}
	return 100 * float64(m.SwapTotal-min(m.SwapFree, m.SwapTotal)) / float64(m.SwapTotal), true
}

// Memory reads the machine's memory.
func (r *Reader) Memory() (m *Memory, err error) {
	defer func() {
		// Where there is no MemAvailable, gopsutil takes fields of zoneinfo without counting them.
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("read memory: %v", p)
		}
	}()
	v, err := mem.VirtualMemoryWithContext(r.roots())
	if err != nil {
		return nil, fmt.Errorf("read memory: %w", err)
	}
	// None available may be true, but not with none free and none cached.
	if v.Total == 0 || v.Available == 0 && v.Free == 0 && v.Cached == 0 {
		return nil, errors.New("read memory: no MemTotal or no MemAvailable")
	}
	return &Memory{
		Total: v.Total, Available: v.Available, Free: v.Free, Buffers: v.Buffers,
		Cached: v.Cached - v.Sreclaimable, // gopsutil adds it, the kernel does not
		Shared: v.Shared, Slab: v.Sunreclaim,
		SwapTotal: v.SwapTotal, SwapFree: v.SwapFree,
	}, nil
}

// VM are the counters of the memory manager since boot.
type VM struct {
	SwapIn      Count // pages
	SwapOut     Count // pages
	MajorFaults Count // page faults that had to read from a disk
	OOMKills    Count // processes killed for want of memory, in any cgroup
	// AllocStalls is how often somebody who wanted memory had to free some first.
	AllocStalls Count
	// CompactStalls is how often somebody had to wait while memory was put together
	// into larger blocks, CompactFails how often that was in vain.
	CompactStalls, CompactFails Count
	// HugeFaults are huge pages given at a page fault, HugeFallbacks those for which
	// there was no large block, so that small pages were given.
	HugeFaults, HugeFallbacks Count
}

// VM reads the counters of the memory manager. It is not gopsutil's
// SwapMemory: that takes every page for 4 KiB and what is not there for zero.
func (r *Reader) VM() (*VM, error) {
	b, err := r.readProc("vmstat")
	if err != nil {
		if absent(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("read memory counters: %w", err)
	}
	v := parseVM(b)
	return &v, nil
}

func parseVM(b []byte) VM {
	var v VM
	keyed(b, func(key string, n uint64) {
		switch key {
		case "pswpin":
			v.SwapIn = known(n)
		case "pswpout":
			v.SwapOut = known(n)
		case "pgmajfault":
			v.MajorFaults = known(n)
		case "oom_kill":
			v.OOMKills = known(n)
		case "allocstall", "allocstall_dma", "allocstall_dma32", "allocstall_normal", "allocstall_movable", "allocstall_device":
			v.AllocStalls = known(v.AllocStalls.N + min(n, 1<<60)) // by zone since 4.10
		case "compact_stall":
			v.CompactStalls = known(n)
		case "compact_fail":
			v.CompactFails = known(n)
		case "thp_fault_alloc":
			v.HugeFaults = known(n)
		case "thp_fault_fallback":
			v.HugeFallbacks = known(n)
		}
	})
	return v
}

// Files says how many file handles the whole machine has open.
type Files struct{ Open, Max uint64 }

// Files reads the number of open file handles.
func (r *Reader) Files() (*Files, error) {
	b, err := r.readProc("sys/fs/file-nr")
	if err != nil {
		if absent(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("read open files: %w", err)
	}
	n, err := uints(string(b), 3)
	if err != nil || n[2] == 0 {
		return nil, fmt.Errorf("open files: %.60q: want three numbers", b)
	}
	return &Files{Open: n[0] - min(n[1], n[0]), Max: n[2]}, nil
}

// TaskLimits says how many threads the machine may have.
type TaskLimits struct{ Max uint64 }

// TaskLimits reads the lower of the two limits on threads.
func (r *Reader) TaskLimits() (*TaskLimits, error) {
	var lowest uint64
	for _, name := range []string{"sys/kernel/pid_max", "sys/kernel/threads-max"} {
		b, err := r.readProc(name)
		if err != nil {
			if absent(err) {
				continue
			}
			return nil, fmt.Errorf("read limit on threads: %w", err)
		}
		if c := count(string(b)); c.Known && c.N > 0 && (lowest == 0 || c.N < lowest) {
			lowest = c.N
		}
	}
	if lowest == 0 {
		return nil, nil
	}
	return &TaskLimits{Max: lowest}, nil
}
