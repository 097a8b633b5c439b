// Package watch is how a probe is configured: the process, and what its skills
// look at. It links no models.
package watch

import (
	"errors"
	"slices"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/discover"
	"github.com/fleetlens/fleetlens/internal/journald"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/logs"
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
	Custom  string // folder of skills in YAML files; empty: none

	clients all.Clients
	more    []skills.Skill // that the program brings
	custom  []skills.Skill // that stand in Custom
}

// New returns the defaults of a probe with more skills than those of all.Skills.
func New(more ...skills.Skill) *Settings {
	return &Settings{Config: probe.DefaultConfig(), more: more}
}

// Flags implements proc.Settings.
func (s *Settings) Flags(fs *pflag.FlagSet) {
	s.Config.Flags(fs)
	fs.StringVar(&s.Custom, "custom-skills", s.Custom, "`folder` with skills of one's own, a YAML file each")
}

// Sections implements proc.Settings.
func (s *Settings) Sections() map[string]any {
	return map[string]any{"targets": &s.Targets, "logs": &s.Logs}
}

// Validate implements proc.Settings.
func (s *Settings) Validate() error {
	err := errors.Join(s.Config.Validate(), s.Targets.Validate(), s.Logs.Validate())
	if err != nil {
		return err
	}
	s.clients = s.Targets.Open()
	if s.Custom == "" {
		return nil
	}
	databases := map[string]custom.Database{}
	for name, server := range s.clients.Postgres {
		databases[name] = server
	}
	s.custom, err = custom.Load(s.Custom, databases)
	return err
}

// Skills returns the skills of this host and of its targets, then those of the program and of Custom.
// Validate comes first.
func (s *Settings) Skills() []skills.Skill {
	list := all.Skills(all.Options{Proc: s.Proc, Sys: s.Sys, Root: s.Root, Clients: s.clients, Logs: s.Logs, Journal: journald.Open})
	return slices.Concat(list, s.more, s.custom)
}

// Deps fills in what a probe looks at.
func (s *Settings) Deps(d probe.Deps) (probe.Deps, error) {
	var err error
	if d.Identity, err = probe.ReadIdentity(s.Proc, s.Root); err != nil {
		return d, err
	}
	d.Skills, d.Targets = s.Skills(), s.Targets.List()
	machine := host.New(host.Config{Proc: s.Proc, Sys: s.Sys, Root: s.Root})
	d.Node = hostos.Node(machine, s.Node)
	found := discover.Config{Host: machine, Watched: s.Targets.Addresses()}
	for _, t := range d.Targets {
		found.Names = append(found.Names, t.Name)
	}
	d.Look = discover.New(found).Look
	return d, nil
}
