package supervisor_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/systemd"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/supervisor"
)

// A fake stands for systemd on a real D-Bus: it answers with what a test put in.
type fake struct {
	mu    sync.Mutex
	units []row
	pids  map[uint32]string
	props map[string]*prop.Properties
	conn  *dbus.Conn
	t     *testing.T
}

// A row is what ListUnitsByPatterns gives of a unit.
type row struct {
	Name, Description, Load, Active, Sub, Following string
	Path                                            dbus.ObjectPath
	JobID                                           uint32
	JobType                                         string
	Job                                             dbus.ObjectPath
}

// ListUnitsByPatterns is a method of systemd's manager.
func (f *fake) ListUnitsByPatterns(states, patterns []string) ([]row, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []row{}
	for _, u := range f.units {
		state := len(states) == 0
		for _, s := range states {
			state = state || s == u.Active || s == u.Sub
		}
		for _, p := range patterns {
			if ok, _ := filepath.Match(p, u.Name); ok && state {
				out = append(out, u)
				break
			}
		}
	}
	return out, nil
}

// GetUnitByPID is a method of systemd's manager.
func (f *fake) GetUnitByPID(pid uint32) (dbus.ObjectPath, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range f.units {
		if f.pids[pid] == u.Name {
			return u.Path, nil
		}
	}
	return "/", dbus.NewError("org.freedesktop.systemd1.NoUnitForPID", []any{"PID has no unit"})
}

// unit adds a unit, or changes its properties.
func (f *fake) unit(name, active, sub string, restarts uint32, result string, changed time.Time) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	path := dbus.ObjectPath("/org/freedesktop/systemd1/unit/" + strings.NewReplacer(".", "_2e", "-", "_2d").Replace(name))
	at := -1
	for i := range f.units {
		if f.units[i].Name == name {
			at = i
		}
	}
	if at < 0 {
		f.units = append(f.units, row{})
		at = len(f.units) - 1
	}
	f.units[at] = row{Name: name, Description: "The unit " + name, Load: "loaded", Active: active, Sub: sub, Path: path, Job: "/"}
	values := prop.Map{
		"org.freedesktop.systemd1.Service": {
			"NRestarts": {Value: restarts}, "Result": {Value: result}, "ExecMainStatus": {Value: int32(3)}, "MainPID": {Value: uint32(77)},
			"MemoryCurrent": {Value: uint64(3 << 20)}, "TasksCurrent": {Value: ^uint64(0)}, "RestartUSec": {Value: uint64(100_000)},
		},
		"org.freedesktop.systemd1.Unit": {"Id": {Value: name}, "StateChangeTimestamp": {Value: uint64(changed.UnixMicro())}},
	}
	if p := f.props[name]; p != nil {
		p.SetMust("org.freedesktop.systemd1.Service", "NRestarts", restarts)
		return
	}
	p, err := prop.Export(f.conn, path, values)
	if err != nil {
		f.t.Fatal(err)
	}
	f.props[name] = p
}

// fakeSystemd starts a D-Bus daemon of the test's own with the fake on it. Where
// there is no daemon, the manager is that of a machine without systemd.
func fakeSystemd(t *testing.T) (*systemd.Manager, *fake) {
	t.Helper()
	if !missing.Debian(t, "dbus-daemon", "dbus") {
		return systemd.New("/nonexistent"), nil
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	text := fmt.Sprintf(`<busconfig><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command("dbus-daemon", "--nofork", "--print-address", "--config-file="+config)
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	address := "unix:path=" + dir + "/bus"
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	f := &fake{conn: conn, props: map[string]*prop.Properties{}, pids: map[uint32]string{}, t: t}
	if err := conn.Export(f, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName("org.freedesktop.systemd1", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
	f.unit("dbus.service", "active", "running", 0, "success", time.Now().Add(-24*time.Hour))
	manager := systemd.New("")
	t.Cleanup(manager.Close)
	return manager, f
}

func TestAServiceThatSystemdRestartsIsNamed(t *testing.T) {
	manager, f := fakeSystemd(t)
	if f == nil {
		return
	}
	src := supervisor.Skill(host.New(host.Config{}), manager).Sources[0]
	f.unit("crash.service", "activating", "auto-restart", 40, "exit-code", time.Now())
	if d := snap(t, src); d["unit_restarts_10m"] != 0.0 || d["units_starting"] != 1.0 {
		t.Errorf("restarts before it was looked at count as fresh: %v", d)
	}
	f.unit("crash.service", "activating", "auto-restart", 52, "exit-code", time.Now())
	d := snap(t, src)
	if got := says(src, d, "unit_restarts_10m"); got != "systemd restarted crash.service 12 times in ten minutes" {
		t.Errorf("it crosses %q; %v", got, d)
	}
	if s := list(skilltest.Object(t, src, "sup_restarts(5)")["services"]); len(s) != 1 || s[0]["unit"] != "crash.service" || s[0]["result"] != "exit-code" || s[0]["exit_code"] != 3.0 {
		t.Errorf("got %v", s)
	}
	if u := skilltest.Object(t, src, `sup_unit("crash.service")`); u["restarts_total"] != 52.0 || u["memory_mb"] != 3.0 || u["tasks"] != nil || u["restart_wait_seconds"] != 0.1 {
		t.Errorf("got %v", u)
	}
	if _, err := skilltest.Call(t, src, `sup_unit("nothing.service")`); err == nil || !strings.Contains(err.Error(), "nothing.service") {
		t.Errorf("a unit that is not there: %v", err)
	}
}

func TestAUnitThatFailedLatelyIsNamedAndAnOldOneIsNot(t *testing.T) {
	manager, f := fakeSystemd(t)
	if f == nil {
		return
	}
	src := supervisor.Skill(host.New(host.Config{}), manager).Sources[0]
	f.unit("old.service", "failed", "failed", 0, "exit-code", time.Now().Add(-48*time.Hour))
	if d := snap(t, src); d["units_failed"] != 1.0 || says(src, d, "units_failed_1h") != "" {
		t.Errorf("an old failure: %v", d)
	}
	f.unit("backup.service", "failed", "failed", 0, "oom-kill", time.Now().Add(-time.Minute))
	d := snap(t, src)
	if got := says(src, d, "units_failed_1h"); got != "1 unit(s) failed in the last hour, backup.service last (oom-kill)" {
		t.Errorf("it crosses %q; %v", got, d)
	}
	if u := list(skilltest.Object(t, src, `sup_units("failed", 10)`)["units"]); len(u) != 2 {
		t.Errorf("got %v", u)
	}
}

func TestABusThatGoesAwayIsToldAndComesBack(t *testing.T) {
	manager, f := fakeSystemd(t)
	if f == nil {
		return
	}
	src := supervisor.Skill(host.New(host.Config{}), manager).Sources[0]
	snap(t, src)
	if _, err := f.conn.ReleaseName("org.freedesktop.systemd1"); err != nil {
		t.Fatal(err)
	}
	if d := snap(t, src); d["units_failed"] != nil || d["zombies"] == nil {
		t.Errorf("without systemd: %v", d)
	}
	if _, err := f.conn.RequestName("org.freedesktop.systemd1", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	manager.Close()
	if d := snap(t, src); d["units_failed"] != 0.0 {
		t.Errorf("when it is back: %v", d)
	}
}
