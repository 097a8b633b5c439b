// Package missing is how tests say that the machine lacks something they need.
// Nothing is skipped silently: `make test` prints the list at its end, and in
// continuous integration a missing component is a failure.
package missing

import (
	"fmt"
	"os"
	"testing"
)

// Component reports that what was not tested because of why. In CI the test
// fails; elsewhere it goes on, and the caller leaves that part out.
func Component(t testing.TB, what, why string) {
	t.Helper()
	line := fmt.Sprintf("%s: %s (%s)", t.Name(), what, why)
	if os.Getenv("CI") == "true" {
		t.Fatal("missing in CI: " + line)
	}
	t.Log("not run: " + line)
	file := os.Getenv("FLEETLENS_MISSING")
	if file == "" {
		return
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(f, line); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
