package overload

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Severities. A burst is transient for as long as buffers absorb it.
const (
	none      = "none"
	transient = "transient"
	sustained = "sustained"
	critical  = "critical"

	sustainedAfter = 5 * time.Minute
	// forgotten is how long a resource may be left unseen, and still be taken for
	// overloaded all the while.
	forgotten = 3 * time.Minute
)

// Resources in the order in which one overloads the next: without memory the disks
// swap, behind a slow disk or a full processor programs do not accept.
var order = []string{"memory", "disk", "cpu", "network", "accept_queue"}

// judge tells what is overloaded, since when, and how bad that is.
func (m *machine) judge(s *state) {
	for _, x := range skills.Evaluate(hostChecks, s.data) {
		t := trouble{resource: resourceOf[x.Check.Metric], evidence: x.Says, critical: x.Threshold == *x.Check.Critical}
		t.where = s.where(x.Check.Metric)
		m.add(s, t)
	}
	m.pressed(s)
	if in, ok := m.exhaustion(s); ok {
		s.data.Set("memory_exhausted_in_seconds", in.Seconds(), 0)
	}
	slices.SortStableFunc(s.troubles, func(a, b trouble) int {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(slices.Index(order, a.resource), slices.Index(order, b.resource)))
	})
	s.severity = none
	kind := none
	if len(s.troubles) > 0 {
		first := s.troubles[0]
		kind, s.severity = first.resource, transient
		lasted := s.at.Sub(first.since)
		if lasted >= sustainedAfter {
			s.severity = sustained
		}
		if slices.ContainsFunc(s.troubles, func(t trouble) bool { return t.critical }) {
			s.severity = critical
		}
		s.data.Set("overloaded_seconds", lasted.Seconds(), 0)
		s.data.Text("bottleneck_location", first.where)
	} else {
		s.data.Set("overloaded_seconds", 0, 0)
	}
	s.data["overload_severity"], s.data["overload_type"] = s.severity, kind
	s.data["recommended_action"] = actions[s.severity].action
}

// resourceOf says which resource a check is about.
var resourceOf = map[string]string{
	"run_queue_per_core": "cpu", "accept_queue_max_used_pct": "accept_queue", "disk_queue_max": "disk", "blocked_tasks": "disk",
	"direct_reclaims_per_sec": "memory", "memory_exhausted_in_seconds": "memory", "softnet_dropped_per_sec": "network",
}

func (s *state) where(metric string) string {
	text := func(name, without string) string {
		if v, ok := s.data[name].(string); ok {
			return v
		}
		return without
	}
	switch metric {
	case "accept_queue_max_used_pct":
		return "the accept queue of " + text("accept_queue_listener", "a listener")
	case "disk_queue_max":
		return "disk " + text("disk_queue_device", "")
	case "blocked_tasks":
		return "a disk or network filesystem that " + text("blocked_process", "a task") + " waits for"
	case "softnet_dropped_per_sec":
		return "the processors that take packets"
	case "run_queue_per_core":
		return "the run queue, where " + text("top_cpu_process", "no single process") + " is ahead"
	}
	return "memory"
}

// pressed adds what the kernel's pressure figures say, where it keeps them: shares
// of the last 10 s in which tasks stood still. That some task waited for a core is no
// overload: any build does it.
func (m *machine) pressed(s *state) {
	p := s.reading.pressure
	if p.Memory != nil && p.Memory.Full.Avg10 >= 10 {
		m.add(s, trouble{resource: "memory", where: "memory", critical: p.Memory.Full.Avg10 >= 30,
			evidence: fmt.Sprintf("all tasks waited for memory in %v %% of the last 10 s", p.Memory.Full.Avg10)})
	}
	if p.IO != nil && p.IO.Full.Avg10 >= 40 {
		m.add(s, trouble{resource: "disk", where: "a disk", critical: p.IO.Full.Avg10 >= 80,
			evidence: fmt.Sprintf("all tasks waited for a disk in %v %% of the last 10 s", p.IO.Full.Avg10)})
	}
}

// add adds a trouble, or its evidence to the one of that resource there is.
func (m *machine) add(s *state, t trouble) {
	if i := slices.IndexFunc(s.troubles, func(o trouble) bool { return o.resource == t.resource }); i >= 0 {
		s.troubles[i].evidence += "; " + t.evidence
		s.troubles[i].critical = s.troubles[i].critical || t.critical
		return
	}
	m.mu.Lock()
	began, ok := m.since[t.resource]
	m.mu.Unlock()
	if t.since = s.at; ok && s.at.Sub(began.seen) <= forgotten {
		t.since = began.at
	}
	s.troubles = append(s.troubles, t)
}

// Readings of memory that a prediction is made of: five at least, over at least two
// minutes, of at most the last forty.
const (
	memoryReadings = 40
	fewestReadings = 5
	shortestTrend  = 2 * time.Minute
)

// exhaustion returns when memory and swap are used up if they go on shrinking as
// they have. They must have shrunk from reading to reading, by a twentieth in all.
func (m *machine) exhaustion(s *state) (time.Duration, bool) {
	if s.reading.memory == nil {
		return 0, false
	}
	m.mu.Lock()
	trend := slices.Clone(m.memory)
	m.mu.Unlock()
	trend = append(trend, left{s.at, s.reading.memory.Available + s.reading.memory.SwapFree})
	from := len(trend) - 1
	for from > 0 && trend[from-1].bytes > trend[from].bytes {
		from--
	}
	first, last := trend[from], trend[len(trend)-1]
	over := last.at.Sub(first.at)
	if len(trend)-from < fewestReadings || over < shortestTrend || first.bytes == 0 || first.bytes-last.bytes < first.bytes/20 {
		return 0, false
	}
	rate := float64(first.bytes-last.bytes) / over.Seconds()
	return time.Duration(float64(last.bytes) / rate * float64(time.Second)), true
}
