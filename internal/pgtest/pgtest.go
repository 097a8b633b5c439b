//go:build linux

// Package pgtest starts real PostgreSQL servers for tests: clusters of their own
// in a temporary folder, on a port of loopback, gone when the tests end.
package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/missing"
)

// Password is that of every role that the package makes, so that a test can look
// for it where it must not be.
const Password = "hunter2-s3cret"

// patience is how long a server may take to start or to end.
const patience = 30 * time.Second

// A Cluster is a PostgreSQL server that this process runs.
type Cluster struct {
	bin, dir string
	port     int
	settings []string
	cmd      *exec.Cmd
	ended    chan struct{}
}

// Start makes a cluster and starts its server, which listens on 127.0.0.1 and
// asks for a password. Settings are as in postgresql.conf: "max_connections=20".
// Whoever starts it stops it.
func Start(settings ...string) (*Cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, dir: dir, settings: settings}
	if err := c.create(); err != nil {
		c.Stop()
		return nil, err
	}
	if err := c.start(); err != nil {
		err = fmt.Errorf("%w\n%s", err, c.log())
		c.Stop()
		return nil, err
	}
	return c, nil
}

// Run is Start for one test. Where no server can be had it says so and returns nil.
func Run(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c, err := Start(settings...)
	if Absent(t, err) {
		return nil
	}
	t.Cleanup(c.Stop)
	return c
}

// Absent reports whether err says that there is no server, which the test tells
// as what it could not do. Another error ends the test.
func Absent(t testing.TB, err error) bool {
	t.Helper()
	switch {
	case errors.Is(err, ErrNotInstalled):
		missing.Component(t, "a real PostgreSQL server", err.Error())
		return true
	case err != nil:
		t.Fatal(err)
	}
	return false
}

// owner is who runs the server: it refuses to be run by root.
func owner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// give makes a file or folder the owner's.
func give(path string) error {
	as, err := owner()
	if err != nil || as == nil {
		return err
	}
	return os.Chown(path, int(as.Uid), int(as.Gid))
}

// folder makes a temporary folder that the owner can reach, as no test's own is.
func folder() (string, error) {
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return "", err
	}
	return dir, give(dir)
}

func (c *Cluster) command(program string, args ...string) (*exec.Cmd, error) {
	as, err := owner()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "TZ=UTC"}
	// The server ends, and cleans up, when the test program is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGQUIT}
	return cmd, nil
}

func (c *Cluster) create() error {
	password := filepath.Join(c.dir, "password")
	if err := os.WriteFile(password, []byte(Password+"\n"), 0o600); err != nil {
		return err
	}
	if err := give(password); err != nil {
		return err
	}
	cmd, err := c.command("initdb", "--pgdata="+c.data(), "--username=postgres", "--auth=scram-sha-256",
		"--pwfile="+password, "--encoding=UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// Stop ends the server and removes the cluster.
func (c *Cluster) Stop() {
	c.halt(syscall.SIGQUIT)
	_ = os.RemoveAll(c.dir)
}

// Down ends the server and keeps the cluster, for [Cluster.Up].
func (c *Cluster) Down() { c.halt(syscall.SIGINT) }

// Up starts the server of a cluster again, on the port it had.
func (c *Cluster) Up(t testing.TB) {
	t.Helper()
	if err := c.serve(); err != nil {
		t.Fatalf("%v\n%s", err, c.log())
	}
}

// Program returns the path of one of PostgreSQL's programs: pgbench.
func (c *Cluster) Program(name string) string { return filepath.Join(c.bin, name) }

// DSN returns how to connect to a database as a role.
func (c *Cluster) DSN(database, role string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", role, Password, c.port, database)
}
