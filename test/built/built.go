// Package built has programs of this repository for the tests that run them. They lie in
// its folder bin/test, so that of several test programs only the first links them.
package built

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const ours = "./cmd/..."

// Programs returns the folder of our programs, as of the sources now. Every user may read
// it; what else lies there are programs too.
func Programs(t testing.TB) string {
	t.Helper()
	return build(t, ours)
}

// Program returns the path of one program, given the folder of its package in the
// repository: cmd/fleetlens.
func Program(t testing.TB, pkg string) string {
	t.Helper()
	packages := "./" + pkg
	if strings.HasPrefix(pkg, "cmd/") { // all at once, as others will be asked for too
		packages = ours
	}
	return filepath.Join(build(t, packages), filepath.Base(pkg))
}

// fresh are the packages that this process has built, by pattern.
var fresh struct {
	sync.Mutex
	folders map[string]string
}

// build returns the folder with the programs of some packages.
func build(t testing.TB, packages string) string {
	t.Helper()
	fresh.Lock()
	defer fresh.Unlock()
	dir, ok := fresh.folders[packages]
	if ok {
		return dir
	}
	dir, err := link(packages)
	if err != nil {
		t.Fatal(err)
	}
	if fresh.folders == nil {
		fresh.folders = map[string]string{}
	}
	fresh.folders[packages] = dir
	return dir
}

// link has go build what is not up to date, while no other test program does.
func link(packages string) (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	dir := filepath.Join(root, "bin", "test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }() // and so it is let go
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	// Without a commit in them they stay up to date when only that is another.
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", dir+string(filepath.Separator), packages)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", packages, err, out)
	}
	return dir, nil
}
