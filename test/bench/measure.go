package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A figure is a measured value, with the budget that it has to keep when there
// is one to compare it with.
type figure struct {
	Value  float64  `json:"value"`
	Budget *float64 `json:"budget,omitempty"`
	Met    *bool    `json:"met,omitempty"`
}

// measured is a figure without a budget.
func measured(value float64) figure { return figure{Value: round(value)} }

// atMost is a figure that is better when small.
func atMost(value, budget float64) figure {
	return figure{round(value), new(round(budget)), new(value <= budget)}
}

// atLeast is a figure that is better when large.
func atLeast(value, budget float64) figure {
	return figure{round(value), new(round(budget)), new(value >= budget)}
}

// round keeps four significant digits.
func round(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	unit := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*unit) / unit
}

func ms(d time.Duration) float64 { return round(float64(d) / float64(time.Millisecond)) }
func us(d time.Duration) float64 { return round(float64(d) / float64(time.Microsecond)) }

// per divides a time among n; it is 0 for none.
func per(d time.Duration, n int) time.Duration {
	if n == 0 {
		return 0
	}
	return d / time.Duration(n)
}

// percentile returns the smallest of the values that at least p percent of them
// do not exceed (nearest rank); 0 for no values.
func percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// A machine says where a figure was measured.
type machine struct {
	Cores  int     `json:"cores"`
	Kernel string  `json:"kernel"`
	Arch   string  `json:"arch"`
	Go     string  `json:"go"`
	Load1m float64 `json:"load_1m"` // before the run
}

func readMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Arch: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Load1m: loadAverage()}
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	return m
}

// loadAverage returns the load of the last minute; 0 where it cannot be read.
func loadAverage() float64 {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), " ")
	v, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return v
}

// processes returns how many processes there are.
func processes() (int, error) {
	entries, err := os.ReadDir("/proc")
	n := 0
	for _, e := range entries {
		if c := e.Name()[0]; c >= '0' && c <= '9' {
			n++
		}
	}
	return n, err
}

// cpuTime returns the CPU time that a process has used, all threads, user and
// system. It is the sum of utime and stime of /proc/PID/stat in nanoseconds
// instead of hundredths of a second.
func cpuTime(pid int) (time.Duration, error) {
	const sched = 2 // CPUCLOCK_SCHED of the whole process, as clock_getcpuclockid(3) makes it
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &ts); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// memory is what a process holds.
type memory struct {
	rss  float64 // MB now
	anon float64 // MB of those that are no file's pages
	peak float64 // MB, the most so far
}

func readMemory(pid int) (memory, error) {
	// smaps_rollup walks the pages; the counters in status may be some 100 KB behind.
	var m memory
	var err error
	if m.rss, err = megabytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Rss"); err != nil {
		return m, err
	}
	if m.anon, err = megabytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Anonymous"); err != nil {
		return m, err
	}
	m.peak, err = megabytes(fmt.Sprintf("/proc/%d/status", pid), "VmHWM")
	return m, err
}

func megabytes(file, key string) (float64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	kb, err := kilobytes(b, key)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return float64(kb) * 1024 / 1e6, nil
}

// kilobytes reads a line such as "VmRSS:   1234 kB".
func kilobytes(text []byte, key string) (int64, error) {
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		if len(f) == 3 && f[0] == key+":" && f[2] == "kB" {
			return strconv.ParseInt(f[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("no line %q in kB", key)
}
