//go:build linux

package incidents

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// kernel are incidents that the kernel of this machine reports. Others' tests may
// plant them too, so they are no place for controls.
var kernel = []incident{
	{name: "a process killed for want of memory", reason: "the indexer is gone", skills: []string{"vm_events", "logger", "exception"}, plant: killed},
	{name: "a disk that cannot be read", reason: "reads fail", skills: []string{"vm_events", "logger", "exception"}, plant: broken},
}

// ofThisKernel are the settings of a probe that reads the kernel's log and no other.
const ofThisKernel = "logs: {files: [off], journal: off, docker: off, pods: off}\n"

// killed has a program take more memory than its group may have.
func killed(t *testing.T) *scene {
	group, err := memoryGroup(t, 24<<20)
	if err != nil {
		missing.Component(t, "a real OOM kill", "this machine lets the test make no memory cgroup: "+err.Error())
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "indexer")
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Env = box.As("memory")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := box.Start(t, "indexer", cmd)
	pid := strconv.Itoa(cmd.Process.Pid)
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(pid), 0o600); err != nil {
		missing.Component(t, "a real OOM kill", err.Error())
		return nil
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	<-p.Ended
	return &scene{
		config: ofThisKernel, cause: []string{"indexer (" + pid + ")", "for want of memory"}, until: reaches("host/vm_events", "oom_kills_5m", 1),
	}
}

// memoryGroup makes a memory cgroup with a limit, of either version.
func memoryGroup(t *testing.T, limit int) (string, error) {
	t.Helper()
	root, file := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	if _, err := os.Stat(filepath.Join(root, file)); err != nil {
		root, file = "/sys/fs/cgroup", "memory.max"
	}
	dir := filepath.Join(root, fmt.Sprintf("fleetlens-incident-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	// Until the process that was killed is gone from it.
	t.Cleanup(func() { box.Within(t, 2*time.Second, func() bool { return os.Remove(dir) == nil }) })
	return dir, os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(limit)), 0o600)
}

// broken cuts the file under a loop device short and reads what is no longer there.
func broken(t *testing.T) *scene {
	device, cut, err := loopDevice(t)
	if err != nil {
		missing.Component(t, "a real I/O error", "this machine lets the test make no loop device: "+err.Error())
		return nil
	}
	cut()
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Pread(fd, page, 1<<20); err == nil {
		t.Fatal("the disk can still be read")
	}
	return &scene{
		config: ofThisKernel, cause: []string{"I/O error", "on " + filepath.Base(device)}, until: reaches("host/vm_events", "io_errors_5m", 1),
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
	var loop *os.File
	for range 5 { // another test may take the free one first
		var n int
		if n, err = unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE); err != nil {
			return "", nil, err
		}
		device = fmt.Sprintf("/dev/loop%d", n)
		if loop, err = os.OpenFile(device, os.O_RDWR, 0); err != nil {
			return "", nil, err
		}
		if err = unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_SET_FD, int(f.Fd())); err == nil {
			break
		}
		_ = loop.Close()
		if !errors.Is(err, unix.EBUSY) {
			return "", nil, err
		}
	}
	if err != nil {
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
