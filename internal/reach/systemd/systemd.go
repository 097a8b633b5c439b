// Package systemd asks a machine's systemd about its units, over D-Bus. It knows the
// questions only: nothing in it can start or stop a unit.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// ErrAbsent is what every question gives on a machine without systemd or without
// its D-Bus.
var ErrAbsent = errors.New("there is no systemd to ask: no D-Bus at /run/dbus/system_bus_socket")

// A Manager is the systemd of one machine. It connects when first asked, and again
// after a failure. It is safe for concurrent use.
type Manager struct {
	address string

	mu   sync.Mutex
	conn *dbus.Conn
}

// New returns the manager of the machine whose root is at root; empty means this one.
func New(root string) *Manager {
	if address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); address != "" && root == "" {
		return &Manager{address: address}
	}
	return &Manager{address: "unix:path=" + filepath.Join("/", root, "run/dbus/system_bus_socket")}
}

// Close gives back the connection. The manager may be asked again.
func (m *Manager) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil {
		_ = m.conn.Close()
		m.conn = nil
	}
}

func (m *Manager) connect(ctx context.Context) (*dbus.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil && m.conn.Connected() {
		return m.conn, nil
	}
	if path, ok := strings.CutPrefix(m.address, "unix:path="); ok {
		path, _, _ = strings.Cut(path, ",")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, ErrAbsent
		}
	}
	// The connection ends with its own context, not with that of one question.
	conn, err := dbus.Dial(m.address, dbus.WithContext(context.WithoutCancel(ctx)))
	if err != nil {
		return nil, fmt.Errorf("connect to D-Bus: %w", err)
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(fmt.Sprint(os.Getuid()))}); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("D-Bus does not know this user: %w", err)
	}
	if err := conn.Hello(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("D-Bus: %w", err)
	}
	m.conn = conn
	return conn, nil
}

const (
	service    = "org.freedesktop.systemd1"
	managerAPI = "org.freedesktop.systemd1.Manager"
	serviceAPI = "org.freedesktop.systemd1.Service"
	unitAPI    = "org.freedesktop.systemd1.Unit"
	manager    = dbus.ObjectPath("/org/freedesktop/systemd1")
)

// ask calls one method of one object and reads its answer into out.
func (m *Manager) ask(ctx context.Context, path dbus.ObjectPath, method string, out any, args ...any) error {
	conn, err := m.connect(ctx)
	if err != nil {
		return err
	}
	call := conn.Object(service, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
	if call.Err != nil {
		if e, ok := errors.AsType[dbus.Error](call.Err); ok && (strings.HasSuffix(e.Name, ".ServiceUnknown") || strings.HasSuffix(e.Name, ".NameHasNoOwner")) {
			return ErrAbsent
		}
		return fmt.Errorf("ask systemd: %w", call.Err)
	}
	return call.Store(out)
}

// A Unit is one unit as systemd lists it.
type Unit struct {
	Name        string // nginx.service
	Description string
	Load        string // loaded, not-found, masked
	Active      string // active, failed, activating, inactive, …
	Sub         string // running, exited, auto-restart, …
	path        dbus.ObjectPath
}

// Units lists the units in any of the states, all of them when there is none, whose
// names match one of the patterns (nginx*.service).
func (m *Manager) Units(ctx context.Context, states, patterns []string) ([]Unit, error) {
	var rows []struct {
		Name, Description, Load, Active, Sub, Following string
		Path                                            dbus.ObjectPath
		JobID                                           uint32
		JobType                                         string
		Job                                             dbus.ObjectPath
	}
	if states == nil {
		states = []string{}
	}
	if err := m.ask(ctx, manager, managerAPI+".ListUnitsByPatterns", &rows, states, patterns); err != nil {
		return nil, err
	}
	out := make([]Unit, len(rows))
	for i, r := range rows {
		out[i] = Unit{r.Name, r.Description, r.Load, r.Active, r.Sub, r.Path}
	}
	return out, nil
}

// UnitOf returns the path by which the unit of a process is asked about, and false
// when it has none.
func (m *Manager) UnitOf(ctx context.Context, pid int32) (Unit, bool, error) {
	var path dbus.ObjectPath
	err := m.ask(ctx, manager, managerAPI+".GetUnitByPID", &path, uint32(pid))
	if e, ok := errors.AsType[dbus.Error](err); ok && e.Name == "org.freedesktop.systemd1.NoUnitForPID" {
		return Unit{}, false, nil
	}
	if err != nil {
		return Unit{}, false, err
	}
	u := Unit{path: path}
	err = m.property(ctx, path, unitAPI, "Id", &u.Name)
	return u, err == nil, err
}

func (m *Manager) property(ctx context.Context, path dbus.ObjectPath, api, name string, out any) error {
	var v dbus.Variant
	if err := m.ask(ctx, path, "org.freedesktop.DBus.Properties.Get", &v, api, name); err != nil {
		return err
	}
	if err := v.Store(out); err != nil {
		return fmt.Errorf("ask systemd: %s: %w", name, err)
	}
	return nil
}

// A Service is what systemd knows of a service beyond its state. What this version
// of systemd does not tell is zero.
type Service struct {
	Restarts     uint32 // automatic ones, since it was started by hand or at boot
	Result       string // success, exit-code, signal, oom-kill, start-limit-hit, …
	ExitCode     int32  // of the main process, the last time
	MainPID      uint32
	Memory       uint64    // bytes; 0: not accounted
	Tasks        uint64    // 0: not accounted
	Changed      time.Time // when its state changed last
	RestartAfter time.Duration
}

// Service asks about the service of a unit.
func (m *Manager) Service(ctx context.Context, u Unit) (Service, error) {
	var s Service
	var err error
	get := func(api, name string, out any) {
		if err == nil {
			err = m.property(ctx, u.path, api, name, out)
			if e, ok := errors.AsType[dbus.Error](err); ok && strings.HasSuffix(e.Name, "UnknownProperty") {
				err = nil
			}
		}
	}
	var changed, wait uint64
	get(serviceAPI, "NRestarts", &s.Restarts)
	get(serviceAPI, "Result", &s.Result)
	get(serviceAPI, "ExecMainStatus", &s.ExitCode)
	get(serviceAPI, "MainPID", &s.MainPID)
	get(serviceAPI, "MemoryCurrent", &s.Memory)
	get(serviceAPI, "TasksCurrent", &s.Tasks)
	get(serviceAPI, "RestartUSec", &wait)
	get(unitAPI, "StateChangeTimestamp", &changed)
	const unset = 1<<64 - 1
	if s.Memory == unset {
		s.Memory = 0
	}
	if s.Tasks == unset {
		s.Tasks = 0
	}
	if changed > 0 && changed < 1<<62 {
		s.Changed = time.UnixMicro(int64(changed))
	}
	s.RestartAfter = time.Duration(min(wait, 1<<52)) * time.Microsecond
	return s, err
}
