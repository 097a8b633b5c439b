package beam

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// Types of events, as the node names them.
const (
	LongGC       = "long_gc"
	LongSchedule = "long_schedule"
	BusyPort     = "busy_port"
	BusyDistPort = "busy_dist_port"
	LargeHeap    = "large_heap"
)

// EventTypes returns all of them.
func EventTypes() []string {
	return []string{LongGC, LongSchedule, BusyPort, BusyDistPort, LargeHeap}
}

// From when on the node tells of something.
const (
	longGC       = 500       // milliseconds
	longSchedule = 500       // milliseconds
	largeHeap    = 256 << 20 // bytes
)

// eventsKept is how many events are remembered.
const eventsKept = 500

// An Event is something that the node's system monitor told.
type Event struct {
	At   time.Time
	Type string
	// PID is the process; empty where it was a port that ran long and nobody owns it.
	PID string
	// Process names it: a registered name, a label or its first function; empty when it
	// was gone before it could be asked.
	Process string
	// Function is where in the program it was: the first function of its stack that is
	// none of the libraries of Erlang or Elixir.
	Function string
	// Duration is of long_gc and long_schedule.
	Duration time.Duration
	// In and Out are the functions where a process that ran long began and stopped to
	// run; empty when the node does not know.
	In, Out string
	// Port is of busy ports, and of ports that ran long; PortName is its driver or
	// program: tcp_inet.
	Port, PortName string
	// In bytes, of long_gc and large_heap.
	Heap, OldHeap, HeapBlock, OldHeapBlock, Stack, Mbuf int64

	id int64
}

// eventLog is what the system monitor told.
type eventLog struct {
	watch *watch

	mu      sync.Mutex
	word    int64
	list    []Event // the oldest first
	dropped int64
}

func newEventLog() *eventLog {
	l := &eventLog{watch: newWatch("watch_events"), word: 8}
	l.watch.take, l.watch.began, l.watch.refused = l.take, l.begin, refusedMonitor
	return l
}

func refusedMonitor(m etf.Tuple) error {
	name, pid := "", ""
	if len(m) == 4 {
		name, pid = Label(m[2]), Label(m[3])
	}
	return fmt.Errorf("the node has a system monitor already, the process %s, and there can be one only: its own logs have the events", cmp.Or(name, pid))
}

// Events returns what the node's system monitor told lately, the newest first, and at
// most 500. It starts the agent that tells, which is of the level events; before it was
// started there are none. Events that are too many for their second (20) are counted
// instead, see [Node.EventLosses].
func (n *Node) Events(ctx context.Context) ([]Event, error) {
	if err := n.needs(Events); err != nil {
		return nil, err
	}
	words := int64(largeHeap) / 8
	if err := n.events.watch.hold(ctx, n, args{"LongGC": longGC, "LongSchedule": longSchedule, "LargeHeap": words}); err != nil {
		return nil, err
	}
	return n.events.newest(), nil
}

// EventLosses returns how many events were not told since the probe began, because
// there were too many, and how the agent stands.
func (n *Node) EventLosses() (int64, WatchState) {
	n.events.mu.Lock()
	defer n.events.mu.Unlock()
	return n.events.dropped, n.events.watch.now()
}

func (l *eventLog) newest() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.list)
	slices.Reverse(out)
	return out
}

func (l *eventLog) begin(m etf.Tuple) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if word, ok := m[1].(int64); ok {
		l.word = word
	}
	for i := range l.list {
		l.list[i].id = 0 // of an agent before
	}
}

func (l *eventLog) take(m etf.Tuple) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case m[0] == etf.Atom("event") && len(m) == 7:
		dropped, _ := m[6].(int64)
		l.dropped += dropped
		l.add(eventOf(m, l.word, time.Now()))
	case m[0] == etf.Atom("dropped"):
		dropped, _ := m[1].(int64)
		l.dropped += dropped
	case m[0] == etf.Atom("who") && len(m) == 6:
		l.name(m)
	}
}

func (l *eventLog) add(e Event) {
	l.list = append(l.list, e)
	if len(l.list) > eventsKept {
		l.list = slices.Delete(l.list, 0, len(l.list)-eventsKept)
	}
}

// eventOf reads {event, Id, Milliseconds, Type, What, Info, Dropped}.
func eventOf(m etf.Tuple, word int64, now time.Time) Event {
	e := Event{}
	e.id, _ = m[1].(int64)
	at, _ := m[2].(int64)
	e.At = dated(at, now)
	e.Type, _ = etf.Text(m[3])
	e.set(m[4])
	e.set(m[5])
	info, _ := m[5].(etf.List)
	for _, entry := range info {
		pair, ok := entry.(etf.Tuple)
		if !ok || len(pair) != 2 {
			continue
		}
		n, _ := pair[1].(int64)
		switch pair[0] {
		case etf.Atom("timeout"):
			e.Duration = time.Duration(n) * time.Millisecond
		case etf.Atom("in"):
			e.In = Label(pair[1])
		case etf.Atom("out"):
			e.Out = Label(pair[1])
		case etf.Atom("heap_size"):
			e.Heap = n * word
		case etf.Atom("old_heap_size"):
			e.OldHeap = n * word
		case etf.Atom("heap_block_size"):
			e.HeapBlock = n * word
		case etf.Atom("old_heap_block_size"):
			e.OldHeapBlock = n * word
		case etf.Atom("stack_size"):
			e.Stack = n * word
		case etf.Atom("mbuf_size"):
			e.Mbuf = n * word
		}
		if f := ownFunction(pair[1]); f != "" && e.Function == "" {
			e.Function = f
		}
	}
	return e
}

// set notes the process or the port.
func (e *Event) set(t etf.Term) {
	switch v := t.(type) {
	case etf.Pid:
		e.PID = v.String()
	case etf.Port:
		e.Port = v.String()
	}
}

// name notes {who, Id, Process, Name, Stack, PortName}, which comes a little later.
func (l *eventLog) name(m etf.Tuple) {
	id, _ := m[1].(int64)
	i := slices.IndexFunc(l.list, func(e Event) bool { return e.id == id })
	if i < 0 || id == 0 {
		return
	}
	e := &l.list[i]
	e.set(m[2])
	e.Process, e.PortName = Label(m[3]), programOf(Label(m[5]))
	stack, _ := m[4].(etf.List)
	for _, f := range stack {
		if name := ownFunction(f); name != "" && e.Function == "" {
			e.Function = name
		}
	}
}

// programOf cuts the arguments off the name of a port, which is a whole command line.
func programOf(name string) string {
	name, _, _ = strings.Cut(name, " ")
	return name[strings.LastIndexByte(name, '/')+1:]
}

// ownFunction returns a function unless it is of the libraries that only carry what others wrote.
func ownFunction(t etf.Term) string {
	f, ok := t.(etf.Tuple)
	if !ok || len(f) != 3 {
		return ""
	}
	mfa := MFA{f[0], f[1], f[2]}
	if mfa.library() {
		return ""
	}
	return mfa.String()
}
