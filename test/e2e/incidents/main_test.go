//go:build linux

package incidents

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fleetlens/fleetlens/test/goservice"
)

// roleEnv tells the test program that it is a process of an incident.
const roleEnv = "FLEETLENS_INCIDENT_ROLE"

var tempDir string

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		if err := play(role); err != nil {
			fmt.Println("cannot:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
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
