package allocator

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed host.md
var hostPrompt string

func hostSource(r *host.Reader) skills.Source {
	k := &kernel{host: r}
	return skills.Source{
		Kind: skills.Host, Prompt: hostPrompt, Metrics: hostMetrics, Checks: hostChecks, Calls: k.calls(), Snapshot: k.snapshot,
	}
}

var hostMetrics = []skills.Metric{
	skills.Gauge("kernel_memory_pct", protocol.Percent, "What the kernel holds for itself and cannot drop, of the machine's memory: slab, page tables, stacks, per-processor data, vmalloc."),
	skills.Gauge("slab_unreclaimable_mb", protocol.Mebibytes, "The kernel's own objects that cannot be dropped."),
	skills.Gauge("slab_unreclaimable_pct", protocol.Percent, "The same, of the machine's memory."),
	skills.Gauge("slab_reclaimable_mb", protocol.Mebibytes, "Caches of names and files, which are dropped when memory is wanted."),
	skills.Gauge("page_tables_mb", protocol.Mebibytes, "Page tables of all processes."),
	skills.Gauge("page_tables_pct", protocol.Percent, "The same, of the machine's memory."),
	skills.Gauge("kernel_stacks_mb", protocol.Mebibytes, "Kernel stacks: some 16 KiB a thread."),
	skills.Gauge("vmalloc_mb", protocol.Mebibytes, "Large areas of the kernel."),

	skills.Gauge("allocator_count", protocol.Count, "Caches of the kernel that hold memory; absent, as the next ones, where they may not be listed."),
	skills.Info("top_allocator", protocol.Text, "The cache with most memory; says so where they may not be listed."),
	skills.Gauge("top_allocator_mb", protocol.Mebibytes, "What it holds."),
	skills.Gauge("top_allocator_growth_mb_per_min", protocol.Mebibytes, "How fast the fastest growing cache grew between its last two readings, in MiB a minute; only in a snapshot that has read them anew, every other minute."),
	skills.Info("growing_allocator", protocol.Text, "That cache; absent when none grew."),
	skills.Gauge("fragmented_allocators", protocol.Count, "Caches of 1 MiB and more of which less than half is used."),
	skills.Gauge("worst_usage_ratio", protocol.Ratio, "The used share of the worst of those caches, 0 to 1; 1 when there is none of that size."),

	skills.Gauge("fragmentation_32k_pct", protocol.Percent, "Free memory in blocks smaller than 32 KiB, of all that is free in the zone where that is most: of no use to drivers and network buffers."),
	skills.Gauge("fragmentation_2m_pct", protocol.Percent, "Free memory in blocks smaller than 2 MiB, of all that is free: of no use for huge pages."),
	skills.Gauge("compact_stalls_per_sec", protocol.PerSecond, "How often somebody had to wait while memory was put together into larger blocks."),
	skills.Gauge("compact_fails_per_sec", protocol.PerSecond, "How often that was in vain."),
	skills.Gauge("huge_fallback_pct", protocol.Percent, "Of the huge pages wanted at page faults, those for which there was no block; absent below ten a second."),
	skills.Gauge("huge_pages_reserved_mb", protocol.Mebibytes, "Memory set aside for huge pages."),
	skills.Gauge("huge_pages_idle_pct", protocol.Percent, "Of the machine's memory, what is set aside for huge pages and used by nobody."),
}

var hostChecks = []skills.Check{
	skills.Above("slab_unreclaimable_pct", 20, 40, "memory",
		"the kernel's own objects hold {value} % of the memory and cannot be dropped; the largest cache is {top_allocator}",
		"allocator_summary(10)",
		"The cache names what is kept: dentry and inode caches are files, kmalloc a driver or module, sock connections. One that only grows is a leak in the kernel or a module."),
	skills.Above("page_tables_pct", 10, 25, "memory",
		"page tables hold {value} % of the memory",
		"allocator_kernel_memory()",
		"Many processes map the same large memory in small pages (databases with shared buffers): huge pages, or fewer processes (a pool)."),
	skills.Above("compact_stalls_per_sec", 50, 500, "fragmentation",
		"{value} times a second somebody waits while memory is put together into larger blocks; {fragmentation_2m_pct} % of what is free is in blocks too small for huge pages",
		"allocator_fragmentation()",
		"Programs stall for huge pages: set transparent huge pages to madvise, or leave more memory free (vm.min_free_kbytes)."),
	skills.Above("huge_pages_idle_pct", 25, 50, "memory",
		"{value} % of the memory is set aside for huge pages and used by nobody",
		"allocator_huge_pages()",
		"Lower vm.nr_hugepages, or let the program use them: nobody else can."),
}

// A kernel reads what the kernel's allocators hold. It is safe for concurrent use.
type kernel struct {
	host *host.Reader
	skills.History[*reading]

	mu     sync.Mutex
	caches skills.Reading[[]host.Slab] // as snapshots read them last
}

// cachesFor is for how long snapshots take the kernel's caches for unchanged: they
// change slowly, and to list them costs as much as all else that is read here.
const cachesFor = 100 * time.Second

// A reading is what is read at one moment; nil is what could not be.
type reading struct {
	memory *host.KernelMemory
	vm     *host.VM
	zones  []host.Zone
	slabs  []host.Slab // largest first
	// slabsAt is when they were read: a little earlier than the rest, in a snapshot.
	slabsAt time.Time
	hidden  bool // the caches may not be listed
}

// read reads all of it; caches that are not older than recent will do.
func (k *kernel) read(_ context.Context, recent time.Duration) (*reading, error) {
	r := &reading{}
	var errs [4]error
	r.memory, errs[0] = k.host.KernelMemory()
	r.vm, errs[1] = k.host.VM()
	r.zones, errs[2] = k.host.Zones()
	if r.slabs, r.slabsAt, errs[3] = k.slabs(recent); errors.Is(errs[3], host.ErrSlabs) {
		r.hidden, errs[3] = true, nil // what is absent says so
	}
	return r, errors.Join(errs[:]...)
}

// slabs lists the caches, largest first, and says when they were read.
func (k *kernel) slabs(recent time.Duration) ([]host.Slab, time.Time, error) {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.caches.Value != nil && now.Sub(k.caches.At) < recent {
		return k.caches.Value, k.caches.At, nil
	}
	list, err := k.host.Slabs()
	slices.SortStableFunc(list, func(a, b host.Slab) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name)) })
	if recent > 0 {
		k.caches = skills.Reading[[]host.Slab]{At: now, Value: list}
	}
	return list, now, err
}

func (k *kernel) snapshot(ctx context.Context) (skills.Data, error) {
	now := time.Now()
	r, err := k.read(ctx, cachesFor)
	d := skills.Data{}
	r.levels(d)
	r.caches(d)
	r.blocks(d)
	if base := k.Advance(now, r); base != nil {
		r.rates(d, base.Value, now.Sub(base.At))
	}
	return d, err
}

func mebibytes(n uint64) float64 { return float64(n) / (1 << 20) }

func (r *reading) levels(d skills.Data) {
	m := r.memory
	if m == nil || !m.Total.Known || m.Total.N == 0 {
		return
	}
	total := float64(m.Total.N)
	set := func(name string, c host.Count) {
		if c.Known {
			d.Set(name, mebibytes(c.N), 1)
		}
	}
	set("slab_unreclaimable_mb", m.SlabUnreclaimable)
	set("slab_reclaimable_mb", m.SlabReclaimable)
	set("page_tables_mb", m.PageTables)
	set("kernel_stacks_mb", m.Stacks)
	set("vmalloc_mb", m.Vmalloc)
	if m.SlabUnreclaimable.Known {
		d.Set("slab_unreclaimable_pct", 100*float64(m.SlabUnreclaimable.N)/total, 1)
		own := m.SlabUnreclaimable.N + m.PageTables.N + m.Stacks.N + m.PerCPU.N + m.Vmalloc.N
		d.Set("kernel_memory_pct", 100*float64(own)/total, 1)
	}
	if m.PageTables.Known {
		d.Set("page_tables_pct", 100*float64(m.PageTables.N)/total, 1)
	}
	if m.HugePages.Known && m.HugePageSize.Known {
		d.Set("huge_pages_reserved_mb", mebibytes(m.HugePages.N*m.HugePageSize.N), 0)
		idle := m.HugePagesFree.N - min(m.HugePagesReserved.N, m.HugePagesFree.N)
		d.Set("huge_pages_idle_pct", 100*float64(idle*m.HugePageSize.N)/total, 1)
	}
}

// Of a cache that is smaller it does not matter how much is used.
const worthwhile = 1 << 20

// fragmented is the used share below which a cache counts as fragmented.
const fragmented = 0.5

func (r *reading) caches(d skills.Data) {
	if r.hidden {
		d.Text("top_allocator", "hidden from this user: /proc/slabinfo is for root")
		return
	}
	if len(r.slabs) == 0 {
		return
	}
	count, bad, worst := 0, 0, 1.0
	for _, s := range r.slabs {
		if s.Bytes > 0 {
			count++
		}
		if s.Bytes >= worthwhile {
			u := s.Usage()
			worst = min(worst, u)
			if u < fragmented {
				bad++
			}
		}
	}
	d.Set("allocator_count", float64(count), 0)
	d.Set("fragmented_allocators", float64(bad), 0)
	d.Set("worst_usage_ratio", worst, 3)
	d.Text("top_allocator", r.slabs[0].Name)
	d.Set("top_allocator_mb", mebibytes(r.slabs[0].Bytes), 1)
}

// Orders of blocks with 4 KiB pages.
const (
	order32K = 3
	order2M  = 9
)

func (r *reading) blocks(d skills.Data) {
	if pct, ok := r.unusable(order32K); ok {
		d.Set("fragmentation_32k_pct", pct, 1)
	}
	var all host.Zone
	for _, z := range r.zones {
		for len(all.Free) < len(z.Free) {
			all.Free = append(all.Free, 0)
		}
		for o, n := range z.Free {
			all.Free[o] += n
		}
	}
	if pct, ok := all.Unusable(order2M); ok {
		d.Set("fragmentation_2m_pct", pct, 1)
	}
}

// unusable returns the worst zone's share; small zones for old devices do not count.
func (r *reading) unusable(order int) (float64, bool) {
	worst, known := 0.0, false
	for _, z := range r.zones {
		if z.Name != "Normal" && z.Name != "DMA32" && z.Name != "Movable" {
			continue
		}
		if pct, ok := z.Unusable(order); ok {
			worst, known = max(worst, pct), true
		}
	}
	return worst, known
}

func (r *reading) rates(d skills.Data, prev *reading, elapsed time.Duration) {
	if r.vm != nil && prev.vm != nil {
		for name, c := range map[string][2]host.Count{
			"compact_stalls_per_sec": {prev.vm.CompactStalls, r.vm.CompactStalls},
			"compact_fails_per_sec":  {prev.vm.CompactFails, r.vm.CompactFails},
		} {
			if v, ok := host.PerSecond(c[0], c[1], elapsed); ok {
				d.Set(name, v, 1)
			}
		}
		given, ok := host.PerSecond(prev.vm.HugeFaults, r.vm.HugeFaults, elapsed)
		missed, ok2 := host.PerSecond(prev.vm.HugeFallbacks, r.vm.HugeFallbacks, elapsed)
		if ok && ok2 && given+missed >= 10 {
			d.Set("huge_fallback_pct", 100*missed/(given+missed), 1)
		}
	}
	elapsed = r.slabsAt.Sub(prev.slabsAt)
	if len(r.slabs) == 0 || len(prev.slabs) == 0 || elapsed <= 0 {
		return
	}
	before := make(map[string]uint64, len(prev.slabs))
	for _, s := range prev.slabs {
		before[s.Name] = s.Bytes
	}
	name, most := "", uint64(0)
	for _, s := range r.slabs {
		if was, ok := before[s.Name]; ok && s.Bytes > was && s.Bytes-was > most {
			name, most = s.Name, s.Bytes-was
		}
	}
	d.Set("top_allocator_growth_mb_per_min", mebibytes(most)/elapsed.Minutes(), 2)
	d.Text("growing_allocator", name)
}
