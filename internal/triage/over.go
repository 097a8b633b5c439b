package triage

import (
	"fmt"
	"slices"
	"strconv"
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

// Over reports whether what the group is about is over. That nothing more is reported of a
// group tells so of what is reported for as long as it lasts, and of nothing else: an
// anomaly is told once.
func (g *Group) Over() bool { return g.Turns%2 == 1 }

// turn notes that the group is over, or goes on again.
func (g *Group) turn(at time.Time, why string) {
	g.Turns++
	g.TurnedAt, g.Why = at, why
}

// Resolution says how the group stands after its last turn.
func (g *Group) Resolution() protocol.Resolution {
	r := protocol.Resolution{
		ID: protocol.EffectID("resolution", g.ID, strconv.Itoa(g.Turns)), Group: g.ID, State: protocol.Reopened, Why: g.Why,
		Insights: slices.Clone(g.Insights), Since: g.Earliest, At: g.TurnedAt,
	}
	if g.Over() {
		r.State = protocol.Resolved
	}
	return r
}

// firing reports whether an alert of the group fires that will be told of when it is over.
func (g *Group) firing() bool { return len(g.Firing) > 0 || g.Uncounted }

// lasts reports whether the group is about something that is reported for as long as it
// lasts, or whose end is.
func (g *Group) lasts() bool { return g.Kinds[Watch]+g.Kinds[Alert]+g.Kinds[Silence] > 0 }

// alerts reports whether the group is about nothing but what is told of when it is over.
func (g *Group) alerts() bool {
	return g.Signals() == g.Kinds[Alert]+g.Kinds[Silence]+g.Kinds[Finding]
}

// over reports whether all of the group's alerts are over, it is about nothing else, and
// what its investigation found is known.
func (g *Group) over() bool { return !g.ResolvedAt.IsZero() && g.ended() && g.alerts() }

// Resolve notes that an alert is over, and returns the groups that it belonged to. A group
// whose last alert it was ends with the next Sweep if it is about nothing else, and when it
// is quiet otherwise.
func (b *Board) Resolve(alert string, now time.Time) []*Group {
	var out []*Group
	for _, g := range slices.Concat(b.groups, b.past) {
		if !g.Firing[alert] {
			continue
		}
		delete(g.Firing, alert)
		if !g.firing() {
			g.ResolvedAt = now
		}
		out = append(out, g)
	}
	return out
}

// settle notes which of the groups that have ended are over, and returns them. A group
// that ended because it lasted too long is not over while a later one is about the same.
func (b *Board) settle(now time.Time) []*Group {
	var out []*Group
	latest := slices.SortedFunc(slices.Values(b.past), func(x, y *Group) int { return y.OpenedAt.Compare(x.OpenedAt) })
	for _, g := range latest {
		goesOn := func(o *Group) bool {
			return o.OpenedAt.After(g.OpenedAt) && !o.Over() && slices.ContainsFunc(o.Keys, func(k string) bool { return slices.Contains(g.Keys, k) })
		}
		quiet := now.Sub(g.LastAt) > b.Cooldown
		if g.Over() || !g.ended() || !g.lasts() || g.firing() || !g.over() && !quiet || slices.ContainsFunc(b.groups, goesOn) || slices.ContainsFunc(b.past, goesOn) {
			continue
		}
		if g.over() {
			g.turn(g.ResolvedAt, "all that it was about was reported as over")
		} else {
			g.turn(g.LastAt, fmt.Sprintf("nothing of it was reported for %s", b.Cooldown))
		}
		out = append(out, g)
	}
	return out
}

// Unknown returns the groups that were asked about and whose investigation is not known to
// have ended.
func (b *Board) Unknown() []*Group {
	return b.those(func(g *Group) bool { return !g.AskedAt.IsZero() && !g.ended() })
}

// Untold returns the groups whose last turn nobody was told of. Who tells it sets Told.
func (b *Board) Untold() []*Group {
	return b.those(func(g *Group) bool { return g.Turns != g.Told })
}

func (b *Board) those(are func(*Group) bool) []*Group {
	return slices.DeleteFunc(slices.Concat(b.groups, b.past), func(g *Group) bool { return !are(g) })
}

// Remember gives the board groups that ended before: their alerts end later, or fire again.
func (b *Board) Remember(ended []*Group, now time.Time) {
	b.past = append(b.past, ended...)
	slices.SortStableFunc(b.past, func(x, y *Group) int { return x.ClosedAt.Compare(y.ClosedAt) })
	b.past = slices.DeleteFunc(b.past, func(g *Group) bool {
		waits := g.lasts() && !g.Over() && !g.AskedAt.IsZero() || g.Turns != g.Told
		soon := g.Resolved() && now.Sub(g.ClosedAt) <= b.Cooldown
		return !waits && !soon && !g.firing() || now.Sub(g.ClosedAt) > longPast
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
	if g.Over() {
		g.turn(now, "it was reported again")
	}
	b.groups = append(b.groups, g)
	return g
}
