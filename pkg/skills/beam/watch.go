package beam

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A watch asks one node and keeps what it was like: a node has no history.
type watch struct {
	node  *reach.Node
	atoms skills.Recent[atoms]
	held  skills.Recent[map[etf.Pid]held]

	mu       sync.Mutex
	run      int         // which run of the node the rest is of
	restarts []time.Time // of the last hour
	origins  gopprof.Growth
	binaries gopprof.Growth
	longest  since                       // the longest queue
	spinning since                       // who keeps a scheduler busy
	hard     skills.Reading[skills.Data] // who did most
	costly   time.Time                   // when what goes through memory was last asked in a snapshot
	large    skills.Data                 // what it was
	asked    time.Time                   // when beam_binary_leak was last asked
}

// A since is a process that is remarkable, and since when.
type since struct {
	pid etf.Pid
	at  time.Time
}

// still notes that a process is remarkable now, and returns for how long it has been.
func (s *since) still(pid etf.Pid, now time.Time) time.Duration {
	if s.pid != pid || s.at.IsZero() {
		*s = since{pid, now}
	}
	return now.Sub(s.at)
}

// What is asked in a snapshot goes through the memory of processes only where there is
// so much of it.
const (
	leastProcessMemory = 64 << 20
	leastBinaryMemory  = 32 << 20
	// manyProcesses is from how many on that is asked once a minute at most.
	manyProcesses = 20_000
)

func (w *watch) snapshot(ctx context.Context) (skills.Data, error) {
	v, err := w.node.Vitals(ctx)
	if reach.Down(err) {
		return skills.Unreachable(err), err
	}
	if err != nil {
		return nil, err
	}
	now, d := time.Now(), skills.Data{"reachable": 1.0}
	w.anew(now)
	w.vitals(d, v, now)
	return d, errors.Join(
		w.schedulers(ctx, d, now), // first: of an overloaded node little may be asked
		w.queues(ctx, d, now),
		w.processes(ctx, d, now),
		w.memory(ctx, d, v, now),
	)
}

// anew forgets what a run of the node did that is over.
func (w *watch) anew(now time.Time) {
	_, run := w.node.Run()
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.restarts) > 0 && now.Sub(w.restarts[0]) > time.Hour {
		w.restarts = w.restarts[1:]
	}
	if run == w.run {
		return
	}
	for range run - w.run {
		w.restarts = append(w.restarts, now)
	}
	w.restarts = w.restarts[max(0, len(w.restarts)-1000):]
	w.run, w.origins, w.binaries, w.longest, w.spinning, w.large = run, gopprof.Growth{}, gopprof.Growth{}, since{}, since{}, nil
	w.costly, w.hard = time.Time{}, skills.Reading[skills.Data]{}
	w.atoms.Forget()
	w.held.Forget()
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func (w *watch) vitals(d skills.Data, v *reach.Vitals, now time.Time) {
	share := func(name string, n, most int) {
		if most > 0 {
			d.Set(name, 100*float64(n)/float64(most), 2)
		}
	}
	share("process_utilization_pct", v.Processes, v.ProcessLimit)
	share("port_utilization_pct", v.Ports, v.PortLimit)
	share("atom_utilization_pct", v.Atoms, v.AtomLimit)
	d.Set("scheduler_run_queue", float64(v.RunQueue), 0)
	d.Set("schedulers_online", float64(v.Online), 0)
	d.Text("otp_release", v.Release)
	d.Set("uptime_seconds", float64(v.UptimeMS)/1000, 0)
	d.Set("process_count", float64(v.Processes), 0)
	for name, key := range map[string]string{
		"binary_memory_mb": "binary", "total_memory_mb": "total", "process_memory_mb": "processes", "ets_memory_mb": "ets", "code_memory_mb": "code",
	} {
		d.Set(name, mebibytes(v.Memory[key]), 2)
	}
	d.Set("persistent_term_mb", mebibytes(v.Persistent.Memory), 2)
	w.mu.Lock()
	d.Set("restarts_per_hour", float64(len(w.restarts)), 0)
	w.mu.Unlock()

	w.atoms.Add(now, atoms{v.Atoms, v.AtomLimit})
	d.Set("atom_count", float64(v.Atoms), 0)
	d.Set("atom_limit", float64(v.AtomLimit), 0)
	t := trendOf(w.atoms.Since(now.Add(-atomWindow)))
	if t.known {
		d.Set("atoms_per_min", t.perMinute, 1)
	}
	if t.steady {
		d.Set("atom_hours_left", t.hoursLeft(), 1)
	}
}

// who names a process for people: shop_cart (<0.123.0>).
func who(p *reach.Process) string {
	if name := p.Name(); name != "" {
		return fmt.Sprintf("%s (%s)", name, p.PID)
	}
	return p.PID.String()
}

func (w *watch) queues(ctx context.Context, d skills.Data, now time.Time) error {
	q, err := w.node.Queues(ctx)
	if err != nil {
		return err
	}
	d.Set("total_queued_messages", float64(q.Total), 0)
	d.Set("max_queue_size", float64(q.P100), 0)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(q.Top) == 0 || q.Top[0].Value < 100 {
		w.longest = since{}
	} else {
		d.Set("max_queue_for_seconds", w.longest.still(q.Top[0].PID, now).Seconds(), 0)
	}
	if len(q.Top) > 0 {
		d.Text("max_queue_process", who(&q.Top[0].Process))
		d.Text("max_queue_function", q.Top[0].Sits())
	}
	return nil
}

// How the schedulers are judged in a snapshot.
const (
	glance      = 250 * time.Millisecond
	busyAbove   = 0.9 // a scheduler that has no time to spare
	spinsAbove  = 50  // percent of the node's work
	leastToSpin = 1e6 // reductions a second: less keeps no processor busy
	// crowd is how many wait when scans are put off.
	crowd = 100
	// busiestFor is for how long who did most is told when the node is too busy to be
	// asked again.
	busiestFor = 2 * time.Minute
)

func (w *watch) schedulers(ctx context.Context, d skills.Data, now time.Time) error {
	s, err := w.node.Schedulers(ctx, glance)
	if err != nil {
		return err
	}
	u := use(s.Normal())
	d.Set("scheduler_utilization_pct", u.avg, 1)
	d.Set("scheduler_max_utilization_pct", u.most, 1)
	// A queue is there only while schedulers are busy: who reads at such moments alone, as on a
	// host without a processor to spare, reads too much.
	d.Set("run_queue_per_scheduler", float64(s.MedianWaiting())/float64(max(1, s.Online))*u.avg/100, 2)
	if u.most < 100*busyAbove && s.MedianWaiting() < int64(s.Online) {
		w.mu.Lock()
		w.spinning = since{}
		w.mu.Unlock()
		d.Set("spinning_for_seconds", 0, 0)
		return nil
	}
	if s.MedianWaiting() > crowd && w.seenBusiest(d, now) {
		return nil
	}
	return w.busiest(ctx, d, now, u.most)
}

// seenBusiest sets who did most when last was looked, and reports whether that is not
// too long ago.
func (w *watch) seenBusiest(d skills.Data, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.hard.At) >= busiestFor {
		return false
	}
	maps.Copy(d, w.hard.Value)
	return true
}

// busiest names who does most.
func (w *watch) busiest(ctx context.Context, d skills.Data, now time.Time, most float64) error {
	r, err := w.node.Reducers(ctx, 0, glance)
	if err != nil { // put off: once a minute the next one is made all the same
		r, err = w.node.Reducers(ctx, 0, glance)
	}
	if err != nil || len(r.List) == 0 {
		return err
	}
	top := r.List[0]
	share := 100 * top.Did / max(1, r.Total)
	d.Set("busiest_share_pct", min(100, share), 1)
	found, err := w.node.Describe(ctx, []etf.Pid{top.PID})
	if err != nil {
		return err
	}
	if len(found) == 1 {
		d.Text("busiest_process", who(&found[0]))
		d.Text("busiest_function", found[0].Sits())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hard = skills.Reading[skills.Data]{At: now, Value: skills.Data{}}
	for _, name := range []string{"busiest_process", "busiest_function", "busiest_share_pct"} {
		if v, ok := d[name]; ok {
			w.hard.Value[name] = v
		}
	}
	if share < spinsAbove || most < 100*busyAbove || top.Did/r.Window.Seconds() < leastToSpin {
		w.spinning = since{}
		d.Set("spinning_for_seconds", 0, 0)
		return nil
	}
	d.Set("spinning_for_seconds", w.spinning.still(top.PID, now).Seconds(), 0)
	return nil
}

// leastGrown is how many more processes of one origin are worth a word.
const leastGrown = 200

func (w *watch) processes(ctx context.Context, d skills.Data, now time.Time) error {
	o, err := w.node.Origins(ctx)
	if err != nil {
		return err
	}
	list := byFunction(o.List())
	values := make(map[string]int64, len(list))
	for _, x := range list {
		values[x.Function] = int64(x.Count)
	}
	if len(list) > 0 {
		d.Text("top_origin", list[0].Function)
		d.Set("top_origin_processes", float64(list[0].Count), 0)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.origins.Observe(now, values)
	for _, g := range w.origins.Grown() {
		if !g.Steady() || g.Added < leastGrown {
			continue
		}
		d.Set("growing_processes", float64(g.Added), 0)
		d.Text("growing_origin", g.Key)
		d.Set("growing_origin_processes", float64(g.Value), 0)
		d.Set("growing_processes_per_sec", g.PerSecond(), 2)
		for _, x := range list {
			if x.Function == g.Key {
				d.Text("growing_origin_parent", x.Parent)
			}
		}
		break
	}
	return nil
}

// memory names the process with most memory, and who holds most in binaries.
func (w *watch) memory(ctx context.Context, d skills.Data, v *reach.Vitals, now time.Time) error {
	w.mu.Lock()
	again := v.Processes >= manyProcesses && now.Sub(w.costly) < 55*time.Second
	if again {
		maps.Copy(d, w.large)
	} else {
		w.costly = now
	}
	w.mu.Unlock()
	if again {
		return nil
	}
	found := skills.Data{}
	var errs []error
	if v.Memory["processes"] >= leastProcessMemory {
		errs = append(errs, w.largest(ctx, found))
	}
	if v.Memory["binary"] >= leastBinaryMemory {
		errs = append(errs, w.holders(ctx, found, now))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if v.Memory["binary"] < leastBinaryMemory {
		w.binaries.Observe(now, nil) // who grew has let go
	}
	w.large = found
	maps.Copy(d, found)
	return errors.Join(errs...)
}

func (w *watch) largest(ctx context.Context, d skills.Data) error {
	t, err := w.node.Top(ctx, reach.ByMemory, 1)
	if err != nil || len(t.List) == 0 {
		return err
	}
	d.Text("largest_process", who(&t.List[0].Process))
	d.Set("largest_process_mb", t.List[0].Value/(1<<20), 2)
	d.Text("largest_process_function", t.List[0].Sits())
	return nil
}

// countedAlways is how many processes have their binaries counted in a snapshot.
const countedAlways = 5

// leastHeld is how many more bytes in binaries are worth a word.
const leastHeld = 8 << 20

func (w *watch) holders(ctx context.Context, d skills.Data, now time.Time) error {
	h, err := w.node.Binaries(ctx, countedAlways)
	if err != nil {
		return err
	}
	w.keepHeld(now, h)
	if len(h.List) > 0 {
		d.Text("binary_holder", who(&h.List[0].Process))
		d.Set("binary_held_mb", mebibytes(h.List[0].Held), 2)
	}
	values := make(map[string]int64, len(h.List))
	for _, x := range h.List {
		values[x.PID.String()] = x.Held
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.binaries.Observe(now, values)
	for _, g := range w.binaries.Grown() {
		if !g.Steady() || g.Added < leastHeld {
			continue
		}
		for i := range h.List {
			if p := &h.List[i].Process; p.PID.String() == g.Key {
				d.Set("binary_growing_mb", mebibytes(g.Added), 1)
				d.Set("binary_growing_for_seconds", g.For.Seconds(), 0)
				d.Text("binary_growing_holder", who(p))
				d.Text("binary_growing_function", p.Sits())
				return nil
			}
		}
	}
	return nil
}
