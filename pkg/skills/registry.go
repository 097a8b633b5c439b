package skills

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Registry holds the skills of one process. It does not change once made and
// is safe for concurrent use.
type Registry struct {
	skills []Skill
	names  []string
}

var nameRE = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// NewRegistry checks the skills and returns a registry of them, in order. The
// error joins every fault of every skill.
func NewRegistry(list ...Skill) (*Registry, error) {
	r := &Registry{}
	var faults []error
	for _, s := range list {
		if slices.Contains(r.names, s.Name) {
			faults = append(faults, fmt.Errorf("skill %q is listed twice", s.Name))
			continue
		}
		faults = append(faults, s.validate())
		r.skills = append(r.skills, s)
		r.names = append(r.names, s.Name)
	}
	return r, errors.Join(faults...)
}

// All returns the skills in the order they were listed.
func (r *Registry) All() []Skill { return slices.Clone(r.skills) }

// Names returns the names of the skills in the order they were listed.
func (r *Registry) Names() []string { return slices.Clone(r.names) }

// Lookup returns the named skill. The error lists the names there are.
func (r *Registry) Lookup(name string) (Skill, error) {
	for _, s := range r.skills {
		if s.Name == name {
			return s, nil
		}
	}
	return Skill{}, fmt.Errorf("unknown skill %q (have %s)", name, strings.Join(r.names, ", "))
}

// Words returns the words of every source, in the order of the skills.
func (r *Registry) Words() []protocol.Words {
	var out []protocol.Words
	for _, s := range r.skills {
		for _, src := range s.Sources {
			out = append(out, s.Words(src))
		}
	}
	return out
}

// Words returns the words of every source of the skills, with other thresholds
// where some are given.
func Words(list []Skill, thresholds map[string]Threshold) ([]protocol.Words, error) {
	list, err := OverrideAll(list, thresholds)
	if err != nil {
		return nil, err
	}
	r, err := NewRegistry(list...)
	if err != nil {
		return nil, err
	}
	return r.Words(), nil
}

func (s Skill) validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("skill %q: "+format, append([]any{s.Name}, args...)...))
	}
	if !nameRE.MatchString(s.Name) {
		fault("its name must match %s", nameRE)
	}
	if s.Name == protocol.CustomSkill {
		fault("this name stands for all skills that operators were not built with")
	}
	if s.Title == "" || s.Summary == "" {
		fault("it needs a title and a summary")
	}
	if len(s.Sources) == 0 {
		fault("it has no source")
	}
	for i, src := range s.Sources {
		at := func(format string, args ...any) { fault(string(src.Kind)+" source: "+format, args...) }
		if src.Kind == "" {
			fault("source %d has no kind", i)
		}
		if src.Snapshot == nil || src.Prompt == "" || len(src.Metrics) == 0 {
			at("it needs a prompt, metrics and a snapshot function")
		}
		metrics := make([]string, 0, len(src.Metrics))
		for _, m := range src.Metrics {
			if m.Name == "" || m.Unit == "" || m.Kind == "" || m.Doc == "" {
				at("metric %q needs a name, a unit, a kind and a doc", m.Name)
			}
			if slices.Contains(metrics, m.Name) {
				at("metric %q is declared twice", m.Name)
			}
			metrics = append(metrics, m.Name)
		}
		calls := []string{}
		for _, c := range src.Calls {
			if !strings.HasPrefix(c.Name, s.Prefix) || c.Run == nil || c.Doc == "" || c.Example == "" {
				at("callback %q needs the prefix %q, a doc, an example and a function", c.Name, s.Prefix)
			}
			if _, _, err := ParseCall(c.Example); err != nil {
				at("example of %s: %v", c.Name, err)
			}
			for _, name := range append([]string{c.Name}, c.Aliases...) {
				if !nameRE.MatchString(name) {
					at("callback name %q must match %s", name, nameRE)
				}
				if slices.Contains(calls, name) {
					at("callback %q is declared twice", name)
				}
				calls = append(calls, name)
			}
		}
		for _, c := range src.Checks {
			if !slices.Contains(metrics, c.Metric) {
				at("a check names the metric %q, which is not declared", c.Metric)
			}
			if c.Warn == nil && c.Critical == nil || c.Says == "" || c.Op != protocol.Above && c.Op != protocol.Below {
				at("the check of %s needs an op, a threshold and words", c.Metric)
			}
			if c.Ask == "" {
				continue
			}
			if name, _, err := ParseCall(c.Ask); err != nil || !slices.Contains(calls, name) {
				at("the check of %s asks %q, which is no call of a callback of this source", c.Metric, c.Ask)
			}
		}
	}
	return errors.Join(faults...)
}

// A Node is what every target can say of the machine it runs on.
type Node struct {
	Name          string `json:"node"`
	UptimeSeconds int64  `json:"uptime_seconds"`
	OSType        string `json:"os_type"`
	OSName        string `json:"os_name"`
}

// BaseCalls returns the two callbacks that exist under every skill. now gives
// the host's time, node describes the host.
func BaseCalls(now func() Time, node func(ctx context.Context) (Node, error)) []Call {
	return []Call{
		{
			Name:    "get_current_time",
			Doc:     "The host's clock: timestamp (ISO 8601, UTC) and unix_ms.",
			Example: "get_current_time()",
			Run:     func(context.Context, Args) (any, error) { return now(), nil },
		},
		{
			Name:    "get_node_info",
			Doc:     "The host: node (its name), uptime_seconds, os_type (family) and os_name.",
			Example: "get_node_info()",
			Run:     func(ctx context.Context, _ Args) (any, error) { return node(ctx) },
		},
	}
}

// Time is the answer of get_current_time.
type Time struct {
	Timestamp string `json:"timestamp"` // RFC 3339, UTC
	UnixMS    int64  `json:"unix_ms"`
}
