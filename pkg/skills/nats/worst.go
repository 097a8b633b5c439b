package nats

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	reach "github.com/fleetlens/fleetlens/internal/reach/nats"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	// full is from where on a stream is taken for full, in percent of its limit: it may have
	// room for a small message still.
	full = 99
	// stalled is after how many seconds without a message, while some are there, a consumer
	// counts as one that is given none.
	stalled = 60
	// behindAll is how much of a stream's messages a consumer has not been given when it is
	// taken to be behind by all of it, in percent: some come between the two readings.
	behindAll = 95
)

// path is how people call a consumer.
func path(c reach.Consumer) string { return skills.Cut(c.Stream + "/" + c.Name) }

// known reports whether what is told of an asset with a leader, here or not, is worth to
// be told: a copy's numbers may be old, but where nobody leads there is nothing newer.
func known(leader string, here bool) bool { return here || leader == "" }

// accounts is the account nearest to its limit.
func (d fields) accounts(a *reach.Assets) {
	worst, who := -1.0, ""
	for _, u := range accountUse(a) {
		for what, pct := range map[string]*float64{"memory": u.MemoryPct, "storage": u.StoragePct} {
			if pct != nil && *pct > worst {
				worst, who = *pct, u.Account+" ("+what+")"
			}
		}
	}
	if who != "" {
		d.set("account_used_pct", worst, 1)
		d.text("account", who)
	}
}

// streams are the stream nearest to its limit, those without a leader and copies behind.
func (d fields) streams(a *reach.Assets) {
	var fullest, damaged *reach.Stream
	var fulls, leaderless, lagging, lost float64
	var farthest struct {
		lag float64
		who string
	}
	for i := range a.Streams {
		s := &a.Streams[i]
		if s.Leader == "" {
			if leaderless++; leaderless == 1 {
				d.text("leaderless_stream", s.Name)
			}
		}
		if lost += s.Lost; s.Lost > 0 && (damaged == nil || s.Lost > damaged.Lost) {
			damaged = s
		}
		if !known(s.Leader, s.Here) {
			continue
		}
		if s.Refuses() && s.Limit != "" {
			if fullest == nil || s.UsedPct > fullest.UsedPct {
				fullest = s
			}
			if s.UsedPct >= full {
				fulls++
			}
		}
		for _, p := range s.Peers {
			if !s.Here || p.Current && !p.Offline {
				continue
			}
			if lagging++; lagging == 1 || p.Lag > farthest.lag {
				farthest.lag, farthest.who = p.Lag, fmt.Sprintf("%s on %s (%.0f)", s.Name, p.Server, p.Lag)
			}
		}
	}
	d.set("full_streams", fulls, 0)
	d.set("leaderless_streams", leaderless, 0)
	d.set("lost_messages", lost, 0)
	if damaged != nil {
		d.text("lost_stream", damaged.Name)
	}
	if fullest != nil {
		d.set("fullest_stream_used_pct", fullest.UsedPct, 1)
		d.text("fullest_stream", fmt.Sprintf("%s (%s)", fullest.Name, fullest.Limit))
	}
	d.set("lagging_replicas", lagging, 0)
	d.text("lagging_replica", farthest.who)
}

// consumers are the worst consumers; lag is filled in by their paths.
func (d fields) consumers(a *reach.Assets, lag map[string]float64) {
	list := slices.DeleteFunc(slices.Clone(a.Consumers), func(c reach.Consumer) bool { return !known(c.Leader, c.Here) })
	for _, c := range list {
		lag[path(c)] = c.Lag
	}
	worst := func(value func(reach.Consumer) float64) (reach.Consumer, float64) {
		if len(list) == 0 {
			return reach.Consumer{}, 0
		}
		c := slices.MaxFunc(list, func(a, b reach.Consumer) int {
			return cmp.Or(cmp.Compare(value(a), value(b)), strings.Compare(path(b), path(a)))
		})
		return c, value(c)
	}
	for _, m := range []struct {
		metric, who string
		value       func(reach.Consumer) float64
	}{
		{"consumer_lag_max", "consumer_lagging", func(c reach.Consumer) float64 { return c.Lag }},
		{"consumer_stalled_seconds", "consumer_stalled", stalledFor},
		{"ack_pending_used_pct", "ack_pending_consumer", func(c reach.Consumer) float64 { return c.AckPct }},
		{"redelivered_max", "redelivered_consumer", func(c reach.Consumer) float64 { return c.Redelivered }},
	} {
		c, v := worst(m.value)
		d.set(m.metric, v, 1)
		if v <= 0 {
			continue
		}
		d.text(m.who, path(c))
		if m.metric == "consumer_stalled_seconds" {
			d.text("consumer_stalled_why", why(c))
		}
	}
	outrun := outrunBy(a, list)
	d.set("outrun_consumers", float64(len(outrun)), 0)
	if len(outrun) > 0 {
		d.text("outrun_consumer", outrun[0])
	}
}

// stalledFor returns how long a consumer was given nothing while messages were there, in
// seconds; 0 when it is not stalled.
func stalledFor(c reach.Consumer) float64 {
	if c.Lag == 0 || c.Paused || c.Idle < stalled {
		return 0
	}
	return c.Idle
}

// why says what keeps a consumer that is given nothing.
func why(c reach.Consumer) string {
	switch {
	case c.MaxAckPending > 0 && c.AckPending >= c.MaxAckPending:
		return "too many messages are not acknowledged"
	case !c.Attended():
		return "nobody asks for messages"
	}
	return unknown
}

// unknown is what keeps a consumer when nothing else is known to.
const unknown = "unknown"

// outrunBy returns the consumers that have been given next to nothing of what a full stream
// has left, whose oldest messages it drops.
func outrunBy(a *reach.Assets, list []reach.Consumer) []string {
	type key struct{ account, stream string }
	drops := map[key]float64{}
	for _, s := range a.Streams {
		if !s.Refuses() && s.UsedPct >= full {
			drops[key{s.Account, s.Name}] = s.Messages
		}
	}
	var out []string
	for _, c := range list {
		if has := drops[key{c.Account, c.Stream}]; has > 0 && !c.Paused && 100*c.Lag >= behindAll*has {
			out = append(out, path(c))
		}
	}
	slices.Sort(out)
	return out
}
