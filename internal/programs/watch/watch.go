// Package watch is how a probe is configured: the process, and what its skills
// look at. It links no models.
package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/census"
	"github.com/fleetlens/fleetlens/internal/discover"
	"github.com/fleetlens/fleetlens/internal/journald"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/internal/rollouts"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
	"github.com/fleetlens/fleetlens/pkg/skills/custom"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
)

// Settings are a probe's settings, and those of what it looks at.
type Settings struct {
	probe.Config
	Targets all.Targets
	Logs    logs.Config
	Anomaly Anomaly
	Custom  string   // folder of skills in YAML files; empty: none
	Files   []string // configuration files whose changes are said: paths or patterns

	clients  all.Clients
	detector *probe.Detector // nil: nothing is watched
	more     []skills.Skill  // that the program brings
	custom   []skills.Skill  // that stand in Custom
}

// New returns the defaults of a probe with more skills than those of all.Skills.
func New(more ...skills.Skill) *Settings {
	return &Settings{Config: probe.DefaultConfig(), more: more}
}

// Flags implements proc.Settings.
func (s *Settings) Flags(fs *pflag.FlagSet) {
	s.Config.Flags(fs)
	fs.StringVar(&s.Custom, "custom-skills", s.Custom, "`folder` with skills of one's own, a YAML file each")
	fs.StringSliceVar(&s.Files, "watch-file", s.Files, "configuration file, or `pattern` of files (/etc/nginx/*.conf), whose changes are published: that it changed, its size, time and owner, never what it says; may be given again, or several with commas")
}

// Sections implements proc.Settings.
func (s *Settings) Sections() map[string]any {
	return map[string]any{"targets": &s.Targets, "logs": &s.Logs, "anomaly": &s.Anomaly}
}

// Validate implements proc.Settings.
func (s *Settings) Validate() error {
	err := errors.Join(s.Config.Validate(), s.Targets.Validate(), s.Logs.Validate())
	for _, pattern := range s.Files {
		if wrong := census.CheckPattern(pattern); wrong != nil {
			err = errors.Join(err, fmt.Errorf("--watch-file: %w", wrong))
		}
	}
	if err != nil {
		return err
	}
	options, err := s.Anomaly.options(s.Interval)
	if err != nil {
		return err
	}
	if s.detector = nil; options.Enabled {
		if s.detector, err = probe.NewDetector(options); err != nil {
			return err
		}
	}
	s.clients = s.Targets.Open()
	if s.Custom != "" {
		databases := map[string]custom.Database{}
		for name, server := range s.clients.Postgres {
			databases[name] = server
		}
		if s.custom, err = custom.Load(s.Custom, databases); err != nil {
			return err
		}
	}
	return s.Anomaly.known(s.Skills())
}

// Skills returns the skills of this host and of its targets, then those of the program and of Custom.
// Validate comes first.
func (s *Settings) Skills() []skills.Skill {
	o := all.Options{Proc: s.Proc, Sys: s.Sys, Root: s.Root, Clients: s.clients, Logs: s.Logs, Journal: journald.Open}
	if s.detector != nil {
		o.Detector = s.detector
	}
	list := all.Skills(o)
	return slices.Concat(list, s.more, s.custom)
}

// Deps fills in what a probe looks at.
func (s *Settings) Deps(d probe.Deps) (probe.Deps, error) {
	var err error
	if d.Identity, err = probe.ReadIdentity(s.Proc, s.Root); err != nil {
		return d, err
	}
	d.Skills, d.Targets, d.Detector = s.Skills(), s.Targets.List(), s.detector
	for _, node := range s.clients.Beam {
		if d.Log != nil {
			node.Log = d.Log
		}
	}
	machine := host.New(host.Config{Proc: s.Proc, Sys: s.Sys, Root: s.Root})
	d.Node = hostos.Node(machine, s.Node)
	found := discover.Config{Host: machine, Watched: s.Targets.Addresses()}
	for _, t := range d.Targets {
		found.Names = append(found.Names, t.Name)
	}
	for _, node := range s.clients.Beam {
		found.Nodes = append(found.Nodes, node.Name())
	}
	d.Look = discover.New(found).Look
	watching := census.New(census.Config{Node: s.Node, Host: machine, Files: s.Files, Targets: s.ports()})
	d.Links = watching
	rolled := rollouts.New(s.Node, s.clients.Kubernetes)
	d.Changes = func(ctx context.Context, keep probe.Keeper) ([]protocol.Change, func() error, error) {
		found, done, err := watching.Changes(ctx, keep)
		more, done2, err2 := rolled.Changes(ctx, keep)
		return slices.Concat(found, more), both(done, done2), errors.Join(err, err2)
	}
	return d, nil
}

// both returns what calls both; one may be nil.
func both(a, b func() error) func() error {
	return func() error {
		var errs []error
		for _, f := range []func() error{a, b} {
			if f != nil {
				errs = append(errs, f())
			}
		}
		return errors.Join(errs...)
	}
}

// ports returns the targets of this machine by the port where they listen.
func (s *Settings) ports() map[int]string {
	out := map[int]string{}
	add := func(name string, addresses []string) {
		for _, at := range addresses {
			where, digits, err := net.SplitHostPort(at)
			port, err2 := strconv.ParseUint(digits, 10, 16)
			ip, err3 := netip.ParseAddr(where)
			if err == nil && err2 == nil && (where == "localhost" || err3 == nil && ip.IsLoopback()) {
				out[int(port)] = name
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Targets.Go)) {
		add(name, s.Targets.Go[name].Addresses())
	}
	for _, name := range slices.Sorted(maps.Keys(s.Targets.Postgres)) {
		add(name, s.Targets.Postgres[name].Addresses())
	}
	for _, name := range slices.Sorted(maps.Keys(s.Targets.NATS)) {
		add(name, s.Targets.NATS[name].Addresses())
	}
	for _, name := range slices.Sorted(maps.Keys(s.Targets.Prometheus)) {
		add(name, s.Targets.Prometheus[name].Addresses())
	}
	for _, name := range slices.Sorted(maps.Keys(s.Targets.Beam)) {
		add(name, s.Targets.Beam[name].Addresses())
	}
	return out
}
