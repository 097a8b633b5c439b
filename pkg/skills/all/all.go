// Package all lists the skills that come with Fleetlens, by hand and in order.
package all

import (
	"path/filepath"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/kmsg"
	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/internal/reach/systemd"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/allocator"
	"github.com/fleetlens/fleetlens/pkg/skills/anomaly"
	"github.com/fleetlens/fleetlens/pkg/skills/beam"
	"github.com/fleetlens/fleetlens/pkg/skills/ets"
	"github.com/fleetlens/fleetlens/pkg/skills/exception"
	"github.com/fleetlens/fleetlens/pkg/skills/gc"
	"github.com/fleetlens/fleetlens/pkg/skills/goruntime"
	"github.com/fleetlens/fleetlens/pkg/skills/kubernetes"
	"github.com/fleetlens/fleetlens/pkg/skills/logger"
	"github.com/fleetlens/fleetlens/pkg/skills/nats"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
	"github.com/fleetlens/fleetlens/pkg/skills/overload"
	"github.com/fleetlens/fleetlens/pkg/skills/ports"
	"github.com/fleetlens/fleetlens/pkg/skills/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills/prometheus"
	"github.com/fleetlens/fleetlens/pkg/skills/supervisor"
	"github.com/fleetlens/fleetlens/pkg/skills/tracer"
	"github.com/fleetlens/fleetlens/pkg/skills/vmevents"
)

// Options say what the skills read. The zero value is the machine the process runs
// on, without any target besides.
type Options struct {
	Proc    string       // the proc filesystem; empty means /proc
	Sys     string       // the sys filesystem; empty means /sys
	Root    string       // where the machine's root is mounted, when it is not the process's own
	Logs    logs.Config  // which logs are read
	Journal logs.Journal // opens the machine's journal; nil where it is not read
	// Detector is the node's own; nil where nothing watches its metrics.
	Detector anomaly.Monitor
	// Clients are the targets besides the host, see [Targets.Open].
	Clients
}

// Skills returns every skill, in the order people see them. It reads nothing of the
// machine yet, so it is also the way to get the skills' words.
func Skills(o Options) []skills.Skill {
	machine := host.New(host.Config{Proc: o.Proc, Sys: o.Sys, Root: o.Root, ScanFor: 100 * time.Millisecond})
	o.Logs.Root = o.Root
	kernel, units := kmsg.Open(""), systemd.New(o.Root)
	if o.Proc != "" && machine.Plain() {
		kernel, units = kmsg.OpenFile(filepath.Join(o.Proc, "kmsg")), systemd.New(o.Proc)
		if o.Journal = nil; o.Root == "" {
			o.Logs.Root = o.Proc
		}
	}
	written := logs.New(o.Logs, o.Journal)
	return []skills.Skill{
		hostos.Skill(machine),
		with(ports.Skill(machine), ports.GoSource(o.Go), ports.BeamSource(o.Beam)),
		with(supervisor.Skill(machine, units), supervisor.BeamSource(o.Beam)),
		with(overload.Skill(machine), overload.GoSource(o.Go), overload.BeamSource(o.Beam, machine)),
		with(allocator.Skill(machine), allocator.GoSource(o.Go), allocator.BeamSource(o.Beam)),
		with(vmevents.Skill(machine, kernel), vmevents.GoSource(o.Go), vmevents.BeamSource(o.Beam)),
		with(logger.Skill(written), logger.BeamSource(o.Beam)),
		with(exception.Skill(written), exception.GoSource(o.Go), exception.BeamSource(o.Beam)),
		goruntime.Skill(o.Go),
		beam.Skill(o.Beam),
		ets.Skill(o.Beam),
		with(gc.Skill(o.Go), gc.BeamSource(o.Beam)),
		with(tracer.Skill(o.Go), tracer.BeamSource(o.Beam)),
		postgres.Skill(o.Postgres),
		nats.Skill(o.NATS),
		prometheus.Skill(o.Prometheus),
		kubernetes.Skill(o.Kubernetes),
		anomaly.Skill(o.Detector),
	}
}

// with returns a skill that has more sources.
func with(s skills.Skill, more ...skills.Source) skills.Skill {
	s.Sources = append(s.Sources, more...)
	return s
}
