package host

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// TicksPerSecond is the unit of processor time in proc (USER_HZ). It is part of
// the kernel's interface and 100 on every architecture Go runs on.
const TicksPerSecond = 100

// CPU is what /proc/stat says since boot. Times are in ticks over all cores.
type CPU struct {
	Busy   uint64 // user, nice, system and interrupts
	Idle   uint64
	IOWait uint64
	Steal  uint64 // wanted by this machine, given to another by the hypervisor
	Cores  int    // cores online

	ContextSwitches Count
	Forks           Count
	Blocked         Count // tasks waiting for I/O right now
	Running         Count // tasks running or ready to run right now, the reader among them
}

// A CPUShare says where the processor time of an interval went, in percent of
// all cores.
type CPUShare struct{ Used, IOWait, Steal float64 }

// Since returns the shares of the time between two readings, and false when
// they cannot be told: no tick passed or the counters were reset.
func (c CPU) Since(prev CPU) (CPUShare, bool) {
	if c.Busy < prev.Busy || c.Idle+c.IOWait < prev.Idle+prev.IOWait || c.Steal < prev.Steal {
		return CPUShare{}, false
	}
	busy, steal := c.Busy-prev.Busy, c.Steal-prev.Steal
	quiet := c.Idle + c.IOWait - prev.Idle - prev.IOWait
	total := float64(busy + steal + quiet)
	if total == 0 {
		return CPUShare{}, false
	}
	// The kernel's iowait may go back a little: then nothing waited.
	var wait uint64
	if c.IOWait > prev.IOWait {
		wait = min(c.IOWait-prev.IOWait, quiet)
	}
	return CPUShare{
		Used:   100 * float64(busy) / total,
		IOWait: 100 * float64(wait) / total,
		Steal:  100 * float64(steal) / total,
	}, true
}

// CPU reads the processor times. It is not gopsutil's Times: the switches, forks
// and cores are in the same file, which is the dearest to read on many cores.
func (r *Reader) CPU() (*CPU, error) {
	b, err := r.readProc("stat")
	if err != nil {
		return nil, fmt.Errorf("read processor times: %w", err)
	}
	c, err := parseCPU(b)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

func parseCPU(b []byte) (CPU, error) {
	var c CPU
	total := false
	for line := range strings.Lines(string(b)) {
		key, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case key == "cpu":
			t, err := uints(rest, 8)
			if err != nil {
				return CPU{}, fmt.Errorf("processor times: %w", err)
			}
			c.Busy, c.Idle, c.IOWait, c.Steal = t[0]+t[1]+t[2]+t[5]+t[6], t[3], t[4], t[7]
			total = true
		case strings.HasPrefix(key, "cpu"):
			c.Cores++
		case key == "ctxt":
			c.ContextSwitches = count(rest)
		case key == "processes":
			c.Forks = count(rest)
		case key == "procs_blocked":
			c.Blocked = count(rest)
		case key == "procs_running":
			c.Running = count(rest)
		}
	}
	if !total || c.Cores == 0 {
		return CPU{}, errors.New("processor times: no line of a cpu")
	}
	return c, nil
}

// Load is the load average: tasks running or waiting for the processor or a disk.
type Load struct {
	One, Five, Fifteen float64
}

// Load reads the load averages. It is not gopsutil's Avg: that panics on an empty
// file, and for one it cannot read tells those of the machine it runs on.
func (r *Reader) Load() (*Load, error) {
	b, err := r.readProc("loadavg")
	if err != nil {
		return nil, fmt.Errorf("read load: %w", err)
	}
	l, err := parseLoad(b)
	if err != nil {
		return nil, err
	}
	return &l, nil
}

func parseLoad(b []byte) (Load, error) {
	f := strings.Fields(string(b))
	if len(f) < 3 {
		return Load{}, fmt.Errorf("load: %.40q has fewer than three numbers", b)
	}
	var l Load
	for i, to := range []*float64{&l.One, &l.Five, &l.Fifteen} {
		v, err := strconv.ParseFloat(f[i], 64)
		if err != nil || !(v >= 0 && v < 1e9) {
			return Load{}, fmt.Errorf("load: %.40q is no load average", f[i])
		}
		*to = v
	}
	return l, nil
}

// uints parses at least n numbers separated by blanks.
func uints(s string, n int) ([]uint64, error) {
	f := strings.Fields(s)
	if len(f) < n {
		return nil, fmt.Errorf("%.80q has %d numbers, need %d", s, len(f), n)
	}
	out := make([]uint64, len(f))
	for i := range f {
		var err error
		if out[i], err = strconv.ParseUint(f[i], 10, 64); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func count(s string) Count {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	return Count{N: n, Known: err == nil}
}
