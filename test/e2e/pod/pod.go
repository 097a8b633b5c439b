//go:build linux

// Package pod runs a container of a manifest or of a compose file as a process that
// sees what the container would: a root folder with our programs and nothing else, what
// is mounted there, a network of its own, and the user that it is given. There is no
// container runtime in it, and the images are not made.
package pod

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/test/e2e/box"
	"github.com/fleetlens/fleetlens/test/natsserver"
)

// A Pod is one container.
type Pod struct {
	Name     string   // also of its machine
	Programs string   // the folder of our programs, which are in every image
	Command  []string // the first is a program, or nats-server
	Env      []string
	Mounts   []Mount
	Writable []string // folders in it that are empty and may be written to
	User     int      // 0: root
	// Reaches are the addresses of others, host:port, and the sockets that lead there.
	Reaches map[string]string
	// Serves are the ports at which it is reached through sockets.
	Serves map[int]string
}

// A Mount is a file or folder of this machine in a pod. It is never written to.
type Mount struct{ From, To string }

// order is what process 1 of a pod is told.
type order struct {
	Pod
	Dir string // where its root is made
}

const podEnv = "FLEETLENS_POD"

// Play returns unless this program is process 1 of a pod, or NATS in one.
func Play() {
	var err error
	switch told, ours := os.LookupEnv(podEnv); {
	case filepath.Base(os.Args[0]) == "nats-server":
		err = natsserver.Main(os.Args[1:])
	case !ours:
		return
	default:
		err = run(told)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Start runs a pod until the test ends, or its program does. It returns nil where this
// machine lets nobody make one. The test program calls Play before all else.
func Start(t testing.TB, p Pod) *box.Process {
	t.Helper()
	if os.Getuid() != 0 {
		missing.Component(t, "pods as processes", "only root may make their roots and take their users")
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(order{Pod: p, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(box.CleanEnv(), podEnv+"="+string(told))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS}
	return box.Start(t, p.Name, cmd)
}

// Sockets returns a folder for the sockets between pods: their paths are bounded.
func Sockets(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fl-") //nolint:usetesting // of t.TempDir() the name is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// run is process 1 of a pod: it makes its root and network, and runs its program there.
func run(told string) error {
	var o order
	if err := json.Unmarshal([]byte(told), &o); err != nil {
		return err
	}
	root, err := o.root()
	if err != nil {
		return fmt.Errorf("cannot make the root of %s: %w", o.Name, err)
	}
	if err := o.network(); err != nil {
		return fmt.Errorf("cannot make the network of %s: %w", o.Name, err)
	}
	cmd := exec.Command("/usr/local/bin/"+o.Command[0], o.Command[1:]...)
	cmd.Env = append([]string{"PATH=/usr/local/bin", "HOME=/", "NO_COLOR=1"}, o.Env...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Pdeathsig: syscall.SIGKILL}
	if o.User != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(o.User), Gid: uint32(o.User)}
	}
	return cmd.Run()
}

// root makes the root folder, which nothing can be written to but what Writable names.
func (o order) root() (string, error) {
	root := filepath.Join(o.Dir, "root")
	if err := errors.Join(
		syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		os.Mkdir(root, 0o755),
		syscall.Mount("tmpfs", root, "tmpfs", 0, "size=16m,mode=0755"),
		os.MkdirAll(root+"/etc", 0o755), os.MkdirAll(root+"/proc", 0o755),
		syscall.Mount("proc", root+"/proc", "proc", 0, ""),
	); err != nil {
		return "", err
	}
	names := []string{"127.0.0.1 localhost", o.Name}
	for address := range o.Reaches {
		host, _, _ := strings.Cut(address, ":")
		names = append(names, host)
	}
	if err := os.WriteFile(root+"/etc/hosts", []byte(strings.Join(names, " ")+"\n"), 0o644); err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	mounts := append([]Mount{{o.Programs, "/usr/local/bin"}, {"/dev/null", "/dev/null"}}, o.Mounts...)
	for _, libraries := range []string{"/lib", "/lib64", "/usr/lib"} { // images have programs that need none
		if _, err := os.Stat(libraries); err == nil {
			mounts = append(mounts, Mount{libraries, libraries})
		}
	}
	for _, m := range mounts {
		if err := show(m.From, root+m.To); err != nil {
			return "", fmt.Errorf("mount %s: %w", m.To, err)
		}
	}
	for _, m := range mounts { // now that those within others have their places
		if err := syscall.Mount("", root+m.To, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil && m.To != "/dev/null" {
			return "", fmt.Errorf("make %s read-only: %w", m.To, err)
		}
	}
	if o.Command[0] == "nats-server" { // in an image of its own
		if err := errors.Join(syscall.Unmount(root+"/usr/local/bin", 0), show(self, root+"/usr/local/bin/nats-server")); err != nil {
			return "", err
		}
	}
	for _, dir := range o.Writable {
		if err := errors.Join(
			os.MkdirAll(root+dir, 0o755),
			syscall.Mount("tmpfs", root+dir, "tmpfs", 0, fmt.Sprintf("size=8g,mode=0755,uid=%d,gid=%d", o.User, o.User)),
		); err != nil {
			return "", err
		}
	}
	return root, syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=16m")
}

// show mounts a file or folder in another place.
func show(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(to, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
		err = os.WriteFile(to, nil, 0o644)
	}
	if err != nil {
		return err
	}
	return syscall.Mount(from, to, "", syscall.MS_BIND, "")
}

// network leads to others and lets others in.
func (o order) network() error {
	if err := errors.Join(box.Loopback(), syscall.Sethostname([]byte(o.Name))); err != nil {
		return err
	}
	for address, socket := range o.Reaches {
		_, port, _ := strings.Cut(address, ":")
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			return err
		}
		go box.Forward(l, "unix", socket)
	}
	for port, socket := range o.Serves {
		l, err := net.Listen("unix", socket)
		if err != nil {
			return err
		}
		go box.Forward(l, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	}
	return nil
}
