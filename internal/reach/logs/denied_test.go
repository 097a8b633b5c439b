package logs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
)

// deniedFolder is set for the process that reads as an ordinary user.
const deniedFolder = "FLEETLENS_TEST_DENIED"

// TestWhatAnOrdinaryUserMayNotReadIsToldWithItsGroup runs itself as another user
// when it has the rights of root, which nothing is denied to.
func TestWhatAnOrdinaryUserMayNotReadIsToldWithItsGroup(t *testing.T) {
	if dir := os.Getenv(deniedFolder); dir != "" {
		readDenied(t, dir)
		return
	}
	dir, err := os.MkdirTemp("", "denied") //nolint:usetesting // that of the test is its own user's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })  // a temporary folder is left behind then
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another user is to see it
		t.Fatal(err)
	}
	write := func(name string, mode os.FileMode, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret := write("secret.log", 0o640, []byte("m1\n"))
	write("open.log", 0o644, []byte("m2\n"))
	if os.Geteuid() != 0 {
		if err := os.Chmod(secret, 0); err != nil {
			t.Fatal(err)
		}
		readDenied(t, dir)
		return
	}
	if err := os.Chown(secret, 0, 4); err != nil { // adm, on Debian
		t.Fatal(err)
	}
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), write("self", 0o755, self), "-test.run=^"+t.Name()+"$") //nolint:gosec // it is this program
	cmd.Env, cmd.Dir = []string{deniedFolder + "=" + dir}, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as another user: %v\n%s", err, out)
	}
}

func readDenied(t *testing.T, dir string) {
	t.Helper()
	r := logs.New(logs.Config{Files: []string{filepath.Join(dir, "*.log")}, Docker: logs.Off, Pods: logs.Off}, nil)
	defer r.Close()
	if err := r.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	read, un := r.Sources()
	if len(read) != 1 || filepath.Base(read[0].Name) != "open.log" {
		t.Errorf("read %+v, want the other file", read)
	}
	if len(un) != 1 || filepath.Base(un[0].Source) != "secret.log" || un[0].Reason != "permission denied" || !strings.Contains(un[0].Grant, "the probe's user") {
		t.Fatalf("unreadable %+v, want the file and how to grant it", un)
	}
	if os.Getenv(deniedFolder) != "" && !strings.Contains(un[0].Grant, "usermod -aG") {
		t.Errorf("grant %q, want the file's group", un[0].Grant)
	}
}
