package host

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// KernelMemory is what the kernel uses for itself, in bytes, and its huge pages.
// What this kernel does not have is not Known.
type KernelMemory struct {
	Total              Count // of the machine
	SlabReclaimable    Count // caches of files and names that can be dropped
	SlabUnreclaimable  Count
	PageTables, Stacks Count
	PerCPU, Vmalloc    Count
	HugePageSize       Count
	HugePages          Count // reserved pages of that size
	HugePagesFree      Count // of them, used by nobody
	HugePagesReserved  Count // of the free ones, promised to somebody
	TransparentHuge    Count // bytes that programs have in huge pages without asking
}

// KernelMemory reads it.
func (r *Reader) KernelMemory() (*KernelMemory, error) {
	b, err := r.readProc("meminfo")
	if err != nil {
		return nil, fmt.Errorf("read kernel memory: %w", err)
	}
	return parseKernelMemory(b), nil
}

func parseKernelMemory(b []byte) *KernelMemory {
	m := &KernelMemory{}
	bytes := map[string]*Count{
		"MemTotal": &m.Total, "SReclaimable": &m.SlabReclaimable, "SUnreclaim": &m.SlabUnreclaimable, "PageTables": &m.PageTables,
		"KernelStack": &m.Stacks, "Percpu": &m.PerCPU, "VmallocUsed": &m.Vmalloc, "Hugepagesize": &m.HugePageSize, "AnonHugePages": &m.TransparentHuge,
	}
	pages := map[string]*Count{"HugePages_Total": &m.HugePages, "HugePages_Free": &m.HugePagesFree, "HugePages_Rsvd": &m.HugePagesReserved}
	for line := range strings.Lines(string(b)) {
		key, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		value, unit, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n := count(value)
		if !n.Known || n.N > 1<<52 {
			continue
		}
		if to := bytes[key]; to != nil && unit == "kB" {
			*to = known(n.N << 10)
		}
		if to := pages[key]; to != nil {
			*to = n
		}
	}
	return m
}

// A Zone is one zone of memory with its free blocks.
type Zone struct {
	Node, Name string
	Free       []uint64 // blocks of 1, 2, 4, … pages
}

// FreePages returns how many pages are free.
func (z Zone) FreePages() uint64 {
	n := uint64(0)
	for order, blocks := range z.Free {
		n += blocks << order
	}
	return n
}

// Unusable returns the share of the free pages, in percent, that lie in blocks
// smaller than 2^order pages: of no use to who needs such a block. It is false when
// nothing is free. (Gorman and Whitcroft, "The What, The Why and the Where To of
// Anti-Fragmentation", 2006: the unusable free space index.)
func (z Zone) Unusable(order int) (float64, bool) {
	all, small := z.FreePages(), uint64(0)
	if all == 0 {
		return 0, false
	}
	for o, blocks := range z.Free[:min(order, len(z.Free))] {
		small += blocks << o
	}
	return 100 * float64(small) / float64(all), true
}

// Zones reads the free blocks of each zone.
func (r *Reader) Zones() ([]Zone, error) {
	b, err := r.readProc("buddyinfo")
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read free blocks: %w", err)
	}
	return parseZones(b), nil
}

// parseZones reads lines of "Node 0, zone   Normal      2    161 …".
func parseZones(b []byte) []Zone {
	var out []Zone
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 5 || f[0] != "Node" || f[2] != "zone" || len(f) > 40 {
			continue
		}
		z := Zone{Node: strings.TrimSuffix(f[1], ","), Name: f[3]}
		for _, word := range f[4:] {
			n, err := strconv.ParseUint(word, 10, 32)
			if err != nil {
				z.Free = nil
				break
			}
			z.Free = append(z.Free, n)
		}
		if len(z.Free) > 0 {
			out = append(out, z)
		}
	}
	return out
}

// ErrSlabs says that the caches of the kernel may not be listed, and what grants it.
var ErrSlabs = errors.New("list the kernel's caches: /proc/slabinfo is for root only: run the probe with CAP_DAC_READ_SEARCH to see them")

// A Slab is one cache of the kernel's own objects.
type Slab struct {
	Name          string
	Active, Total uint64 // objects
	ObjectSize    uint64 // bytes
	Bytes         uint64 // that the cache holds
}

// Usage returns the share of the cache's bytes that hold live objects; 1 when it is empty.
func (s Slab) Usage() float64 {
	if s.Bytes == 0 {
		return 1
	}
	return min(1, float64(s.Active*s.ObjectSize)/float64(s.Bytes))
}

// Slabs lists the caches. The error is ErrSlabs without the privilege.
func (r *Reader) Slabs() ([]Slab, error) {
	b, err := r.readProc("slabinfo")
	if absent(err) {
		return nil, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, ErrSlabs
	}
	if err != nil {
		return nil, fmt.Errorf("list the kernel's caches: %w", err)
	}
	return parseSlabs(b), nil
}

// parseSlabs reads lines of "name active total size per_slab pages : tunables … : slabdata slabs …".
func parseSlabs(b []byte) []Slab {
	const page, mostPages = 4096, 1 << 16
	var out []Slab
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 15 || f[6] != ":" || f[12] != "slabdata" {
			continue
		}
		n, err := uints(strings.Join(f[1:6], " "), 5)
		slabs := count(f[14])
		if err != nil || !slabs.Known || slabs.N > 1<<36 || n[4] > mostPages || n[2] > 1<<26 || n[0] > 1<<36 {
			continue
		}
		out = append(out, Slab{Name: f[0], Active: n[0], Total: n[1], ObjectSize: n[2], Bytes: slabs.N * n[4] * page})
	}
	return out
}
