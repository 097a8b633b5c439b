package host

import (
	"fmt"
	"strings"
	"time"
)

// A Disk is the I/O of one whole disk since boot.
type Disk struct {
	Name       string
	Stacked    bool // made of other disks (device mapper, md): its I/O is theirs too
	Reads      uint64
	ReadBytes  uint64
	ReadTime   time.Duration // summed over requests
	Writes     uint64
	WriteBytes uint64
	WriteTime  time.Duration
	Busy       time.Duration // time with at least one request in flight
	Queued     time.Duration // that time, each moment counted once for each request in flight
	InFlight   uint64
}

// A DiskRate is the I/O of one disk over an interval.
type DiskRate struct {
	Name                  string
	Stacked               bool
	ReadBytes, WriteBytes float64 // per second
	Reads, Writes         float64 // per second
	UtilPct               float64 // share of time with a request in flight
	AwaitMS               float64 // mean time of a request; 0 when there was none
	Queue                 float64 // mean number of requests in flight
	InFlight              uint64
}

// Since returns the disk's I/O between two readings, and false when it cannot
// be told: another disk, no time passed, or its counters were reset.
func (d Disk) Since(prev Disk, elapsed time.Duration) (DiskRate, bool) {
	if d.Name != prev.Name || elapsed <= 0 || d.Reads < prev.Reads || d.Writes < prev.Writes ||
		d.ReadBytes < prev.ReadBytes || d.WriteBytes < prev.WriteBytes || d.Busy < prev.Busy {
		return DiskRate{}, false
	}
	sec := elapsed.Seconds()
	r := DiskRate{
		Name: d.Name, Stacked: d.Stacked, InFlight: d.InFlight,
		ReadBytes:  float64(d.ReadBytes-prev.ReadBytes) / sec,
		WriteBytes: float64(d.WriteBytes-prev.WriteBytes) / sec,
		Reads:      float64(d.Reads-prev.Reads) / sec,
		Writes:     float64(d.Writes-prev.Writes) / sec,
		UtilPct:    min(100, 100*(d.Busy-prev.Busy).Seconds()/sec),
	}
	if d.Queued >= prev.Queued {
		r.Queue = (d.Queued - prev.Queued).Seconds() / sec
	}
	waited := d.ReadTime + d.WriteTime - prev.ReadTime - prev.WriteTime
	if n := d.Reads + d.Writes - prev.Reads - prev.Writes; n > 0 && waited > 0 {
		r.AwaitMS = float64(waited.Milliseconds()) / float64(n)
	}
	return r, true
}

// DiskRates returns the I/O of the disks that are in both readings.
func DiskRates(prev, cur []Disk, elapsed time.Duration) []DiskRate {
	var out []DiskRate
	for _, d := range cur {
		for _, p := range prev {
			if r, ok := d.Since(p, elapsed); ok {
				out = append(out, r)
			}
		}
	}
	return out
}

// Disks reads the I/O counters of the disks: partitions, loop devices, RAM
// disks, and optical and floppy drives are left out. It is not gopsutil's
// IOCounters: that looks up serial number and label of each device each time,
// which with 92 devices takes 27 times as long, and drops disks without I/O.
func (r *Reader) Disks() ([]Disk, error) {
	b, err := r.readProc("diskstats")
	if err != nil {
		if absent(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("read disk counters: %w", err)
	}
	return parseDisks(b), nil
}

func parseDisks(b []byte) []Disk {
	var out []Disk
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 14 || hasAnyPrefix(f[2], "loop", "ram", "zram", "sr", "fd") {
			continue
		}
		if len(out) > 0 && partitionOf(f[2], out[len(out)-1].Name) {
			continue
		}
		n, err := uints(strings.Join(f[3:], " "), 11)
		if err != nil {
			continue
		}
		const sector = 512 // whatever the disk's own sectors are
		out = append(out, Disk{
			Name: f[2], Stacked: hasAnyPrefix(f[2], "dm-", "md"),
			Reads: n[0], ReadBytes: n[2] * sector, ReadTime: milliseconds(n[3]),
			Writes: n[4], WriteBytes: n[6] * sector, WriteTime: milliseconds(n[7]),
			InFlight: n[8], Busy: milliseconds(n[9]), Queued: milliseconds(n[10]),
		})
	}
	return out
}

// partitionOf reports whether name is a partition of disk: sda1 of sda, and
// nvme0n1p1 of nvme0n1. The kernel lists a disk right before its partitions.
func partitionOf(name, disk string) bool {
	rest, ok := strings.CutPrefix(name, disk)
	if !ok || disk == "" {
		return false
	}
	if last := disk[len(disk)-1]; last >= '0' && last <= '9' {
		if rest, ok = strings.CutPrefix(rest, "p"); !ok {
			return false
		}
	}
	return rest != "" && strings.Trim(rest, "0123456789") == ""
}

func milliseconds(n uint64) time.Duration {
	const most = 1 << 43 // 278 years, far from overflowing
	return time.Duration(min(n, most)) * time.Millisecond
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
