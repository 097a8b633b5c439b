package census

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
)

// mostServices bounds the services that are watched, those that are gone included.
const mostServices = 256

// A service is a process that runs for long: the main process of a systemd unit, or
// one that listens on a port.
type service struct {
	Name  string    `json:"name"`
	Unit  string    `json:"unit,omitempty"`
	Port  int       `json:"port,omitempty"`
	PID   int32     `json:"pid"`
	Start uint64    `json:"start"` // ticks after boot
	Since time.Time `json:"since"`
	Seen  time.Time `json:"seen"`
	Gone  bool      `json:"gone,omitempty"` // it was not there when it was looked for last

	Program *executable `json:"program,omitempty"` // nil: it could not be read
	// Replaced: that another program took its program's place was reported.
	Replaced bool `json:"replaced,omitempty"`
	// Reported is when a restart was reported last, Restarts how many came after.
	Reported time.Time `json:"reported,omitzero"`
	Restarts int       `json:"restarts,omitempty"`
}

// An executable is what a service runs.
type executable struct {
	Path    string    `json:"path"`
	Size    int64     `json:"size"`
	Changed time.Time `json:"changed"`
	Version string    `json:"version,omitempty"` // of a Go program that says it
}

// same reports whether two are the same version of a program.
func (e executable) same(o executable) bool {
	return e.Path == o.Path && e.Size == o.Size && e.Changed.Equal(o.Changed)
}

// String says which version it is, as well as is known.
func (e executable) String() string {
	text := fmt.Sprintf("%d bytes of %s", e.Size, e.Changed.UTC().Format(time.RFC3339))
	if e.Version != "" {
		return e.Version + " (" + text + ")"
	}
	return text
}

// called is how a service is named in texts.
func (s service) called() string {
	name := cmp.Or(s.Unit, s.Name)
	if s.Unit != "" && s.Name != "" && !strings.HasPrefix(s.Unit, s.Name) {
		name += " (" + s.Name + ")"
	}
	if s.Port != 0 {
		name += fmt.Sprintf(" on port %d", s.Port)
	}
	return name
}

// services lists what runs for long, by a key that is the same after a restart. The
// programs are not filled in. The caller holds the lock.
func (c *Census) services(scan *host.Scan) map[string]service {
	out := map[string]service{}
	units := map[process]string{}
	unit := func(p *host.Process) string {
		k := process{p.PID, p.Start}
		if _, ok := units[k]; !ok {
			u, known := c.units[k]
			if !known {
				if u = c.cfg.Host.Unit(p.PID); !strings.HasSuffix(u, ".service") {
					u = ""
				}
			}
			units[k] = u
		}
		return units[k]
	}
	add := func(key string, s service) {
		if _, taken := out[key]; !taken && len(out) < mostServices {
			out[key] = s
		}
	}
	for i := range scan.Processes { // by pid: of several main processes of a unit the first
		p := &scan.Processes[i]
		if p.PPID != 1 {
			continue
		}
		if u := unit(p); u != "" {
			add("unit "+u, describe(scan, p, u, 0))
		}
	}
	for _, l := range c.sockets.listeners {
		p, ok := scan.ByPID(l.owner.pid)
		if !ok {
			continue
		}
		p = first(scan, p)
		u, port := unit(p), int(l.addr.Port())
		if s, ok := out["unit "+u]; ok && s.PID == p.PID {
			if s.Port == 0 || port < s.Port {
				s.Port = port
				out["unit "+u] = s
			}
			continue
		}
		key := fmt.Sprintf("port %d %s", port, p.Name())
		if u != "" {
			key = "unit " + u + " " + p.Name()
		} else if other, ok := portOf(out, p); ok {
			if port >= out[other].Port {
				continue
			}
			delete(out, other)
		}
		add(key, describe(scan, p, u, port))
	}
	c.units = units
	return out
}

func describe(scan *host.Scan, p *host.Process, unit string, port int) service {
	s := service{Name: p.Name(), Unit: unit, Port: port, PID: p.PID, Start: p.Start, Since: scan.At.UTC(), Seen: scan.At.UTC()}
	if age, ok := scan.Age(p); ok {
		s.Since = scan.At.Add(-age).UTC().Truncate(time.Second)
	}
	return s
}

// portOf returns the key of a service without unit that is the process.
func portOf(of map[string]service, p *host.Process) (string, bool) {
	for key, s := range of {
		if s.PID == p.PID && s.Unit == "" {
			return key, true
		}
	}
	return "", false
}

// first returns the process that started others of its name: workers come and go,
// and share its socket.
func first(scan *host.Scan, p *host.Process) *host.Process {
	for range 8 {
		parent, ok := scan.ByPID(p.PPID)
		if !ok || parent.PID <= 1 || parent.Name() != p.Name() {
			break
		}
		p = parent
	}
	return p
}

// program reads what a service runs; nil when this process may not. known is what
// was known before: the version is not read again.
func (c *Census) program(pid int32, known *executable) (*executable, host.Executable) {
	x, err := c.cfg.Host.Executable(pid)
	if err != nil || x.ModTime.IsZero() {
		return nil, host.Executable{}
	}
	e := &executable{Path: x.Path, Size: x.Size, Changed: x.ModTime}
	if known != nil && known.same(*e) {
		return known, x
	}
	if p, err := c.cfg.Host.GoProgram(pid); err == nil {
		e.Version = versionOf(p)
	}
	return e, x
}

// versionOf returns how a Go program calls its version, in at most a few words.
func versionOf(p host.GoProgram) string {
	v := p.Version
	if v == "" || v == "(devel)" {
		if v = ""; p.Revision != "" {
			v = "revision " + p.Revision[:min(len(p.Revision), 12)]
		}
	}
	return strings.ToValidUTF8(v[:min(len(v), 64)], "")
}
