package supervisor

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

const (
	beamWindow   = 5 * time.Minute // of restarts
	beamChildren = 5000            // that are remembered
)

// A beamChild is what is remembered of a child that a supervisor lists.
type beamChild struct {
	id         string
	supervisor string // as name <pid>
	pid        etf.Pid
	last       time.Time
	again      []time.Time // when it was seen to be another process
}

// beamRestarts remembers the children of all supervisors of one run of a node.
type beamRestarts struct {
	children    map[string]*beamChild
	supervisors map[string]etf.Pid
}

// observe takes in a reading. A supervisor that was itself started again has other
// children: that is told of it, as a child of its own supervisor, and not of them.
func (r *beamRestarts) observe(s *beam.Supervisors) {
	if r.children == nil {
		r.children, r.supervisors = map[string]*beamChild{}, map[string]etf.Pid{}
	}
	keys := supervisorKeys(s)
	for i := range s.List {
		sup := &s.List[i]
		key := keys[sup.PID]
		was, known := r.supervisors[key]
		r.supervisors[key] = sup.PID
		for j := range sup.Children {
			r.child(fmt.Sprintf("%s/%d", key, sup.Children[j].Key), sup, &sup.Children[j], known && was != sup.PID, s.At)
		}
	}
	for key, c := range r.children {
		c.again = since5m(c.again, s.At)
		if s.At.Sub(c.last) > beamWindow {
			delete(r.children, key)
		}
	}
	for key := range r.supervisors {
		if len(r.supervisors) <= beamChildren {
			break
		}
		delete(r.supervisors, key)
	}
}

func (r *beamRestarts) child(key string, sup *beam.Supervisor, now *beam.Child, moved bool, at time.Time) {
	pid, runs := now.PID.(etf.Pid)
	c := r.children[key]
	switch {
	case !runs && now.PID == etf.Term(etf.Atom("restarting")):
		if c != nil {
			c.last = at
		}
		return
	case !runs: // it ended as it should, or was stopped: the next one is no restart
		delete(r.children, key)
		return
	case c == nil:
		if len(r.children) < beamChildren {
			r.children[key] = &beamChild{id: now.Name(), supervisor: supervisorLabel(sup), pid: pid, last: at}
		}
		return
	}
	if c.pid != pid && !moved {
		c.again = append(c.again, at)
	}
	c.pid, c.last, c.supervisor = pid, at, supervisorLabel(sup)
}

func since5m(times []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) > beamWindow })
}

func supervisorLabel(s *beam.Supervisor) string { return s.Name() + " " + s.PID.String() }

// supervisorKeys names supervisors so that one has the same name when it is started
// again: by its registered name, else by where it stands below its own.
func supervisorKeys(s *beam.Supervisors) map[etf.Pid]string {
	keys := make(map[etf.Pid]string, len(s.List))
	for i := range s.List {
		sup := &s.List[i]
		key, ok := keys[sup.PID]
		if name := beam.Label(sup.Registered); name != "" {
			key, ok = name, true
		}
		if !ok {
			key = supervisorLabel(sup)
		}
		keys[sup.PID] = key
		for j := range sup.Children {
			if pid, runs := sup.Children[j].PID.(etf.Pid); runs {
				keys[pid] = fmt.Sprintf("%s/%d", key, sup.Children[j].Key)
			}
		}
	}
	return keys
}

// worst returns the children that were started again, most often first.
func (r *beamRestarts) worst(now time.Time) []beamChild {
	var out []beamChild
	for _, c := range r.children {
		if c.again = since5m(c.again, now); len(c.again) > 0 {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b beamChild) int {
		return cmp.Or(cmp.Compare(len(b.again), len(a.again)), b.again[len(b.again)-1].Compare(a.again[len(a.again)-1]), cmp.Compare(a.supervisor+a.id, b.supervisor+b.id))
	})
	return out
}
