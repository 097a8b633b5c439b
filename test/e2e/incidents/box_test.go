//go:build linux

package incidents

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fleetlens/fleetlens/internal/missing"
)

// A box is a machine within this one, with processes, a network and mounts of its
// own: what other tests do is not seen in it, and what is planted in it ends with
// it. Its probe reaches NATS through a socket that is a file.
type box struct {
	p    *process
	in   io.WriteCloser
	sock string
}

// boxOrder is what process 1 of a box is told.
type boxOrder struct {
	Role string // of the program with the fault
	Name string // what that program is called
	Dir  string // where it may write and mount
	Sock string // the way to NATS
}

// newBox starts a box in which a program of a name plays a role, and returns who
// that is; nil where this machine lets nobody make one.
func newBox(t *testing.T, role, name string) (b *box, culprit, dir string) {
	t.Helper()
	dir = t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	order, err := json.Marshal(boxOrder{Role: role, Name: name, Dir: dir, Sock: filepath.Join(dir, "nats")})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(cleanEnv(), roleEnv+"=box "+string(order))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	b = &box{sock: filepath.Join(dir, "nats")}
	if b.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	b.p = start(t, "box of "+role, cmd)
	eventually(t, "the box says who has the fault", func() bool { return strings.Contains(b.p.stdout.String(), "\n") })
	line := strings.TrimSpace(b.p.stdout.String())
	if why, cannot := strings.CutPrefix(line, "cannot: "); cannot {
		missing.Component(t, "a real "+role, "this machine lets a test make no machine of its own: "+why)
		return nil, "", ""
	}
	return b, line, dir
}

// boxed returns how an incident in a box is planted; cause has the words of an
// insight, from who has the fault and the folder it may write in.
func boxed(role, name string, cause func(culprit, dir string) []string, until func(*fleet, string) bool) func(*testing.T) *scene {
	return func(t *testing.T) *scene {
		b, culprit, dir := newBox(t, role, name)
		if b == nil {
			return nil
		}
		s := &scene{box: b, until: until, config: "logs: {files: [off], journal: off, docker: off, pods: off}\n"}
		if cause != nil {
			s.cause = cause(culprit, dir)
		}
		return s
	}
}

// probe starts the probe inside the box.
func (b *box) probe(t *testing.T, url, program string, args []string) {
	t.Helper()
	l, err := net.Listen("unix", b.sock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go forward(l, "tcp", strings.TrimPrefix(url, "nats://"))
	if err := json.NewEncoder(b.in).Encode(append([]string{program}, args...)); err != nil {
		t.Fatal(err)
	}
	b.p.says("probe watches")
}

// forward passes on what comes in at a listener, until it is closed.
func forward(l net.Listener, network, address string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial(network, address)
		if err != nil {
			_ = in.Close()
			continue
		}
		pass := func(to, from net.Conn) {
			_, _ = io.Copy(to, from)
			_, _ = to.Close(), from.Close()
		}
		go pass(out, in)
		go pass(in, out)
	}
}

// play is what this program does when it is a process of an incident.
func play(role string) error {
	what, rest, _ := strings.Cut(role, " ")
	switch what {
	case "box":
		return unpack(rest)
	case "scene":
		return act(rest)
	}
	return fmt.Errorf("unknown role %q", role)
}

// unpack is process 1 of a box: it makes the box a machine, starts the program with
// the fault, and then the probe. When it ends, all of the box does.
func unpack(order string) error {
	var o boxOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return err
	}
	err := errors.Join(
		syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("proc", "/proc", "proc", 0, ""),
		loopback(),
	)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:4222")
	if err != nil {
		return err
	}
	go forward(l, "unix", o.Sock)
	pid, err := cast(o.Dir, o.Name, o.Role)
	if err != nil {
		return err
	}
	fmt.Printf("%s (%d)\n", o.Name, pid)

	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	var words []string
	if err := json.Unmarshal(line, &words); err != nil {
		return err
	}
	probe := exec.Command(words[0], append(words[1:], "--server", "nats://127.0.0.1:4222")...)
	probe.Stderr, probe.Env = os.Stderr, cleanEnv()
	if err := probe.Start(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// cast starts this program under a name to play a role, and returns its pid once it does.
func cast(dir, name, role string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	path := filepath.Join(dir, name)
	if err := os.Symlink(self, path); err != nil && !errors.Is(err, os.ErrExist) {
		return 0, err
	}
	cmd := exec.Command(path)
	cmd.Dir = dir
	cmd.Env = append(cleanEnv(), roleEnv+"=scene "+role)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if _, err = cmd.StdinPipe(); err != nil { // it ends when this process does
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		return 0, fmt.Errorf("%s said %q: %w", name, line, err)
	}
	return cmd.Process.Pid, nil
}

// loopback brings the loopback interface of a new network up.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}
