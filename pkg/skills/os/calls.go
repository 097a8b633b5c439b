package hostos

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func calls(h *history) []skills.Call {
	return []skills.Call{
		{
			Name: "system_get_cpu",
			Doc: "Load averages and processor time: load_1m, load_5m, load_15m, load_per_core_1m, cores, process_count, thread_count, blocked (tasks waiting for a disk). " +
				"Since the last snapshot, interval_seconds ago: used_pct, iowait_pct, steal_pct (of all cores), context_switches_per_sec, forks_per_sec.",
			Example: "system_get_cpu()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return h.cpu(ctx) },
		},
		{
			Name: "system_get_memory",
			Doc: "Memory in MiB: total_mb, available_mb, free_mb, used_mb (total - available), used_pct, buffered_mb, cached_mb, shared_mb (tmpfs and shared memory, part of cached_mb), " +
				"kernel_mb (the kernel's own that cannot be dropped), swap_total_mb, swap_used_mb, swap_used_pct. " +
				"Since the last snapshot, interval_seconds ago: swap_in_pages_per_sec, swap_out_pages_per_sec, major_faults_per_sec.",
			Example: "system_get_memory()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return h.memory(ctx) },
		},
		{
			Name: "system_get_disks",
			Doc: "A list of filesystems, fullest first: mount, device, fstype, total_mb, free_mb (for programs that are not root's), used_pct (of what those may use), inodes_used_pct, " +
				"read_only, hung (it does not answer: no sizes). At most 100.",
			Example: "system_get_disks()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return h.filesystems(ctx) },
		},
		{
			Name: "system_get_pressure",
			Doc: "Share of time in percent in which tasks waited, for each of cpu, memory and io: some (at least one task) and full (all tasks), each with avg10, avg60, avg300 (seconds). " +
				"available is false on a kernel that does not measure it.",
			Example: "system_get_pressure()",
			Run:     func(context.Context, skills.Args) (any, error) { return h.pressure() },
		},
		{
			Name: "system_get_io",
			Doc: "I/O since the last snapshot, interval_seconds ago. disks, busiest first: device, read_bytes_per_sec, write_bytes_per_sec, reads_per_sec, writes_per_sec, util_pct, await_ms (mean time of a request), " +
				"in_flight, stacked (made of other disks). interfaces, busiest first: interface, rx_bytes_per_sec, tx_bytes_per_sec, errors_per_sec, drops_per_sec, virtual. At most 50 of each.",
			Example: "system_get_io()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return h.io(ctx) },
		},
		{
			Name: "system_get_limits",
			Doc: "Limits and their use. file_descriptors and threads of the machine: used, max, used_pct. own: the container or service of the probe. cgroups: the 20 groups of the machine (containers, services) " +
				"nearest to their memory limit. Of a group: cgroup, memory_max_mb, memory_used_mb (without cache that can be dropped), memory_used_pct, swap_used_mb, cpu_max_cores, " +
				"throttled_periods_pct (since it started), throttled_seconds, tasks, tasks_max, oom_kills. Control groups version 2 only.",
			Example: "system_get_limits()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return h.limits(ctx) },
		},
		{
			Name: "system_get_oom_kills",
			Doc: "Processes killed for want of memory: total since boot, recent since the last snapshot (interval_seconds ago), by_cgroup (cgroup, oom_kills) for groups that still exist, most first. " +
				"The kernel's log names the processes.",
			Example: "system_get_oom_kills()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return h.oomKills(ctx) },
		},
		{
			Name: "system_top_processes",
			Doc: "The processes that use most. processes: pid, name, ppid, uid, cgroup (its service or container), cpu_pct (of one core), memory_mb (resident), memory_pct, threads, fds, state, started_at, age_seconds. " +
				"cpu_basis says what cpu_pct is over: interval (since the last snapshot, interval_seconds ago) or lifetime. process_count: of the machine. " +
				"by_name: sums over processes of one name where there are several (pages they share count for each). note: what could not be read and how to grant it.",
			Params: []skills.Param{
				{Name: "limit", Type: "integer", Doc: "how many processes", Default: 10.0, Min: skills.Level(1), Max: skills.Level(50)},
				{Name: "sort_by", Type: "string", Doc: "what to sort by", Default: "cpu", Enum: []string{"cpu", "memory", "fds", "threads"}},
			},
			Example: `system_top_processes(5, "memory")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return h.top(ctx, a.Int("limit"), a.String("sort_by"))
			},
		},
	}
}

// opt is a number that may be absent.
func opt(v float64, ok bool, decimals int) *float64 {
	if !ok {
		return nil
	}
	v = skills.Round(v, decimals)
	return &v
}

func optCount(c host.Count) *uint64 {
	if !c.Known {
		return nil
	}
	return &c.N
}

func optMB(c host.Count) *float64 { return opt(mebibytes(c.N), c.Known, 1) }

type cpuAnswer struct {
	Load1         *float64 `json:"load_1m,omitempty"`
	Load5         *float64 `json:"load_5m,omitempty"`
	Load15        *float64 `json:"load_15m,omitempty"`
	LoadPerCore   *float64 `json:"load_per_core_1m,omitempty"`
	Cores         int      `json:"cores"`
	ProcessCount  *int     `json:"process_count,omitempty"`
	ThreadCount   *int     `json:"thread_count,omitempty"`
	Blocked       *uint64  `json:"blocked,omitempty"`
	UsedPct       *float64 `json:"used_pct,omitempty"`
	IOWaitPct     *float64 `json:"iowait_pct,omitempty"`
	StealPct      *float64 `json:"steal_pct,omitempty"`
	SwitchRate    *float64 `json:"context_switches_per_sec,omitempty"`
	ForkRate      *float64 `json:"forks_per_sec,omitempty"`
	IntervalSince *float64 `json:"interval_seconds,omitempty"`
}

func (h *history) cpu(ctx context.Context) (any, error) {
	at := time.Now()
	cpu, err := h.host.CPU()
	if err != nil {
		return nil, err
	}
	a := cpuAnswer{Cores: cpu.Cores, Blocked: optCount(cpu.Blocked)}
	if l, err := h.host.Load(); err == nil {
		a.Load1, a.Load5, a.Load15 = opt(l.One, true, 2), opt(l.Five, true, 2), opt(l.Fifteen, true, 2)
		a.LoadPerCore = opt(l.One/float64(cpu.Cores), true, 2)
	}
	if scan, err := h.scan(ctx); err == nil {
		processes, threads := len(scan.Processes), scan.Threads()
		a.ProcessCount, a.ThreadCount = &processes, &threads
	}
	if prev := h.since(ctx, at); prev != nil && prev.CPU != nil {
		elapsed := at.Sub(prev.At)
		share, ok := cpu.Since(*prev.CPU)
		a.UsedPct, a.IOWaitPct, a.StealPct = opt(share.Used, ok, 1), opt(share.IOWait, ok, 1), opt(share.Steal, ok, 1)
		a.SwitchRate = rate(prev.CPU.ContextSwitches, cpu.ContextSwitches, elapsed)
		a.ForkRate = rate(prev.CPU.Forks, cpu.Forks, elapsed)
		a.IntervalSince = opt(elapsed.Seconds(), true, 1)
	}
	return a, nil
}

func rate(prev, cur host.Count, elapsed time.Duration) *float64 {
	v, ok := host.PerSecond(prev, cur, elapsed)
	return opt(v, ok, 1)
}

type memoryAnswer struct {
	TotalMB       float64  `json:"total_mb"`
	AvailableMB   float64  `json:"available_mb"`
	FreeMB        float64  `json:"free_mb"`
	UsedMB        float64  `json:"used_mb"`
	UsedPct       float64  `json:"used_pct"`
	BufferedMB    float64  `json:"buffered_mb"`
	CachedMB      float64  `json:"cached_mb"`
	SharedMB      float64  `json:"shared_mb"`
	KernelMB      float64  `json:"kernel_mb"`
	SwapTotalMB   float64  `json:"swap_total_mb"`
	SwapUsedMB    float64  `json:"swap_used_mb"`
	SwapUsedPct   *float64 `json:"swap_used_pct,omitempty"`
	SwapIn        *float64 `json:"swap_in_pages_per_sec,omitempty"`
	SwapOut       *float64 `json:"swap_out_pages_per_sec,omitempty"`
	MajorFaults   *float64 `json:"major_faults_per_sec,omitempty"`
	IntervalSince *float64 `json:"interval_seconds,omitempty"`
}

func (h *history) memory(ctx context.Context) (any, error) {
	at := time.Now()
	m, err := h.host.Memory()
	if err != nil {
		return nil, err
	}
	mb := func(n uint64) float64 { return skills.Round(mebibytes(n), 1) }
	pct, hasSwap := m.SwapUsedPct()
	a := memoryAnswer{
		TotalMB: mb(m.Total), AvailableMB: mb(m.Available), FreeMB: mb(m.Free), UsedMB: mb(m.Used()), UsedPct: skills.Round(m.UsedPct(), 1),
		BufferedMB: mb(m.Buffers), CachedMB: mb(m.Cached), SharedMB: mb(m.Shared), KernelMB: mb(m.Slab),
		SwapTotalMB: mb(m.SwapTotal), SwapUsedMB: mb(m.SwapTotal - min(m.SwapFree, m.SwapTotal)), SwapUsedPct: opt(pct, hasSwap, 1),
	}
	vm, err := h.host.VM()
	if err != nil || vm == nil {
		return a, err
	}
	if prev := h.since(ctx, at); prev != nil && prev.VM != nil {
		elapsed := at.Sub(prev.At)
		a.SwapIn = rate(prev.VM.SwapIn, vm.SwapIn, elapsed)
		a.SwapOut = rate(prev.VM.SwapOut, vm.SwapOut, elapsed)
		a.MajorFaults = rate(prev.VM.MajorFaults, vm.MajorFaults, elapsed)
		a.IntervalSince = opt(elapsed.Seconds(), true, 1)
	}
	return a, nil
}

type filesystemAnswer struct {
	Mount         string   `json:"mount"`
	Device        string   `json:"device,omitempty"`
	Type          string   `json:"fstype,omitempty"`
	TotalMB       *float64 `json:"total_mb,omitempty"`
	FreeMB        *float64 `json:"free_mb,omitempty"`
	UsedPct       *float64 `json:"used_pct,omitempty"`
	InodesUsedPct *float64 `json:"inodes_used_pct,omitempty"`
	ReadOnly      bool     `json:"read_only,omitempty"`
	Hung          bool     `json:"hung,omitempty"`
}

func (h *history) filesystems(ctx context.Context) (any, error) {
	list, err := h.host.Filesystems(ctx)
	if err != nil && len(list) == 0 {
		return nil, err
	}
	const most = 100
	out := make([]filesystemAnswer, 0, min(len(list), most))
	for _, f := range list[:min(len(list), most)] {
		inodes, ok := f.InodesUsedPct()
		out = append(out, filesystemAnswer{
			Mount: skills.Cut(f.Mount), Device: skills.Cut(f.Device), Type: f.Type, ReadOnly: f.ReadOnly, Hung: f.Hung,
			TotalMB: opt(mebibytes(f.Total), !f.Hung, 1), FreeMB: opt(mebibytes(f.Available), !f.Hung, 1),
			UsedPct: opt(f.UsedPct(), !f.Hung, 1), InodesUsedPct: opt(inodes, ok, 1),
		})
	}
	return out, nil
}

type stallAnswer struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
}

type pressureAnswer struct {
	Some stallAnswer `json:"some"`
	Full stallAnswer `json:"full"`
}

func (h *history) pressure() (any, error) {
	p, err := h.host.Pressure()
	if err != nil {
		return nil, err
	}
	stall := func(s host.Stall) stallAnswer { return stallAnswer{s.Avg10, s.Avg60, s.Avg300} }
	of := func(p *host.Pressure) *pressureAnswer {
		if p == nil {
			return nil
		}
		return &pressureAnswer{stall(p.Some), stall(p.Full)}
	}
	a := struct {
		Available bool            `json:"available"`
		CPU       *pressureAnswer `json:"cpu,omitempty"`
		Memory    *pressureAnswer `json:"memory,omitempty"`
		IO        *pressureAnswer `json:"io,omitempty"`
		Note      string          `json:"note,omitempty"`
	}{CPU: of(p.CPU), Memory: of(p.Memory), IO: of(p.IO)}
	a.Available = a.CPU != nil || a.Memory != nil || a.IO != nil
	if !a.Available {
		a.Note = "this kernel does not measure pressure; it does when started with psi=1"
	}
	return a, nil
}

type diskAnswer struct {
	Device     string  `json:"device"`
	ReadBytes  float64 `json:"read_bytes_per_sec"`
	WriteBytes float64 `json:"write_bytes_per_sec"`
	Reads      float64 `json:"reads_per_sec"`
	Writes     float64 `json:"writes_per_sec"`
	UtilPct    float64 `json:"util_pct"`
	AwaitMS    float64 `json:"await_ms"`
	InFlight   uint64  `json:"in_flight"`
	Stacked    bool    `json:"stacked,omitempty"`
}

type interfaceAnswer struct {
	Interface string  `json:"interface"`
	RxBytes   float64 `json:"rx_bytes_per_sec"`
	TxBytes   float64 `json:"tx_bytes_per_sec"`
	Errors    float64 `json:"errors_per_sec"`
	Drops     float64 `json:"drops_per_sec"`
	Virtual   bool    `json:"virtual,omitempty"`
}

func (h *history) io(ctx context.Context) (any, error) {
	var a struct {
		IntervalSince *float64          `json:"interval_seconds,omitempty"`
		Disks         []diskAnswer      `json:"disks"`
		Interfaces    []interfaceAnswer `json:"interfaces"`
		Note          string            `json:"note,omitempty"`
	}
	at := time.Now()
	disks, err := h.host.Disks()
	interfaces, err2 := h.host.Interfaces()
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	prev := h.since(ctx, at)
	if prev == nil {
		a.Note = "rates need two readings: ask again in a few seconds"
		return a, nil
	}
	const most = 50
	elapsed := at.Sub(prev.At)
	a.IntervalSince = opt(elapsed.Seconds(), true, 1)
	for _, r := range host.DiskRates(prev.Disks, disks, elapsed) {
		a.Disks = append(a.Disks, diskAnswer{
			Device: r.Name, ReadBytes: skills.Round(r.ReadBytes, 0), WriteBytes: skills.Round(r.WriteBytes, 0), Reads: skills.Round(r.Reads, 1), Writes: skills.Round(r.Writes, 1),
			UtilPct: skills.Round(r.UtilPct, 1), AwaitMS: skills.Round(r.AwaitMS, 2), InFlight: r.InFlight, Stacked: r.Stacked,
		})
	}
	slices.SortStableFunc(a.Disks, func(x, y diskAnswer) int {
		return cmp.Or(cmp.Compare(y.UtilPct, x.UtilPct), cmp.Compare(y.ReadBytes+y.WriteBytes, x.ReadBytes+x.WriteBytes))
	})
	for _, r := range host.InterfaceRates(prev.Interfaces, interfaces, elapsed) {
		a.Interfaces = append(a.Interfaces, interfaceAnswer{
			Interface: r.Name, RxBytes: skills.Round(r.RxBytes, 0), TxBytes: skills.Round(r.TxBytes, 0),
			Errors: skills.Round(r.RxErrors+r.TxErrors, 1), Drops: skills.Round(r.RxDrops+r.TxDrops, 1), Virtual: r.Virtual,
		})
	}
	slices.SortStableFunc(a.Interfaces, func(x, y interfaceAnswer) int {
		return cmp.Compare(y.RxBytes+y.TxBytes, x.RxBytes+x.TxBytes)
	})
	a.Disks, a.Interfaces = a.Disks[:min(len(a.Disks), most)], a.Interfaces[:min(len(a.Interfaces), most)]
	return a, nil
}

type useAnswer struct {
	Used    uint64  `json:"used"`
	Max     uint64  `json:"max"`
	UsedPct float64 `json:"used_pct"`
}

type cgroupAnswer struct {
	Cgroup       string   `json:"cgroup"`
	MemoryMaxMB  *float64 `json:"memory_max_mb,omitempty"`
	MemoryUsedMB *float64 `json:"memory_used_mb,omitempty"`
	MemoryPct    *float64 `json:"memory_used_pct,omitempty"`
	SwapUsedMB   *float64 `json:"swap_used_mb,omitempty"`
	CPUMax       *float64 `json:"cpu_max_cores,omitempty"`
	ThrottledPct *float64 `json:"throttled_periods_pct,omitempty"`
	Throttled    *float64 `json:"throttled_seconds,omitempty"`
	Tasks        *uint64  `json:"tasks,omitempty"`
	TasksMax     *uint64  `json:"tasks_max,omitempty"`
	OOMKills     *uint64  `json:"oom_kills,omitempty"`
}

func cgroupOf(c host.Cgroup) cgroupAnswer {
	pct, limited := c.MemoryUsedPct()
	throttled, ok := c.ThrottledPct(host.Cgroup{Path: c.Path, Periods: host.Count{Known: true}})
	return cgroupAnswer{
		Cgroup: skills.Cut(c.Path), MemoryMaxMB: optMB(c.MemoryMax), MemoryUsedMB: optMB(c.MemoryUsed), MemoryPct: opt(pct, limited, 1), SwapUsedMB: optMB(c.SwapUsed),
		CPUMax: opt(c.CPUMax, c.CPUMax > 0, 2), ThrottledPct: opt(throttled, ok, 1),
		Throttled: opt(float64(c.ThrottledUsec.N)/1e6, c.CPUMax > 0 && c.ThrottledUsec.Known, 1),
		Tasks:     optCount(c.Tasks), TasksMax: optCount(c.TasksMax), OOMKills: optCount(c.OOMKills),
	}
}

func (h *history) limits(ctx context.Context) (any, error) {
	var a struct {
		Files     *useAnswer     `json:"file_descriptors,omitempty"`
		Threads   *useAnswer     `json:"threads,omitempty"`
		Own       *cgroupAnswer  `json:"own,omitempty"`
		Cgroups   []cgroupAnswer `json:"cgroups"`
		Truncated bool           `json:"truncated,omitempty"`
	}
	of := func(used, limit uint64) *useAnswer {
		return &useAnswer{used, limit, skills.Round(100*float64(used)/float64(limit), 1)}
	}
	if f, err := h.host.Files(); err == nil && f != nil {
		a.Files = of(f.Open, f.Max)
	}
	if t, err := h.host.TaskLimits(); err == nil && t != nil {
		if scan, err := h.scan(ctx); err == nil {
			a.Threads = of(uint64(scan.Threads()), t.Max)
		}
	}
	if c, err := h.host.Cgroup(); err == nil && c != nil {
		own := cgroupOf(*c)
		a.Own = &own
	}
	groups, truncated, err := h.host.LimitedCgroups(ctx)
	if err != nil {
		return nil, err
	}
	const most = 20
	for _, c := range groups[:min(len(groups), most)] {
		a.Cgroups = append(a.Cgroups, cgroupOf(c))
	}
	a.Truncated = truncated || len(groups) > most
	return a, nil
}

func (h *history) oomKills(ctx context.Context) (any, error) {
	type group struct {
		Cgroup   string `json:"cgroup"`
		OOMKills uint64 `json:"oom_kills"`
	}
	var a struct {
		Total         *uint64  `json:"total,omitempty"`
		Recent        *uint64  `json:"recent,omitempty"`
		IntervalSince *float64 `json:"interval_seconds,omitempty"`
		ByCgroup      []group  `json:"by_cgroup"`
		Truncated     bool     `json:"truncated,omitempty"`
	}
	at := time.Now()
	vm, err := h.host.VM()
	if err != nil {
		return nil, err
	}
	if vm != nil {
		a.Total = optCount(vm.OOMKills)
		if prev := h.since(ctx, at); prev != nil && prev.VM != nil {
			grown := vm.OOMKills.N - prev.VM.OOMKills.N
			a.Recent = optCount(host.Count{N: grown, Known: vm.OOMKills.Known && prev.VM.OOMKills.Known && vm.OOMKills.N >= prev.VM.OOMKills.N})
			a.IntervalSince = opt(at.Sub(prev.At).Seconds(), true, 1)
		}
	}
	groups, truncated, err := h.host.LimitedCgroups(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range groups {
		if c.OOMKills.N > 0 {
			a.ByCgroup = append(a.ByCgroup, group{skills.Cut(c.Path), c.OOMKills.N})
		}
	}
	slices.SortStableFunc(a.ByCgroup, func(x, y group) int { return cmp.Compare(y.OOMKills, x.OOMKills) })
	const most = 20
	a.Truncated = truncated || len(a.ByCgroup) > most
	a.ByCgroup = a.ByCgroup[:min(len(a.ByCgroup), most)]
	return a, nil
}
