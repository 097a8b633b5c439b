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

	"github.com/fleetlens/fleetlens/internal/missing"
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
	if err := missing.Install("postgresql", "postgresql-contrib"); err != nil {
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
