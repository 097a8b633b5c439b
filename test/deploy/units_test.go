package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/test/built"
)

var execStart = regexp.MustCompile(`(?m)^ExecStart=/usr/bin/(\S+) ?(.*)$`)

// The units of deploy/systemd are such that systemd takes, and leave the programs little to
// do harm with.
func TestUnitsAreTakenAndHardened(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(repo, "deploy/systemd/*.service"))
	if err != nil || len(files) != 5 {
		t.Fatalf("there are %d units, %v", len(files), err)
	}
	dir := built.Programs(t)
	for _, file := range files {
		name := filepath.Base(file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name+" starts a program with flags that it has", func(t *testing.T) {
			line := execStart.FindStringSubmatch(string(text))
			if line == nil {
				t.Fatal("it starts nothing")
			}
			cmd := exec.CommandContext(t.Context(), filepath.Join(dir, line[1]), append(strings.Fields(line[2]), "--help")...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
		t.Run(name+" is hardened", func(t *testing.T) {
			if !missing.Debian(t, "systemd-analyze", "systemd") {
				return
			}
			unit := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(unit, execStart.ReplaceAll(text, []byte("ExecStart=/bin/true")), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "fleetlens") {
				t.Errorf("verify: %v\n%s", err, out)
			}
			// 30 of 100, which systemd-analyze prints as 3.0: "OK"; a service without any of it has 96.
			if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=30", unit).CombinedOutput(); err != nil {
				t.Errorf("security: %v\n%s", err, out)
			}
		})
	}
}
