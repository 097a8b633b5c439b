package triage

import (
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Bounds of what is remembered of alerts.
const (
	maxFiring = 2000 // of a group
	maxPast   = 256  // groups that have ended
	longPast  = 7 * 24 * time.Hour
)

// fires notes that an alert of the group fires.
func (g *Group) fires(alert string) {
	if alert == "" {
		return
	}
	g.ResolvedAt = time.Time{}
	if g.Firing == nil {
		g.Firing = map[string]bool{}
	}
	if len(g.Firing) < maxFiring || g.Firing[alert] {
		g.Firing[alert] = true
		return
	}
	g.Uncounted = true
}

// Resolved reports whether the group has ended with its alerts: nothing else goes on that
// it knows of.
func (g *Group) Resolved() bool { return !g.ClosedAt.IsZero() && !g.ResolvedAt.IsZero() }

// over reports whether all of the group's alerts are over, it is about nothing else, and
// what its investigation found is known.
func (g *Group) over() bool {
	return !g.ResolvedAt.IsZero() && g.ended() && g.Signals() == g.Kinds[Alert]+g.Kinds[Finding]
}

// Resolve notes that an alert is over, and returns the group that it belonged to; nil when
// none knows it. A group whose last alert it was ends with the next Sweep if it is about
// nothing else, and when it is quiet otherwise.
func (b *Board) Resolve(alert string, now time.Time) *Group {
	for _, list := range [][]*Group{b.groups, b.past} {
		i := slices.IndexFunc(list, func(g *Group) bool { return g.Firing[alert] })
		if i < 0 {
			continue
		}
		g := list[i]
		delete(g.Firing, alert)
		if len(g.Firing) == 0 && !g.Uncounted {
			g.ResolvedAt = now
		}
		return g
	}
	return nil
}

// Remember gives the board groups that ended before: their alerts end later, or fire again.
func (b *Board) Remember(ended []*Group, now time.Time) {
	for _, g := range ended {
		if len(g.Firing) > 0 || g.Resolved() {
			b.past = append(b.past, g)
		}
	}
	slices.SortStableFunc(b.past, func(x, y *Group) int { return x.ClosedAt.Compare(y.ClosedAt) })
	b.past = slices.DeleteFunc(b.past, func(g *Group) bool {
		return g.Resolved() && now.Sub(g.ClosedAt) > b.Cooldown || now.Sub(g.ClosedAt) > longPast
	})
	b.past = b.past[max(0, len(b.past)-maxPast):]
}

// again returns the group of an alert that fires again soon after it was over, as an open
// one; nil when there is none. It is one problem that comes and goes, and was looked into.
func (b *Board) again(s Signal, now time.Time) *Group {
	i := slices.IndexFunc(b.past, func(g *Group) bool {
		known := g.knows(s.Node, s.Key) || s.Node == "" && slices.Contains(g.Keys, s.Key)
		return s.Alert != "" && known && g.Resolved() && now.Sub(g.ClosedAt) <= b.Cooldown && now.Sub(g.AskedAt) <= b.Repeat &&
			g.State != protocol.ResultFailed && !g.worse(s)
	})
	if i < 0 {
		return nil
	}
	g := b.past[i]
	b.past = slices.Delete(b.past, i, i+1)
	g.ClosedAt = time.Time{}
	b.groups = append(b.groups, g)
	return g
}
