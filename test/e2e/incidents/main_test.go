//go:build linux

package incidents

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fleetlens/fleetlens/test/e2e/box"
	"github.com/fleetlens/fleetlens/test/goservice"
)

var tempDir string

func TestMain(m *testing.M) {
	box.Play(act)
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if tempDir, err = os.MkdirTemp("", "fleetlens-incidents-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(tempDir) }()
	defer func() { stopCluster() }()
	return m.Run()
}

// build makes the programs, and the service with faults, once for all incidents.
var build = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-o", tempDir, "./cmd/...")
	cmd.Dir = "../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	_, err := goservice.Build(tempDir)
	return err
})

// program returns the path of one of our programs.
func program(t *testing.T, name string) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(tempDir, name)
}
