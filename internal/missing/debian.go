package missing

import (
	"os"
	"os/exec"
	"testing"
	"time"
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
	out, err := install(pkg)
	if err != nil {
		_ = exec.Command("apt-get", "update", "-qq").Run()
		out, err = install(pkg)
	}
	if _, found := exec.LookPath(program); found != nil {
		Component(t, program, "apt-get install "+pkg+" failed: "+string(out[max(0, len(out)-200):]))
		return false
	}
	return err == nil
}

// install takes a package; others that install at the same time are waited for.
func install(pkg string) ([]byte, error) {
	c := exec.Command("apt-get", "install", "-qq", "-y", "-o", "DPkg::Lock::Timeout=120", pkg)
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	c.WaitDelay = 5 * time.Minute
	return c.CombinedOutput()
}
