package coordinator

import (
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A ground is what triage sees of the fleet.
type ground struct {
	*fleet
	*topology
}

var _ triage.Map = ground{}

// Near implements triage.Map.
func (g ground) Near(name string) []string { return g.near(name) }

// Labels implements triage.Map. A label that every node has tells nothing.
func (g ground) Labels(name string) map[string]string { return g.telling(name) }

// telling returns the labels of a node that not every node has.
func (f *fleet) telling(name string) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[name]
	if n == nil {
		return nil
	}
	if now := time.Now(); now.Sub(f.sharedAt) > sharedFor {
		f.shared, f.sharedAt = f.universal(), now
	}
	out := map[string]string{}
	for k, v := range n.beat.Labels {
		if f.shared[k] != v {
			out[k] = v
		}
	}
	return out
}

// sharedFor is how long it is remembered which labels all nodes have.
const sharedFor = 5 * time.Second

// universal returns the labels that all nodes have. The caller holds the lock.
func (f *fleet) universal() map[string]string {
	var all map[string]string
	for _, n := range f.nodes {
		if all == nil {
			all = maps.Clone(n.beat.Labels)
		}
		maps.DeleteFunc(all, func(k, v string) bool { return n.beat.Labels[k] != v })
	}
	return all
}

// known returns those of the names that are nodes, in the same order.
func (f *fleet) known(names []string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, n := range names {
		if f.nodes[n] != nil {
			out = append(out, n)
		}
	}
	return out
}

// labelsOf returns the labels of a node; nil of one that is not known.
func (f *fleet) labelsOf(name string) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.nodes[name]; n != nil {
		return n.beat.Labels
	}
	return nil
}

// A targetSkill is a skill of a target.
type targetSkill struct {
	protocol.HeartbeatTarget
	skill string
}

// targetsOf returns the targets of a node that have one of the skills.
func (f *fleet) targetsOf(name string, skills []string) []targetSkill {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[name]
	if n == nil {
		return nil
	}
	var out []targetSkill
	for _, t := range n.beat.Targets {
		for _, s := range skills {
			if slices.Contains(t.Skills, s) {
				out = append(out, targetSkill{t, s})
			}
		}
	}
	return out
}

// named returns the node that another system means by a host's name, which may have a
// domain or lack one; empty when it is none, or may be several.
func (f *fleet) named(host string) string {
	if host == "" {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.nodes[host] != nil {
		return host
	}
	short, _, _ := strings.Cut(host, ".")
	found := ""
	for name := range f.nodes {
		if own, _, _ := strings.Cut(name, "."); own == short && net.ParseIP(host) == nil {
			if found != "" {
				return ""
			}
			found = name
		}
	}
	return found
}

// census counts the nodes that report, and those that are silent.
func (f *fleet) census(now time.Time) (alive, silent int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.nodes {
		if n.silent(now) {
			silent++
		} else {
			alive++
		}
	}
	return alive, silent
}

// A silentNow is a node that fell silent.
type silentNow struct {
	name  string
	last  time.Time // its last beat
	every time.Duration
}

// fellSilent returns the nodes that are silent and not among those that are known to be,
// and the known ones that report again. Silence before since counts for nothing: nobody
// listened, and less than least is nothing. Who has been silent for longer than stale is
// gone, and no news.
func (f *fleet) fellSilent(now, since time.Time, least, stale time.Duration, known map[string]time.Time) (fell []silentNow, back []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, n := range f.nodes {
		every := n.beat.Interval()
		_, told := known[name]
		patience := max(protocol.MissedBeats*every, least)
		silent := now.Sub(n.arrived) > patience && now.Sub(since) > patience
		switch {
		case told && !n.silent(now):
			back = append(back, name)
		case !told && silent && now.Sub(n.arrived) < stale:
			fell = append(fell, silentNow{name, n.arrived, every})
		}
	}
	return fell, back
}
