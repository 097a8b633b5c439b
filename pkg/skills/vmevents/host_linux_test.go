package vmevents_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/kmsg"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/vmevents"
)

// hogVar makes the test's own program take memory until it is killed.
const hogVar = "FLEETLENS_TEST_HOG"

func TestMain(m *testing.M) {
	if os.Getenv(hogVar) == "" {
		os.Exit(m.Run())
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until it is in its group
	var held [][]byte
	for range 1024 {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
	}
	fmt.Println("it took", len(held), "MiB and was not killed")
}

func open(t *testing.T) skills.Source {
	t.Helper()
	log := kmsg.Open("")
	t.Cleanup(log.Close)
	s := vmevents.Skill(host.New(host.Config{}), log)
	return s.Sources[0]
}

// readable reports whether this machine lets the test read the kernel's log.
func readable(t *testing.T) bool {
	t.Helper()
	log := kmsg.Open("")
	defer log.Close()
	if _, err := log.Read(t.Context(), func(kmsg.Record) {}); err != nil {
		missing.Component(t, "the kernel's log", err.Error())
		return false
	}
	return true
}

func TestTheRealHostKeepsThePromises(t *testing.T) {
	if readable(t) {
		skilltest.Run(t, vmevents.Skill(host.New(host.Config{}), kmsg.Open("")))
	}
}

func TestALogThatMayNotBeReadSaysWhatGrantsIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kmsg")
	if err := os.WriteFile(file, nil, 0); err != nil {
		t.Fatal(err)
	}
	want := "CAP_SYSLOG"
	if os.Getuid() == 0 { // who may read everything is told of what is not there
		file, want = "/nonexistent/kmsg", "/nonexistent/kmsg"
	}
	src := vmevents.Skill(host.New(host.Config{}), kmsg.Open(file)).Sources[0]
	d, err := src.Snapshot(t.Context())
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	if _, has := d["oom_kills_5m"]; has {
		t.Error("it claims that there were no kills")
	}
}

// until takes snapshots until one has the field.
func until(t *testing.T, src skills.Source, field string) skills.Data {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		d, err := src.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := d[field].(float64); ok && v > 0 {
			return d
		}
	}
	t.Fatalf("%s stays 0", field)
	return nil
}

func TestARealKillForWantOfMemoryIsFound(t *testing.T) {
	if !readable(t) {
		return
	}
	group, err := memoryGroup(t, 24<<20)
	if err != nil {
		missing.Component(t, "a real OOM kill", "this machine lets the test make no memory cgroup: "+err.Error())
		return
	}
	src := open(t)
	before, err := src.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hog := exec.CommandContext(t.Context(), os.Args[0])
	hog.Env = append(os.Environ(), hogVar+"=1")
	in, err := hog.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := hog.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(hog.Process.Pid)), 0o600); err != nil {
		_ = hog.Process.Kill()
		_ = hog.Wait()
		missing.Component(t, "a real OOM kill", err.Error())
		return
	}
	_, _ = fmt.Fprintln(in)
	if err := hog.Wait(); err == nil {
		t.Fatal("it was not killed")
	}
	var d skills.Data
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if d, err = src.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d["oom_kills_5m"].(float64) > before["oom_kills_5m"].(float64) || time.Now().After(deadline) {
			break
		}
	}
	if got, _ := d["oom_kill_process"].(string); !strings.HasSuffix(got, fmt.Sprintf(" (%d)", hog.Process.Pid)) {
		t.Errorf("killed was %q, want that of pid %d; %v", got, hog.Process.Pid, d)
	}
	crossed := skills.Evaluate(src.Checks, d)
	if len(crossed) == 0 || crossed[0].Check.Metric != "oom_kills_5m" || !strings.Contains(crossed[0].Says, strconv.Itoa(hog.Process.Pid)) {
		t.Errorf("it crosses %+v", crossed)
	}
	events := skilltest.Object(t, src, `sysmon_events("oom_kill", 1)`)["events"].([]any)
	first := events[0].(map[string]any)
	at, err := time.Parse(time.RFC3339Nano, first["datetime"].(string))
	if err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("it happened at %v, %v", first["datetime"], err)
	}
	if !strings.Contains(first["message"].(string), "Killed process "+strconv.Itoa(hog.Process.Pid)) {
		t.Errorf("the event is %v", first)
	}
}

// memoryGroup makes a memory cgroup with a limit, of either version.
func memoryGroup(t *testing.T, limit int) (string, error) {
	t.Helper()
	name := fmt.Sprintf("fleetlens-test-%d", os.Getpid())
	root, file := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	if _, err := os.Stat(filepath.Join(root, file)); err != nil {
		root, file = "/sys/fs/cgroup", "memory.max"
	}
	dir := filepath.Join(root, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	t.Cleanup(func() {
		for range 100 { // until the killed process is gone from it
			if os.Remove(dir) == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return dir, os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(limit)), 0o600)
}

// A loop device whose file was cut short below it is a disk that cannot read.
func TestARealErrorOfADiskIsFound(t *testing.T) {
	if !readable(t) {
		return
	}
	device, cut, err := loopDevice(t)
	if err != nil {
		missing.Component(t, "a real I/O error", "this machine lets the test make no loop device: "+err.Error())
		return
	}
	src := open(t)
	before, err := src.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := before["io_errors_5m"].(float64); n > 0 {
		t.Logf("there were %v I/O errors before", n)
	}
	cut()
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	buf, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Pread(fd, buf, 1<<20); err == nil {
		t.Fatal("the disk can still be read")
	}
	d := until(t, src, "io_errors_5m")
	if got := d["io_error_device"]; got != filepath.Base(device) {
		t.Errorf("the disk is %v, want %s", got, device)
	}
}

func loopDevice(t *testing.T) (device string, cut func(), err error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := f.Truncate(4 << 20); err != nil {
		t.Fatal(err)
	}
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = control.Close() }()
	n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return "", nil, err
	}
	device = fmt.Sprintf("/dev/loop%d", n)
	loop, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return "", nil, err
	}
	if err := unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_SET_FD, int(f.Fd())); err != nil {
		_ = loop.Close()
		return "", nil, err
	}
	t.Cleanup(func() {
		_ = unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_CLR_FD, 0)
		_ = loop.Close()
	})
	return device, func() {
		if err := f.Truncate(4096); err != nil {
			t.Fatal(err)
		}
	}, nil
}
