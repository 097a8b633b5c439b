package missing

import (
	"fmt"
	"os"
	"os/exec"
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

// Install takes packages of Debian, as root on a machine with apt-get. Other programs
// that install at the same time are waited for, two minutes at most.
func Install(packages ...string) error {
	add := append([]string{"install", "-qq", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"}, packages...)
	var err error
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
