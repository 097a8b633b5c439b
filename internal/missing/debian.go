package missing

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Debian reports whether a program can be used. Where it is not installed it is
// taken from Debian's package, if the test runs as root on a machine with apt-get;
// else the program counts as a missing component.
func Debian(t testing.TB, program, pkg string) bool {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		Component(t, program, "it is not installed; on Debian: apt-get install "+pkg)
		return false
	}
	t.Logf("installing Debian's package %s", pkg)
	err := Install(pkg)
	if _, found := exec.LookPath(program); found != nil {
		Component(t, program, fmt.Sprintf("apt-get install %s failed: %v", pkg, err))
		return false
	}
	return err == nil
}

// Install takes packages of Debian, as root on a machine with apt-get. Other tests that
// install at the same time are waited for, and other programs two minutes at most.
func Install(packages ...string) error {
	// apt-get waits for the packages' lock and not for that of the lists.
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "fleetlens-apt.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // and so it is let go
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	add := append([]string{"install", "-qq", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"}, packages...)
	for _, args := range [][]string{add, {"update", "-qq"}, add} {
		c := exec.Command("apt-get", args...)
		c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		var out []byte
		if out, err = c.CombinedOutput(); err != nil {
			err = fmt.Errorf("apt-get %s: %w: %.500s", args[0], err, out)
		} else if args[0] == "install" {
			return nil
		}
	}
	return err
}
