//go:build linux

package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/missing"
)

// The unit of deploy/systemd is one that systemd takes, and that leaves the probe
// little to do harm with.
func TestTheUnitOfTheProbeIsTakenAndHardened(t *testing.T) {
	if !missing.Debian(t, "systemd-analyze", "systemd") {
		return
	}
	text, err := os.ReadFile(filepath.Join(repo, "deploy/systemd/fleetlens-probe.service"))
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "fleetlens-probe.service")
	changed := strings.ReplaceAll(string(text), "/usr/bin/probe", "/bin/true")
	if err := os.WriteFile(unit, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "fleetlens-probe") {
		t.Errorf("verify: %v\n%s", err, out)
	}
	// 30 of 100, which systemd-analyze prints as 3.0: "OK"; a service without any of it has 96.
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=30", unit).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}
