package overload

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A machine reads the queues of a host and keeps since when they are long. It is
// safe for concurrent use.
type machine struct {
	host *host.Reader
	skills.History[*reading]

	mu     sync.Mutex
	since  map[string]onset // by resource, of those overloaded at the last snapshot
	memory []left           // of the last minutes, oldest first
}

// An onset is when a resource began to be overloaded.
type onset struct{ at, seen time.Time }

// left is how much memory and swap there was.
type left struct {
	at    time.Time
	bytes uint64
}

// A reading is what is counted at one moment. Parts that could not be read are nil.
type reading struct {
	at        time.Time
	cpu       *host.CPU
	load      *host.Load
	memory    *host.Memory
	vm        *host.VM
	pressure  host.Pressures
	disks     []host.Disk
	softnet   *host.Softnet
	listeners []host.Socket
	scan      *host.Scan // taken only while tasks wait
}

func (m *machine) read(ctx context.Context) (*reading, error) {
	r := &reading{at: time.Now()}
	var errs [7]error
	r.cpu, errs[0] = m.host.CPU()
	r.load, errs[1] = m.host.Load()
	r.memory, errs[2] = m.host.Memory()
	r.vm, errs[3] = m.host.VM()
	r.pressure, errs[4] = m.host.Pressure()
	r.disks, errs[5] = m.host.Disks()
	r.softnet, errs[6] = m.host.Softnet()
	_, err := m.host.Sockets(ctx, host.TCP, func(s *host.Socket) { r.listeners = append(r.listeners, *s) }, host.Listen)
	if r.waiting() > 0 {
		var scanErr error
		r.scan, scanErr = m.host.Scan(ctx, 0)
		err = errors.Join(err, scanErr)
	}
	return r, errors.Join(append(errs[:], err)...)
}

// waiting is how many tasks wait at this moment: for a core, or uninterruptibly.
func (r *reading) waiting() int {
	if r.cpu == nil {
		return 0
	}
	ready := int(r.cpu.Running.N) - 1 // without who counts
	return max(0, ready-r.cpu.Cores) + int(r.cpu.Blocked.N)
}

// runQueue is the tasks that run or wait for a core, of each core: the smaller of
// this moment's, which jumps, and the last minute's, which has those that wait for
// disks in it.
func (r *reading) runQueue() (float64, bool) {
	if r.cpu == nil || r.load == nil || !r.cpu.Running.Known {
		return 0, false
	}
	now := math.Max(0, float64(r.cpu.Running.N)-1)
	return math.Min(now, r.load.One) / float64(r.cpu.Cores), true
}

// slowDisk is the disk with the longest queue of those that are busy and slow.
func slowDisk(rates []host.DiskRate) (worst host.DiskRate) {
	const busy, slow = 90, 20 // percent of the time, milliseconds a request
	for _, d := range rates {
		if d.UtilPct >= busy && d.AwaitMS >= slow && d.Queue > worst.Queue && !d.Stacked {
			worst = d
		}
	}
	return worst
}

// fullest returns the listener whose accept queue is fullest.
func (r *reading) fullest() (pct float64, s *host.Socket) {
	pct = -1
	for i := range r.listeners {
		if p, ok := r.listeners[i].AcceptUsedPct(); ok && p > pct {
			pct, s = p, &r.listeners[i]
		}
	}
	return pct, s
}

// A state is what a reading says, against the one before it where rates need one.
type state struct {
	at        time.Time
	data      skills.Data
	troubles  []trouble // overloaded resources, the one that began first at the head
	severity  string
	listener  string // the fullest, with its process
	diskRates []host.DiskRate
	reading   *reading
	interval  time.Duration // of the rates; zero: there are none
}

// A trouble is one resource that is overloaded.
type trouble struct {
	resource string
	where    string
	evidence string
	since    time.Time
	critical bool
}

// look reads the machine and judges it.
func (m *machine) look(ctx context.Context) (*state, error) {
	r, err := m.read(ctx)
	s := &state{at: r.at, data: skills.Data{}, reading: r}
	base := m.Base(r.at)
	if base != nil {
		s.interval = r.at.Sub(base.At)
		s.rates(base.Value)
	}
	s.levels()
	m.queues(ctx, s)
	s.name(base)
	m.judge(s)
	return s, err
}

func (m *machine) snapshot(ctx context.Context) (skills.Data, error) {
	s, err := m.look(ctx)
	m.Advance(s.at, s.reading)
	m.remember(s)
	return s.data, err
}

// remember keeps since when what is overloaded, and how much memory was left.
func (m *machine) remember(s *state) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := map[string]onset{}
	for _, t := range s.troubles {
		now[t.resource] = onset{t.since, s.at}
	}
	m.since = now
	if mem := s.reading.memory; mem != nil {
		m.memory = append(m.memory, left{s.at, mem.Available + mem.SwapFree})
		if n := len(m.memory); n > memoryReadings {
			m.memory = slices.Delete(m.memory, 0, n-memoryReadings)
		}
	}
}

func (s *state) rates(prev *reading) {
	if s.reading.vm != nil && prev.vm != nil {
		if v, ok := host.PerSecond(prev.vm.AllocStalls, s.reading.vm.AllocStalls, s.interval); ok {
			s.data.Set("direct_reclaims_per_sec", v, 1)
		}
	}
	if s.reading.softnet != nil && prev.softnet != nil {
		if v, ok := host.PerSecond(prev.softnet.Dropped, s.reading.softnet.Dropped, s.interval); ok {
			s.data.Set("softnet_dropped_per_sec", v, 1)
		}
		if v, ok := host.PerSecond(prev.softnet.Squeezed, s.reading.softnet.Squeezed, s.interval); ok {
			s.data.Set("softnet_squeezed_per_sec", v, 1)
		}
	}
	s.diskRates = host.DiskRates(prev.disks, s.reading.disks, s.interval)
	worst := slowDisk(s.diskRates)
	s.data.Set("disk_queue_max", worst.Queue, 1)
	if worst.Name != "" {
		s.data.Text("disk_queue_device", worst.Name)
		s.data.Set("disk_queue_await_ms", worst.AwaitMS, 1)
	}
}

func (s *state) levels() {
	r := s.reading
	if v, ok := r.runQueue(); ok {
		s.data.Set("run_queue_per_core", v, 2)
	}
	if r.cpu != nil && r.cpu.Blocked.Known {
		s.data.Set("blocked_tasks", float64(r.cpu.Blocked.N), 0)
		s.data.Set("affected_processes", float64(r.waiting()), 0)
	}
}

// queues fills in the accept queues, with the process of one that is half full.
func (m *machine) queues(ctx context.Context, s *state) {
	waiting := 0
	for i := range s.reading.listeners {
		waiting += int(s.reading.listeners[i].Recv)
	}
	s.data.Set("accept_queue_waiting", float64(waiting), 0)
	inFlight := 0
	for _, d := range s.reading.disks {
		if !d.Stacked {
			inFlight += int(min(d.InFlight, 1<<20))
		}
	}
	s.data.Set("total_queue_depth", float64(waiting+inFlight+s.reading.waiting()), 0)
	pct, socket := s.reading.fullest()
	if socket == nil {
		return
	}
	s.data.Set("accept_queue_max_used_pct", pct, 1)
	if pct == 0 {
		return
	}
	s.listener = socket.Local.String()
	if pct >= 50 {
		owners, err := m.host.SocketOwners(ctx, map[uint64]bool{socket.Inode: true})
		if err == nil && owners.PIDs[socket.Inode] != 0 {
			pid := owners.PIDs[socket.Inode]
			s.listener = fmt.Sprintf("%s of %s (%d)", s.listener, m.host.ProcessName(pid), pid)
		}
	}
	s.data.Text("accept_queue_listener", s.listener)
}

// longQueue is the run queue per core from which on it is told who is in it.
const longQueue = 2

// name tells who waits, and who they wait for.
func (s *state) name(base *skills.Reading[*reading]) {
	scan := s.reading.scan
	if scan == nil {
		return
	}
	var blocked *host.Process
	for i := range scan.Processes {
		p := &scan.Processes[i]
		if p.State == 'D' && (blocked == nil || p.Threads > blocked.Threads) {
			blocked = p
		}
	}
	if blocked != nil {
		s.data.Text("blocked_process", blocked.Label())
	}
	if v, ok := s.reading.runQueue(); !ok || v < longQueue {
		return
	}
	var before *host.Scan
	if base != nil {
		before = base.Value.scan
	}
	top, most := (*host.Process)(nil), 0.0
	scan.CPU(before, func(p *host.Process, pct float64) {
		if pct > most {
			top, most = p, pct
		}
	})
	if top != nil {
		s.data.Text("top_cpu_process", top.Label())
	}
}
