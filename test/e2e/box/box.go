//go:build linux

// Package box makes machines within this one for tests of the real programs, and runs
// programs until a test ends.
package box

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

// A Box is a machine within this one, with processes, a network and mounts of its
// own: what other tests do is not seen in it, and what is planted in it ends with
// it. Its probe reaches NATS through a socket that is a file.
type Box struct {
	p     *Process
	in    io.WriteCloser
	sock  string
	words []string // with which its probe is started
}

// A Plan says what is in a box.
type Plan struct {
	Role string // that the program with the fault plays: see Play
	Name string // what that program is called
	// Memory, in bytes, is what the machine is to have. With it the figures of the whole
	// machine are those of the box: see view. 0: they are those of this machine.
	Memory uint64
}

// order is what process 1 of a box is told.
type order struct {
	Plan
	Dir  string // where it may write and mount
	Sock string // the way to NATS
}

// roleEnv tells a program that it is a process of a box.
const roleEnv = "FLEETLENS_BOX_ROLE"

// New starts a box in which this program, under a name, plays a role, and returns
// who that is, and the folder that it may write in; nil where this machine lets
// nobody make one. The program calls Play before all else.
func New(t testing.TB, plan Plan) (b *Box, culprit, dir string) {
	t.Helper()
	dir = t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(order{Plan: plan, Dir: dir, Sock: filepath.Join(dir, "nats")})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(CleanEnv(), roleEnv+"=box "+string(told))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	b = &Box{sock: filepath.Join(dir, "nats")}
	if b.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	b.p = Start(t, "box of "+plan.Role, cmd)
	Eventually(t, "the box says who has the fault", func() bool { return strings.Contains(b.p.Stdout.String(), "\n") })
	line := strings.TrimSpace(b.p.Stdout.String())
	if why, cannot := strings.CutPrefix(line, "cannot: "); cannot {
		missing.Component(t, "a real "+plan.Role, "this machine lets a test make no machine of its own: "+why)
		return nil, "", ""
	}
	return b, line, dir
}

// Probe starts the probe inside the box.
func (b *Box) Probe(t testing.TB, url, program string, args []string) {
	t.Helper()
	b.words = append([]string{program}, args...)
	l, err := net.Listen("unix", b.sock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go Forward(l, "tcp", strings.TrimPrefix(url, "nats://"))
	b.start(t)
}

// Again kills the probe the hard way and starts it again.
func (b *Box) Again(t testing.TB) {
	t.Helper()
	b.start(t)
}

func (b *Box) start(t testing.TB) {
	t.Helper()
	const watches = "probe watches"
	before := strings.Count(b.p.Stderr.String(), watches)
	if err := json.NewEncoder(b.in).Encode(b.words); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the probe of the box watches", func() bool { return strings.Count(b.p.Stderr.String(), watches) > before })
}

// Forward passes on what comes in at a listener, until it is closed.
func Forward(l net.Listener, network, address string) {
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

// Play returns unless this program is a process of a box: then it is process 1 of
// the box, or has act play a role there, until it ends.
func Play(act func(role string) error) {
	what, rest, _ := strings.Cut(os.Getenv(roleEnv), " ")
	var err error
	switch what {
	case "":
		return
	case "box":
		err = unpack(rest)
	case "scene":
		err = act(rest)
	default:
		err = fmt.Errorf("unknown role %q", what)
	}
	if err != nil {
		fmt.Println("cannot:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// As returns the environment in which this program plays a role without a box.
func As(role string) []string { return append(CleanEnv(), roleEnv+"=scene "+role) }

// unpack is process 1 of a box: it makes the box a machine, starts the program with
// the fault, and then the probe. When it ends, all of the box does.
func unpack(told string) error {
	var o order
	if err := json.Unmarshal([]byte(told), &o); err != nil {
		return err
	}
	err := errors.Join(
		syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("proc", "/proc", "proc", 0, ""),
		Loopback(),
	)
	if err != nil {
		return err
	}
	if o.Memory > 0 {
		if err := newView(o.Dir, o.Memory); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:4222")
	if err != nil {
		return err
	}
	go Forward(l, "unix", o.Sock)
	pid, err := cast(o.Dir, o.Name, o.Role)
	if err != nil {
		return err
	}
	fmt.Printf("%s (%d)\n", o.Name, pid)

	defer func() { _ = input.Close() }()
	var probe *exec.Cmd
	for in := json.NewDecoder(os.Stdin); ; {
		var words []string
		if err := in.Decode(&words); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if probe != nil { // as kill -9 does
			_ = probe.Process.Kill()
			_ = probe.Wait()
		}
		probe = exec.Command(words[0], append(words[1:], "--server", "nats://127.0.0.1:4222")...)
		probe.Stderr, probe.Env = os.Stderr, CleanEnv()
		if err := probe.Start(); err != nil {
			return err
		}
	}
}

// input is the standard input of the program with the fault, which ends with this
// process: a pipe that nobody holds is closed as soon as garbage is collected.
var input io.WriteCloser

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
	cmd.Env = As(role)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if input, err = cmd.StdinPipe(); err != nil {
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

// Loopback brings the loopback interface of a new network up.
func Loopback() error {
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
