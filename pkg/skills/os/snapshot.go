package hostos

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A reading is all that one snapshot is made of.
type reading struct {
	*host.Sample
	scan *host.Scan // nil: the processes could not be listed
}

// A history reads the machine and keeps what it read before.
type history struct {
	host *host.Reader
	skills.History[*reading]

	mu   sync.Mutex
	busy []cpuMark // of the last minutes, oldest first
}

type cpuMark struct {
	at  time.Time
	cpu host.CPU
}

const (
	// stalest is the age from which a callback takes a reading of its own because
	// nobody takes snapshots.
	stalest = 10 * time.Minute

	window    = 5 * time.Minute // of cpu_used_5m_pct
	minWindow = 4 * time.Minute
)

func (h *history) read(ctx context.Context) (*reading, error) {
	s, err := h.host.Sample(ctx)
	scan, scanErr := h.scan(ctx)
	return &reading{s, scan}, errors.Join(err, scanErr)
}

func (h *history) scan(ctx context.Context) (*host.Scan, error) {
	hint := 0
	if last := h.Last(); last != nil && last.Value.scan != nil {
		hint = len(last.Value.scan.Processes)
	}
	return h.host.Scan(ctx, hint)
}

// advance makes cur the last reading and returns the reading to take rates against.
func (h *history) advance(cur *reading) *reading {
	if cur.CPU != nil {
		h.mark(cpuMark{cur.At, *cur.CPU})
	}
	return value(h.Advance(cur.At, cur))
}

func value(r *skills.Reading[*reading]) *reading {
	if r == nil {
		return nil
	}
	return r.Value
}

func (h *history) mark(m cpuMark) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.busy); n > 0 && m.at.Sub(h.busy[n-1].at) < skills.ShortestRate {
		return
	}
	h.busy = append(h.busy, m)
	for len(h.busy) > 1 && m.at.Sub(h.busy[1].at) >= window {
		h.busy = h.busy[1:]
	}
}

// since returns the reading to take a callback's rates against, or nil. The
// first callback of a probe that takes no snapshots takes a reading, so that
// the second has something to compare with.
func (h *history) since(ctx context.Context, at time.Time) *reading {
	base, last := value(h.Base(at)), h.Last()
	if last == nil || at.Sub(last.At) > stalest {
		if cur, _ := h.read(ctx); cur.Sample != nil {
			h.advance(cur)
		}
	}
	return base
}

// usedLately returns the use of the processor over the window, and false when
// the history is too short.
func (h *history) usedLately(cur *reading) (float64, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if cur.CPU == nil || len(h.busy) == 0 || cur.At.Sub(h.busy[0].at) < minWindow {
		return 0, false
	}
	share, ok := cur.CPU.Since(h.busy[0].cpu)
	return share.Used, ok
}

func (h *history) snapshot(ctx context.Context) (skills.Data, error) {
	cur, err := h.read(ctx)
	base := h.advance(cur)
	d := fields{}
	d.levels(cur)
	d.filesystems(cur.Filesystems)
	d.pressure(cur.Pressure)
	d.processes(cur)
	d.cgroup(cur.Cgroup)
	if base != nil {
		d.rates(base, cur)
	}
	if used, ok := h.usedLately(cur); ok {
		d.set("cpu_used_5m_pct", used, 1)
	}
	return skills.Data(d), err
}

// fields is a snapshot being filled. Each of its methods sets what it knows.
type fields skills.Data

func (d fields) set(name string, v float64, decimals int) { skills.Data(d).Set(name, v, decimals) }
func (d fields) text(name, v string)                      { skills.Data(d).Text(name, v) }

func (d fields) count(name string, c host.Count) {
	if c.Known {
		d[name] = float64(c.N)
	}
}

// growth sets how much a counter grew, unless it was reset.
func (d fields) growth(name string, prev, cur host.Count) {
	if prev.Known && cur.Known && cur.N >= prev.N {
		d[name] = float64(cur.N - prev.N)
	}
}

func (d fields) levels(cur *reading) {
	if l := cur.Load; l != nil {
		d.set("cpu_load_1m", l.One, 2)
		d.set("cpu_load_5m", l.Five, 2)
		d.set("cpu_load_15m", l.Fifteen, 2)
		if cur.CPU != nil {
			d.set("cpu_load_per_core_1m", l.One/float64(cur.CPU.Cores), 2)
		}
	}
	if c := cur.CPU; c != nil {
		d.set("cpu_count", float64(c.Cores), 0)
		d.count("processes_blocked", c.Blocked)
	}
	if m := cur.Memory; m != nil {
		d.set("memory_used_pct", m.UsedPct(), 1)
		d.set("memory_total_mb", mebibytes(m.Total), 0)
		d.set("memory_available_mb", mebibytes(m.Available), 0)
		if pct, ok := m.SwapUsedPct(); ok {
			d.set("swap_used_pct", pct, 1)
		}
	}
	if cur.VM != nil {
		d.count("oom_kills", cur.VM.OOMKills)
	}
	if f := cur.Files; f != nil {
		d.set("file_descriptors_used", float64(f.Open), 0)
		d.set("file_descriptors_used_pct", 100*float64(f.Open)/float64(f.Max), 1)
	}
	if cur.Uptime > 0 {
		d.set("uptime_seconds", cur.Uptime.Seconds(), 0)
	}
}

func (d fields) filesystems(list []host.Filesystem) {
	if len(list) == 0 {
		return
	}
	hung := 0
	var fullest, fewest *host.Filesystem
	most := -1.0
	for i := range list {
		f := &list[i]
		if f.Hung {
			hung++
			d.text("disk_hung_mount", f.Mount)
			continue
		}
		if f.Mount == "/" {
			d.set("disk_root_used_pct", f.UsedPct(), 1)
		}
		if f.ReadOnly {
			continue // full by design, and nobody can fill it further
		}
		if fullest == nil { // the list begins with it
			fullest = f
		}
		if pct, ok := f.InodesUsedPct(); ok && pct > most {
			most, fewest = pct, f
		}
	}
	d.set("disk_hung_mounts", float64(hung), 0)
	if fullest != nil {
		d.set("disk_max_used_pct", fullest.UsedPct(), 1)
		d.set("disk_max_free_mb", mebibytes(fullest.Available), 0)
		d.text("disk_max_mount", fullest.Mount)
	}
	if fewest != nil {
		d.set("inodes_max_used_pct", most, 1)
		d.text("inodes_max_mount", fewest.Mount)
	}
}

func (d fields) pressure(p host.Pressures) {
	if p.CPU != nil {
		d.set("psi_cpu_some_avg10", p.CPU.Some.Avg10, 2)
		d.set("psi_cpu_some_avg300", p.CPU.Some.Avg300, 2)
	}
	if p.Memory != nil {
		d.set("psi_memory_some_avg10", p.Memory.Some.Avg10, 2)
		d.set("psi_memory_full_avg10", p.Memory.Full.Avg10, 2)
	}
	if p.IO != nil {
		d.set("psi_io_some_avg10", p.IO.Some.Avg10, 2)
		d.set("psi_io_full_avg10", p.IO.Full.Avg10, 2)
		d.set("psi_io_full_avg60", p.IO.Full.Avg60, 2)
	}
}

func (d fields) processes(cur *reading) {
	if cur.scan == nil {
		return
	}
	zombies, threads := 0, cur.scan.Threads()
	var largest *host.Process
	for i := range cur.scan.Processes {
		p := &cur.scan.Processes[i]
		if p.State == 'Z' {
			zombies++
		}
		if largest == nil || p.RSS > largest.RSS {
			largest = p
		}
	}
	d.set("processes", float64(len(cur.scan.Processes)), 0)
	d.set("processes_zombie", float64(zombies), 0)
	d.set("threads", float64(threads), 0)
	if cur.Tasks != nil {
		d.set("threads_used_pct", 100*float64(threads)/float64(cur.Tasks.Max), 1)
	}
	d.set("top_memory_mb", mebibytes(largest.RSS), 0)
	d.text("top_memory_process", largest.Label())
}

func (d fields) cgroup(c *host.Cgroup) {
	if c == nil {
		return
	}
	if pct, ok := c.MemoryUsedPct(); ok {
		d.set("cgroup_memory_used_pct", pct, 1)
	}
	if c.MemoryMax.Known {
		d.set("cgroup_memory_limit_mb", mebibytes(c.MemoryMax.N), 0)
	}
	d.count("cgroup_oom_kills", c.OOMKills)
}

func (d fields) rates(prev, cur *reading) {
	elapsed := cur.At.Sub(prev.At)
	perSecond := func(name string, a, b host.Count) {
		if v, ok := host.PerSecond(a, b, elapsed); ok {
			d.set(name, v, 1)
		}
	}
	if prev.CPU != nil && cur.CPU != nil {
		if share, ok := cur.CPU.Since(*prev.CPU); ok {
			d.set("cpu_used_pct", share.Used, 1)
			d.set("cpu_iowait_pct", share.IOWait, 1)
			d.set("cpu_steal_pct", share.Steal, 1)
		}
		perSecond("context_switches_per_sec", prev.CPU.ContextSwitches, cur.CPU.ContextSwitches)
		perSecond("forks_per_sec", prev.CPU.Forks, cur.CPU.Forks)
	}
	if prev.VM != nil && cur.VM != nil {
		perSecond("swap_in_pages_per_sec", prev.VM.SwapIn, cur.VM.SwapIn)
		perSecond("swap_out_pages_per_sec", prev.VM.SwapOut, cur.VM.SwapOut)
		perSecond("major_faults_per_sec", prev.VM.MajorFaults, cur.VM.MajorFaults)
		d.growth("oom_kills_recent", prev.VM.OOMKills, cur.VM.OOMKills)
	}
	if prev.Cgroup != nil && cur.Cgroup != nil && prev.Cgroup.Path == cur.Cgroup.Path {
		d.growth("cgroup_oom_kills_recent", prev.Cgroup.OOMKills, cur.Cgroup.OOMKills)
		if pct, ok := cur.Cgroup.ThrottledPct(*prev.Cgroup); ok {
			d.set("cgroup_cpu_throttled_pct", pct, 1)
		}
	}
	d.disks(host.DiskRates(prev.Disks, cur.Disks, elapsed))
	d.interfaces(host.InterfaceRates(prev.Interfaces, cur.Interfaces, elapsed))
	if prev.scan != nil && cur.scan != nil {
		d.busiest(prev.scan, cur.scan)
	}
}

func (d fields) disks(rates []host.DiskRate) {
	if len(rates) == 0 {
		return
	}
	var read, written, most float64
	busiest := ""
	for _, r := range rates {
		if r.Stacked {
			continue
		}
		read += r.ReadBytes
		written += r.WriteBytes
		if r.UtilPct > most {
			most, busiest = r.UtilPct, r.Name
		}
	}
	d.set("disk_read_bytes_per_sec", read, 0)
	d.set("disk_write_bytes_per_sec", written, 0)
	d.set("disk_busiest_util_pct", most, 1)
	d.text("disk_busiest_device", busiest)
}

func (d fields) interfaces(rates []host.InterfaceRate) {
	if len(rates) == 0 {
		return
	}
	var rx, tx, errs, drops float64
	for _, r := range rates {
		if r.Virtual {
			continue
		}
		rx += r.RxBytes
		tx += r.TxBytes
		errs += r.RxErrors + r.TxErrors
		drops += r.RxDrops + r.TxDrops
	}
	d.set("net_rx_bytes_per_sec", rx, 0)
	d.set("net_tx_bytes_per_sec", tx, 0)
	d.set("net_errors_per_sec", errs, 1)
	d.set("net_drops_per_sec", drops, 1)
}

func (d fields) busiest(prev, cur *host.Scan) {
	var most float64
	var top *host.Process
	cur.CPU(prev, func(p *host.Process, pct float64) {
		if pct > most {
			most, top = pct, p
		}
	})
	d.set("top_cpu_pct", most, 1)
	if top != nil {
		d.text("top_cpu_process", top.Label())
	}
}

func mebibytes(n uint64) float64 { return float64(n) / (1 << 20) }
