//go:build linux

package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// ErrNotInstalled says that the machine has no PostgreSQL server and that none
// can be installed here.
var ErrNotInstalled = errors.New("no PostgreSQL server is installed: apt-get install postgresql, or put initdb and postgres on the PATH")

// programs returns the folder of initdb and postgres. Where they are missing,
// and root and apt-get are there, Debian's package is installed.
var programs = sync.OnceValues(func() (string, error) {
	if dir, ok := installed(); ok {
		return dir, nil
	}
	if os.Getuid() != 0 {
		return "", ErrNotInstalled
	}
	if err := install(); err != nil {
		return "", fmt.Errorf("%w (%w)", ErrNotInstalled, err)
	}
	if dir, ok := installed(); ok {
		return dir, nil
	}
	return "", ErrNotInstalled
})

func installed() (string, bool) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if file, err := filepath.EvalSymlinks(initdb); err == nil { // the others stand where it is
			return filepath.Dir(file), true
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian
	if err != nil || len(found) == 0 {
		return "", false
	}
	return filepath.Dir(slices.Max(found)), true
}

// install runs apt-get, one test program at a time.
func install() error {
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "pgtest-install.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if _, ok := installed(); ok {
		return nil // another test program was first
	}
	add := []string{"install", "-qq", "-y", "--no-install-recommends", "postgresql", "postgresql-contrib"}
	for _, args := range [][]string{add, {"update", "-qq"}, add} {
		cmd := exec.Command(apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("apt-get: %w: %.500s", err, out)
		} else if args[0] == "install" {
			return nil
		}
	}
	return err
}
