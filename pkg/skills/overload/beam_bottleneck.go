package overload

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
)

// What a process does instead of reading its messages.
const (
	downstream   = "downstream_blocking"
	portBlocking = "port_blocking"
	contention   = "contention"
	collecting   = "garbage_collection"
	cpuBound     = "cpu_bound"
	mixed        = "mixed"
	unknown      = "unknown"
)

// beamClass says what a process does, as most looks at it have it, and where.
func beamClass(d *beam.Doing) (class, place string) {
	counts := map[string]int{}
	places := map[string]string{}
	for i := range d.Looks {
		c := lookClass(&d.Looks[i])
		counts[c]++
		places[c] = standing(&d.Looks[i])
	}
	class = unknown
	for _, c := range []string{downstream, portBlocking, contention, collecting, cpuBound, unknown} {
		if counts[c] > counts[class] {
			class = c
		}
	}
	return class, places[class]
}

// waitsIn are modules whose functions wait for a lock that others hold, or for the one
// process that everybody asks.
var waitsIn = []string{"global", "mnesia_locker", "mnesia_tm", "code_server", "code", "error_handler", "persistent_term"}

// lookClass says what a process with messages waiting does at one moment. One that waits
// though it has messages waits for a particular one: an answer.
func lookClass(l *beam.Look) string {
	modules := make([]string, 0, len(l.Stack))
	for i := range l.Stack {
		m, _, _ := strings.Cut(l.Stack[i].String(), ":")
		modules = append(modules, m)
	}
	top := ""
	if len(l.Stack) > 0 {
		top, _, _ = strings.Cut(l.Stack[0].String(), "/")
	}
	switch l.Status {
	case "suspended":
		return portBlocking
	case "garbage_collecting":
		return collecting
	case "waiting":
		switch {
		case top == "prim_inet:send_recv_reply":
			return portBlocking
		case len(modules) > 0 && slices.ContainsFunc(modules[:min(4, len(modules))], func(m string) bool { return slices.Contains(waitsIn, m) }):
			return contention
		case loops(top):
			return unknown // between two messages
		}
		return downstream
	case "running", "runnable":
		if len(modules) > 0 && (modules[0] == "ets" || modules[0] == "persistent_term") {
			return contention
		}
		return cpuBound
	}
	return unknown
}

// standing says where a stack stands: the function, and the first of the application's
// own below it.
func standing(l *beam.Look) string {
	if len(l.Stack) == 0 {
		return l.Status
	}
	p := beam.Process{Current: &l.Stack[0], Stack: l.Stack}
	return p.Sits()
}

// A share of n is a majority when it is more than half, and significant when it is more
// than a third.
func majority(part, n float64) bool    { return part > n/2 }
func significant(part, n float64) bool { return part > n/3 }

// bottleneck weighs what the processes with long queues do by their messages.
func (s *beamState) bottleneck() (class, where, confidence string) {
	weights, all := map[string]float64{}, 0.0
	for _, b := range s.stuck {
		weights[b.class] += b.Value
		all += b.Value
	}
	if all == 0 {
		return unknown, "", "low"
	}
	class, confidence = mixed, "low"
	for _, c := range []string{downstream, portBlocking, cpuBound, contention, collecting, unknown} {
		switch {
		case majority(weights[c], all):
			class, confidence = c, "high"
		case c == contention && significant(weights[c], all) && class == mixed:
			class, confidence = c, "medium"
		}
	}
	if class == unknown {
		confidence = "low"
	}
	for _, b := range s.stuck { // the one with most messages of that kind
		if class == mixed || b.class == class {
			return class, b.end(), confidence
		}
	}
	return class, "", confidence
}

// evidence says of the processes with long queues what was seen.
func (s *beamState) evidence() []string {
	out := []string{}
	for _, b := range s.stuck[:min(5, len(s.stuck))] {
		parts := []string{fmt.Sprintf("%s has %.0f messages and %s in %s", beamLabel(&b.Process), b.Value, verbs[b.class], b.place)}
		for _, w := range b.chain {
			parts = append(parts, fmt.Sprintf("it waits for %s, which %s in %s", beamLabel(&w.Process), verbs[w.class], w.place))
		}
		if b.doing != nil {
			for _, p := range b.doing.Ports {
				if p.Queue > 0 {
					parts = append(parts, fmt.Sprintf("%d bytes wait in its port %s (%s)", p.Queue, p.Port, p.Name))
				}
			}
		}
		out = append(out, strings.Join(parts, "; "))
	}
	return out
}

var verbs = map[string]string{
	downstream: "waits for an answer", portBlocking: "waits for a full port", contention: "waits for its turn", collecting: "collects garbage", cpuBound: "computes", unknown: "is",
}
