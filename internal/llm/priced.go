package llm

import "github.com/fleetlens/fleetlens/pkg/agent"

// priced is a decider that knows whether what it costs is known.
type priced interface{ priceKnown() bool }

// Priced reports whether it is known what a decider of [Config.Deciders] costs. One that
// asks no model costs nothing, and that is known.
func Priced(d agent.Decider) bool {
	p, asks := d.(priced)
	return !asks || p.priceKnown()
}

// A model's price is known when it has one.
func (m metered) priceKnown() bool { return m.price != nil }

func (g guarded) priceKnown() bool  { return Priced(g.Decider) }
func (r retrying) priceKnown() bool { return Priced(r.Decider) }

// A set's is when all of its members' are: any of them may be asked.
func (s *set) priceKnown() bool {
	for _, m := range s.members {
		if !Priced(m) {
			return false
		}
	}
	return true
}
