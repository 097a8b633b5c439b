//go:build linux

package e2e_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// start runs a program until the test ends, in a folder of its own.
func start(t *testing.T, name, path string, args ...string) *box.Process {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir = t.TempDir()
	// What nobody asked for would come between what these tests ask.
	cmd.Env = append(box.CleanEnv(), "TMPDIR="+cmd.Dir, "FLEETLENS_WATCH=false", "FLEETLENS_TRIAGE=false", "FLEETLENS_ALERTS=")
	return box.Start(t, name, cmd)
}

// An answer is what a command left behind.
type answer struct {
	code           int
	stdout, stderr string
}

// fleetlens runs the command line to its end.
func fleetlens(t *testing.T, args ...string) answer {
	t.Helper()
	p := start(t, "fleetlens "+strings.Join(args, " "), built.Program(t, "cmd/fleetlens"), args...)
	code := p.Wait()
	return answer{code, p.Stdout.String(), p.Stderr.String()}
}
