//go:build linux

package incidents

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// kept is what nothing must close before the process ends.
var kept []any

// act plays a role of a box: it makes the fault, says that it has it, and goes on
// until its input ends.
func act(role string) error {
	var err error
	more := func() {}
	switch role {
	case "stay":
	case "full accept queue":
		err = fillQueue()
	case "leak of connections":
		err = leakConnections(520)
	case "leak of descriptors":
		err = leakDescriptors(200)
	case "server with many clients":
		err = serve(400)
	case "many closed connections":
		err = closeMany(3000)
	case "zombies":
		err = leaveZombies(60)
	case "orphans":
		err = leaveOrphans(220)
	case "crash loop":
		more = func() { again("payments", 300*time.Millisecond) }
	case "build":
		more = func() { again("cc", 100*time.Millisecond) }
	case "full filesystem":
		err = fillFilesystem("size=16m", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 16<<20*97/100), 0o600)
		})
	case "filesystem without inodes":
		err = fillFilesystem("size=16m,nr_inodes=300", func(dir string) error {
			for i := range 296 {
				if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600); err != nil {
					return err
				}
			}
			return nil
		})
	case "memory":
		return takeMemory()
	default:
		err = fmt.Errorf("unknown role %q", role)
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	go more()
	_, err = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(kept)
	return err
}

// fillQueue listens with a backlog of 1 and lets two connect, which is as many as
// the kernel takes in.
func fillQueue() error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	addr := unix.SockaddrInet6{Port: 7007}
	addr.Addr[15] = 1
	if err := errors.Join(unix.Bind(fd, &addr), unix.Listen(fd, 1)); err != nil {
		return err
	}
	for range 2 {
		c, err := net.Dial("tcp", "[::1]:7007")
		if err != nil {
			return err
		}
		kept = append(kept, c)
	}
	return nil
}

// connect makes n connections within this process, and does something with each.
func connect(n int, with func(client, server net.Conn) error) error {
	l, err := net.Listen("tcp", "127.0.0.1:7008")
	if err != nil {
		return err
	}
	kept = append(kept, l)
	for range n {
		c, err := net.Dial("tcp", "127.0.0.1:7008")
		if err != nil {
			return err
		}
		s, err := l.Accept()
		if err != nil {
			return err
		}
		if err := with(c, s); err != nil {
			return err
		}
	}
	return nil
}

// leakConnections never closes connections that their clients have closed.
func leakConnections(n int) error {
	return connect(n, func(c, s net.Conn) error {
		kept = append(kept, s)
		return c.Close()
	})
}

func serve(n int) error {
	return connect(n, func(c, s net.Conn) error {
		kept = append(kept, c, s)
		return nil
	})
}

// closeMany closes what it has opened, as a program does that asks another often.
func closeMany(n int) error {
	return connect(n, func(c, s net.Conn) error { return errors.Join(c.Close(), s.Close()) })
}

// leakDescriptors opens nearly as many files as the process may.
func leakDescriptors(limit uint64) error {
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	for range limit * 96 / 100 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break // it has them
		}
		kept = append(kept, f)
	}
	_ = kept[0].(*os.File).Close()
	return nil
}

// leaveZombies never waits for children that have ended.
func leaveZombies(n int) error {
	for range n {
		c := exec.Command("true")
		if err := c.Start(); err != nil {
			return err
		}
		kept = append(kept, c)
	}
	return nil
}

// leaveOrphans has a shell start processes and end without them.
func leaveOrphans(n int) error {
	c := exec.Command("sh", "-c", fmt.Sprintf("for i in $(seq %d); do sleep 300 & done", n))
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c.Run()
}

// again starts a program of a name, ends it after a while, and starts it again.
func again(name string, lives time.Duration) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	path := filepath.Join(".", name)
	if err := os.Symlink(self, path); err != nil {
		panic(err)
	}
	for {
		c := exec.Command("./" + name)
		c.Env = box.As("stay")
		in, err := c.StdinPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			panic(err)
		}
		time.Sleep(lives)
		_ = in.Close()
		_ = c.Wait()
	}
}

// fillFilesystem mounts a small filesystem in the working folder and fills it.
func fillFilesystem(options string, fill func(dir string) error) error {
	dir, err := filepath.Abs("data")
	if err != nil {
		return err
	}
	if err := errors.Join(os.Mkdir(dir, 0o755), syscall.Mount("none", dir, "tmpfs", 0, options)); err != nil {
		return err
	}
	return fill(dir)
}

// takeMemory waits for a line and takes memory until it is killed.
func takeMemory() error {
	fmt.Println("ready")
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return err
	}
	for range 1024 {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
	}
	return errors.New("it took a gigabyte and was not killed")
}
