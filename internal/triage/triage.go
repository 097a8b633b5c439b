// Package triage puts together what detectors, watching operators, other systems and
// silent nodes report, so that one storm asks one question. It is arithmetic on
// signals, without a clock and without I/O: whoever uses it passes the time in, and
// keeps the groups where the next one finds them.
package triage

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Kinds of signals, which are the origins of their notifications.
const (
	Watch   = protocol.OriginWatch
	Anomaly = protocol.OriginAnomaly
	Alert   = protocol.OriginAlert
	Silence = protocol.OriginSilence
	Finding = "finding" // a notification that an investigation caused
)

// A Signal is one thing that was reported.
type Signal struct {
	Kind string
	Key  string    // what it is about: "os.memory_used_pct", "alert.HighLatency"
	Node string    // empty: no node of the fleet is known to be meant
	At   time.Time // event time
	// Strength orders the examples of a group: the severity's rank counts more than the
	// score of an anomaly.
	Strength float64
	// Topic is what the metric is about ("memory"); empty: its name does not tell.
	Topic string
	Quiet bool   // it joins a group, and opens none
	From  string // the investigation that found it; empty: none did
	// Alert is the same when what was reported is reported as over: the identity of an
	// alert, or of a node's silence; else empty.
	Alert string
	Note  protocol.Notification
}

// vague reports whether a signal tells that something is odd, and not what.
func (s Signal) vague() bool { return s.Kind == Anomaly && s.Topic == "" }

// Options are how signals are put together. Durations are of the time at which
// signals are read, not of events: what is late belongs to now.
type Options struct {
	// Settle is how long a new group waits for more before it is asked about.
	Settle time.Duration
	// Window is how long a group that no longer grows takes in what is related only by
	// node or topology. A cascade goes on within it; what comes later is another fault.
	Window time.Duration
	// Spread is how long a group takes in what is related by node or topology at most.
	Spread time.Duration
	// Cooldown is how long after its last signal a group ends.
	Cooldown time.Duration
	// Repeat is after how long a problem that never ended is asked about again.
	Repeat time.Duration
	// MaxPerHour is how many groups an hour may be asked about with a model; 0: none.
	// One node alone has a third of them, at least one.
	MaxPerHour int
	// MaxOpen is how many groups may be open before whatever is new joins the latest:
	// so much at once is one storm.
	MaxOpen int
}

// DefaultOptions returns the defaults.
func DefaultOptions() Options {
	return Options{
		Settle: 2 * time.Second, Window: 2 * time.Minute, Spread: 10 * time.Minute, Cooldown: 15 * time.Minute, Repeat: 4 * time.Hour,
		MaxPerHour: 3, MaxOpen: 8,
	}
}

// Validate names wrong options by the coordinator's flags.
func (o Options) Validate() error {
	var errs []error
	for _, d := range []struct {
		flag        string
		have, least time.Duration
	}{
		{"triage-settle", o.Settle, 0}, {"triage-cooldown", o.Cooldown, time.Second}, {"triage-repeat", o.Repeat, time.Minute},
	} {
		if d.have < d.least || d.have > 7*24*time.Hour {
			errs = append(errs, fmt.Errorf("--%s %s: it must be from %s to 168h", d.flag, d.have, d.least))
		}
	}
	if o.MaxPerHour < 0 {
		errs = append(errs, fmt.Errorf("--max-triggers-per-hour %d: it must be at least 0", o.MaxPerHour))
	}
	return errors.Join(errs...)
}

// Limits of a group.
const (
	MaxExamples = 50
	MaxKeys     = 32     // the last stands for all further ones
	MaxNodes    = 10_000 // further ones are counted
)

// A Verdict says what became of a signal.
type Verdict string

// Verdicts.
const (
	Opened   Verdict = "opened"
	Joined   Verdict = "joined"
	Repeated Verdict = "repeated" // the group knew it of this node already
	Quiet    Verdict = "quiet"    // it fits no group and may not open one
)

// A Board is the groups that are open. It is not safe for concurrent use.
type Board struct {
	Options
	groups   []*Group // by opening
	past     []*Group // those that ended whose alerts still fire, or may soon again
	triggers []Trigger
	fleet    Map
}

// A Map is what is known of the fleet.
type Map interface {
	// Near returns the nodes that a node depends on, or that depend on it.
	Near(node string) []string
	// Labels returns the labels of a node that tell it from others.
	Labels(node string) map[string]string
}

// A Trigger is a use of the model.
type Trigger struct {
	At   time.Time `json:"at"`
	Node string    `json:"node,omitempty"` // when the group had one node alone
}

// NewBoard returns a board with the groups and triggers that were kept.
func NewBoard(o Options, kept []*Group, triggers []Trigger, fleet Map) *Board {
	b := &Board{Options: o, groups: slices.Clone(kept), triggers: slices.Clone(triggers), fleet: fleet}
	slices.SortFunc(b.groups, func(x, y *Group) int {
		return cmp.Or(x.OpenedAt.Compare(y.OpenedAt), cmp.Compare(x.ID, y.ID))
	})
	return b
}

// Groups returns the open groups, the oldest first.
func (b *Board) Groups() []*Group { return b.groups }

// Triggers returns the uses of the model in the last hour.
func (b *Board) Triggers() []Trigger { return b.triggers }

// A Ledger is what triage keeps beside its groups.
type Ledger struct {
	Triggers []Trigger `json:"triggers"`
	// Silenced counts the signals that each silence kept out, by its id; Quiet those that
	// fit no group and may not open one.
	Silenced map[string]int `json:"silenced"`
	Quiet    int            `json:"quiet"`
}

// Add puts a signal into a group, and returns the group; nil when it has none.
func (b *Board) Add(s Signal, now time.Time) (*Group, Verdict) {
	g := b.home(s, now)
	if g == nil {
		g = b.again(s, now)
	}
	if g != nil {
		return g, g.add(s, b.fleet.Labels(s.Node), now)
	}
	if s.Quiet || s.Kind == Finding && len(b.groups) >= maxGroups {
		return nil, Quiet
	}
	g = &Group{ID: protocol.EffectID("triage", s.Note.ID), OpenedAt: now, Nodes: map[string]uint32{}, Kinds: map[string]int{}}
	g.add(s, b.fleet.Labels(s.Node), now)
	b.groups = append(b.groups, g)
	return g, Opened
}

// home returns the group that a signal belongs to: one that knows it, else one of the
// same matter, on other nodes too, else one that begins just now, else one that still
// grows and touches its node by name, topology or label; else none. The investigation
// that found it is a home as well. A group whose investigation has ended takes in no
// other matter, and nothing more severe: it would be told to nobody.
func (b *Board) home(s Signal, now time.Time) *Group {
	ways := []func(g *Group) bool{
		func(g *Group) bool { return s.From != "" && g.ID == s.From },
		func(g *Group) bool { return s.Node != "" && g.knows(s.Node, s.Key) },
		func(g *Group) bool {
			return slices.Contains(g.Keys, s.Key) && (!g.ended() || g.many() && b.grows(g, now))
		},
		func(g *Group) bool { return g.has(s.Node) && g.about(s.Topic) },
		func(g *Group) bool { return s.Kind != Finding && g.asks() && b.begins(g, now) },
		func(g *Group) bool { return g.has(s.Node) && b.grows(g, now) && (!g.ended() || s.vague()) },
		func(g *Group) bool { return b.grows(g, now) && slices.ContainsFunc(b.fleet.Near(s.Node), g.has) },
		func(g *Group) bool { return b.grows(g, now) && g.describes(b.fleet.Labels(s.Node)) },
	}
	for n, belongs := range ways {
		if i := slices.IndexFunc(b.groups, func(g *Group) bool { return belongs(g) && (n == 0 || !g.worse(s)) }); i >= 0 {
			return b.groups[i]
		}
	}
	var asking []*Group
	for _, g := range b.groups {
		if g.asks() {
			asking = append(asking, g)
		}
	}
	if len(asking) >= b.MaxOpen && s.Kind != Finding {
		return asking[len(asking)-1]
	}
	return nil
}

// maxGroups is how many groups findings may open: they wait for a second
// investigation to find the same.
const maxGroups = 256

// begins reports whether a group waits for more before it is asked about: what happens
// at one moment is one matter until somebody has looked.
func (b *Board) begins(g *Group, now time.Time) bool {
	return g.AskedAt.IsZero() && now.Sub(g.OpenedAt) < b.Settle
}

// grows reports whether a group takes in what is related by node or topology.
func (b *Board) grows(g *Group, now time.Time) bool {
	return now.Sub(g.GrownAt) <= b.Window && now.Sub(g.OpenedAt) <= b.Spread
}

// Due returns the groups that are to be asked about now.
func (b *Board) Due(now time.Time) []*Group {
	var out []*Group
	for _, g := range b.groups {
		if g.AskedAt.IsZero() && g.asks() && now.Sub(g.OpenedAt) >= b.Settle {
			out = append(out, g)
		}
	}
	return out
}

// Ask marks a group as asked about, and says whether a model may be used; when not, why.
func (b *Board) Ask(g *Group, now time.Time) (model bool, why string) {
	b.triggers = slices.DeleteFunc(b.triggers, func(t Trigger) bool { return now.Sub(t.At) > time.Hour })
	alone := ""
	if len(g.Nodes) == 1 {
		alone = slices.Collect(maps.Keys(g.Nodes))[0]
	}
	own := 0
	for _, t := range b.triggers {
		if alone != "" && t.Node == alone {
			own++
		}
	}
	g.AskedAt = now
	switch share := max(1, b.MaxPerHour/3); {
	case len(b.triggers) >= b.MaxPerHour:
		g.Limited = fmt.Sprintf("%d investigations used the model in the last hour, of at most %d", len(b.triggers), b.MaxPerHour)
	case own >= share:
		g.Limited = fmt.Sprintf("%s alone used the model %d times in the last hour, of at most %d for one node", alone, own, share)
	default:
		b.triggers = append(b.triggers, Trigger{At: now, Node: alone})
	}
	return g.Limited == "", g.Limited
}

// Sweep takes the groups off the board that have ended, made small, and returns them and
// those that turned out to be over. One whose investigation failed ends after Cooldown too:
// what goes on is asked about anew. One that is about alerts alone ends when they are over.
func (b *Board) Sweep(now time.Time) []*Group {
	var closed []*Group
	b.groups = slices.DeleteFunc(b.groups, func(g *Group) bool {
		lasts := b.Repeat
		if g.State == protocol.ResultFailed {
			lasts = b.Cooldown
		}
		ended := g.over() || now.Sub(g.LastAt) > b.Cooldown || !g.AskedAt.IsZero() && now.Sub(g.AskedAt) > lasts
		if ended {
			g.ClosedAt = now
			g.shrink()
			closed = append(closed, g)
		}
		return ended
	})
	b.Remember(closed, now)
	for _, g := range b.settle(now) {
		if !slices.Contains(closed, g) {
			closed = append(closed, g)
		}
	}
	return closed
}
