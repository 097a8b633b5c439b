package llm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/agent"
)

// setFaults names every wrong setting of a set.
func (c *Config) setFaults(name string) error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("sets.%s: "+format, append([]any{name}, args...)...))
	}
	s := c.Sets[name]
	if _, taken := c.models()[name]; taken || name == Rules {
		fault("the name is taken by a model")
	}
	if (len(s.Fallback) > 0) == (len(s.RoundRobin) > 0) {
		fault("it needs either fallback or round_robin: a list of names from models and sets")
	}
	members := s.members()
	for i, member := range members {
		if names := c.names(); !slices.Contains(names, member) {
			fault("unknown model %q; the nearest is %q (have %s)", member, nearest(member, names), strings.Join(names, ", "))
		}
		if slices.Contains(members[:i], member) {
			fault("%s is named twice", member)
		}
	}
	if ring := c.ring(name, nil); ring != nil {
		fault("it contains itself: %s", strings.Join(ring, " → "))
	}
	if err := s.Retry.faults(); err != nil {
		fault("%w", err)
	}
	return errors.Join(errs...)
}

// ring returns the way from a set back to itself, nil when there is none.
func (c *Config) ring(name string, way []string) []string {
	if slices.Contains(way, name) {
		if way[0] == name {
			return append(way, name)
		}
		return nil // another set's
	}
	for _, member := range c.Sets[name].members() {
		if ring := c.ring(member, append(slices.Clip(way), name)); ring != nil {
			return ring
		}
	}
	return nil
}

// addSet adds a set's decider, and those of the sets in it before.
func (c *Config) addSet(deciders map[string]agent.Decider, name string, within []string) error {
	s, isSet := c.Sets[name]
	switch {
	case deciders[name] != nil:
		return nil
	case !isSet:
		return c.unknown(name)
	case slices.Contains(within, name):
		return fmt.Errorf("sets.%s: it contains itself", name)
	}
	d := &set{name: name, rotate: len(s.RoundRobin) > 0}
	for _, member := range s.members() {
		if err := c.addSet(deciders, member, append(slices.Clip(within), name)); err != nil {
			return err
		}
		d.members = append(d.members, deciders[member])
	}
	if len(d.members) == 0 {
		return fmt.Errorf("sets.%s: it has no members", name)
	}
	deciders[name] = s.Retry.around(d)
	return nil
}
