// Package watch is how a probe is configured: the process, and what its skills
// look at. It links no models.
package watch

import (
	"errors"

	"github.com/fleetlens/fleetlens/internal/journald"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
)

// Settings are a probe's settings, and those of what it looks at.
type Settings struct {
	probe.Config
	Targets all.Targets
	Logs    logs.Config
}

// New returns the defaults.
func New() *Settings { return &Settings{Config: probe.DefaultConfig()} }

// Sections implements proc.Settings.
func (s *Settings) Sections() map[string]any {
	return map[string]any{"targets": &s.Targets, "logs": &s.Logs}
}

// Validate implements proc.Settings.
func (s *Settings) Validate() error {
	return errors.Join(s.Config.Validate(), s.Targets.Validate(), s.Logs.Validate())
}

// Skills returns the skills of this host and of its targets.
func (s *Settings) Skills() []skills.Skill {
	return all.Skills(all.Options{Proc: s.Proc, Sys: s.Sys, Root: s.Root, Targets: s.Targets, Logs: s.Logs, Journal: journald.Open})
}

// Deps fills in what a probe looks at.
func (s *Settings) Deps(d probe.Deps) (probe.Deps, error) {
	var err error
	if d.Identity, err = probe.ReadIdentity(s.Proc, s.Root); err != nil {
		return d, err
	}
	d.Skills, d.Targets = s.Skills(), s.Targets.List()
	d.Node = hostos.Node(host.New(host.Config{Proc: s.Proc, Sys: s.Sys, Root: s.Root}), s.Node)
	return d, nil
}
