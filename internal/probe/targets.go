package probe

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// hostTarget is the one target of kind host that every node has.
const hostTarget = "host"

// A target is one thing that the probe looks into, with a source for each skill
// that its kind has.
type target struct {
	protocol.TargetRef
	level   string // that its owner grants; empty: the probe's
	sources []*source
}

// A source is one source of a skill on one target.
type source struct {
	skill   string
	target  protocol.TargetRef
	words   protocol.Words
	hash    string // of the words
	watched []watched
	skills.Source

	taking  chan struct{}          // holds one token: a snapshot is never taken twice at a time
	failing atomic.Pointer[string] // how the last snapshot failed; nil when it did not
}

// open opens the sources of the host and of every target there is.
func (p *probe) open() error {
	list := append([]skills.Target{{Name: hostTarget, Kind: skills.Host}}, p.Targets...)
	var errs []error
	for _, of := range list {
		t := &target{TargetRef: protocol.TargetRef{Node: p.cfg.Node, Target: of.Name, Kind: string(of.Kind)}, level: of.Level}
		for _, s := range p.skills.All() {
			for _, src := range s.Sources {
				if src.Kind == of.Kind {
					t.sources = append(t.sources, openSource(s, src, t.TargetRef))
				}
			}
		}
		if len(t.sources) == 0 {
			errs = append(errs, fmt.Errorf("target %q: no skill looks into the kind %q", of.Name, of.Kind))
		}
		p.targets = append(p.targets, t)
	}
	return errors.Join(errs...)
}

func openSource(s skills.Skill, src skills.Source, t protocol.TargetRef) *source {
	if src.Open != nil {
		src = src.Open(t.Target)
	}
	words := s.Words(src)
	return &source{skill: s.Name, Source: src, words: words, hash: words.Hash(), taking: make(chan struct{}, 1), target: t, watched: watchedOf(src)}
}

// sources returns the sources of all targets.
func (p *probe) sources() []*source {
	var out []*source
	for _, t := range p.targets {
		out = append(out, t.sources...)
	}
	return out
}

// target returns the named target; without a name it is the host.
func (p *probe) target(name string) (*target, error) {
	if name == "" {
		name = hostTarget
	}
	var have []string
	for _, t := range p.targets {
		if t.Target == name {
			return t, nil
		}
		have = append(have, t.Target)
	}
	return nil, bus.Refuse(404, "unknown target %q (have %s)", name, strings.Join(have, ", "))
}

// source returns the target's source of the named skill; without a name it is
// that of its only skill.
func (t *target) source(skill string) (*source, error) {
	var have []string
	for _, src := range t.sources {
		if src.skill == skill || skill == "" && len(t.sources) == 1 {
			return src, nil
		}
		have = append(have, src.skill)
	}
	return nil, bus.Refuse(404, "unknown skill %q (target %s has %q)", skill, t.Target, have)
}

// callback returns the named callback of the target, or one of those that every
// target has.
func (t *target) callback(name string, base []skills.Call) (skills.Call, error) {
	var have []string
	look := func(calls []skills.Call) (skills.Call, bool) {
		for _, c := range calls {
			if c.Words().Called(name) {
				return c, true
			}
			have = append(have, c.Name)
		}
		return skills.Call{}, false
	}
	for _, src := range t.sources {
		if c, ok := look(src.Calls); ok {
			return c, nil
		}
	}
	if c, ok := look(base); ok {
		return c, nil
	}
	return skills.Call{}, bus.Refuse(404, "unknown callback %q (target %s has %s)", name, t.Target, strings.Join(have, ", "))
}
